//! `docs/api.md` tells the developers of clients which errors there are and what is
//! too much. A table that is not what the program does is worse than none.

use serde_json::json;

use crate::support::repository::{files, read, root, without_comments};
use crate::support::{Person, TestApp};

const DOCUMENT: &str = "docs/api.md";
const HTTP: &str = "src/http";
const LIMITS: &str = "src/graphql/limits/mod.rs";
const PAGE: &str = "src/graphql/page.rs";
const INPUT: &str = "src/service/input/mod.rs";
const IDENTITY: &str = "src/service/input/identity.rs";

/// What the table calls it, and where the program has it.
const TOLD: &[(&str, &str, &str)] = &[
    ("body of a request", "src/http/mod.rs", "BODY_MAX"),
    ("seconds for the body to arrive", HTTP, "TIME_LIMIT"),
    ("address and headers of a request", HTTP, "HEAD_MAX"),
    ("headers of a request, by number", HTTP, "HEADERS_MAX"),
    ("seconds for an operation", HTTP, "TIME_LIMIT"),
    ("`variables`, as JSON", HTTP, "VARIABLES_MAX"),
    ("document", LIMITS, "DOCUMENT_MAX"),
    ("tokens in a document", LIMITS, "TOKENS_MAX"),
    ("brackets inside one another", LIMITS, "NESTING_MAX"),
    ("characters of a number", LIMITS, "NUMBER_MAX"),
    (
        "operations in a document, of which one runs",
        LIMITS,
        "OPERATIONS_MAX",
    ),
    ("fragments in a document", LIMITS, "FRAGMENTS_MAX"),
    (
        "selections in a document, those of fragments wherever they are spread",
        LIMITS,
        "SELECTIONS_MAX",
    ),
    ("fields inside one another", LIMITS, "DEPTH_MAX"),
    ("fields at the root", LIMITS, "ROOT_FIELDS_MAX"),
    ("aliases", LIMITS, "ALIASES_MAX"),
    ("directives", LIMITS, "DIRECTIVES_MAX"),
    (
        "mutations with a password or a token in them",
        LIMITS,
        "CREDENTIALS_MAX",
    ),
    (
        "selections under `__schema` and `__type`",
        LIMITS,
        "INTROSPECTION_MAX",
    ),
    (
        "lists inside one another under `__schema` and `__type`",
        LIMITS,
        "INTROSPECTION_LISTS_MAX",
    ),
    (
        "lists and objects inside one another in a variable",
        LIMITS,
        "VARIABLE_NESTING_MAX",
    ),
    ("items in a list that is sent", LIMITS, "LIST_MAX"),
    ("fields in an input object", LIMITS, "LIST_MAX"),
    ("ids that `nodes` takes", LIMITS, "LIST_MAX"),
    (
        "descriptions and reasons in an answer",
        "src/graphql/long_text.rs",
        "BYTES_MAX",
    ),
    ("rows of a page", PAGE, "SIZE_MAX"),
    ("words of a `search`", PAGE, "SEARCH_WORDS_MAX"),
    ("characters of a `search`", PAGE, "SEARCH_MAX"),
    (
        "characters of a username, of which 2 are the least",
        IDENTITY,
        "USERNAME_MAX",
    ),
    ("characters of an e-mail address", IDENTITY, "EMAIL_MAX"),
    ("characters of a first or last name", INPUT, "NAME_MAX"),
    ("characters of a title", INPUT, "TITLE_MAX"),
    ("characters of a reason", INPUT, "REASON_MAX"),
    ("characters of a description", INPUT, "DESCRIPTION_MAX"),
];

/// As the function that decides has them, one for each role.
const COSTS: [(&str, &str); 4] = [
    ("cost of an operation, not signed in", "None"),
    ("cost of an operation, EMPLOYEE", "Some(Role::Employee)"),
    ("cost of an operation, MANAGER", "Some(Role::Manager)"),
    ("cost of an operation, ADMIN", "Some(Role::Admin)"),
];

