//! Forms take the fields that they have, and no more: nobody raises themselves
//! through one.

use serde_json::{Value, json};

use crate::support::{SIGN_UP, TestApp, UPDATE_PROFILE, VIEWER};

#[tokio::test]
async fn the_profile_does_not_touch_role_status_address_or_id() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let before = eve.asks(VIEWER, json!({})).await.succeeds().data("viewer");
    for (field, value) in [
        ("role", json!("ADMIN")),
        ("status", json!("PENDING")),
        ("email", json!("other@example.com")),
        ("id", json!("user_01h455vb4pex5vsknk084sn02q")),
        ("userId", json!("user_01h455vb4pex5vsknk084sn02q")),
        ("password", json!("other Tram 48 gardens")),
        ("active", json!(true)),
    ] {
        let input = json!({ "firstName": "Eve", field: value });
        let answer = eve.asks(UPDATE_PROFILE, json!({ "input": input })).await;
        let code = answer.code().unwrap();
        assert!(
            ["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"].contains(&code.as_str()),
            "{field}: {code}"
        );
        let literal = match &value {
            Value::String(text) if !["role", "status"].contains(&field) => format!("{text:?}"),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let query = format!(
            "mutation {{ updateProfile(input: {{ firstName: \"Eve\", {field}: {literal} }}) {{ user {{ id }} }} }}"
        );
        let answer = eve.sends(&query, json!({})).await;
        answer.fails_with("GRAPHQL_VALIDATION_FAILED");
    }
    let after = eve.asks(VIEWER, json!({})).await.succeeds().data("viewer");
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_sign_up_does_not_bring_a_role_or_a_status() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    for (field, value) in [
        ("role", "ADMIN"),
        ("status", "ACTIVE"),
        ("grantedRole", "ADMIN"),
    ] {
        let input = json!({
            "username": "nico", "email": nico.email, "password": nico.password, field: value,
        });
        let answer = nico.asks(SIGN_UP, json!({ "input": input })).await;
        assert!(!answer.errors().is_empty(), "{field}: {}", answer.text());
    }
    // Nothing came of it.
    let answer = nico.logs_in().await;
    answer.refused_with("INVALID_CREDENTIALS");
    nico.signs_up().await;
    nico.logs_in().await.refused_with("NOT_APPROVED");
    app.runs_all_jobs().await;
}
