//! Mails go out once for what caused them: tried again while there is hope,
//! given up when there is none, and never for what did not happen.

use chrono::TimeDelta;
use futures_util::future::join_all;
use muster::mail::SendError;
use serde_json::json;

use crate::support::{DELETE_USER, Person, TestApp, UPDATE_PROFILE};

#[tokio::test]
async fn a_mail_that_fails_for_now_is_tried_again_later_and_later() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    app.outbox
        .fail_next(3, &SendError::transient("451 greylisted"));
    assert_eq!(app.runs_all_jobs().await, 1);
    // 30 s, 60 s and 120 s, give or take a fifth.
    for base in [30_000, 60_000, 120_000] {
        assert_eq!(nico.inbox().all(), []);
        let too_early = TimeDelta::milliseconds(base * 8 / 10 - 1);
        assert_eq!(app.lets_pass(too_early).await, 0, "after {base} ms");
        let late_enough = TimeDelta::milliseconds(base * 4 / 10 + 1);
        assert_eq!(app.lets_pass(late_enough).await, 1, "after {base} ms");
    }
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
    assert_eq!(app.lets_pass(TimeDelta::days(1)).await, 0);
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
}

#[tokio::test]
async fn nobody_is_welcomed_who_is_deleted_before() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.stranger("nico"));
    let input = json!({ "input": { "userId": nico.signs_up().await } });
    ada.asks(DELETE_USER, input).await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().all(), []);
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_at_once() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    app.outbox
        .fail_next(1, &SendError::permanent("550 no such user"));
    assert_eq!(app.runs_all_jobs().await, 1);
    assert_eq!(app.lets_pass(TimeDelta::days(2)).await, 0);
    assert_eq!(nico.inbox().all(), []);
}

#[tokio::test]
async fn a_mail_is_given_up_after_a_day_of_trying() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    let away = SendError::transient("the server cannot be reached");
    app.outbox.fail_next(1_000, &away);
    let began = app.now();
    let mut last = began;
    let mut tries = app.runs_all_jobs().await;
    while app.now() - began < TimeDelta::days(3) {
        if app.lets_pass(TimeDelta::minutes(1)).await > 0 {
            tries += 1;
            last = app.now();
        }
    }
    let lasted = last - began;
    assert!(lasted >= TimeDelta::hours(24), "{lasted} and {tries} tries");
    assert!(lasted <= TimeDelta::hours(26), "{lasted} and {tries} tries");
    assert!((20..60).contains(&tries), "{tries} tries");
}

#[tokio::test]
async fn one_bad_address_holds_up_nobody_else() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.stranger("nico"), app.stranger("olga"));
    nico.signs_up().await;
    olga.signs_up().await;
    app.outbox.fail_next(1, &SendError::transient("451 later"));
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().all(), []);
    assert_eq!(olga.inbox().kinds(), ["welcome"]);
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
    assert_eq!(olga.inbox().kinds(), ["welcome"]);
}

/// So that a mail that comes twice can be told by whoever receives it.
#[tokio::test]
async fn a_mail_that_may_have_arrived_is_sent_again_as_the_same_bytes() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.outbox
        .fail_next(1, &SendError::unknown("the connection was lost"));
    app.runs_all_jobs().await;
    let input = json!({ "input": { "firstName": "Nicolas" } });
    nico.asks(UPDATE_PROFILE, input).await.succeeds();
    app.lets_pass(TimeDelta::minutes(1)).await;
    assert_eq!(nico.inbox().count("password-reset"), 1);

    // The same again, without the failure, has another id.
    let first = nico.inbox().last();
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let second = nico.inbox().last();
    assert_ne!(first.header("Message-ID"), second.header("Message-ID"));
    assert!(first.header("Message-ID").ends_with("@muster.example>"));
}

#[tokio::test]
async fn a_job_that_comes_twice_sends_one_mail() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    // As when the queue gives a job to two workers, or again after a crash.
    let columns = "job_type, status, attempts, max_attempts, run_at, priority, metadata";
    let jobs = app.database().jobs();
    app.sql(format!(
        "INSERT INTO {jobs} (job, id, {columns}) SELECT job, id || 'X', {columns} FROM {jobs}"
    ))
    .await;
    assert_eq!(app.runs_all_jobs().await, 2);
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
}

#[tokio::test]
async fn a_mail_whose_job_was_lost_is_found_and_sent() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    let jobs = app.database().jobs();
    app.sql(format!("DELETE FROM {jobs}")).await;
    assert_eq!(app.runs_all_jobs().await, 0);
    assert_eq!(app.lets_pass(TimeDelta::seconds(30)).await, 1);
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
}