/// The cells of the table whose head begins like this, row by row.
fn table(head: &str) -> Vec<Vec<String>> {
    let document = read(DOCUMENT);
    let lines = document.lines();
    let rows = lines
        .skip_while(|line| !line.starts_with(head))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

fn numbers(text: &str) -> Vec<u64> {
    let text = text.replace([',', '_'], "");
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Such as `256 KiB` or `10,000`.
fn told(cell: &str) -> u64 {
    let number = numbers(cell)[0];
    if cell.ends_with(" KiB") {
        number * 1024
    } else {
        number
    }
}

/// The value of a constant, such as `64 * 1024` or `Duration::from_secs(10)`, of a file or of those of a
/// folder that have it, which agree on it.
fn constant(place: &str, name: &str) -> u64 {
    let paths = match place {
        file if root().join(file).is_file() => vec![file.to_owned()],
        folder => files(folder, ".rs"),
    };
    let text: String = paths.iter().map(|path| read(path)).collect();
    let definitions = text.lines().filter_map(|line| {
        let (before, value) = line.split_once(" = ")?;
        let (before, _) = before.split_once(": ")?;
        before
            .strip_suffix(name)?
            .ends_with("const ")
            .then(|| numbers(value).iter().product())
    });
    let mut definitions: Vec<u64> = definitions.collect();
    definitions.dedup();
    assert_eq!(definitions.len(), 1, "{name} of {place}: {definitions:?}");
    definitions[0]
}

fn limit(what: &str) -> u64 {
    let rows = table("| what | at most |");
    let row = rows.iter().find(|row| row[0] == what);
    told(&row.unwrap_or_else(|| panic!("{DOCUMENT} has no limit of {what}"))[1])
}

#[test]
fn every_limit_that_is_told_is_the_one_that_holds() {
    for (what, path, name) in TOLD {
        assert_eq!(limit(what), constant(path, name), "{what}");
    }
    let source = read(LIMITS);
    for (what, role) in COSTS {
        let arm = format!("{role} => ");
        let arm = source
            .lines()
            .find_map(|line| line.trim().strip_prefix(&arm));
        assert_eq!(limit(what), numbers(arm.unwrap())[0], "{what}");
    }
    assert_eq!(
        table("| what | at most |").len(),
        TOLD.len() + COSTS.len(),
        "a limit is told that is not compared with anything"
    );
    let document = read(DOCUMENT);
    let rows = constant(PAGE, "SIZE_DEFAULT");
    let least = constant(IDENTITY, "USERNAME_MIN");
    for text in [
        format!("pages: {rows} rows"),
        format!("says, else {rows};"),
        format!("of which {least} are the least"),
    ] {
        assert!(document.contains(&text), "{text}");
    }
}

#[test]
fn every_limit_of_documents_is_told() {
    let source = read(LIMITS);
    let names = source.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("const ")?.split_once(':')?;
        name.ends_with("_MAX").then_some(name)
    });
    let untold: Vec<&str> = names
        .filter(|name| !TOLD.iter().any(|told| (told.1, told.2) == (LIMITS, *name)))
        .collect();
    assert!(untold.is_empty(), "{untold:?}");
}

/// What stands between quotes and looks like a code, in what is not a test.
fn codes_in(path: &str) -> Vec<String> {
    let source = read(path).replace("\\\"", "");
    let (source, _) = source.split_once("#[cfg(test)]").unwrap();
    let source = without_comments(source);
    let texts = source.split('"').skip(1).step_by(2);
    let is_code =
        |text: &&str| text.len() > 6 && text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    texts.filter(is_code).map(str::to_owned).collect()
}

#[test]
fn every_code_of_an_error_is_told_and_no_other() {
    let mut known = codes_in("src/graphql/error.rs");
    known.extend(codes_in("src/http/params.rs"));
    known.sort();
    known.dedup();
    assert!(known.len() > 5, "{known:?}");
    let rows = table("| code | cause |");
    let mut told: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, known);
}

