//! Log-ins that last, and how they end.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{LOG_OUT, REVOKE_SESSION, SESSIONS, TestApp};

#[tokio::test]
async fn an_access_token_ends_and_a_refresh_token_brings_a_new_one() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    app.clock.advance(TimeDelta::minutes(14));
    assert!(nico.is_signed_in().await);
    app.clock.advance(TimeDelta::minutes(2));
    let answer = nico.sends("{ viewer { id } }", json!({})).await;
    answer.fails_with("UNAUTHENTICATED");
    // What is public still works, so that the client can refresh.
    let answer = nico.refreshes().await.succeeds();
    assert_eq!(
        answer.data("refreshSession.accessTokenExpiresAt"),
        app.in_(TimeDelta::minutes(15)).as_str()
    );
    assert!(nico.is_signed_in().await);
}

#[tokio::test]
async fn a_session_lasts_thirty_days_without_use() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    app.clock
        .advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    nico.refreshes().await.succeeds();
    app.clock.advance(TimeDelta::milliseconds(1));
    olga.refreshes().await.refused_with("INVALID_TOKEN");
}

#[tokio::test]
async fn a_session_lasts_ninety_days_however_much_it_is_used() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    for _ in 0..4 {
        app.clock.advance(TimeDelta::days(20));
        nico.refreshes().await.succeeds();
    }
    let answer = nico.asks(SESSIONS, json!({})).await.succeeds();
    assert_eq!(
        answer.data("sessions.0.expiresAt"),
        app.in_(TimeDelta::days(10)).as_str()
    );
    app.clock.advance(TimeDelta::days(10));
    nico.refreshes().await.refused_with("INVALID_TOKEN");
}

#[tokio::test]
async fn a_life_that_is_made_shorter_is_shorter_for_the_sessions_there_are() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    app.clock.advance(TimeDelta::days(2));
    for shorter in ["SESSION_MAX_AGE", "REFRESH_TOKEN_TTL"] {
        let stricter = app.restarts_with(&[(shorter, "2d")]).await;
        let nico = nico.at(&stricter);
        nico.refreshes().await.refused_with("INVALID_TOKEN");
    }
    let laxer = app.restarts_with(&[("SESSION_MAX_AGE", "3d")]).await;
    nico.at(&laxer).refreshes().await.succeeds();
}

#[tokio::test]
async fn a_life_that_was_told_is_not_made_longer() {
    let app = TestApp::start_with(&[("REFRESH_TOKEN_TTL", "1d")]).await;
    let nico = app.employee("nico").await;
    app.clock.advance(TimeDelta::days(1));
    let laxer = app.restarts_with(&[]).await;
    let nico = nico.at(&laxer);
    nico.refreshes().await.refused_with("INVALID_TOKEN");
}

#[tokio::test]
async fn a_log_in_that_ends_before_its_token_takes_the_token_with_it() {
    let app = TestApp::start_with(&[("SESSION_MAX_AGE", "5m"), ("REFRESH_TOKEN_TTL", "5m")]).await;
    let nico = app.employee("nico").await;
    app.clock.advance(TimeDelta::minutes(5));
    assert!(!nico.is_signed_in().await);
}

#[tokio::test]
async fn people_see_their_sessions_newest_first() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    app.clock.advance(TimeDelta::minutes(1));
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();
    app.clock.advance(TimeDelta::minutes(1));
    nico.refreshes().await.succeeds();

    let answer = nico.asks(SESSIONS, json!({})).await.succeeds();
    assert_eq!(answer.each("sessions", "isCurrent"), ["false", "true"]);
    assert_eq!(answer.each("sessions", "ipAddress"), ["127.0.0.1"; 2]);
    assert_eq!(
        answer.each("sessions", "createdAt"),
        ["2026-01-05T09:01:00.000Z", "2026-01-05T09:00:00.000Z"]
    );
    assert_eq!(
        answer.each("sessions", "lastUsedAt"),
        ["2026-01-05T09:01:00.000Z", "2026-01-05T09:02:00.000Z"]
    );
    let others = olga.asks(SESSIONS, json!({})).await.succeeds();
    assert_eq!(others.each("sessions", "isCurrent"), ["true"]);
}

#[tokio::test]
async fn logging_out_ends_this_session_at_once() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();
    nico.logs_out().await;
    assert!(!nico.is_signed_in().await);
    nico.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(phone.is_signed_in().await);
    let again = nico.asks(LOG_OUT, json!({})).await;
    again.fails_with("UNAUTHENTICATED");
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_this_user_only() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();
    let answer = nico
        .asks(LOG_OUT, json!({ "input": { "everywhere": true } }))
        .await;
    assert_eq!(answer.succeeds().data("logOut.loggedOut"), true);
    assert!(!nico.is_signed_in().await);
    assert!(!phone.is_signed_in().await);
    phone.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(olga.is_signed_in().await);
}

#[tokio::test]
async fn a_lost_phone_is_logged_out_from_the_desk() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();
    let answer = phone.asks(SESSIONS, json!({})).await.succeeds();
    let session = answer.words("sessions.0.id");
    let input = json!({ "input": { "sessionId": session } });
    let answer = nico.asks(REVOKE_SESSION, input.clone()).await.succeeds();
    assert_eq!(answer.data("revokeSession.sessionId"), session.as_str());
    assert!(!phone.is_signed_in().await);
    phone.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(nico.is_signed_in().await);
    let again = nico.asks(REVOKE_SESSION, input).await;
    again.refused_for(&["input.sessionId NOT_FOUND"]);
}

#[tokio::test]
async fn the_oldest_of_more_than_fifty_sessions_ends() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    for _ in 0..49 {
        app.clock.advance(TimeDelta::seconds(1));
        nico.on_another_device().logs_in().await.succeeds();
    }
    assert!(nico.is_signed_in().await);
    nico.on_another_device().logs_in().await.succeeds();
    assert!(!nico.is_signed_in().await);
}

#[tokio::test]
async fn sessions_that_expired_are_cleared_away_with_their_tokens() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    app.clock.advance(TimeDelta::days(1));
    nico.on_another_device().logs_in().await.succeeds();
    // Those of nico, and tokens whose session is gone.
    let left = async || {
        app.clears_away().await;
        let mut left = Vec::new();
        for rows in [
            "sessions JOIN users ON users.id = user_id WHERE username = 'nico'",
            "refresh_tokens WHERE session_id NOT IN (SELECT id FROM sessions)",
        ] {
            let count = format!("SELECT CAST(count(*) AS text) FROM {rows}");
            left.extend(app.database().reads(&count).await);
        }
        left
    };
    app.clock.advance(TimeDelta::days(29));
    assert_eq!(left().await, ["2", "0"]);
    app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(left().await, ["1", "0"]);
}
