//! Admins see what became of every mail, and do something about it.

use chrono::TimeDelta;
use muster::mail::SendError;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, Answer, CANCEL_DELIVERY, DELIVERIES, DELIVERY_PREVIEW, PAUSE_MAILS, Person,
    REQUEST_TASK_REPORT, RESEND_DELIVERY, RESUME_MAILS, TestApp,
};

/// No reports, which have stories of their own.
const QUIET: &[(&str, &str)] = &[("REPORT_TIME", "off"), ("ACCESS_TOKEN_TTL", "24h")];

async fn deliveries(admin: &Person, filter: Value) -> Vec<Value> {
    let answer = admin.asks(DELIVERIES, json!({ "filter": filter })).await;
    let nodes = answer.succeeds().data("deliveries.nodes");
    nodes.as_array().unwrap().clone()
}

async fn delivery_to(admin: &Person, person: &Person, kind: &str) -> Value {
    let filter = json!({ "kind": [kind], "recipientId": person.id() });
    let found = deliveries(admin, filter).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

async fn resends(admin: &Person, delivery: &Value) -> Answer {
    let input = json!({ "input": { "deliveryId": delivery["id"] } });
    admin.asks(RESEND_DELIVERY, input).await
}

async fn cancels(admin: &Person, delivery: &Value) -> Answer {
    let input = json!({ "input": { "deliveryId": delivery["id"] } });
    admin.asks(CANCEL_DELIVERY, input).await
}

#[tokio::test]
async fn what_became_of_each_mail_is_told() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
    nico.signs_up().await;
    app.outbox
        .fail_next(1, &SendError::permanent("550 no such user"));
    app.runs_all_jobs().await;
    olga.signs_up().await;
    app.outbox
        .fail_next(1, &SendError::transient("451 greylisted"));
    app.runs_all_jobs().await;

    let welcome = delivery_to(&ada, &nico, "WELCOME").await;
    assert_eq!(welcome["state"], "FAILED");
    assert_eq!(welcome["attempts"], 1);
    assert_eq!(welcome["lastAnswer"], "550 no such user");
    assert_eq!(welcome["address"], nico.email);
    assert_eq!(welcome["recipient"]["username"], "nico");
    assert_eq!(welcome["dueAt"], Value::Null);
    assert_eq!(welcome["finishedAt"], app.in_(TimeDelta::zero()));
    let waiting = delivery_to(&ada, &olga, "WELCOME").await;
    assert_eq!(waiting["state"], "DUE");
    assert_eq!(waiting["lastAnswer"], "451 greylisted");
    assert!(waiting["dueAt"].is_string());
    let failed = deliveries(&ada, json!({ "state": ["FAILED", "UNKNOWN"] })).await;
    assert_eq!(failed, [welcome]);
    assert_eq!(
        deliveries(&ada, json!({ "state": [] })).await,
        [Value::Null; 0]
    );
    let nobodys = json!({ "recipientId": "user_00000000000000000000000000" });
    assert_eq!(deliveries(&ada, nobodys).await, [Value::Null; 0]);
    app.lets_pass(TimeDelta::minutes(1)).await;
}

/// Who asked for a link for an address that nobody has was not written to, and is not listed.
#[tokio::test]
async fn mails_to_nobody_are_not_listed() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.stranger("nobody").forgets_password().await;
    app.runs_all_jobs().await;
    assert_eq!(deliveries(&ada, json!({})).await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_mail_that_failed_is_sent_again() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    app.outbox.fail_next(1, &SendError::permanent("554 no"));
    app.runs_all_jobs().await;
    let welcome = delivery_to(&ada, &nico, "WELCOME").await;
    let answer = resends(&ada, &welcome).await.succeeds();
    assert_eq!(answer.data("resendDelivery.delivery.state"), "DUE");
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
    assert_eq!(delivery_to(&ada, &nico, "WELCOME").await["state"], "SENT");
    let events = ada
        .asks(
            ACCOUNT_EVENTS,
            json!({ "filter": { "kind": ["DELIVERY_RESENT"] } }),
        )
        .await;
    let event = &events.data("accountEvents.nodes")[0];
    assert_eq!(event["user"]["username"], "nico");
    assert_eq!(event["doneBy"]["username"], "ada");
}

