//! Managers and admins get a report each week, at the hour that the server says, on
//! their own clock.

use chrono::TimeDelta;
use muster::entity::MailKind;
use muster::mail::SendError;
use serde_json::json;

use crate::support::{
    Person, SET_USER_ROLE, TestApp, UPDATE_NOTIFICATION_SETTINGS, UPDATE_PROFILE,
};

/// The test's clock says 09:00 on a Monday in UTC.
const AT_TEN: &[(&str, &str)] = &[("REPORT_TIME", "mon 10:00"), ("ACCESS_TOKEN_TTL", "24h")];

fn reports(person: &Person) -> usize {
    person.inbox().count("task-report")
}

#[tokio::test]
async fn those_who_may_see_the_figures_get_them_once_a_week() {
    let app = TestApp::start_with(AT_TEN).await;
    let (ada, max) = (app.admin("ada").await, app.manager("max").await);
    let nico = app.employee("nico").await;
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.lets_pass(TimeDelta::minutes(59)).await;
    assert_eq!((reports(&ada), reports(&max)), (0, 0));
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!((reports(&ada), reports(&max), reports(&nico)), (1, 1, 0));
    let mail = max.inbox().latest("task-report");
    assert!(mail.subject.contains("1 created"), "{mail}");
    assert!(
        mail.text.contains("Monday, 29 December 2025, 10:00"),
        "{mail}"
    );
    assert!(mail.header("List-Unsubscribe").contains("task-report"));
    for _ in 0..6 {
        app.lets_pass(TimeDelta::days(1)).await;
        assert_eq!(reports(&max), 1);
    }
    app.lets_pass(TimeDelta::days(1)).await;
    assert_eq!((reports(&ada), reports(&max), reports(&nico)), (2, 2, 0));
}

#[tokio::test]
async fn the_hour_is_that_of_the_readers_own_clock() {
    let app = TestApp::start_with(AT_TEN).await;
    let max = app.manager("max").await;
    let input = json!({ "input": { "timeZone": "America/Denver" } });
    max.asks(UPDATE_PROFILE, input).await.succeeds();
    // It is 02:00 there.
    app.runs_all_jobs().await;
    app.lets_pass(TimeDelta::hours(7)).await;
    assert_eq!(reports(&max), 0);
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(reports(&max), 1);
}

#[tokio::test]
async fn whoever_switched_it_off_or_lost_the_right_gets_none() {
    let app = TestApp::start_with(AT_TEN).await;
    let (ada, max) = (app.admin("ada").await, app.manager("max").await);
    let mia = app.manager("mia").await;
    let input = json!({ "input": { "weeklyReport": false } });
    ada.asks(UPDATE_NOTIFICATION_SETTINGS, input)
        .await
        .succeeds();
    let input = json!({ "input": { "userId": max.id(), "role": "EMPLOYEE" } });
    ada.asks(SET_USER_ROLE, input).await.succeeds();
    app.lets_pass(TimeDelta::hours(2)).await;
    assert_eq!((reports(&ada), reports(&max), reports(&mia)), (0, 0, 1));
    // Back in the same week: the next one is next week's.
    let input = json!({ "input": { "userId": max.id(), "role": "MANAGER" } });
    ada.asks(SET_USER_ROLE, input).await.succeeds();
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(reports(&max), 0);
    app.lets_pass(TimeDelta::days(7)).await;
    assert_eq!((reports(&max), reports(&mia)), (1, 2));
}

#[tokio::test]
async fn the_server_can_send_none() {
    let app = TestApp::start_with(&[("REPORT_TIME", "off")]).await;
    let max = app.manager("max").await;
    app.lets_pass(TimeDelta::days(8)).await;
    assert_eq!(reports(&max), 0);
}

/// After a night without power, say.
#[tokio::test]
async fn a_report_that_is_hours_late_comes_and_one_that_is_days_late_does_not() {
    let app = TestApp::start_with(AT_TEN).await;
    let max = app.manager("max").await;
    app.lets_pass(TimeDelta::hours(6)).await;
    assert_eq!(reports(&max), 1);
    app.lets_pass(TimeDelta::days(8)).await;
    assert_eq!(reports(&max), 1);
}

#[tokio::test]
async fn a_server_that_sent_none_sends_them_from_its_next_start_on() {
    let app = TestApp::start_with(&[("REPORT_TIME", "off")]).await;
    app.manager("max").await;
    app.lets_pass(TimeDelta::minutes(10)).await;
    let later = app.restarts_with(AT_TEN).await;
    later.runs_all_jobs().await;
    later.lets_pass(TimeDelta::hours(1)).await;
    let kinds: Vec<_> = later.outbox.all().iter().map(|mail| mail.kind).collect();
    // To the manager, and to the admin who let them in.
    assert_eq!(kinds, [MailKind::TaskReport; 2]);
}

/// In Berlin clocks went forward on 29 March 2026.
#[tokio::test]
async fn no_hour_is_in_two_reports_or_in_none() {
    let app = TestApp::start_with(AT_TEN).await;
    let max = app.manager("max").await;
    let input = json!({ "input": { "timeZone": "Europe/Berlin" } });
    max.asks(UPDATE_PROFILE, input).await.succeeds();
    app.runs_all_jobs().await;
    // To the Monday after, at ten there.
    app.lets_pass(TimeDelta::days(84) - TimeDelta::hours(1))
        .await;
    let mail = max.inbox().latest("task-report");
    assert!(mail.text.contains("Monday, 23 March 2026, 10:00"), "{mail}");
    assert!(mail.text.contains("Monday, 30 March 2026, 10:00"), "{mail}");
}

/// It was written when she was a manager, and the mail server was away.
#[tokio::test]
async fn a_report_that_is_tried_again_goes_only_to_who_may_still_have_it() {
    let app = TestApp::start_with(AT_TEN).await;
    let (ada, max) = (app.admin("ada").await, app.manager("max").await);
    let away = SendError::transient("the server cannot be reached");
    app.outbox.fail_next(2, &away);
    app.lets_pass(TimeDelta::hours(1)).await;
    let input = json!({ "input": { "userId": max.id(), "role": "EMPLOYEE" } });
    ada.asks(SET_USER_ROLE, input).await.succeeds();
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!((reports(&ada), reports(&max)), (1, 0));
    // What went out is not kept, only that it went.
    let kept = "SELECT kind FROM deliveries WHERE message IS NOT NULL AND kind = 'task-report'";
    assert_eq!(app.database().reads(kept).await, [""; 0]);
}
