//! Nothing that lets somebody in is kept in clear, or told to anyone it is not
//! meant for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{APPROVALS, PASSWORD, TestApp, USERS};

#[tokio::test]
async fn the_database_holds_nothing_to_log_in_with() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    eve.forgets_password().await;
    app.runs_all_jobs().await;
    let reset = eve.inbox().last().reset_token();
    let confirmation = eve.inbox().latest("welcome").token();
    eve.refreshes().await.succeeds();
    let tokens = eve.tokens();

    let bytes = app.database().everything().await;
    let holds = |text: &str| {
        let text = text.as_bytes();
        bytes.windows(text.len()).any(|window| window == text)
    };
    assert!(holds("eve@example.com"), "nothing was read");
    assert!(holds("$argon2id$v=19$m=19456,t=2,p=1$"));
    for secret in [
        PASSWORD,
        &tokens.access.unwrap(),
        &tokens.refresh.unwrap(),
        &reset,
        &confirmation,
        "#token=",
    ] {
        assert!(!holds(secret), "{secret} is in the database");
    }
}

#[tokio::test]
async fn no_answer_shows_a_hash() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.employee("eve").await;
    for operation in [USERS, APPROVALS] {
        let answer = ada.asks(operation, json!({})).await.succeeds();
        assert!(!answer.text().contains("argon2"));
    }
    for field in ["password", "passwordHash", "sessions", "tokens"] {
        let query = format!("{{ viewer {{ {field} }} }}");
        let answer = ada.sends(&query, json!({})).await;
        answer.fails_with("GRAPHQL_VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn with_introspection_off_the_schema_is_nowhere_to_be_had() {
    let app = TestApp::start_with(&[("INTROSPECTION", "off")]).await;
    let ada = app.admin("ada").await;
    for query in [
        "{ __schema { types { name } } }",
        "{ __type(name: \"User\") { name } }",
    ] {
        let answer = ada.sends(query, json!({})).await;
        assert!(!answer.text().contains("User"), "{}", answer.text());
    }
    let answer = ada.sends("{ usrs { nodes { id } } }", json!({})).await;
    let answer = answer.fails_with("GRAPHQL_VALIDATION_FAILED");
    assert!(!answer.text().contains("users"), "{}", answer.text());
    for path in ["/schema.graphql", "/"] {
        let response = app.http().get(app.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    let answer = ada.sends("{ viewer { __typename } }", json!({})).await;
    assert_eq!(answer.succeeds().data("viewer.__typename"), "User");
}

/// What is nearly right, with variables: whoever answers may say too much.
fn probes() -> Vec<(&'static str, Value)> {
    vec![
        ("{ viewr { id } }", json!({})),
        ("{ viewer }", json!({})),
        ("{ viewer { id { x } } }", json!({})),
        ("{ viewer { usernam } }", json!({})),
        ("{ viewer { tasks } }", json!({})),
        ("{ task { id } }", json!({})),
        ("{ task(ids: 1) { id } }", json!({})),
        ("{ task(id: {}) { id } }", json!({})),
        ("{ task(id: [1]) { id } }", json!({})),
        ("{ tasks(filter: { x: 1 }) { totalCount } }", json!({})),
        ("{ tasks(filter: 7) { totalCount } }", json!({})),
        ("{ tasks(filter: { status: X }) { totalCount } }", json!({})),
        ("{ tasks(orderBy: X) { totalCount } }", json!({})),
        ("{ tasks(order: 7) { totalCount } }", json!({})),
        ("{ tasks(first: \"x\") { totalCount } }", json!({})),
        ("{ node(id: \"x\") { title } }", json!({})),
        ("{ node(id: \"x\") { ... on Usr { id } } }", json!({})),
        (
            "{ node(id: \"x\") { ... on Query { viewer { id } } } }",
            json!({}),
        ),
        ("{ viewer { ... on Task { id } } }", json!({})),
        ("{ viewer { ...f } } fragment f on Task { id }", json!({})),
        ("fragment f on String { x } { viewer { ...f } }", json!({})),
        (
            "query ($x: Strin) { task(id: $x) { id } }",
            json!({ "x": "y" }),
        ),
        ("query ($x: User) { viewer { id } }", json!({})),
        (
            "query ($x: String) { task(id: $x) { id } }",
            json!({ "x": "y" }),
        ),
        ("query ($x: Int) { task(id: $x) { id } }", json!({ "x": 7 })),
        (
            "query ($x: ID!) { tasks(first: $x) { totalCount } }",
            json!({ "x": "y" }),
        ),
        (
            "query ($x: TaskFilter) { tasks(filter: $x) { totalCount } }",
            json!({ "x": { "y": 1 } }),
        ),
        (
            "query ($x: TaskFilter) { tasks(filter: $x) { totalCount } }",
            json!({ "x": 7 }),
        ),
        ("{ viewer @inclde(if: true) { id } }", json!({})),
        ("{ viewer @include { id } }", json!({})),
        ("mutation { logIn }", json!({})),
        ("mutation { logIn { accessToken } }", json!({})),
        ("mutation { logIn(input: {}) { accessToken } }", json!({})),
        (
            "mutation { logIn(input: { login: 1 }) { accessToken } }",
            json!({}),
        ),
        ("mutation { logIn(input: 7) { accessToken } }", json!({})),
        ("mutation { loggIn(input: {}) { x } }", json!({})),
        (
            "mutation { createTask(input: { title: \"x\", deadline: \"soon\" }) { x } }",
            json!({}),
        ),
        (
            "mutation { createTask(input: { title: \"x\", deadline: \"soon\" }) { __typename } }",
            json!({}),
        ),
        (
            "mutation { setUserRole(input: { userId: \"x\", role: BOSS }) { __typename } }",
            json!({}),
        ),
        (
            "mutation { setUserRole(input: \"x\") { __typename } }",
            json!({}),
        ),
        ("subscription { x }", json!({})),
        ("{ a: viewer { id } a: server { id } }", json!({})),
        ("{ __type(name: \"User\") { name } }", json!({})),
        ("{ __schema { queryType { name } } }", json!({})),
    ]
}

#[tokio::test]
async fn with_introspection_off_guessing_at_names_teaches_none() {
    let app = TestApp::start_with(&[("INTROSPECTION", "off")]).await;
    let ada = app.admin("ada").await;
    let sdl = muster::graphql::sdl();
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map(str::to_owned)
            .collect()
    };
    // English words are no news; what has a capital inside or at its head is a name.
    let names: BTreeSet<String> = words(sdl)
        .into_iter()
        .filter(|word| word.len() > 4 && word.contains(|c: char| c.is_ascii_uppercase()))
        .collect();
    assert!(names.contains("userErrors") && names.contains("TaskConnection"));
    for (probe, variables) in probes() {
        let answer = ada.sends(probe, variables.clone()).await;
        let sent = words(&format!("{probe} {variables}"));
        for error in answer.errors() {
            let message = error["message"].as_str().unwrap();
            let told = words(message);
            let learnt: Vec<_> = told
                .difference(&sent)
                .filter(|word| names.contains(*word))
                .collect();
            assert!(learnt.is_empty(), "{probe} teaches {learnt:?}: {message}");
        }
    }
}

#[tokio::test]
async fn the_schema_is_there_for_code_generators() {
    let app = TestApp::start().await;
    let response = app.http().get(app.url("/schema.graphql")).send().await;
    let text = response.unwrap().text().await.unwrap();
    assert_eq!(text, muster::graphql::sdl());
}
