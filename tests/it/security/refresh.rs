//! Refresh tokens: good once, and a trap for whoever stole one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{ACCOUNT_EVENTS, Person, REFRESH_SESSION, TestApp};

/// The same person with the tokens that they have now.
fn thief_of(person: &Person) -> Person {
    let thief = person.on_another_device();
    thief.keeps(person.tokens());
    thief
}

#[tokio::test]
async fn each_refresh_brings_a_new_token() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let mut seen = vec![eve.tokens().refresh.unwrap()];
    for _ in 0..5 {
        app.clock.advance(TimeDelta::minutes(10));
        eve.refreshes().await.succeeds();
        seen.push(eve.tokens().refresh.unwrap());
    }
    assert!(eve.is_signed_in().await);
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[tokio::test]
async fn an_answer_that_got_lost_is_given_again_within_ten_seconds() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let lost = thief_of(&eve);
    eve.refreshes().await.succeeds();
    app.clock.advance(TimeDelta::seconds(10));
    lost.refreshes().await.succeeds();
    assert_eq!(lost.tokens().refresh, eve.tokens().refresh);
    assert!(lost.is_signed_in().await);
    // And the successor works.
    eve.refreshes().await.succeeds();
}

/// Those of a release before tokens named their session.
#[tokio::test]
async fn a_token_that_is_a_secret_alone_is_good_once_like_any_other() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let earlier = "A".repeat(43);
    // Its SHA-256.
    let hash = "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a";
    let renamed = format!(
        "UPDATE refresh_tokens SET token_hash = '{hash}' WHERE session_id IN \
            (SELECT sessions.id FROM sessions JOIN users ON users.id = user_id WHERE username = 'eve')"
    );
    assert_eq!(app.database().executes(renamed).await, 1);
    let mut tokens = eve.tokens();
    tokens.refresh = Some(earlier);
    eve.keeps(tokens);
    let thief = thief_of(&eve);
    eve.refreshes().await.succeeds();
    eve.refreshes().await.succeeds();
    app.clock.advance(TimeDelta::seconds(11));
    thief.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(!eve.is_signed_in().await);
}

#[tokio::test]
async fn a_token_that_is_used_again_later_ends_the_session() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let phone = eve.on_another_device();
    phone.logs_in().await.succeeds();
    let thief = thief_of(&eve);
    eve.refreshes().await.succeeds();
    app.clock
        .advance(TimeDelta::seconds(10) + TimeDelta::milliseconds(1));
    thief.refreshes().await.refused_with("INVALID_TOKEN");
    // Access tokens included, and the newest refresh token too.
    assert!(!eve.is_signed_in().await);
    eve.refreshes().await.refused_with("INVALID_TOKEN");
    // The other session has nothing to do with it.
    assert!(phone.is_signed_in().await);
    phone.refreshes().await.succeeds();
}

#[tokio::test]
async fn a_token_whose_successor_was_used_ends_the_session_at_once() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let grandparent = thief_of(&eve);
    eve.refreshes().await.succeeds();
    eve.refreshes().await.succeeds();
    grandparent.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(!eve.is_signed_in().await);
    eve.refreshes().await.refused_with("INVALID_TOKEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_that_refresh_at_once_share_one_successor() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let tabs: Vec<Person> = (0..20).map(|_| thief_of(&eve)).collect();
    for answer in join_all(tabs.iter().map(Person::refreshes)).await {
        answer.succeeds();
    }
    let mut tokens: Vec<_> = tabs.iter().map(|tab| tab.tokens().refresh).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert!(tabs[7].is_signed_in().await);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let tokens = eve.tokens();
    let (access, refresh) = (tokens.access.unwrap(), tokens.refresh.unwrap());
    let long = "A".repeat(10_000);
    for token in [
        "",
        "x",
        &access,
        &refresh[1..],
        &format!("{refresh}="),
        &long,
        "💥",
    ] {
        let input = json!({ "input": { "refreshToken": token } });
        let answer = eve.asks(REFRESH_SESSION, input).await;
        answer.refused_for(&["input.refreshToken INVALID_TOKEN"]);
    }
    assert!(eve.is_signed_in().await);
    eve.refreshes().await.succeeds();
}

#[tokio::test]
async fn the_database_keeps_no_tokens_that_were_used_long_ago() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let kept = "SELECT CAST(count(*) AS text) FROM refresh_tokens WHERE session_id IN \
        (SELECT id FROM sessions WHERE user_id IN (SELECT id FROM users WHERE username = 'eve'))";
    // As fast as one source may.
    for _ in 0..100 {
        app.clock.advance(TimeDelta::seconds(2));
        eve.refreshes().await.succeeds();
    }
    // A minute's, and the one that can be used.
    assert_eq!(app.database().reads(kept).await, ["32"]);
    app.clock.advance(TimeDelta::hours(1));
    eve.refreshes().await.succeeds();
    assert_eq!(app.database().reads(kept).await, ["2"]);
}

#[tokio::test]
async fn a_token_that_nobody_remembers_still_ends_its_session() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let phone = eve.on_another_device();
    phone.logs_in().await.succeeds();
    let thief = thief_of(&eve);
    for _ in 0..3 {
        app.clock.advance(TimeDelta::minutes(5));
        eve.refreshes().await.succeeds();
    }
    assert!(eve.is_signed_in().await);
    thief.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(!eve.is_signed_in().await);
    eve.refreshes().await.refused_with("INVALID_TOKEN");
    phone.refreshes().await.succeeds();
    let filter = json!({ "filter": { "kind": ["REFRESH_TOKEN_REUSED"] } });
    let answer = phone.asks(ACCOUNT_EVENTS, filter).await.succeeds();
    assert_eq!(answer.each("accountEvents.nodes", "kind").len(), 1);
    // Once more, it finds nothing to end.
    thief.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(phone.is_signed_in().await);
}

/// The id of a session is no secret.
#[tokio::test]
async fn a_token_that_was_made_up_for_a_session_ends_nothing() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let token = URL_SAFE_NO_PAD
        .decode(eve.tokens().refresh.unwrap())
        .unwrap();
    for index in 0..token.len() {
        let mut forged = token.clone();
        forged[index] ^= 1;
        let input = json!({ "input": { "refreshToken": URL_SAFE_NO_PAD.encode(forged) } });
        let answer = eve.asks(REFRESH_SESSION, input).await;
        answer.refused_for(&["input.refreshToken INVALID_TOKEN"]);
    }
    assert!(eve.is_signed_in().await);
    eve.refreshes().await.succeeds();
}

/// Though nobody can tell any more whose the used ones were.
#[tokio::test]
async fn a_session_outlives_the_secret_that_its_tokens_were_made_by() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let thief = thief_of(&eve);
    eve.refreshes().await.succeeds();
    let later = app
        .restarts_with(&[("JWT_SECRET", "9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG_f")])
        .await;
    let (eve, thief) = (eve.at(&later), thief.at(&later));
    for _ in 0..2 {
        app.clock.advance(TimeDelta::minutes(5));
        eve.refreshes().await.succeeds();
    }
    thief.refreshes().await.refused_with("INVALID_TOKEN");
    assert!(eve.is_signed_in().await);
}
