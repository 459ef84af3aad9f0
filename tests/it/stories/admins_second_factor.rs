//! A server that asks a second factor of every admin.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{
    APPROVALS, Authenticator, CREATE_TASK, DASHBOARD, DISABLE_SECOND_FACTOR, INVITE_USER, PASSWORD,
    Person, SESSIONS, SET_USER_ROLE, TASKS, TestApp, USERS,
};

const REQUIRED: &[(&str, &str)] = &[("ADMIN_SECOND_FACTOR", "required")];
/// The test's clock says 09:00 on a Monday in UTC.
const AT_TEN: &[(&str, &str)] = &[("REPORT_TIME", "mon 10:00"), ("ACCESS_TOKEN_TTL", "24h")];
const STRICT_AT_TEN: &[(&str, &str)] = &[AT_TEN[0], AT_TEN[1], REQUIRED[0]];
const STEP: TimeDelta = TimeDelta::seconds(30);

#[tokio::test]
async fn an_admin_may_do_what_an_employee_may_until_they_have_a_second_factor() {
    let app = TestApp::start_with(REQUIRED).await;
    let ada = app.admin("ada").await;
    let query = "{ viewer { role viewerCanSetRole secondFactor { enabled required } } }";
    let lead = json!({ "role": "ADMIN", "viewerCanSetRole": false, "secondFactor": { "enabled": false, "required": true } });
    let answer = ada.sends(query, json!({})).await.succeeds();
    assert_eq!(answer.data("viewer"), lead);
    for operation in [DASHBOARD, SESSIONS] {
        ada.asks(operation, json!({})).await.succeeds();
    }
    for operation in [USERS, APPROVALS, TASKS] {
        let answer = ada.asks(operation, json!({})).await.fails_with("FORBIDDEN");
        assert!(answer.text().contains("Set up a second factor first"));
    }
    let input = json!({ "input": { "title": "Count the chairs" } });
    ada.asks(CREATE_TASK, input).await.fails_with("FORBIDDEN");
    // Whom an employee does not see is not seen.
    let nico = app.stranger("nico");
    let id = nico.signs_up().await;
    let query = "query ($id: ID!) { user(id: $id) { username } }";
    let answer = ada.sends(query, json!({ "id": id })).await.succeeds();
    assert_eq!(answer.data("user"), json!(null));

    Authenticator::set_up(&ada, &app.clock).await;
    let answer = ada.sends(query, json!({ "id": id })).await.succeeds();
    assert_eq!(answer.data("user.username"), "nico");
    ada.approves(&id).await;
    // Nothing is asked of others.
    nico.logs_in().await.succeeds();
    let query = "{ viewer { secondFactor { required } } }";
    let answer = nico.sends(query, json!({})).await.succeeds();
    assert_eq!(answer.data("viewer.secondFactor.required"), false);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn the_answer_to_a_log_in_shows_what_the_admin_may_do_now() {
    let app = TestApp::start_with(REQUIRED).await;
    let ada = app.admin("ada").await;
    let answer = ada.logs_in().await.succeeds();
    assert_eq!(answer.data("logIn.user.viewerCanSetRole"), false);
    let authenticator = Authenticator::set_up(&ada, &app.clock).await;
    app.clock.advance(STEP);
    let answer = ada.logs_in_with(&authenticator.code()).await.succeeds();
    assert_eq!(answer.data("logIn.user.viewerCanSetRole"), true);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn whoever_joins_as_an_admin_is_shown_what_they_may_do_now() {
    let app = TestApp::start_with(REQUIRED).await;
    let ada = app.admin("ada").await;
    Authenticator::set_up(&ada, &app.clock).await;
    let abe = app.stranger("abe");
    let input = json!({ "input": { "email": abe.email, "role": "ADMIN" } });
    ada.asks(INVITE_USER, input).await.succeeds();
    app.runs_all_jobs().await;
    let token = abe.inbox().last().token();
    let input = json!({ "token": token, "username": "abe", "password": PASSWORD });
    let operation = "mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) {
        user { role viewerCanSetRole secondFactor { enabled required } } userErrors { code }
    } }";
    let answer = abe.sends(operation, json!({ "input": input })).await;
    let joined = answer.succeeds().data("acceptInvitation.user");
    let expected = json!({ "role": "ADMIN", "viewerCanSetRole": false, "secondFactor": { "enabled": false, "required": true } });
    assert_eq!(joined, expected);
    let answer = abe.logs_in().await.succeeds();
    assert_eq!(answer.data("logIn.user.viewerCanSetRole"), false);
}

