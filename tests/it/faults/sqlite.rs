//! An SQLite file that somebody else holds locked: reads go on, writers hear of it,
//! and the worker is alive afterwards.

use std::time::{Duration, Instant};

use serde_json::json;

use super::at_length;
use crate::support::program::House;
use crate::support::{PASSWORD, SIGN_UP, VIEWER, database};

#[tokio::test]
async fn a_lock_that_is_held_long_stops_writers_only_and_only_meanwhile() {
    let house = House::new();
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();

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
    lock.release().await;
    nico.signs_up().await;
    assert_eq!(house.waits_for_mails(1).await[0].kind, "welcome");
}