/// Sends a body, and compares status and code with what the table has for them: in that row of the
/// code, and of the statuses of a cell in that place.
async fn is_answered_as_told(
    (app, person): (&TestApp, &Person),
    (code, row, place): (&str, usize, usize),
    body: &serde_json::Value,
) {
    let rows = table("| code | cause |");
    let mut told = rows.iter().filter(|told| told[0] == format!("`{code}`"));
    let told = told.nth(row).unwrap();
    for (accept, cell) in [
        ("application/graphql-response+json", &told[2]),
        ("application/json", &told[3]),
    ] {
        let statuses = match cell.as_str() {
            "the same" => numbers(&told[2]),
            _ => numbers(cell),
        };
        // Where one is told, it is for all.
        let status = statuses.get(place).unwrap_or(&statuses[0]);
        let mut request = app
            .http()
            .post(app.url("/graphql"))
            .header("content-type", "application/json")
            .header("accept", accept)
            .body(body.to_string());
        if let Some(token) = person.tokens().access {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(u64::from(response.status().as_u16()), *status, "{code}");
        let text = response.text().await.unwrap();
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{text}");
    }
}

#[tokio::test]
async fn every_code_comes_with_the_status_that_is_told() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let nico = app.stranger("nico");
    let eve = app.employee("eve").await;
    let mia = app.manager("mia").await;
    let query = |text: &str| json!({ "query": text });
    let needs_a_variable = "query ($id: ID!) { node(id: $id) { id } }";
    let page_too_large = "{ viewer { tasks(first: 101) { totalCount } } }";
    let asks_for_a_link =
        "mutation { requestPasswordReset(input: { email: \"eve@example.com\" }) { accepted } }";
    for _ in 0..3 {
        nico.sends(asks_for_a_link, json!({})).await;
    }
    // Somebody broke the database, as far as tasks go.
    app.leaves_jobs();
    app.executes("ALTER TABLE tasks RENAME TO lost").await;
    for (person, told, body) in [
        (&nico, ("BAD_USER_INPUT", 0, 0), json!([])),
        (&eve, ("BAD_USER_INPUT", 1, 0), query(needs_a_variable)),
        (&eve, ("BAD_USER_INPUT", 1, 1), query(page_too_large)),
        (&nico, ("GRAPHQL_PARSE_FAILED", 0, 0), query("{")),
        (
            &nico,
            ("GRAPHQL_VALIDATION_FAILED", 0, 0),
            query("{ nothing }"),
        ),
        (
            &nico,
            ("QUERY_TOO_COMPLEX", 0, 0),
            query(&format!("{{ {} }}", "__typename ".repeat(31))),
        ),
        (
            &nico,
            ("PERSISTED_QUERY_NOT_FOUND", 0, 0),
            json!({ "extensions": { "persistedQuery": { "version": 1 } } }),
        ),
        (
            &nico,
            ("UNAUTHENTICATED", 0, 0),
            query("{ dashboard { message } }"),
        ),
        (
            &nico.with_access_token("garbled"),
            ("UNAUTHENTICATED", 0, 0),
            query("{ viewer { id } }"),
        ),
        (&eve, ("FORBIDDEN", 0, 0), query("{ users { totalCount } }")),
        (&nico, ("RATE_LIMITED", 0, 0), query(asks_for_a_link)),
        (
            &mia,
            ("INTERNAL_SERVER_ERROR", 0, 1),
            query("{ tasks { nodes { id } } }"),
        ),
    ] {
        is_answered_as_told((&app, person), told, &body).await;
    }
    // And now as far as everybody goes who is signed in.
    app.executes("ALTER TABLE sessions RENAME TO lost_sessions")
        .await;
    let told = ("INTERNAL_SERVER_ERROR", 0, 0);
    is_answered_as_told((&app, &mia), told, &query("{ viewer { id } }")).await;
}