/// The connection was lost when the server had all of it.
#[tokio::test]
async fn what_may_have_come_comes_again_only_where_that_does_less_harm() {
    let app = TestApp::start_with(QUIET).await;
    let (ada, max) = (app.admin("ada").await, app.manager("max").await);
    let lost = SendError::unknown("the connection was lost");
    max.asks(REQUEST_TASK_REPORT, json!({ "input": {} }))
        .await
        .succeeds();
    app.outbox.fail_next(1, &lost);
    app.runs_all_jobs().await;
    let report = delivery_to(&ada, &max, "TASK_REPORT").await;
    assert_eq!(report["state"], "UNKNOWN");
    app.lets_pass(TimeDelta::hours(1)).await;
    assert_eq!(max.inbox().count("task-report"), 0);

    max.forgets_password().await;
    app.outbox.fail_next(1, &lost);
    app.runs_all_jobs().await;
    assert_eq!(
        delivery_to(&ada, &max, "PASSWORD_RESET").await["state"],
        "DUE"
    );
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!(max.inbox().count("password-reset"), 1);
    // An admin knows better.
    resends(&ada, &report).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(max.inbox().count("task-report"), 1);
}

#[tokio::test]
async fn a_mail_that_has_not_gone_can_be_called_off() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    let welcome = delivery_to(&ada, &nico, "WELCOME").await;
    let answer = cancels(&ada, &welcome).await.succeeds();
    assert_eq!(answer.data("cancelDelivery.delivery.state"), "CANCELLED");
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().all(), []);
    cancels(&ada, &welcome).await.refused_with("NOT_ALLOWED");
    resends(&ada, &welcome).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
    cancels(&ada, &welcome).await.refused_with("NOT_ALLOWED");
    let nowhere = json!({ "id": "delivery_00000000000000000000000000" });
    cancels(&ada, &nowhere).await.refused_with("NOT_FOUND");
    resends(&ada, &nowhere).await.refused_with("NOT_FOUND");
}

/// Whoever looks at a mail cannot do what its reader can.
#[tokio::test]
async fn a_mail_can_be_looked_at_without_its_secrets() {
    let app = TestApp::start_with(QUIET).await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    nico.forgets_password().await;
    let reset = delivery_to(&ada, &nico, "PASSWORD_RESET").await;
    let look = json!({ "deliveryId": reset["id"] });
    let preview = ada.asks(DELIVERY_PREVIEW, look.clone()).await.succeeds();
    app.runs_all_jobs().await;
    let mail = nico.inbox().latest("password-reset");
    assert_eq!(preview.data("deliveryPreview.subject"), mail.subject);
    let shown = preview.text().to_owned();
    assert!(!shown.contains(&mail.reset_token()), "{shown}");
    assert_eq!(
        preview.words("deliveryPreview.text"),
        mail.text.trim_end().replace(&mail.reset_token(), "hidden"),
    );
    // The link has had its time.
    app.lets_pass(TimeDelta::hours(1)).await;
    let preview = ada.asks(DELIVERY_PREVIEW, look).await.succeeds();
    assert_eq!(preview.data("deliveryPreview"), Value::Null);
}

#[tokio::test]
async fn mails_are_held_back_and_let_go() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let kinds = |kinds: Value| json!({ "input": { "kinds": kinds } });
    // It has its job already when the pause begins.
    app.stranger("before").signs_up().await;
    let paused = ada.asks(PAUSE_MAILS, kinds(json!(["WELCOME"]))).await;
    let paused = paused.succeeds().data("pauseMails.pausedMails");
    assert_eq!(paused[0]["kind"], "WELCOME");
    assert_eq!(paused[0]["pausedBy"]["username"], "ada");
    let olga = app.stranger("olga");
    olga.signs_up().await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    app.lets_pass(TimeDelta::minutes(10)).await;
    assert_eq!(olga.inbox().all(), []);
    assert_eq!(app.stranger("before").inbox().all(), []);
    // Others go.
    assert_eq!(nico.inbox().count("password-reset"), 1);
    let resumed = ada
        .asks(RESUME_MAILS, kinds(json!(["WELCOME", "ASSIGNED"])))
        .await;
    assert_eq!(
        resumed.succeeds().data("resumeMails.pausedMails"),
        json!([])
    );
    app.runs_all_jobs().await;
    assert_eq!(olga.inbox().kinds(), ["welcome"]);
    assert_eq!(app.stranger("before").inbox().kinds(), ["welcome"]);
    let events = json!({ "filter": { "kind": ["MAILS_PAUSED", "MAILS_RESUMED"] } });
    let events = ada.asks(ACCOUNT_EVENTS, events).await;
    assert_eq!(events.data("accountEvents.totalCount"), 2);
}

#[tokio::test]
async fn what_is_urgent_overtakes_what_is_not() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    for _ in 0..20 {
        max.asks(REQUEST_TASK_REPORT, json!({ "input": {} }))
            .await
            .succeeds();
    }
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let kinds: Vec<String> = app.mails().into_iter().map(|mail| mail.kind).collect();
    let reset = kinds.iter().position(|kind| kind == "password-reset");
    let report = kinds.iter().position(|kind| kind == "task-report");
    assert!(reset.unwrap() < report.unwrap(), "{kinds:?}");
}