#[tokio::test]
async fn a_mail_whose_worker_died_is_taken_over_after_its_lease() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    let in_five_minutes = app.database().either(
        "replace(due_at, 'T09:00', 'T09:05')",
        "due_at + interval '5 minutes'",
    );
    app.sql(format!(
        "UPDATE deliveries SET state = 'SENDING', fence = 1, attempts = 1, \
         leased_until = {in_five_minutes}"
    ))
    .await;
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().all(), []);
    app.lets_pass(TimeDelta::minutes(4)).await;
    assert_eq!(nico.inbox().all(), []);
    app.lets_pass(TimeDelta::minutes(2)).await;
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
}

/// Each of its workers died before it could tell an answer.
#[tokio::test]
async fn a_mail_that_kills_its_workers_is_given_up() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    nico.signs_up().await;
    for (attempts, state) in [(9, "SENT"), (10, "FAILED")] {
        app.sql(format!(
            "UPDATE deliveries SET state = 'SENDING', attempts = {attempts}, failures = 0, \
             leased_until = created_at, announced_until = created_at, finished_at = NULL"
        ))
        .await;
        app.lets_pass(TimeDelta::minutes(1)).await;
        let states = app.database().reads("SELECT state FROM deliveries").await;
        assert_eq!(states, [state], "after {attempts} claims");
    }
    assert_eq!(nico.inbox().count("welcome"), 1);
}

#[tokio::test]
async fn a_sign_up_that_was_refused_sends_nothing() {
    let app = TestApp::start().await;
    app.employee("nico").await;
    let sent = app.mails().len();
    let double = app.stranger("nico").with_email("other@example.com");
    let answer = double.tries_to_sign_up(json!({})).await;
    answer.refused_for(&["input.username USERNAME_TAKEN"]);
    let double = app.stranger("other").with_email("NICO@example.com");
    let answer = double.tries_to_sign_up(json!({})).await;
    answer.refused_for(&["input.email EMAIL_TAKEN"]);
    assert_eq!(app.lets_pass(TimeDelta::minutes(1)).await, 0);
    assert_eq!(app.mails().len(), sent);
}

/// The user, the approval and the mail are written together, so what fails last undoes the first.
#[tokio::test]
async fn a_sign_up_whose_mail_cannot_be_written_did_not_happen() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.stranger("nico");
    app.executes(app.database().either(
        "CREATE TRIGGER refuse BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'full'); END",
        "ALTER TABLE deliveries ADD CONSTRAINT refuse CHECK (false) NOT VALID",
    ))
    .await;
    let answer = nico.tries_to_sign_up(json!({})).await;
    answer.fails_with("INTERNAL_SERVER_ERROR");
    app.executes(app.database().either(
        "DROP TRIGGER refuse",
        "ALTER TABLE deliveries DROP CONSTRAINT refuse",
    ))
    .await;
    let answer = ada
        .sends(
            "{ users { totalCount } approvals { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(answer.data("users.totalCount"), 1);
    assert_eq!(answer.data("approvals.totalCount"), 0);
    assert_eq!(app.runs_all_jobs().await, 0);
    nico.signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().kinds(), ["welcome"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sign_up_of_a_crowd_gets_its_one_mail() {
    let app = TestApp::start().await;
    let crowd: Vec<_> = (0..20)
        .map(|n| app.stranger(&format!("guest-{n}")))
        .collect();
    join_all(crowd.iter().map(Person::signs_up)).await;
    // Two workers at once.
    tokio::join!(app.runs_all_jobs(), app.runs_all_jobs());
    for guest in &crowd {
        assert_eq!(guest.inbox().kinds(), ["welcome"], "{}", guest.username);
    }
}

#[tokio::test]
async fn nothing_that_people_typed_makes_a_header_or_a_link() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    let form = json!({ "firstName": "<b>Nico</b> https://evil.example", "lastName": "\"; x" });
    nico.tries_to_sign_up(form).await.succeeds();
    app.runs_all_jobs().await;
    let mail = nico.inbox().last();
    assert!(!mail.html.contains("<b>Nico"), "{mail}");
    assert!(!mail.html.contains("href=\"https://evil.example"), "{mail}");
    assert!(!mail.text.contains("https://evil.example"), "{mail}");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(
        mail.headers.iter().filter(|(key, _)| key == "To").count(),
        1
    );
}

/// A machine that was an hour ahead is set right while a pace is kept.
#[tokio::test]
async fn a_clock_that_is_put_back_stops_no_mails() {
    let app = TestApp::start_with(&[("MAIL_RATE", "100/s")]).await;
    app.clock.advance(TimeDelta::hours(1));
    app.stranger("nico").signs_up().await;
    app.runs_all_jobs().await;
    app.clock.advance(TimeDelta::hours(-1));
    let olga = app.stranger("olga");
    olga.signs_up().await;
    app.runs_all_jobs().await;
    assert_eq!(olga.inbox().kinds(), ["welcome"]);
}
