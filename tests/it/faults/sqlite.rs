//! An SQLite file that somebody else holds locked: reads go on, writers hear of it,
//! and the worker is alive afterwards.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;

use super::at_length;
use crate::support::program::{House, Server};
use crate::support::{CREATE_API_TOKEN, PASSWORD, SIGN_UP, VIEWER, database};

const UP: &str = "muster_worker_up";

#[tokio::test]
async fn a_lock_that_is_held_long_stops_writers_only_and_only_meanwhile() {
    let house = House::new();
    let server = house.serves_with(&[("LOG", "warn,muster=debug")]).await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    shows(&server, 1.0).await;

    let url = format!("sqlite://{}", house.path("muster.db").display());
    let lock = database::SqliteLock::take(&url).await;
    let until = Instant::now() + Duration::from_secs(at_length(20, 12));
    let nico = server.stranger("nico");
    let mut refused = 0;
    while Instant::now() < until {
        ada.asks(VIEWER, json!({})).await.succeeds();
        let form = json!({ "input": {
            "username": nico.username, "email": nico.email, "password": nico.password,
        } });
        let began = Instant::now();
        nico.asks(SIGN_UP, form).await.fails_with("UNAVAILABLE");
        assert!(
            began.elapsed() < Duration::from_secs(11),
            "{:?}",
            began.elapsed()
        );
        refused += 1;
    }
    assert!(refused > 0);
    // The file can still be read, which is not enough to work.
    assert_eq!(server.metric(UP).await, Some(0.0));
    let ready = server.http().get(server.url("/readyz")).send().await;
    assert_eq!(
        ready.unwrap().text().await.unwrap(),
        "ready; the worker of this process is down\n"
    );
    let log = server.log();
    assert!(log.contains("a part of the worker does not work"), "{log}");
    for untrue in ["a part of the worker works again", "it ended by itself"] {
        assert!(!log.contains(untrue), "{log}");
    }
    lock.release().await;
    nico.signs_up().await;
    assert_eq!(house.waits_for_mails(1).await[0].kind, "welcome");
    shows(&server, 1.0).await;
}

#[tokio::test]
async fn the_use_of_a_token_that_waits_for_the_lock_is_noted_before_the_end() {
    let house = House::new().with("WORKER", "off");
    let mut server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    let input = json!({ "name": "export", "access": "READ", "currentPassword": PASSWORD });
    let answer = ada
        .asks(CREATE_API_TOKEN, json!({ "input": input }))
        .await
        .succeeds();
    let script = ada.with_access_token(&answer.words("createApiToken.token"));

    let url = format!("sqlite://{}", house.path("muster.db").display());
    let lock = database::SqliteLock::take(&url).await;
    assert!(script.is_signed_in().await);
    server.is_told_to_stop();
    while TcpStream::connect(server.address()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Longer than it takes to stop for who waits for nothing.
    tokio::time::sleep(Duration::from_millis(500)).await;
    lock.release().await;
    assert_eq!(server.ends().await, Some(0), "{}", server.log());
    let used = "SELECT id FROM api_tokens WHERE last_used_at IS NOT NULL";
    assert_eq!(house.count(used).await, 1);
}

/// Waits until the figures say that the worker is up, or down.
async fn shows(server: &Server, up: f64) {
    let began = Instant::now();
    while server.metric(UP).await != Some(up) {
        let is_late = began.elapsed() > Duration::from_secs(30);
        assert!(!is_late, "never {up}: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
