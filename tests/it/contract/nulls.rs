//! The specification's answers: keys in the order asked for, null where a field
//! failed, and no further. The reason why async-graphql is pinned.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
use serde_json::json;

use crate::support::{Answer, TestApp};

#[tokio::test]
async fn keys_come_in_the_order_asked_for() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query = "query ($again: Boolean!) {
        zebra: __typename
        viewer { username role ...Rest tasks { totalCount nodes { id } } }
        ...Server
        apple: __typename
        viewer @include(if: $again) { displayName username }
    }
    fragment Rest on User { email ... on User { status } lastName }
    fragment Server on Query { server { signUpOpen version: passwordMinLength } }";
    let answer = eve.sends(query, json!({ "again": true })).await;
    assert_eq!(
        answer.text(),
        r#"{"data":{"zebra":"Query","viewer":{"username":"eve","role":"EMPLOYEE","email":"eve@example.com","status":"ACTIVE","lastName":null,"tasks":{"totalCount":0,"nodes":[]},"displayName":"eve"},"server":{"signUpOpen":true,"version":8},"apple":"Query"}}"#
    );
}

#[tokio::test]
async fn a_nullable_field_that_fails_is_null_and_its_siblings_stand() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query =
        "{ viewer { username tasks(first: 101) { totalCount } role } server { signUpOpen } }";
    let answer = eve
        .sends(query, json!({}))
        .await
        .fails_with("BAD_USER_INPUT");
    assert!(
        answer.text().starts_with(
            r#"{"data":{"viewer":{"username":"eve","tasks":null,"role":"EMPLOYEE"},"server":{"signUpOpen":true}},"errors":["#
        ),
        "{}",
        answer.text()
    );
    assert_eq!(answer.errors()[0]["path"], json!(["viewer", "tasks"]));
    assert_eq!(answer.http_status(), 200);
}

#[tokio::test]
async fn a_non_null_root_field_that_fails_leaves_no_data() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query = "{ server { version } stats { usersTotal } }";
    let answer = eve.sends(query, json!({})).await.fails_with("FORBIDDEN");
    assert!(answer.text().starts_with(r#"{"data":null,"errors":["#));
    assert_eq!(answer.errors()[0]["path"], json!(["stats"]));
}

#[tokio::test]
async fn a_mutation_that_fails_leaves_its_siblings_done_in_order() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query = r#"mutation {
        first: updateProfile(input: { firstName: "Eve" }) { user { displayName } }
        second: createTask(input: { title: "Not mine to make" }) { task { id } }
        third: updateProfile(input: { lastName: "Adams" }) { user { displayName } }
    }"#;
    let answer = eve.sends(query, json!({})).await.fails_with("FORBIDDEN");
    assert!(
        answer.text().starts_with(
            r#"{"data":{"first":{"user":{"displayName":"Eve"}},"second":null,"third":{"user":{"displayName":"Eve Adams"}}},"errors":["#
        ),
        "{}",
        answer.text()
    );
    assert_eq!(answer.errors()[0]["path"], json!(["second"]));
}

#[tokio::test]
async fn every_failing_field_has_its_own_error() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query =
        "{ viewer { a: tasks(first: -1) { totalCount } b: tasks(last: 101) { totalCount } } }";
    let answer: Answer = eve
        .sends(query, json!({}))
        .await
        .fails_with("BAD_USER_INPUT");
    let mut paths: Vec<_> = answer
        .errors()
        .iter()
        .map(|e| e["path"][1].clone())
        .collect();
    paths.sort_by_key(ToString::to_string);
    assert_eq!(paths, ["a", "b"]);
    assert!(
        answer
            .text()
            .starts_with(r#"{"data":{"viewer":{"a":null,"b":null}},"#)
    );
}

/// No field of ours that is not null fails below a nullable one, so the library shows it by itself.
struct Query;
struct Parent;

#[Object]
impl Query {
    async fn parent(&self) -> Option<Parent> {
        Some(Parent)
    }
    async fn parents(&self) -> Vec<Option<Parent>> {
        vec![Some(Parent)]
    }
    async fn sibling(&self) -> i32 {
        1
    }
}

#[Object]
impl Parent {
    async fn fails(&self) -> async_graphql::Result<i32> {
        std::future::ready(Err(async_graphql::Error::new("failed"))).await
    }
    async fn stands(&self) -> i32 {
        2
    }
}

#[tokio::test]
async fn a_non_null_field_that_fails_nulls_its_parent() {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let query = "{ parent { stands fails } parents { stands fails } sibling }";
    let response = schema.execute(query).await;
    assert_eq!(
        serde_json::to_string(&response.data).unwrap(),
        r#"{"parent":null,"parents":[null],"sibling":1}"#
    );
    assert_eq!(response.errors.len(), 2);
}
