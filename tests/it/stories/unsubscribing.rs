//! Mails that are not about one's account can be stopped by one click, from the mail
//! program or from the page behind the link, and had again.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{NOTIFICATION_SETTINGS, Person, TestApp, UPDATE_NOTIFICATION_SETTINGS};

/// No reports, which have stories of their own.
const QUIET: &[(&str, &str)] = &[("REPORT_TIME", "off"), ("ACCESS_TOKEN_TTL", "24h")];

/// What the mail program would send to: the path and query of the header's link.
fn unsubscribe_path(header: &str) -> String {
    let link = header.trim_start_matches('<').trim_end_matches('>');
    let path = link.strip_prefix("https://muster.example");
    path.unwrap_or_else(|| panic!("{header}")).to_owned()
}

async fn with_a_task(app: &TestApp) -> (Person, Person) {
    let (max, nico) = (app.manager("max").await, app.employee("nico").await);
    let task = json!({ "title": "Sweep", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.lets_pass(TimeDelta::hours(1)).await;
    (max, nico)
}

async fn posts(app: &TestApp, path: &str) -> reqwest::Response {
    let request = app.http().post(app.url(path));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let one_click = request.body("List-Unsubscribe=One-Click");
    one_click.send().await.unwrap()
}

#[tokio::test]
async fn one_click_stops_one_kind_of_mail() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = with_a_task(&app).await;
    let mail = nico.inbox().latest("daily-reminder");
    assert_eq!(
        mail.header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
    let path = unsubscribe_path(mail.header("List-Unsubscribe"));
    // Twice, as an impatient program would.
    for _ in 0..2 {
        let answer = posts(&app, &path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let page = answer.text().await.unwrap();
        assert!(page.contains("no more daily reminders"), "{page}");
    }
    let settings = nico.asks(NOTIFICATION_SETTINGS, json!({})).await;
    assert_eq!(settings.data("notificationSettings.dailyReminder"), false);
    assert_eq!(settings.data("notificationSettings.assigned"), true);
    app.lets_pass(TimeDelta::days(2)).await;
    assert_eq!(nico.inbox().count("daily-reminder"), 1);
    max.logs_in().await.succeeds();
    nico.logs_in().await.succeeds();
    let task = json!({ "title": "Mop", "assigneeId": nico.id() });
    max.creates_task_with(task).await;
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("assigned"), 2);

    let input = json!({ "input": { "dailyReminder": true } });
    nico.asks(UPDATE_NOTIFICATION_SETTINGS, input)
        .await
        .succeeds();
    app.lets_pass(TimeDelta::days(1)).await;
    assert_eq!(nico.inbox().count("daily-reminder"), 2);
}

/// Programs that look for harm open every link in a mail.
#[tokio::test]
async fn opening_the_page_stops_nothing() {
    let app = TestApp::start_with(QUIET).await;
    let (_, nico) = with_a_task(&app).await;
    let mail = nico.inbox().latest("daily-reminder");
    let path = unsubscribe_path(mail.header("List-Unsubscribe"));
    assert!(
        mail.text.contains(&path) && mail.html.contains(&path),
        "{mail}"
    );
    for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
        let answer = app.http().request(method, app.url(&path)).send();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    let settings = nico.asks(NOTIFICATION_SETTINGS, json!({})).await;
    assert_eq!(settings.data("notificationSettings.dailyReminder"), true);
}

#[tokio::test]
async fn a_link_that_is_not_ours_stops_nothing() {
    let app = TestApp::start_with(QUIET).await;
    let (max, nico) = with_a_task(&app).await;
    let mail = nico.inbox().latest("daily-reminder");
    let path = unsubscribe_path(mail.header("List-Unsubscribe"));
    for wrong in [
        path.replace(nico.id(), max.id()),
        path.replace("daily-reminder", "assigned"),
        path[..path.len() - 2].to_owned(),
        "/unsubscribe".to_owned(),
        "/unsubscribe?token=".to_owned(),
        // One of ours has one token.
        format!("{path}&token=b"),
        format!("/unsubscribe?token=a&{}", path.replace("/unsubscribe?", "")),
        "/unsubscribe?token=%ff&=&&%".to_owned(),
        format!("/unsubscribe?token={}", "x".repeat(5_000)),
    ] {
        assert_ne!(wrong, path);
        let answer = posts(&app, &wrong).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{wrong}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("This link does not work"), "{page}");
    }
    for person in [&max, &nico] {
        let settings = person.asks(NOTIFICATION_SETTINGS, json!({})).await;
        assert_eq!(settings.data("notificationSettings.dailyReminder"), true);
        assert_eq!(settings.data("notificationSettings.assigned"), true);
    }
}

#[tokio::test]
async fn whoever_tries_too_many_links_is_told_when_to_come_again() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let links = ["/unsubscribe?token=guess", "/unsubscribe?token=a&token=b"];
    for turn in 0..300 {
        let answer = posts(&app, links[turn % 2]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{turn}");
    }
    for link in links {
        let refused = posts(&app, link).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["retry-after"], "1");
        let page = refused.text().await.unwrap();
        assert!(page.contains("try again in a minute"), "{page}");
    }
}

/// Whoever changes the signing secret does not take everybody's way out away.
#[tokio::test]
async fn links_survive_a_change_of_the_signing_secret() {
    let app = TestApp::start_with(QUIET).await;
    let (_, nico) = with_a_task(&app).await;
    let mail = nico.inbox().latest("daily-reminder");
    let path = unsubscribe_path(mail.header("List-Unsubscribe"));
    let later = app
        .restarts_with(&[
            ("JWT_SECRET", "9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG_f"),
            ("JWT_PREVIOUS_SECRETS", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4"),
        ])
        .await;
    assert_eq!(posts(&later, &path).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn mails_about_ones_account_cannot_be_stopped() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    for mail in nico.inbox().all() {
        let names: Vec<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(!names.contains(&"List-Unsubscribe"), "{mail}");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    }
    assert!(nico.inbox().all().len() >= 3);
}
