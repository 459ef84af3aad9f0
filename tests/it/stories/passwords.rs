//! Passwords that were forgotten, and those that were changed.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{
    CHANGE_PASSWORD, PASSWORD, Person, REQUEST_PASSWORD_RESET, TestApp, UPDATE_USER, assert_mail,
};

const NEW: &str = "copper Kite 93 lantern";

async fn changes_password(person: &Person, current: &str, new: &str) -> crate::support::Answer {
    let input = json!({ "currentPassword": current, "newPassword": new });
    person
        .asks(CHANGE_PASSWORD, json!({ "input": input }))
        .await
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_mailed_link() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();

    let lost = nico.on_another_device();
    lost.forgets_password().await;
    app.runs_all_jobs().await;
    let mail = nico.inbox().last();
    assert_mail("password-reset", &mail);
    let answer = lost.tries_to_reset(&mail.reset_token(), NEW).await;
    answer.succeeds();

    // Every session ends, and nobody is logged in by the link alone.
    for device in [&nico, &phone, &lost] {
        assert!(!device.is_signed_in().await);
    }
    nico.refreshes().await.refused_with("INVALID_TOKEN");
    nico.logs_in().await.refused_with("INVALID_CREDENTIALS");
    nico.with_password(NEW).logs_in().await.succeeds();
    app.runs_all_jobs().await;
    assert_mail("password-changed", &nico.inbox().last());
}

#[tokio::test]
async fn a_link_that_was_used_is_refused() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().reset_token();
    nico.tries_to_reset(&token, NEW).await.succeeds();
    let answer = nico.tries_to_reset(&token, PASSWORD).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    nico.with_password(NEW).logs_in().await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("password-changed"), 1);
}

#[tokio::test]
async fn a_link_is_good_for_half_an_hour() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().reset_token();
    app.clock.advance(TimeDelta::minutes(30));
    let answer = nico.tries_to_reset(&token, NEW).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);

    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().reset_token();
    app.clock
        .advance(TimeDelta::minutes(30) - TimeDelta::milliseconds(1));
    nico.tries_to_reset(&token, NEW).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_newer_link_takes_the_place_of_the_older() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let older = nico.inbox().last().reset_token();
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let newer = nico.inbox().last().reset_token();
    assert_ne!(older, newer);
    nico.tries_to_reset(&older, NEW)
        .await
        .refused_with("INVALID_TOKEN");
    nico.tries_to_reset(&newer, NEW).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_link_that_was_replaced_before_it_was_sent_is_not_mailed() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("password-reset"), 1);
    let token = nico.inbox().last().reset_token();
    nico.tries_to_reset(&token, NEW).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_link_dies_with_a_change_of_password_or_address_or_with_the_account() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for (name, change) in [
        ("nico", json!({})),
        ("olga", json!({ "email": "olga@new.example" })),
        ("pia", json!({ "active": false })),
    ] {
        let person = app.employee(name).await;
        person.forgets_password().await;
        app.runs_all_jobs().await;
        let token = person.inbox().last().reset_token();
        if name == "nico" {
            changes_password(&person, PASSWORD, NEW).await.succeeds();
        } else {
            let mut input = change;
            input["userId"] = person.id().into();
            ada.asks(UPDATE_USER, json!({ "input": input }))
                .await
                .succeeds();
        }
        let answer = person.tries_to_reset(&token, "hollow Drum 17 spruce").await;
        answer.refused_for(&["input.token INVALID_TOKEN"]);
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_link_stays_dead_when_whoever_was_shut_out_comes_back() {
    let app = TestApp::start().await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().reset_token();
    for active in [false, true] {
        let input = json!({ "userId": nico.id(), "active": active });
        ada.asks(UPDATE_USER, json!({ "input": input }))
            .await
            .succeeds();
    }
    let answer = nico.tries_to_reset(&token, NEW).await;
    answer.refused_for(&["input.token INVALID_TOKEN"]);
    nico.logs_in().await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_weak_new_password_does_not_use_the_link_up() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().last().reset_token();
    let answer = nico.tries_to_reset(&token, "nico1234").await;
    answer.refused_for(&["input.newPassword WEAK_PASSWORD"]);
    assert!(nico.is_signed_in().await);
    nico.tries_to_reset(&token, NEW).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn tokens_that_are_no_tokens_are_refused() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    for token in ["", "x", "💥", &"A".repeat(43), &"A".repeat(10_000)] {
        let answer = nico.tries_to_reset(token, NEW).await;
        answer.refused_for(&["input.token INVALID_TOKEN"]);
    }
}

#[tokio::test]
async fn a_reset_for_what_is_no_address_is_refused() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    for (email, code) in [("", "BLANK"), ("nico", "INVALID")] {
        let input = json!({ "input": { "email": email } });
        let answer = nico.asks(REQUEST_PASSWORD_RESET, input).await;
        answer.refused_for(&[&format!("input.email {code}")]);
    }
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions_and_is_mailed() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();

    changes_password(&nico, PASSWORD, NEW).await.succeeds();
    assert!(nico.is_signed_in().await);
    nico.refreshes().await.succeeds();
    assert!(!phone.is_signed_in().await);
    phone.refreshes().await.refused_with("INVALID_TOKEN");
    phone.logs_in().await.refused_with("INVALID_CREDENTIALS");
    phone.with_password(NEW).logs_in().await.succeeds();
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().last().kind, "password-changed");
}

#[tokio::test]
async fn changing_the_password_needs_the_current_one() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let answer = changes_password(&nico, "violet Tram 48 garden", NEW).await;
    answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
    let answer = changes_password(&nico, PASSWORD, "short").await;
    answer.refused_for(&["input.newPassword TOO_SHORT"]);
    let answer = changes_password(&nico, PASSWORD, "nico@example.com").await;
    answer.refused_for(&["input.newPassword WEAK_PASSWORD"]);
    nico.logs_in().await.succeeds();
    assert_eq!(nico.inbox().count("password-changed"), 0);
}
