//! What becomes of mails, on a clock that a test moves.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::{MailServer, REQUEST_TASK_REPORT, TestApp};

/// What is known of the mails to an address, oldest first: state, tries and failures.
async fn rows(app: &TestApp, address: &str) -> Vec<String> {
    let query = format!(
        "SELECT state || ' ' || attempts || ' ' || failures FROM deliveries \
         WHERE address = '{address}' ORDER BY created_at, id"
    );
    app.database().reads(query).await
}

async fn last_answers(app: &TestApp) -> Vec<String> {
    let query = "SELECT last_answer FROM deliveries WHERE last_answer IS NOT NULL";
    app.database().reads(query).await
}

/// When the one mail that waits is tried again.
async fn due_at(app: &TestApp) -> DateTime<Utc> {
    let due = app.database().either(
        "SELECT due_at FROM deliveries WHERE state = 'DUE'",
        "SELECT to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
         FROM deliveries WHERE state = 'DUE'",
    );
    let due = app.database().reads(due).await;
    assert_eq!(due.len(), 1, "{due:?}");
    due[0].parse().unwrap()
}

#[tokio::test]
async fn a_mail_that_is_put_off_waits_and_nobody_elses_does() {
    for (step, code) in [
        ("recipient", 450),
        ("start", 451),
        ("end", 452),
        ("end", 421),
    ] {
        let server = MailServer::start();
        let app = TestApp::start_mailing_through(&server.url()).await;
        let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
        let says = format!("{code} 4.2.1 nico@example.com is over quota");
        let rule = json!({ "at": step, "to": nico.email, "says": says, "times": 1 });
        server.will(rule).await;
        nico.signs_up().await;
        olga.signs_up().await;
        app.runs_all_jobs().await;

        assert_eq!(rows(&app, &nico.email).await, ["DUE 1 1"]);
        assert_eq!(rows(&app, &olga.email).await, ["SENT 1 0"]);
        let answers = last_answers(&app).await;
        let expected = format!("{code} 4.2.1 [address] is over quota");
        assert!(answers.contains(&expected), "{answers:?}");
        let pause = due_at(&app).await - app.now();
        let bounds = TimeDelta::seconds(24)..=TimeDelta::seconds(36);
        assert!(bounds.contains(&pause), "{pause}");

        app.lets_pass(TimeDelta::seconds(36)).await;
        assert_eq!(rows(&app, &nico.email).await, ["SENT 2 1"]);
        for person in [&nico, &olga] {
            assert_eq!(
                server.taken_for(&person.email).await.len(),
                1,
                "{step} {code}"
            );
        }
    }
}

#[tokio::test]
async fn a_sender_that_is_put_off_waits_with_all_mails() {
    let server = MailServer::start();
    let app = TestApp::start_mailing_through(&server.url()).await;
    let nico = app.stranger("nico");
    server
        .will(json!({ "at": "sender", "says": "451 4.3.0 later", "times": 1 }))
        .await;
    nico.signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!(rows(&app, &nico.email).await, ["DUE 1 1"]);
    app.lets_pass(TimeDelta::seconds(36)).await;
    assert_eq!(server.taken_for(&nico.email).await.len(), 1);
}

#[tokio::test]
async fn a_mail_that_is_refused_is_given_up_after_one_try() {
    for (step, code) in [
        ("recipient", 550),
        ("recipient", 553),
        ("start", 554),
        ("end", 552),
    ] {
        let server = MailServer::start();
        let app = TestApp::start_mailing_through(&server.url()).await;
        let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
        let says = format!("{code} 5.0.0 no");
        server
            .will(json!({ "at": step, "to": nico.email, "says": says }))
            .await;
        nico.signs_up().await;
        olga.signs_up().await;
        app.runs_all_jobs().await;
        assert_eq!(
            rows(&app, &nico.email).await,
            ["FAILED 1 1"],
            "{step} {code}"
        );
        assert_eq!(rows(&app, &olga.email).await, ["SENT 1 0"]);
        assert!(last_answers(&app).await.contains(&says));

        server.behaves().await;
        app.lets_pass(TimeDelta::days(2)).await;
        assert_eq!(rows(&app, &nico.email).await, ["FAILED 1 1"]);
        assert_eq!(server.taken_for(&nico.email).await.len(), 0);
    }
}

#[tokio::test]
async fn a_greylisted_mail_arrives_once() {
    let server = MailServer::start();
    let app = TestApp::start_mailing_through(&server.url()).await;
    let nico = app.stranger("nico");
    let says = "451 4.7.1 greylisted, come back in a minute";
    server
        .will(json!({ "at": "recipient", "to": nico.email, "says": says, "times": 2 }))
        .await;
    nico.signs_up().await;
    app.runs_all_jobs().await;
    for _ in 0..2 {
        assert_eq!(server.taken().await.len(), 0);
        app.lets_pass(TimeDelta::seconds(72)).await;
    }
    assert_eq!(rows(&app, &nico.email).await, ["SENT 3 2"]);
    app.lets_pass(TimeDelta::days(2)).await;
    assert_eq!(server.taken_for(&nico.email).await.len(), 1);
}

