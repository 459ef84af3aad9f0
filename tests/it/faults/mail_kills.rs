//! `kill -9` of the worker amid mails that a slow server is taking, again and
//! again: each arrives, and the few that come twice are the same mail.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use super::at_length;
use crate::support::program::House;
use crate::support::{INVITE_USER, MailServer, PASSWORD};

/// Mails that a worker sends at the same time.
const SLOTS: usize = 4;
/// However many mails are left, one of them arrives within this.
const PATIENCE: Duration = Duration::from_secs(30);
/// The last that were cut off wait until their leases have run out, for the sweep after that, and for
/// the worker's next look.
const PATIENCE_AT_LAST: Duration = Duration::from_mins(1);

#[tokio::test]
async fn kills_amid_sending_lose_no_mail_and_repeat_only_what_was_in_hand() {
    let rounds = at_length(100, 20);
    let count = 10 * rounds;
    let server = MailServer::start();
    server
        .will(json!({ "at": "end", "waits": [20, 200] }))
        .await;
    let house = House::of_this_run().await.with("SMTP_URL", &server.url());
    let api = house.serves_with(&[("WORKER", "off")]).await;
    let ada = api.stranger("ada").with_password(PASSWORD);
    let made = house.creates_admin_at("ada", &ada.email, PASSWORD).await;
    assert_eq!(made.status, Some(0), "{made:?}");
    ada.logs_in().await.succeeds();
    for guest in 0..count {
        let input = json!({ "email": format!("guest-{guest}@example.com"), "role": "EMPLOYEE" });
        ada.asks(INVITE_USER, json!({ "input": input }))
            .await
            .succeeds();
    }

    let began = Instant::now();
    for round in 0..rounds {
        let worker = house.works().await;
        let before = server.count().await;
        let started = Instant::now();
        while server.count().await == before {
            assert!(started.elapsed() < PATIENCE, "{}", worker.log());
            sleep(Duration::from_millis(5)).await;
        }
        // Another moment each time.
        sleep(Duration::from_millis(
            u64::try_from(round).unwrap() * 37 % 150,
        ))
        .await;
        worker.dies();
    }
    let cut_off = house
        .count("SELECT id FROM deliveries WHERE state = 'SENDING'")
        .await;
    let left = house
        .count("SELECT id FROM deliveries WHERE state = 'DUE'")
        .await;
    assert!(
        cut_off > 0 && left > 0,
        "the last kills met no work: {cut_off}, {left}"
    );

    let _last = house.works().await;
    let (mut taken, mut moved) = (0, Instant::now());
    while house
        .count("SELECT id FROM deliveries WHERE state <> 'SENT'")
        .await
        > 0
    {
        let now_taken = server.count().await;
        if now_taken > taken {
            (taken, moved) = (now_taken, Instant::now());
        }
        assert!(
            moved.elapsed() < PATIENCE_AT_LAST,
            "{taken} mails, and no more"
        );
        sleep(Duration::from_millis(100)).await;
    }

    let mut ids: HashMap<String, Vec<String>> = HashMap::new();
    for taken in server.taken().await {
        let mail = taken.mail();
        let id = mail.header("Message-ID").to_owned();
        ids.entry(mail.address()).or_default().push(id);
    }
    assert_eq!(ids.len(), count, "mails were lost");
    for (address, ids) in &ids {
        assert!(ids.iter().all(|id| *id == ids[0]), "{address}: {ids:?}");
    }
    let duplicates = ids.values().map(Vec::len).sum::<usize>() - count;
    let interrupted = house
        .count("SELECT id FROM deliveries WHERE attempts > 1")
        .await;
    println!(
        "{rounds} kills amid {count} mails: all arrived, {interrupted} were interrupted, \
         {duplicates} came twice, in {:?}",
        began.elapsed()
    );
    assert!(
        interrupted >= rounds,
        "the kills met no work: {interrupted}"
    );
    assert!(duplicates <= SLOTS * rounds, "{duplicates}");
}
