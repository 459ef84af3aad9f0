//! Verbs that wait for a row of PostgreSQL's while somebody takes away what they rest
//! on: a session, a password, an account. Whatever they looked at before they began
//! to wait is looked at again. (SQLite has one writer at a time; nobody waits there
//! with half of it done.)

use serde_json::{Value, json};

use crate::support::row_lock::{RowLock, queues};
use crate::support::{
    Answer, Authenticator, CHANGE_PASSWORD, CONFIRM_SECOND_FACTOR, CREATE_API_TOKEN, INVITE_USER,
    Operation, PASSWORD, Person, RESET_SECOND_FACTOR, REVOKE_USER_SESSIONS, SET_USER_ROLE, TestApp,
};

const NEW_PASSWORD: &str = "quiet Harbour 91 lanterns";

/// To that of somebody else.
const CHANGED_PASSWORD: &str = "UPDATE users SET password_hash = '$argon2id$v=19$m=19456,t=2,p=1$\
     c29tZXRoaW5nIGVsc2U$nT0zF0mJxN6zQ5w1f6hYb2lXoX0p1v7n7Yy3lqz4m5A' WHERE username = 'nico'";

fn api_token() -> Value {
    json!({ "input": { "name": "nightly", "access": "FULL", "currentPassword": PASSWORD } })
}

/// An admin ends nico's sessions, and this comes right behind, by a session that is one of them.
async fn comes_too_late(app: &TestApp, nico: &Person, operation: Operation, variables: Value) {
    let ada = app.admin("ada").await;
    let mut lock = RowLock::of_user(app, "nico").await;
    let input = json!({ "input": { "userId": nico.id() } });
    let revoked = queues(&ada, REVOKE_USER_SESSIONS, input);
    lock.has_waiting(1).await;
    let late = queues(nico, operation, variables);
    lock.has_waiting(2).await;
    lock.release().await;
    revoked.await.unwrap().succeeds();
    late.await.unwrap().fails_with("UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_being_ended_makes_no_api_token() {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    comes_too_late(&app, &nico, CREATE_API_TOKEN, api_token()).await;
    let tokens = app.database().reads("SELECT id FROM api_tokens").await;
    assert!(tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_being_ended_changes_no_password() {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    comes_too_late(&app, &nico, CHANGE_PASSWORD, json!({ "input": input })).await;
    nico.on_another_device().logs_in().await.succeeds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_being_ended_enables_no_second_factor() {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::of(&nico, &app.clock).await;
    let input = json!({ "input": { "code": authenticator.code() } });
    comes_too_late(&app, &nico, CONFIRM_SECOND_FACTOR, input).await;
    nico.on_another_device().logs_in().await.succeeds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_api_token_of_the_password_alone_survives_a_second_factor() {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    let elsewhere = nico.on_another_device();
    elsewhere.logs_in().await.succeeds();
    let authenticator = Authenticator::of(&nico, &app.clock).await;
    let mut lock = RowLock::of_user(&app, "nico").await;
    let input = json!({ "input": { "code": authenticator.code() } });
    let confirmed = queues(&nico, CONFIRM_SECOND_FACTOR, input);
    lock.has_waiting(1).await;
    let late = queues(&elsewhere, CREATE_API_TOKEN, api_token());
    lock.has_waiting(2).await;
    lock.release().await;
    confirmed.await.unwrap().succeeds();
    late.await.unwrap().fails_with("UNAUTHENTICATED");
    app.runs_all_jobs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_who_is_none_any_more_takes_no_second_factor_away() {
    let app = TestApp::start_on_postgres().await;
    let (ada, mia, nico) = (
        app.admin("ada").await,
        app.manager("mia").await,
        app.employee("nico").await,
    );
    Authenticator::set_up(&nico, &app.clock).await;
    let promote = |role: &str| json!({ "input": { "userId": mia.id(), "role": role } });
    ada.asks(SET_USER_ROLE, promote("ADMIN")).await.succeeds();
    let mut lock = RowLock::of_user(&app, "mia").await;
    let demoted = queues(&ada, SET_USER_ROLE, promote("MANAGER"));
    lock.has_waiting(1).await;
    let input = json!({ "input": { "userId": nico.id() } });
    let late = queues(&mia, RESET_SECOND_FACTOR, input);
    lock.has_waiting(2).await;
    lock.release().await;
    demoted.await.unwrap().succeeds();
    late.await
        .unwrap()
        .refused_for(&["input.userId NOT_ALLOWED"]);
    assert!(nico.is_signed_in().await);
    app.runs_all_jobs().await;
}

/// Somebody logs in, and waits while this is done to their row.
async fn logs_in_amid(change: &str) -> Answer {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    let mut lock = RowLock::of_user(&app, "nico").await;
    let person = nico.on_another_device();
    let waiting = tokio::spawn(async move { person.logs_in().await });
    lock.has_waiting(1).await;
    assert_eq!(lock.does(change).await, 1);
    lock.release().await;
    waiting.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_by_a_password_that_was_changed_while_it_was_checked() {
    let answer = logs_in_amid(CHANGED_PASSWORD).await;
    answer.refused_with("INVALID_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_who_was_shut_out_while_their_password_was_checked() {
    let shut_out = "UPDATE users SET status = 'DEACTIVATED' WHERE username = 'nico'";
    logs_in_amid(shut_out).await.refused_with("DEACTIVATED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_changed_meanwhile_proves_nothing() {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    let mut lock = RowLock::of_user(&app, "nico").await;
    let late = queues(&nico, CREATE_API_TOKEN, api_token());
    lock.has_waiting(1).await;
    assert_eq!(lock.does(CHANGED_PASSWORD).await, 1);
    lock.release().await;
    let answer = late.await.unwrap();
    answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_waits_for_its_session_holds_none_of_its_tokens() {
    let app = TestApp::start_on_postgres().await;
    let nico = app.employee("nico").await;
    let of_nico = "user_id = (SELECT id FROM users WHERE username = 'nico')";
    let mut lock = RowLock::take(&app, "sessions", of_nico).await;
    let person = nico.clone();
    let refreshed = tokio::spawn(async move { person.refreshes().await });
    lock.has_waiting(1).await;
    // Whoever ends a session holds it and takes its tokens next: neither waits for the other.
    let tokens = "SELECT 1 FROM refresh_tokens FOR UPDATE NOWAIT";
    assert!(lock.does(tokens).await > 0);
    lock.release().await;
    refreshed.await.unwrap().succeeds();
}

/// An invitation that is being written when its admin's second factor is confirmed is taken back with
/// the others: whoever knew the password alone may be writing it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_invitation_of_the_password_alone_survives_a_second_factor() {
    let app = TestApp::start_on_postgres().await;
    let ada = app.admin("ada").await;
    let thief = ada.on_another_device();
    thief.logs_in().await.succeeds();
    let authenticator = Authenticator::of(&ada, &app.clock).await;
    let mut lock = RowLock::of_table(&app, "account_events").await;
    let input = json!({ "input": { "email": "thief@example.com", "role": "ADMIN" } });
    let invited = queues(&thief, INVITE_USER, input);
    lock.has_waiting(1).await;
    let input = json!({ "input": { "code": authenticator.code() } });
    let confirmed = queues(&ada, CONFIRM_SECOND_FACTOR, input);
    lock.has_waiting(2).await;
    lock.release().await;
    invited.await.unwrap().succeeds();
    confirmed.await.unwrap().succeeds();
    let open = "SELECT email FROM invitations WHERE revoked_at IS NULL";
    assert!(app.database().reads(open).await.is_empty());
    app.leaves_jobs();
}
