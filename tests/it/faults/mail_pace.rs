//! However many mails wait: what is urgent goes first, and a mail server that takes
//! so many a second gets no more from all workers together.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::time::sleep;

use crate::support::database::on_postgres;
use crate::support::program::{House, Server};
use crate::support::{INVITE_USER, MailServer, PASSWORD, Person};

const PATIENCE: Duration = Duration::from_mins(1);

async fn admin(house: &House, api: &Server) -> Person {
    let ada = api.stranger("ada").with_password(PASSWORD);
    let made = house.creates_admin_at("ada", &ada.email, PASSWORD).await;
    assert_eq!(made.status, Some(0), "{made:?}");
    ada.logs_in().await.succeeds();
    ada
}

#[tokio::test]
async fn a_reset_does_not_wait_behind_five_thousand_digests() {
    let server = MailServer::start();
    server.will(json!({ "at": "end", "waits": [20, 20] })).await;
    let house = House::of_this_run().await.with("SMTP_URL", &server.url());
    let api = house.serves_with(&[("WORKER", "off")]).await;
    let ada = admin(&house, &api).await;
    // Nobody can give an admin a task, so it is put there by hand.
    ada.creates_task("Sweep").await;
    house
        .executes("UPDATE tasks SET assignee_id = (SELECT id FROM users)")
        .await;
    // The worker is a real process, and looks at the machine's clock.
    let today = muster::clock::Clock::system()
        .now()
        .format("%Y-%m-%d")
        .to_string();
    house.executes(&digests(&today)).await;

    let _worker = house.works().await;
    let began = Instant::now();
    while server.count().await < 50 {
        assert!(began.elapsed() < PATIENCE, "no digest goes out");
        sleep(Duration::from_millis(20)).await;
    }
    let asked = Instant::now();
    ada.forgets_password().await;
    let sent = "SELECT id FROM deliveries WHERE kind = 'password-reset' AND state = 'SENT'";
    while house.count(sent).await == 0 {
        assert!(asked.elapsed() < Duration::from_secs(5), "it waits");
        sleep(Duration::from_millis(20)).await;
    }
    let left = house
        .count("SELECT id FROM deliveries WHERE kind = 'daily-reminder' AND state <> 'SENT'")
        .await;
    println!(
        "a reset went out {:?} after it was asked for, before {left} digests",
        asked.elapsed()
    );
    assert!(left > 1_000, "only {left} were left to overtake");
    // What waits is not announced again and again.
    let jobs = if on_postgres() { "apalis.jobs" } else { "Jobs" };
    let waiting = house
        .count(&format!("SELECT id FROM {jobs} WHERE status = 'Pending'"))
        .await;
    assert!(waiting <= 600, "{waiting} jobs");
}

/// Five thousand reminders of today to the only user, each for a cause of its own.
fn digests(today: &str) -> String {
    let id = if on_postgres() {
        "lpad(to_hex(n + 1), 32, '0')::uuid"
    } else {
        "unhex(printf('%032x', n + 1))"
    };
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4999) \
         INSERT INTO deliveries (id, kind, cause, recipient_id, address, params, state, priority, \
         created_at, due_at, announced_until, fence, attempts, failures) \
         SELECT {id}, 'daily-reminder', 'cause ' || n, users.id, users.email, \
         '{{\"date\":\"{today}\"}}', 'DUE', 0, users.created_at, users.created_at, \
         users.created_at, 0, 0, 0 FROM numbers, users"
    )
}

#[tokio::test]
async fn all_workers_together_keep_the_pace_that_the_mail_server_takes() {
    const PACE: usize = 20;
    let house = House::of_this_run().await.with("MAIL_RATE", "20/s");
    let api = house.serves_with(&[("WORKER", "off")]).await;
    let ada = admin(&house, &api).await;
    for guest in 0..3 * PACE {
        let input = json!({ "email": format!("guest-{guest}@example.com"), "role": "EMPLOYEE" });
        ada.asks(INVITE_USER, json!({ "input": input }))
            .await
            .succeeds();
    }
    let (_one, _other) = tokio::join!(house.works(), house.works());
    let began = Instant::now();
    while house
        .count("SELECT id FROM deliveries WHERE state <> 'SENT'")
        .await
        > 0
    {
        assert!(began.elapsed() < PATIENCE, "they stand still");
        sleep(Duration::from_millis(50)).await;
    }
    let finished = house
        .reads("SELECT CAST(finished_at AS text) FROM deliveries ORDER BY finished_at")
        .await;
    let finished: Vec<DateTime<Utc>> = finished.iter().map(|text| instant(text)).collect();
    // What is written down late was sent no later: a little less than a second between.
    for window in finished.windows(PACE + 5) {
        let took = window[PACE + 4] - window[0];
        assert!(
            took >= TimeDelta::milliseconds(900),
            "{took} for {}",
            PACE + 5
        );
    }
    let all = finished[finished.len() - 1] - finished[0];
    println!(
        "{} mails at {PACE} a second by two workers took {all}",
        finished.len()
    );
}

/// As either engine writes instants.
fn instant(text: &str) -> DateTime<Utc> {
    let text = text.replacen(' ', "T", 1);
    let text = if text.ends_with("+00") {
        format!("{text}:00")
    } else {
        text
    };
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}