#[tokio::test]
async fn mails_wait_for_a_log_in_that_works_again() {
    let login = json!({ "user": "postman", "password": "s3cret" });
    let server = MailServer::start_with(&json!({ "login": login }));
    let url = format!("smtp://postman:s3cret@{}", server.address());
    let app = TestApp::start_mailing_through(&url).await;
    let nico = app.stranger("nico");
    server
        .will(json!({ "at": "login", "says": "535 5.7.8 postman/s3cret is locked" }))
        .await;
    nico.signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!(rows(&app, &nico.email).await, ["DUE 1 1"]);
    assert_eq!(
        last_answers(&app).await,
        ["535 5.7.8 [redacted]/[redacted] is locked"]
    );
    server.behaves().await;
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!(server.taken_for(&nico.email).await.len(), 1);
}

#[tokio::test]
async fn what_is_about_an_account_comes_again_when_it_may_have_been_lost() {
    let server = MailServer::start();
    let app = TestApp::start_mailing_through(&server.url()).await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    nico.signs_up().await;
    app.runs_all_jobs().await;
    let mut known = server.taken_for(&nico.email).await.len();
    for kind in ["approved", "password-reset"] {
        server
            .will(json!({ "at": "end", "to": nico.email, "hangsUp": true, "times": 1 }))
            .await;
        if kind == "approved" {
            ada.approves(nico.id()).await;
        } else {
            nico.forgets_password().await;
        }
        app.runs_all_jobs().await;
        // It was taken, but nobody said so.
        assert_eq!(server.taken_for(&nico.email).await.len(), known + 1);
        app.lets_pass(TimeDelta::minutes(1)).await;
        let taken = server.taken_for(&nico.email).await;
        let [first, second] = &taken[known..] else {
            panic!("{kind}: {} mails", taken.len() - known);
        };
        assert_eq!(first.mail().kind, kind);
        assert_eq!(first.message, second.message, "{kind}");
        assert_eq!(
            first.mail().header("Message-ID"),
            second.mail().header("Message-ID")
        );
        known += 2;
    }
    app.lets_pass(TimeDelta::days(2)).await;
    assert_eq!(server.taken_for(&nico.email).await.len(), known);
}

#[tokio::test]
async fn a_report_that_may_have_come_is_not_sent_again_and_an_admin_can_see_it() {
    let server = MailServer::start();
    let app = TestApp::start_mailing_through(&server.url()).await;
    let ada = app.admin("ada").await;
    server
        .will(json!({ "at": "end", "to": ada.email, "hangsUp": true, "times": 1 }))
        .await;
    ada.asks(REQUEST_TASK_REPORT, json!({})).await.succeeds();
    app.runs_all_jobs().await;
    app.lets_pass(TimeDelta::days(2)).await;
    let taken = server.taken_for(&ada.email).await;
    let kinds: Vec<String> = taken.iter().map(|taken| taken.mail().kind).collect();
    assert_eq!(kinds, ["task-report"]);
    let seen = "SELECT state FROM deliveries WHERE kind = 'task-report' \
                AND last_answer IS NOT NULL AND attempts = 1";
    let seen = app.database().reads(seen).await;
    assert!(
        matches!(&seen[..], [state] if ["UNKNOWN", "FAILED"].contains(&state.as_str())),
        "{seen:?}"
    );
}

#[tokio::test]
async fn names_and_texts_of_every_script_go_through_a_server_of_ascii() {
    let server = MailServer::start_with(&json!({ "without": ["8BITMIME", "SMTPUTF8"] }));
    let app = TestApp::start_mailing_through(&server.url()).await;
    let ada = app.admin("ada").await;
    let nico = app.stranger("nico");
    let name = json!({ "firstName": "Zoë 木村", "lastName": "O’Łódź 🪑" });
    nico.tries_to_sign_up(name).await.succeeds();
    let reason = "Leider nein: für Übersetzer ist erst im Frühling Platz. 申し訳ありません。";
    ada.rejects(nico.id(), reason).await;
    app.runs_all_jobs().await;
    let taken = server.taken_for(&nico.email).await;
    assert_eq!(taken.len(), 2);
    for taken in &taken {
        assert!(
            taken.mail().to.contains("Zoë 木村 O’Łódź 🪑"),
            "{}",
            taken.mail()
        );
    }
    let rejected = taken[1].mail();
    assert!(rejected.text.contains("für Übersetzer") && rejected.html.contains("ありません"));
    let wire = server.in_the_clear().await;
    assert!(
        wire.is_ascii() && wire.len() > 2_000,
        "{} bytes",
        wire.len()
    );
}

#[tokio::test]
async fn mails_of_two_hours_without_a_server_arrive_once_each() {
    let server = MailServer::start();
    let app = TestApp::start_mailing_through(&server.url()).await;
    server.goes_down().await;
    let mut people = Vec::new();
    for hour_part in 0..8 {
        let person = app.stranger(&format!("guest-{hour_part}"));
        person.signs_up().await;
        people.push(person);
        app.runs_all_jobs().await;
        app.lets_pass(TimeDelta::minutes(15)).await;
    }
    assert_eq!(server.taken().await.len(), 0);
    server.comes_back().await;
    // The longest pause, and a fifth.
    app.lets_pass(TimeDelta::minutes(72)).await;
    app.lets_pass(TimeDelta::days(2)).await;
    assert_eq!(server.taken().await.len(), people.len());
    for person in &people {
        assert_eq!(
            server.taken_for(&person.email).await.len(),
            1,
            "{}",
            person.email
        );
    }
}
