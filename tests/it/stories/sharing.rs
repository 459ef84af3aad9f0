//! Several processes on one database are one Muster: what one of them does counts
//! at once at the others, and they wake each other.

use std::time::Duration;

use muster::event::Event;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::database::redis_server;
use crate::support::{SESSIONS, TASKS, TestApp, UPDATE_USER, USERS};

#[tokio::test]
async fn what_ends_a_session_at_one_process_ends_it_at_all() {
    let here = TestApp::start().await;
    let ada = here.admin("ada").await;
    let eve = here.manager("eve").await;
    let there = here.restarts_with(&[]).await;

    // A log-out.
    eve.logs_in().await.succeeds();
    let elsewhere = eve.at(&there);
    elsewhere.asks(SESSIONS, json!({})).await.succeeds();
    eve.logs_out().await;
    elsewhere
        .asks(SESSIONS, json!({}))
        .await
        .fails_with("UNAUTHENTICATED");

    // A change of role.
    eve.logs_in().await.succeeds();
    let elsewhere = eve.at(&there);
    elsewhere.asks(USERS, json!({})).await.succeeds();
    let input = json!({ "input": { "userId": eve.id(), "role": "EMPLOYEE" } });
    ada.asks(crate::support::SET_USER_ROLE, input)
        .await
        .succeeds();
    elsewhere
        .asks(USERS, json!({}))
        .await
        .fails_with("FORBIDDEN");
    elsewhere
        .asks(TASKS, json!({}))
        .await
        .fails_with("FORBIDDEN");

    // Deactivation.
    let input = json!({ "input": { "userId": eve.id(), "active": false } });
    ada.asks(UPDATE_USER, input).await.succeeds();
    elsewhere
        .asks(SESSIONS, json!({}))
        .await
        .fails_with("UNAUTHENTICATED");
    elsewhere.refreshes().await.refused_with("INVALID_TOKEN");
    here.runs_all_jobs().await;
}

/// Whether a sign-up at one process is heard of at another.
async fn wakes_the_other(settings: &[(&str, &str)]) {
    let here = TestApp::start_on_postgres_with(settings).await;
    let there = here.restarts_with(settings).await;
    let cancel = CancellationToken::new();
    for app in [&here, &there] {
        tokio::spawn(app.relays(cancel.clone()));
    }
    let mut events = there.cx.events.subscribe();
    // It does not say when it listens.
    tokio::time::sleep(Duration::from_secs(1)).await;
    here.stranger("nico").signs_up().await;
    let heard = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
    assert_eq!(heard.unwrap().unwrap(), Event::JobsDue);
    here.leaves_jobs();
    there.leaves_jobs();
    cancel.cancel();
}

#[tokio::test]
async fn processes_wake_each_other_by_postgres() {
    Box::pin(wakes_the_other(&[])).await;
}

#[tokio::test]
async fn processes_wake_each_other_by_redis() {
    Box::pin(wakes_the_other(&[("REDIS_URL", &redis_server())])).await;
}
