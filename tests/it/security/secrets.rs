//! Nothing that lets somebody in is kept in clear, or told to anyone it is not
//! meant for.

use serde_json::json;

use crate::support::{APPROVALS, PASSWORD, TestApp, USERS};

#[tokio::test]
async fn the_database_holds_nothing_to_log_in_with() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    eve.forgets_password().await;
    app.runs_all_jobs().await;
    let reset = eve.inbox().last().reset_token();
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

#[tokio::test]
async fn the_schema_is_there_for_code_generators() {
    let app = TestApp::start().await;
    let response = app.http().get(app.url("/schema.graphql")).send().await;
    let text = response.unwrap().text().await.unwrap();
    assert_eq!(text, muster::graphql::sdl());
}
