//! Who one is and what one may do is looked up at each request: what was taken
//! away is gone by the next one.

use serde_json::json;

use crate::support::{
    DELETE_USER, INVITATIONS, Person, SET_USER_ROLE, TASKS, TestApp, UPDATE_USER, USERS, VIEWER,
};

async fn sets_role(admin: &Person, user: &Person, role: &str) {
    let input = json!({ "userId": user.id(), "role": role });
    let answer = admin.asks(SET_USER_ROLE, json!({ "input": input })).await;
    answer.succeeds();
}

async fn sets_active(admin: &Person, user: &Person, active: bool) {
    let input = json!({ "userId": user.id(), "active": active });
    let answer = admin.asks(UPDATE_USER, json!({ "input": input })).await;
    answer.succeeds();
}

#[tokio::test]
async fn a_role_counts_from_the_next_request_on() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mia = app.manager("mia").await;
    mia.asks(TASKS, json!({})).await.succeeds();
    sets_role(&ada, &mia, "EMPLOYEE").await;
    mia.asks(TASKS, json!({})).await.fails_with("FORBIDDEN");
    // The session goes on, with what is left of the rights.
    let answer = mia.asks(VIEWER, json!({})).await.succeeds();
    assert_eq!(answer.data("viewer.role"), "EMPLOYEE");
    sets_role(&ada, &mia, "ADMIN").await;
    mia.asks(USERS, json!({})).await.succeeds();
}

#[tokio::test]
async fn an_admin_who_unmakes_themselves_is_none_any_more() {
    let app = TestApp::start().await;
    let (ada, _) = (app.admin("ada").await, app.admin("abe").await);
    sets_role(&ada, &ada, "EMPLOYEE").await;
    ada.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
}

/// Though the request began with them.
#[tokio::test]
async fn rights_that_a_request_gives_up_are_gone_for_the_rest_of_it() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    let operation = "mutation ($self: ID!) {
        a: setUserRole(input: { userId: $self, role: EMPLOYEE }) { userErrors { code } }
        b: inviteUser(input: { email: \"olga@example.com\", role: ADMIN }) {
            invitation { id } userErrors { code }
        }
    }";
    let answer = ada.sends(operation, json!({ "self": ada.id() })).await;
    assert_eq!(answer.data("a.userErrors"), json!([]));
    assert_eq!(answer.data("b.invitation"), json!(null));
    assert_eq!(answer.data("b.userErrors.0.code"), "NOT_ALLOWED");
    let answer = abe.asks(INVITATIONS, json!({})).await.succeeds();
    assert_eq!(answer.data("invitations.totalCount"), 0);
}

#[tokio::test]
async fn whoever_is_deactivated_is_out_and_stays_out_until_they_log_in_again() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.employee("eve").await;
    let phone = eve.on_another_device();
    phone.logs_in().await.succeeds();
    sets_active(&ada, &eve, false).await;
    for device in [&eve, &phone] {
        device
            .asks(VIEWER, json!({}))
            .await
            .fails_with("UNAUTHENTICATED");
        device.refreshes().await.refused_with("INVALID_TOKEN");
    }
    eve.logs_in().await.refused_with("DEACTIVATED");
    sets_active(&ada, &eve, true).await;
    for device in [&eve, &phone] {
        device
            .asks(VIEWER, json!({}))
            .await
            .fails_with("UNAUTHENTICATED");
        device.refreshes().await.refused_with("INVALID_TOKEN");
    }
    eve.logs_in().await.succeeds();
}

#[tokio::test]
async fn whoever_is_deleted_is_out() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.employee("eve").await;
    let input = json!({ "input": { "userId": eve.id() } });
    ada.asks(DELETE_USER, input).await.succeeds();
    eve.asks(VIEWER, json!({}))
        .await
        .fails_with("UNAUTHENTICATED");
    eve.refreshes().await.refused_with("INVALID_TOKEN");
    eve.logs_in().await.refused_with("INVALID_CREDENTIALS");
}

#[tokio::test]
async fn whoever_is_out_can_still_do_what_is_public() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    eve.logs_out().await;
    let answer = eve.sends("{ server { signUpOpen } }", json!({})).await;
    assert_eq!(answer.succeeds().data("server.signUpOpen"), true);
    // With the dead token still in the header.
    eve.logs_in().await.succeeds();
    assert!(eve.is_signed_in().await);
}

/// Status and role are read from the row, however it came to be as it is.
#[tokio::test]
async fn only_the_active_are_let_in_whatever_their_token_says() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    app.sql("UPDATE users SET status = 'PENDING' WHERE username = 'eve'")
        .await;
    eve.asks(VIEWER, json!({}))
        .await
        .fails_with("UNAUTHENTICATED");
    eve.refreshes().await.refused_with("INVALID_TOKEN");
    app.sql("UPDATE users SET status = 'REJECTED' WHERE username = 'eve'")
        .await;
    eve.asks(VIEWER, json!({}))
        .await
        .fails_with("UNAUTHENTICATED");
    app.sql("UPDATE users SET status = 'ACTIVE', role = 'MANAGER' WHERE username = 'eve'")
        .await;
    eve.asks(TASKS, json!({})).await.succeeds();
}
