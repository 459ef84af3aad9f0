//! Measures an operation. A fragment is measured once, however often it is
//! spread: what it costs in a list is kept apart from what it costs once, so the
//! list it is spread in can multiply it.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Positioned, ServerError, Variables};
use async_graphql_value::{ConstValue, Name, Value};

use super::rows::{self, Rows, Type, find_type};
use super::{
    INTROSPECTION_LISTS_MAX, NESTING_MAX, TOO_COMPLEX, VALIDATION_FAILED, check_length,
    check_number, check_size, refusal, within,
};
use crate::graphql::page::{SIZE_DEFAULT, SIZE_MAX};

const CREDENTIALS: &[&str] = &[
    "signUp",
    "logIn",
    "refreshSession",
    "requestPasswordReset",
    "resetPassword",
    "changePassword",
    "startSecondFactor",
    "confirmSecondFactor",
    "disableSecondFactor",
    "regenerateRecoveryCodes",
    "createApiToken",
    "confirmEmail",
    "acceptInvitation",
];
const PASSWORD: &str = "currentPassword";
const INTROSPECTION_LISTS: &[&str] = &["fields", "inputFields", "interfaces", "possibleTypes"];
/// Selections inside one another, fragments followed: more than any operation within the limits.
const RECURSION_MAX: usize = 4 * NESTING_MAX;

/// What a set of selections amounts to, with all its fragments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Of what is there once.
    once: u64,
    /// Of what is there for each row, if this set is of something that has rows.
    per_row: u64,
    /// Fields inside one another.
    pub depth: usize,
    /// Fields at this level.
    pub fields: usize,
    pub aliases: usize,
    pub directives: usize,
    /// Fields at this level that check or set a password.
    pub credentials: usize,
    /// Lists of the introspection inside one another.
    listings: usize,
    /// Selections of all levels, those of a fragment as often as it is spread.
    pub selections: usize,
    /// Those of them that ask for the schema.
    pub introspected: usize,
}

impl Cost {
    pub fn complexity(&self) -> u64 {
        self.once.saturating_add(self.per_row)
    }

    /// Adds a set at the same level.
    fn merge(&mut self, other: &Self) {
        self.once = self.once.saturating_add(other.once);
        self.per_row = self.per_row.saturating_add(other.per_row);
        self.depth = self.depth.max(other.depth);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.credentials = self.credentials.saturating_add(other.credentials);
        self.listings = self.listings.max(other.listings);
        self.selections = self.selections.saturating_add(other.selections);
        self.introspected = self.introspected.saturating_add(other.introspected);
    }
}

pub(super) fn measure(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<Cost, ServerError> {
    let mut walk = Walk::new(document, Given::to(operation, variables));
    let mut cost = walk.operation(operation)?;
    cost.directives = cost.directives.saturating_add(operation.directives.len());
    Ok(cost)
}

/// The selections of the whole document: those of each fragment on its own, used or not, and those
/// of each operation. One walk looks at all of it, so each fragment is looked at once, however many
/// operations spread it. Variables make no difference to that.
pub(super) fn selections(document: &ExecutableDocument) -> Result<usize, ServerError> {
    let mut walk = Walk::new(document, Given::default());
    walk.document()
}

/// The values of an operation's variables. They are borrowed: a request may bring many, and many
/// operations besides.
#[derive(Default)]
struct Given<'a> {
    variables: Option<&'a Variables>,
    defaults: HashMap<&'a Name, &'a ConstValue>,
}

impl<'a> Given<'a> {
    fn to(operation: &'a OperationDefinition, variables: &'a Variables) -> Self {
        let mut defaults = HashMap::new();
        for Positioned { node, .. } in &operation.variable_definitions {
            if let Some(default) = &node.default_value {
                defaults.entry(&node.name.node).or_insert(&default.node);
            }
        }
        Self {
            variables: Some(variables),
            defaults,
        }
    }

    fn value(&self, name: &Name) -> Option<&'a ConstValue> {
        let given = self.variables.and_then(|variables| variables.get(name));
        given.or_else(|| self.defaults.get(name).copied())
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    given: Given<'a>,
    /// None while it is being measured.
    fragments: HashMap<&'a Name, Option<Cost>>,
    recursion: usize,
    /// Selections looked at.
    steps: usize,
}

impl<'a> Walk<'a> {
    fn new(document: &'a ExecutableDocument, given: Given<'a>) -> Self {
        Self {
            document,
            given,
            fragments: HashMap::new(),
            recursion: 0,
            steps: 0,
        }
    }

