//! What comes in bursts is told at once the first time, and then together, so that
//! nobody gets a mail for each.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{
    ASSIGN_TASK, DELETE_TASK, Person, TestApp, UPDATE_NOTIFICATION_SETTINGS, assert_mail,
};

const QUIET: &[(&str, &str)] = &[
    ("REPORT_TIME", "off"),
    ("ACCESS_TOKEN_TTL", "24h"),
    ("TASK_URL", "https://app.example/tasks/{id}"),
];

async fn gives(max: &Person, title: &str, to: &Person) -> String {
    let task = json!({ "title": title, "assigneeId": to.id() });
    max.creates_task_with(task).await
}

#[tokio::test]
async fn whoever_is_given_a_task_is_told_at_once() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let deadline = app.in_(TimeDelta::days(1));
    let input = json!({ "title": "Water the plants", "deadline": deadline });
    let task = max.creates_task_with(input).await;
    max.assigns(&task, &nico).await;
    app.runs_all_jobs().await;
    let mail = nico.inbox().latest("assigned");
    assert_eq!(mail.subject, "New task: Water the plants");
    let page = format!("https://app.example/tasks/{task}");
    assert!(
        mail.text.contains(&page) && mail.html.contains(&page),
        "{mail}"
    );
    assert_eq!(max.inbox().count("assigned"), 0);
}

#[tokio::test]
async fn a_burst_of_assignments_is_one_mail_and_then_another() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    gives(&max, "The first", &nico).await;
    app.runs_all_jobs().await;
    for number in 0..60 {
        gives(&max, &format!("Task {number}"), &nico).await;
        app.lets_pass(TimeDelta::seconds(10)).await;
    }
    assert_eq!(nico.inbox().count("assigned"), 1);
    app.lets_pass(TimeDelta::minutes(5)).await;
    assert_eq!(nico.inbox().count("assigned"), 2);
    let mail = nico.inbox().latest("assigned");
    assert_eq!(mail.subject, "60 new tasks for you");
    assert!(mail.text.contains("* Task 0\n"), "{mail}");
    assert!(mail.text.contains("And 10 more."), "{mail}");
    // After a quarter of an hour of quiet, at once again.
    app.lets_pass(TimeDelta::minutes(15)).await;
    gives(&max, "The last", &nico).await;
    app.runs_all_jobs().await;
    assert_eq!(
        nico.inbox().latest("assigned").subject,
        "New task: The last"
    );
    assert_eq!(nico.inbox().count("assigned"), 3);
}

#[tokio::test]
async fn nobody_is_told_of_what_they_gave_themselves_or_have_no_more() {
    let app = TestApp::start_with(QUIET).await;
    let max = app.manager("max").await;
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    gives(&max, "My own", &max).await;
    let taken_back = gives(&max, "Taken back", &nico).await;
    let input = json!({ "input": { "taskId": taken_back, "assigneeId": null } });
    max.asks(ASSIGN_TASK, input).await.succeeds();
    let deleted = gives(&max, "Deleted", &nico).await;
    let input = json!({ "input": { "taskId": deleted } });
    max.asks(DELETE_TASK, input).await.succeeds();
    let done = gives(&max, "Done at once", &nico).await;
    nico.sets_status(&done, "COMPLETED").await;
    // Given to her, as she has it already.
    let hers = gives(&max, "Hers", &olga).await;
    max.assigns(&hers, &olga).await;
    app.runs_all_jobs().await;
    assert_eq!(max.inbox().count("assigned"), 0);
    assert_eq!(nico.inbox().count("assigned"), 0);
    assert_eq!(olga.inbox().count("assigned"), 1);
}

#[tokio::test]
async fn a_title_forges_no_link_and_no_header() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let title = "<b>reset</b> at https://evil.example/reset-password#token=1, \"now\"";
    gives(&max, title, &nico).await;
    app.runs_all_jobs().await;
    let mail = nico.inbox().latest("assigned");
    assert!(!mail.text.contains("https://evil.example"), "{mail}");
    assert!(!mail.html.contains("https://evil.example"), "{mail}");
    assert!(!mail.html.contains("<b>reset"), "{mail}");
    assert!(!mail.subject.contains("https://evil.example"), "{mail}");
    assert!(mail.text.contains("evil[.]example"), "{mail}");
}

#[tokio::test]
async fn admins_hear_of_sign_ups_at_once_and_then_every_quarter_of_an_hour() {
    let app = TestApp::start_with(QUIET).await;
    let (ada, bob) = (app.admin("ada").await, app.admin("bob").await);
    let max = app.manager("max").await;
    app.lets_pass(TimeDelta::minutes(20)).await;
    let before = ada.inbox().count("approval-waiting");
    let nico = app.stranger("nico");
    nico.tries_to_sign_up(json!({ "requestedRole": "MANAGER", "firstName": "Nico" }))
        .await
        .succeeds();
    app.runs_all_jobs().await;
    for admin in [&ada, &bob] {
        assert_eq!(admin.inbox().count("approval-waiting"), before + 1);
    }
    assert_mail("approval-waiting", &ada.inbox().latest("approval-waiting"));
    assert_eq!(max.inbox().count("approval-waiting"), 0);
    for number in 0..30 {
        app.stranger(&format!("guest{number}")).signs_up().await;
        app.lets_pass(TimeDelta::seconds(20)).await;
    }
    assert_eq!(ada.inbox().count("approval-waiting"), before + 1);
    app.lets_pass(TimeDelta::minutes(5)).await;
    assert_eq!(ada.inbox().count("approval-waiting"), before + 2);
    let mail = ada.inbox().latest("approval-waiting");
    assert_eq!(mail.subject, "31 sign-ups wait for your decision");
    assert!(mail.text.contains("And 11 more."), "{mail}");
    // Nobody new, no mail.
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(ada.inbox().count("approval-waiting"), before + 2);
}

#[tokio::test]
async fn sign_ups_that_were_decided_meanwhile_are_not_told() {
    let app = TestApp::start_with(QUIET).await;
    let (ada, bob) = (app.admin("ada").await, app.admin("bob").await);
    let nico = app.stranger("nico").signs_up().await;
    ada.approves(&nico).await;
    app.runs_all_jobs().await;
    assert_eq!(bob.inbox().count("approval-waiting"), 0);
}

#[tokio::test]
async fn whoever_switched_it_off_is_not_told() {
    let app = TestApp::start_with(QUIET).await;
    let ada = app.admin("ada").await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    app.lets_pass(TimeDelta::minutes(20)).await;
    for (person, switch) in [(&ada, "approvalWaiting"), (&nico, "assigned")] {
        let input = json!({ "input": { switch: false } });
        person
            .asks(UPDATE_NOTIFICATION_SETTINGS, input)
            .await
            .succeeds();
    }
    let before = ada.inbox().count("approval-waiting");
    gives(&max, "Sweep", &nico).await;
    app.stranger("guest").signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("assigned"), 0);
    assert_eq!(ada.inbox().count("approval-waiting"), before);
    // What came while it was off stays untold.
    let input = json!({ "input": { "assigned": true } });
    nico.asks(UPDATE_NOTIFICATION_SETTINGS, input)
        .await
        .succeeds();
    app.lets_pass(TimeDelta::minutes(20)).await;
    assert_eq!(nico.inbox().count("assigned"), 0);
}
