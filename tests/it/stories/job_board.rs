//! Admins look at the queue in a browser, at `/jobs`: they log in there by a form,
//! see what waits and what was done, and can change nothing.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::browser::{Browser, TASKS};
use crate::support::{
    ACCOUNT_EVENTS, Authenticator, CHANGE_PASSWORD, PASSWORD, REVOKE_SESSION, REVOKE_USER_SESSIONS,
    SESSIONS, SET_USER_ROLE, TestApp, UPDATE_USER,
};

#[tokio::test]
async fn an_admin_logs_in_by_the_form_and_sees_the_jobs_of_the_queue() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.stranger("nico").signs_up().await;
    let mut browser = Browser::new(&app);
    for path in ["/jobs", "/jobs/", "/jobs/queues/muster"] {
        let page = browser.opens(path).await;
        assert!(
            page.status == StatusCode::OK && page.is_form() && page.notice().is_none(),
            "{path}"
        );
    }
    let page = browser.logs_in(&ada).await;
    let cookie = page.header("set-cookie");
    assert!(
        cookie.ends_with("; Max-Age=43200; Path=/jobs; Secure; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    for path in ["/jobs/", "/jobs/queues/muster", "/jobs/tasks/Done"] {
        assert!(browser.opens(path).await.is_board(), "{path}");
    }
    let queues = browser.opens("/jobs/api/v1/queues").await.json();
    assert_eq!(queues[0]["name"], "muster");
    let overview = browser.opens("/jobs/api/v1/overview").await.json();
    assert!(overview.as_array().unwrap().len() > 10);
    let tasks = browser.tasks().await;
    let id = tasks[0]["ctx"]["task_id"].as_str().unwrap();
    let one = browser.opens(&format!("{TASKS}/{id}")).await.json();
    assert_eq!(one["args"]["job"], "deliver");
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_job_holds_ids_and_nothing_about_a_person() {
    let app = TestApp::start().await;
    let ada = app.admin("ada-personally").await;
    let nico = app.stranger("nico-personally");
    nico.signs_up().await;
    nico.forgets_password().await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let tasks = browser.tasks().await;
    assert!(!tasks.is_empty());
    for task in &tasks {
        let args = task["args"].as_object().unwrap();
        let names: Vec<&str> = args.keys().map(String::as_str).collect();
        assert_eq!(names, ["delivery_id", "job"]);
        assert!(
            args["delivery_id"]
                .as_str()
                .unwrap()
                .starts_with("delivery_")
        );
    }
    for path in [
        "queues",
        "overview",
        "workers",
        "tasks",
        "queues/muster/stats",
    ] {
        let page = browser.opens(&format!("/jobs/api/v1/{path}")).await;
        page.json();
        let shown = format!("{}{tasks:?}", page.text);
        for about in ["personally", "example.com", nico.id(), ada.id()] {
            assert!(!shown.contains(about), "{about} in {path}");
        }
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn only_admins_are_let_in_and_whoever_is_not_leaves_no_session() {
    let app = TestApp::start().await;
    app.admin("ada").await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    for person in [&mia, &eve] {
        let before = person.asks(SESSIONS, json!({})).await.succeeds();
        let mut browser = Browser::new(&app);
        let page = browser
            .tries_to_log_in(&person.username, &person.password)
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(page.notice(), Some("Only admins can see the job board."));
        assert!(page.is_form() && browser.cookie.is_none());
        assert!(browser.is_out().await);
        let after = person.asks(SESSIONS, json!({})).await.succeeds();
        assert_eq!(before.each("sessions", "id"), after.each("sessions", "id"));
        let variables = json!({ "first": 1 });
        let events = person.asks(ACCOUNT_EVENTS, variables).await.succeeds();
        assert_eq!(
            events.each("accountEvents.nodes", "kind"),
            ["LOG_IN_REFUSED"]
        );
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_login_get_the_same_words() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut pages = Vec::new();
    for (login, password) in [
        (ada.username.as_str(), "not her password"),
        ("nobody", "not her password"),
        ("nobody", PASSWORD),
        (ada.username.as_str(), ""),
    ] {
        let mut browser = Browser::new(&app);
        let page = browser.tries_to_log_in(login, password).await;
        assert!(page.is_form() && browser.cookie.is_none());
        // What was typed is in it again, but for the password.
        assert!(page.text.contains(&format!("value=\"{login}\"")));
        assert!(!page.text.contains("not her password") && !page.text.contains(PASSWORD));
        let text = page.text.replace(login, "");
        pages.push((page.status, text));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    assert!(
        pages[0]
            .1
            .contains("Username, e-mail address or password is wrong.")
    );
}

#[tokio::test]
async fn guesses_are_held_back_as_at_every_log_in() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    let mut last = browser.tries_to_log_in("ada", "wrong").await;
    for _ in 0..5 {
        last = browser.tries_to_log_in("ada", "wrong").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(last.header("retry-after"), "12");
    // Rounded up: who came back half a second early would be refused once more.
    app.clock.advance(TimeDelta::milliseconds(1_500));
    let last = browser.tries_to_log_in("ada", "wrong").await;
    assert_eq!(last.header("retry-after"), "11");
    let notice = last.notice().unwrap();
    assert_eq!(notice, "Too many attempts. Try again in 11 seconds.");
    // They are one account's guesses, wherever they are made.
    ada.on_another_device()
        .logs_in()
        .await
        .fails_with("RATE_LIMITED");
}

#[tokio::test]
async fn where_admins_need_a_second_factor_they_need_it_here() {
    let app = TestApp::start_with(&[("ADMIN_SECOND_FACTOR", "required")]).await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    let page = browser.tries_to_log_in("ada", PASSWORD).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.notice().unwrap().contains("second factor"));

    let authenticator = Authenticator::set_up(&ada, &app.clock).await;
    app.clock.advance(TimeDelta::seconds(30));
    let page = browser.tries_to_log_in("ada", PASSWORD).await;
    assert_eq!(
        page.notice(),
        Some("Type the code of your authenticator app, or a recovery code.")
    );
    let code = authenticator.code();
    let fields = [("login", "ada"), ("password", PASSWORD), ("code", &code)];
    let page = browser.submits("/jobs/log-in", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert!(browser.opens("/jobs").await.is_board());
    // Each is good once, here, too.
    let page = Browser::new(&app).submits("/jobs/log-in", &fields).await;
    assert!(page.is_form() && page.notice().is_some());
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn what_ends_a_session_ends_the_one_at_the_board_by_the_next_request() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.admin("ada").await, app.admin("bob").await);
    let mut browser = Browser::new(&app);

    browser.logs_in(&ada).await;
    let pass = browser.cookie.clone();
    let page = browser.submits("/jobs/log-out", &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.cookie, None);
    // Whoever kept the pass has nothing by it.
    browser.cookie = pass;
    assert!(browser.is_out().await);

    browser.logs_in(&ada).await;
    let sessions = ada.asks(SESSIONS, json!({})).await.succeeds();
    let current = sessions.each("sessions", "isCurrent");
    let place = current.iter().position(|is| is == "false").unwrap();
    let id = sessions.words(&format!("sessions.{place}.id"));
    let input = json!({ "input": { "sessionId": id } });
    ada.asks(REVOKE_SESSION, input).await.succeeds();
    assert!(browser.is_out().await);

    browser.logs_in(&ada).await;
    let input = json!({ "input": { "userId": ada.id() } });
    bob.asks(REVOKE_USER_SESSIONS, input).await.succeeds();
    assert!(browser.is_out().await);

    ada.logs_in().await.succeeds();
    browser.logs_in(&ada).await;
    let passwords = json!({ "currentPassword": PASSWORD, "newPassword": "amber Tram 49 gardens" });
    let input = json!({ "input": passwords });
    ada.asks(CHANGE_PASSWORD, input).await.succeeds();
    assert!(browser.is_out().await);

    let ada = ada.with_password("amber Tram 49 gardens");
    browser.logs_in(&ada).await;
    let input = json!({ "input": { "userId": ada.id(), "role": "MANAGER" } });
    bob.asks(SET_USER_ROLE, input).await.succeeds();
    let page = browser.opens("/jobs").await;
    assert!(page.status == StatusCode::FORBIDDEN && page.is_form());
    assert_eq!(page.notice(), Some("Only admins can see the job board."));
    let tasks = browser.opens(TASKS).await;
    assert_eq!(tasks.status, StatusCode::FORBIDDEN);
    let input = json!({ "input": { "userId": ada.id(), "active": false } });
    bob.asks(UPDATE_USER, input).await.succeeds();
    assert!(browser.is_out().await);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_session_at_the_board_lasts_a_working_day_and_one_takes_the_place_of_the_other() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let first = browser.cookie.clone();
    app.clock.advance(TimeDelta::hours(1));
    browser.logs_in(&ada).await;
    let second = browser.cookie.clone();
    assert_ne!(first, second);
    browser.cookie = first;
    assert!(browser.is_out().await);
    browser.cookie = second;
    app.clock.advance(TimeDelta::hours(11));
    assert!(browser.opens("/jobs").await.is_board());
    app.clock.advance(TimeDelta::hours(1));
    assert!(browser.is_out().await);
}