    fn document(&mut self) -> Result<usize, ServerError> {
        let document = self.document;
        let mut selections = 0_usize;
        for name in document.fragments.keys() {
            let cost = self.fragment(name)?;
            selections = selections.saturating_add(cost.selections);
        }
        for (_, operation) in document.operations.iter() {
            let cost = self.operation(&operation.node)?;
            selections = selections.saturating_add(cost.selections);
        }
        Ok(selections)
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Cost, ServerError> {
        let root = match operation.ty {
            OperationType::Query => find_type("Query"),
            OperationType::Mutation => find_type("Mutation"),
            OperationType::Subscription => None,
        };
        self.set(&operation.selection_set.node, root)
    }

    /// `of` is the type that the selections are of. What the schema does not know has a price, too,
    /// though it will not run: each field 1.
    fn set(
        &mut self,
        set: &'a SelectionSet,
        of: Option<&'static Type>,
    ) -> Result<Cost, ServerError> {
        self.recursion += 1;
        if self.recursion > RECURSION_MAX {
            return Err(refusal(
                TOO_COMPLEX,
                format!(
                    "The document has more than {RECURSION_MAX} selections inside one another."
                ),
                None,
            ));
        }
        let mut cost = Cost::default();
        for selection in &set.items {
            self.steps += 1;
            let (found, directives) = match &selection.node {
                Selection::Field(field) => (self.field(&field.node, of)?, &field.node.directives),
                Selection::InlineFragment(inline) => {
                    let of = match &inline.node.type_condition {
                        Some(condition) => find_type(&condition.node.on.node),
                        None => of,
                    };
                    let found = self.set(&inline.node.selection_set.node, of)?;
                    (found, &inline.node.directives)
                }
                Selection::FragmentSpread(spread) => (
                    self.fragment(&spread.node.fragment_name.node)?,
                    &spread.node.directives,
                ),
            };
            cost.merge(&found);
            cost.directives = cost.directives.saturating_add(directives.len());
            cost.selections = cost.selections.saturating_add(1);
        }
        self.recursion -= 1;
        Ok(cost)
    }

    fn fragment(&mut self, name: &Name) -> Result<Cost, ServerError> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Cost::default());
        };
        if let Some(known) = self.fragments.get(name) {
            // What is inside itself has no measure, and no sense (GraphQL, section 5.5.2.2).
            return known.ok_or_else(|| {
                let message = format!("The fragment {name} spreads itself.");
                refusal(VALIDATION_FAILED, message, Some(fragment.pos))
            });
        }
        self.fragments.insert(name, None);
        let of = find_type(&fragment.node.type_condition.node.on.node);
        let cost = self.set(&fragment.node.selection_set.node, of)?;
        self.fragments.insert(name, Some(cost));
        Ok(cost)
    }

    fn field(&mut self, field: &'a Field, of: Option<&'static Type>) -> Result<Cost, ServerError> {
        for (_, value) in &field.arguments {
            check_argument(&value.node)?;
        }
        let name = field.name.node.as_str();
        let known = of.and_then(|parent| parent.field(name));
        let leads_to = known.and_then(rows::Field::leads_to);
        let below = self.set(&field.selection_set.node, leads_to)?;
        // Not `__typename`: that one is in the answer for each row, as any field is.
        let is_introspection = matches!(name, "__schema" | "__type");
        if is_introspection {
            let what = "lists of the introspection inside one another";
            within(what, below.listings, INTROSPECTION_LISTS_MAX)?;
        }
        let mut cost = Cost {
            depth: below.depth.saturating_add(1),
            fields: 1,
            aliases: below.aliases.saturating_add(field.alias.is_some().into()),
            directives: below.directives,
            credentials: (CREDENTIALS.contains(&name) || self.has_password(field)).into(),
            listings: below.listings + usize::from(INTROSPECTION_LISTS.contains(&name)),
            selections: below.selections,
            introspected: if is_introspection {
                below.selections
            } else {
                below.introspected
            },
            ..Cost::default()
        };
        if is_introspection {
            // Answered from memory, and bounded by its own limit.
            return Ok(cost);
        }
        // How often what is there once is there, and how many rows there are in all.
        let (times, rows) = match known.map_or(Rows::One, |known| known.rows) {
            Rows::Each => {
                cost.per_row = below.complexity().saturating_add(1);
                return Ok(cost);
            }
            Rows::One => (1, 1),
            Rows::Page => (1, self.page_size(field)),
            Rows::Ids => (self.ids(field), self.ids(field)),
            Rows::AtMost(rows) => (rows, rows),
            Rows::Shared { lists, rows } => (lists, rows),
        };
        cost.once = times
            .saturating_mul(below.once)
            .saturating_add(rows.saturating_mul(below.per_row))
            .saturating_add(1);
        Ok(cost)
    }

    /// How many objects a field asks for by their ids.
    fn ids(&self, field: &Field) -> u64 {
        match self.argument(field, "ids") {
            Some(Argument::Given(Value::List(items))) => items.len() as u64,
            Some(Argument::Variable(ConstValue::List(items))) => items.len() as u64,
            _ => 1,
        }
    }

    /// Whether a field comes with its viewer's password, though it need not.
    fn has_password(&self, field: &Field) -> bool {
        match self.argument(field, "input") {
            Some(Argument::Given(Value::Object(fields))) => fields.contains_key(PASSWORD),
            Some(Argument::Variable(ConstValue::Object(fields))) => fields.contains_key(PASSWORD),
            _ => false,
        }
    }

    fn page_size(&self, field: &Field) -> u64 {
        ["first", "last"]
            .iter()
            .filter_map(|name| match self.argument(field, name)? {
                Argument::Given(Value::Number(number))
                | Argument::Variable(ConstValue::Number(number)) => number.as_u64(),
                _ => None,
            })
            .max()
            .unwrap_or(SIZE_DEFAULT)
            .min(SIZE_MAX)
    }

    fn argument<'b>(&'b self, field: &'b Field, name: &str) -> Option<Argument<'b>> {
        let value = &field.get_argument(name)?.node;
        match value {
            Value::Variable(variable) => self.given.value(variable).map(Argument::Variable),
            given => Some(Argument::Given(given)),
        }
    }
}