#[tokio::test]
async fn it_counts_from_the_next_request_on_at_every_process() {
    let here = TestApp::start_with(REQUIRED).await;
    let ada = here.admin("ada").await;
    let there = here.restarts_with(REQUIRED).await;
    let elsewhere = ada.at(&there);
    let answer = elsewhere.asks(USERS, json!({})).await;
    answer.fails_with("FORBIDDEN");
    Authenticator::set_up(&ada, &here.clock).await;
    elsewhere.asks(USERS, json!({})).await.succeeds();

    // A manager who is made an admin can do less, until they have set it up.
    let mia = here.manager("mia").await;
    let elsewhere = mia.at(&there);
    elsewhere.asks(TASKS, json!({})).await.succeeds();
    let input = json!({ "input": { "userId": mia.id(), "role": "ADMIN" } });
    ada.asks(SET_USER_ROLE, input).await.succeeds();
    elsewhere
        .asks(TASKS, json!({}))
        .await
        .fails_with("FORBIDDEN");
    Authenticator::set_up(&mia, &here.clock).await;
    elsewhere.asks(APPROVALS, json!({})).await.succeeds();
    here.runs_all_jobs().await;
}

#[tokio::test]
async fn an_admin_with_a_new_phone_may_do_less_until_it_is_set_up() {
    let app = TestApp::start_with(REQUIRED).await;
    let ada = app.admin("ada").await;
    let old_phone = Authenticator::set_up(&ada, &app.clock).await;
    let input = json!({ "currentPassword": PASSWORD, "code": old_phone.recovery_codes[0] });
    let input = json!({ "input": input });
    let answer = ada.asks(DISABLE_SECOND_FACTOR, input).await.succeeds();
    let left_with = answer.data("disableSecondFactor.user.viewerCanSetRole");
    assert_eq!(left_with, false);
    ada.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
    let new_phone = Authenticator::set_up(&ada, &app.clock).await;
    ada.asks(USERS, json!({})).await.succeeds();
    app.clock.advance(STEP);
    let ada = ada.on_another_device();
    ada.logs_in_with(&new_phone.code()).await.succeeds();
    ada.asks(USERS, json!({})).await.succeeds();
    app.runs_all_jobs().await;
}

fn told(person: &Person) -> [usize; 2] {
    ["approval-waiting", "task-report"].map(|kind| person.inbox().count(kind))
}

#[tokio::test]
async fn an_admin_who_is_held_back_gets_no_mails_for_admins() {
    let app = TestApp::start_with(STRICT_AT_TEN).await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    Authenticator::set_up(&ada, &app.clock).await;
    app.stranger("nico").signs_up().await;
    app.runs_all_jobs().await;
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!((told(&ada), told(&abe)), ([1, 1], [0, 0]));

    // From then on, and at once of whoever waits already.
    app.lets_pass(TimeDelta::hours(1)).await;
    Authenticator::set_up(&abe, &app.clock).await;
    app.runs_all_jobs().await;
    assert_eq!((told(&ada), told(&abe)), ([1, 1], [1, 0]));
    app.lets_pass(TimeDelta::hours(1)).await;
    app.stranger("olga").signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!((told(&ada), told(&abe)), ([2, 1], [2, 0]));
    app.lets_pass(TimeDelta::days(7) - TimeDelta::hours(2))
        .await;
    assert_eq!((told(&ada), told(&abe)), ([2, 2], [2, 1]));
}

#[tokio::test]
async fn what_waits_to_be_sent_to_an_admin_is_not_sent_while_they_are_held_back() {
    let app = TestApp::start_with(AT_TEN).await;
    let ada = app.admin("ada").await;
    app.runs_all_jobs().await;
    app.clock.advance(TimeDelta::hours(1));
    app.stranger("nico").signs_up().await;
    app.plans().await;
    let written = "SELECT kind FROM deliveries WHERE recipient_id IN \
        (SELECT id FROM users WHERE username = 'ada') ORDER BY kind";
    let kinds = app.database().reads(written).await;
    assert_eq!(kinds, ["approval-waiting", "task-report"]);
    let strict = app.restarts_with(STRICT_AT_TEN).await;
    strict.runs_all_jobs().await;
    assert_eq!(told(&ada.at(&strict)), [0, 0]);

    // The operator thinks again.
    strict.lets_pass(TimeDelta::days(7)).await;
    let lenient = app.restarts_with(AT_TEN).await;
    lenient.runs_all_jobs().await;
    assert_eq!(told(&ada.at(&lenient)), [0, 0]);
    lenient.lets_pass(TimeDelta::days(7)).await;
    assert_eq!(told(&ada.at(&lenient)), [0, 1]);
}
