//! Who may knock: every root field as everybody, compared with a table that is
//! kept beside this file. A field without a row fails, as does a row that is
//! wrong.

use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use serde_json::{Value, json};

use super::sdl;
use crate::support::{Answer, Person, TestApp, repository};

const TABLE: &str = "tests/it/contract/access.txt";

#[tokio::test]
async fn the_table_says_who_may_knock() {
    let schema = sdl::ours();
    let app = TestApp::start().await;
    let guests = Guests::arrive(&app).await;
    let mut table = String::new();
    for (root, field) in sdl::root_fields(&schema) {
        let query = query(&schema, root, field);
        let mut cells = vec![format!("{root}.{}", field.name), guard(field)];
        for guest in guests.all() {
            let guest = guest.now_here().await;
            let answer = guest.sends(&query, json!({})).await;
            cells.push(cell(root, field, &answer));
        }
        table.push_str(&row(&cells));
    }
    app.runs_all_jobs().await;

    let head = [
        "field",
        "guard",
        "anonymous",
        "refused",
        "pending",
        "employee",
        "manager",
        "admin",
    ];
    let found = format!("{}{table}", row(&head.map(str::to_owned)));
    assert!(
        repository::read(TABLE) == found,
        "{TABLE} says otherwise; if this is what you mean, put it there:\n{found}"
    );
}

/// The table is what happened, and the schema what was promised: they must agree.
#[test]
fn the_table_follows_from_the_guards() {
    let schema = sdl::ours();
    let table = repository::read(TABLE);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let fields = sdl::root_fields(&schema);
    assert_eq!(rows.len(), fields.len());
    for ((root, field), row) in fields.into_iter().zip(rows) {
        let name = format!("{root}.{}", field.name);
        assert_eq!(row[0], name);
        let required = sdl::guard(field);
        for (place, role) in ["EMPLOYEE", "MANAGER", "ADMIN"].iter().enumerate() {
            let is_in = required
                .as_deref()
                .is_none_or(|required| rank(role) >= rank(required));
            let refused = ["FORBIDDEN", "UNAUTHENTICATED"].contains(&row[5 + place]);
            assert_eq!(!refused, is_in, "{name} as {role}");
        }
        for (cell, has_token) in [(row[2], false), (row[3], true), (row[4], true)] {
            // `viewer` is public, and still says when a token is no good.
            let speaks_of_token = name == "Query.viewer" && has_token;
            let is_out = required.is_some() || speaks_of_token;
            assert_eq!(cell == "UNAUTHENTICATED", is_out, "{name}");
        }
    }
}

fn rank(role: &str) -> usize {
    let roles = ["EMPLOYEE", "MANAGER", "ADMIN"];
    roles.iter().position(|other| *other == role).unwrap()
}

/// Everybody who may come to the door.
struct Guests(Vec<Guest>);

struct Guest {
    person: Person,
    /// Those who cannot log in keep the token that they brought.
    can_log_in: bool,
}

impl Guests {
    async fn arrive(app: &TestApp) -> Self {
        let admin = app.admin("ada").await;
        let (manager, employee) = (app.manager("mia").await, app.employee("eve").await);
        // A token that was signed by us, of somebody who waits for a decision.
        let pending = app.employee("pete").await;
        app.sql("UPDATE users SET status = 'PENDING' WHERE username = 'pete'")
            .await;
        let visitors = [
            app.stranger("nobody"),
            employee.with_access_token("garbled"),
        ];
        let outside = visitors.into_iter().chain([pending]);
        let inside = [employee, manager, admin];
        let guest = |can_log_in| move |person| Guest { person, can_log_in };
        Self(
            outside
                .map(guest(false))
                .chain(inside.into_iter().map(guest(true)))
                .collect(),
        )
    }

    fn all(&self) -> &[Guest] {
        &self.0
    }
}

impl Guest {
    /// Logged in again, should the last question have logged them out.
    async fn now_here(&self) -> &Person {
        if self.can_log_in && !self.person.is_signed_in().await {
            self.person.logs_in().await.succeeds();
        }
        &self.person
    }
}

fn guard(field: &FieldDefinition) -> String {
    sdl::guard(field).map_or("@public".to_owned(), |role| format!("@auth({role})"))
}

/// `answered`, `null` or a code. Nullable fields must leave their siblings standing.
fn cell(root: &str, field: &FieldDefinition, answer: &Answer) -> String {
    let name = &field.name;
    let Some(code) = answer.code() else {
        assert_eq!(answer.data("sibling"), root, "{name}: {}", answer.text());
        let is_null = answer.data("it").is_null();
        return if is_null { "null" } else { "answered" }.to_owned();
    };
    assert_eq!(answer.errors().len(), 1, "{name}: {}", answer.text());
    assert_eq!(answer.errors()[0]["path"], json!(["it"]));
    if field.ty.is_non_null() {
        assert!(
            answer.text().contains(r#""data":null"#),
            "{}",
            answer.text()
        );
    } else {
        assert_eq!(answer.data("it"), Value::Null, "{name}");
        assert_eq!(answer.data("sibling"), root, "{name}");
    }
    code
}

fn row(cells: &[String]) -> String {
    let (first, others) = cells.split_first().unwrap();
    let line = others.iter().fold(format!("{first:<30}"), |line, cell| {
        format!("{line} {cell:<16}")
    });
    format!("{}\n", line.trim_end())
}

/// The field with whatever arguments it must have, and a sibling.
pub fn query(schema: &Schema, root: &str, field: &FieldDefinition) -> String {
    let arguments: Vec<String> = field
        .arguments
        .iter()
        .filter(|argument| argument.is_required())
        .map(|argument| given(schema, argument))
        .collect();
    let arguments = match arguments.join(", ") {
        none if none.is_empty() => none,
        some => format!("({some})"),
    };
    let kind = root.to_lowercase();
    let selection = match &schema.types[field.ty.inner_named_type()] {
        ty if ty.is_leaf() => "",
        _ => " { __typename }",
    };
    format!(
        "{kind} {{ it: {}{arguments}{selection} sibling: __typename }}",
        field.name
    )
}

fn given(schema: &Schema, argument: &InputValueDefinition) -> String {
    format!("{}: {}", argument.name, harmless(schema, &argument.ty))
}

/// A value that is valid by its type and does no harm: no such id, no such person.
fn harmless(schema: &Schema, ty: &Type) -> String {
    if ty.is_list() {
        return "[]".to_owned();
    }
    let name = ty.inner_named_type();
    match (name.as_str(), &schema.types[name]) {
        ("ID", _) => r#""task_00000000000000000000000000""#.to_owned(),
        ("String", _) => r#""harmless""#.to_owned(),
        ("Int", _) => "1".to_owned(),
        ("Boolean", _) => "false".to_owned(),
        (_, ExtendedType::Enum(values)) => values.values.keys().last().unwrap().to_string(),
        (_, ExtendedType::InputObject(input)) => {
            let fields: Vec<String> = input
                .fields
                .values()
                .filter(|field| field.is_required())
                .map(|field| given(schema, field))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        (other, _) => panic!("no harmless {other} is known: teach this test one"),
    }
}