enum Argument<'a> {
    Given(&'a Value),
    Variable(&'a ConstValue),
}

/// Literals, variables among them; variables themselves are checked once, elsewhere. How deep they
/// go is bounded by the scan.
fn check_argument(value: &Value) -> Result<(), ServerError> {
    match value {
        Value::List(items) => {
            check_length(items.len())?;
            items.iter().try_for_each(check_argument)
        }
        Value::Object(fields) => {
            check_size(fields.len())?;
            fields.values().try_for_each(check_argument)
        }
        Value::Number(number) => check_number(number),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::error::code;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    fn cost(query: &str, variables: serde_json::Value) -> (Cost, usize) {
        let document = parse_query(query).unwrap();
        let variables = Variables::from_json(variables);
        let (_, operation) = document.operations.iter().next().unwrap();
        let mut walk = Walk::new(&document, Given::to(&operation.node, &variables));
        let cost = walk.operation(&operation.node).unwrap();
        (cost, walk.steps)
    }

    #[test]
    fn a_field_that_comes_with_a_password_is_one_that_checks_it() {
        let whole = "mutation ($i: UpdateUserInput!) { updateUser(input: $i) { user { id } } }";
        for (query, variables, credentials) in [
            (
                "mutation { updateUser(input: { email: \"a\" }) { user { id } } }",
                json!({}),
                0,
            ),
            (whole, json!({ "i": { "email": "a" } }), 0),
            (
                whole,
                json!({ "i": { "email": "a", "currentPassword": "x" } }),
                1,
            ),
            (
                "mutation ($p: String) { \
                    a: updateUser(input: { currentPassword: $p }) { user { id } } \
                    b: updateUser(input: { currentPassword: \"x\" }) { user { id } } }",
                json!({}),
                2,
            ),
        ] {
            let (cost, _) = cost(query, variables);
            assert_eq!(cost.credentials, credentials, "{query}");
        }
    }

    #[test]
    fn a_field_costs_one_times_the_rows_around_it() {
        for (query, variables, expected) in [
            ("{ viewer { id } }", json!({}), 2),
            ("{ tasks { totalCount } }", json!({}), 2),
            ("{ tasks { nodes { id title } } }", json!({}), 1 + 20 * 3),
            ("{ tasks(first: 5) { nodes { id } } }", json!({}), 1 + 5 * 2),
            (
                "query($n: Int) { tasks(last: $n) { edges { node { id } } } }",
                json!({"n": 7}),
                1 + 7 * 3,
            ),
            (
                "{ tasks(first: 1000) { nodes { id } } }",
                json!({}),
                1 + 100 * 2,
            ),
            (
                "{ users(first: 10) { nodes { tasks(first: 2) { nodes { id } } } } }",
                json!({}),
                1 + 10 * (1 + 1 + 2 * 2),
            ),
            (
                "{ tasks(first: 5) { ...C } } fragment C on TaskConnection { nodes { id } }",
                json!({}),
                1 + 5 * 2,
            ),
            ("{ nodes(ids: [\"a\", \"b\"]) { id } }", json!({}), 1 + 2),
            (
                "query($i: [ID!]!) { nodes(ids: $i) { id } }",
                json!({"i": ["a", "b", "c"]}),
                1 + 3,
            ),
            (
                "{ node(id: \"a\") { ... on User { tasks(first: 3) { nodes { id } } } } }",
                json!({}),
                1 + 1 + 3 * 2,
            ),
            ("{ sessions { id userAgent } }", json!({}), 1 + 50 * 2),
            (
                "{ apiTokens { user { tasks(first: 3) { nodes { id } } } } }",
                json!({}),
                1 + 20 * (1 + 1 + 3 * 2),
            ),
            (
                "{ apiTokens { ... { ...T } } } fragment T on ApiToken { id name }",
                json!({}),
                1 + 20 * 2,
            ),
            (
                "mutation { pauseMails(input: {kinds: []}) { pausedMails { kind } userErrors { code } } }",
                json!({}),
                1 + (1 + 13) + (1 + 20),
            ),
            ("{ stats { usersByRole { count } } }", json!({}), 1 + 1 + 3),
            // The tasks of all groups together are 50.
            (
                "{ reminderPreview { groups { kind tasks { assignee { tasks(first: 3) { nodes { id } } } } } } }",
                json!({}),
                1 + 1 + 5 + 50 * (1 + 1 + 1 + 3 * 2),
            ),
            (
                "{ reminderPreview { totalCount groups { tasks { id } } } }",
                json!({}),
                1 + 1 + 1 + 50 * 2,
            ),
            ("{ unheardOf { apiTokens { id } } }", json!({}), 3),
            ("{ __schema { types { name } } }", json!({}), 0),
            ("{ tasks { nodes { __typename } } }", json!({}), 1 + 20 * 2),
        ] {
            assert_eq!(cost(query, variables).0.complexity(), expected, "{query}");
        }
    }

    #[test]
    fn fragments_that_double_are_looked_at_once_each() {
        let doubling =
            (0..40).map(|i| format!(" fragment F{i} on Query {{ ...F{} ...F{} }}", i + 1, i + 1));
        let mut query = "{ ...F0 }".to_owned();
        query.extend(doubling);
        query += " fragment F40 on Query { a: viewer { id } }";
        let (cost, steps) = cost(&query, json!({}));
        assert_eq!(cost.aliases, 1 << 40);
        assert!(steps < 100, "{steps}");
    }

    #[test]
    fn fragments_in_a_circle_are_refused_at_once() {
        let query =
            "{ ...A } fragment A on Query { ...B viewer { id } } fragment B on Query { ...A ...B }";
        let document = parse_query(query).unwrap();
        let mut walk = Walk::new(&document, Given::default());
        let error = walk.document().unwrap_err();
        assert_eq!(code(&error), Some(VALIDATION_FAILED));
        assert!(walk.steps < 10, "{}", walk.steps);
    }

    #[test]
    fn a_fragment_is_looked_at_once_for_all_operations() {
        let operations = (0..1_000).map(|i| format!("query Q{i} {{ ...F }} "));
        let fragment = format!("fragment F on Query {{ {} }}", "a ".repeat(1_000));
        let query: String = operations.chain([fragment]).collect();
        let document = parse_query(query).unwrap();
        let mut walk = Walk::new(&document, Given::default());
        // Of the fragment on its own, and for each operation all of it and its spread.
        assert_eq!(walk.document().unwrap(), 1_000 + 1_000 * 1_001);
        assert_eq!(walk.steps, 2_000);
    }

    #[test]
    fn what_is_given_goes_before_the_default_and_null_is_given() {
        let query = "query($n: Int = 7) { tasks(first: $n) { nodes { id } } }";
        for (variables, rows) in [
            (json!({}), 7),
            (json!({"n": 3}), 3),
            (json!({"n": null}), SIZE_DEFAULT),
        ] {
            assert_eq!(cost(query, variables).0.complexity(), 1 + rows * 2);
        }
    }
}
