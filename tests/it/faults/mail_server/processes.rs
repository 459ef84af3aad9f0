//! The real program and its worker, which sends several mails at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::support::certificates::self_signed;
use crate::support::program::House;
use crate::support::servers::PostgresServer;
use crate::support::{MailServer, TestDatabase};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until so many mails were taken.
async fn takes(server: &MailServer, count: usize) {
    let began = Instant::now();
    while server.count().await < count {
        let late = began.elapsed() > PATIENCE;
        assert!(!late, "{} of {count} mails", server.count().await);
        sleep(Duration::from_millis(20)).await;
    }
}

/// Three of the people at this server never hear that their mail was taken.
async fn with_three_stuck() -> MailServer {
    let server = MailServer::start();
    for stuck in 0..3 {
        let to = format!("stuck-{stuck}@example.com");
        server
            .will(json!({ "at": "end", "to": to, "hangs": true }))
            .await;
    }
    server
}

#[tokio::test]
async fn mails_that_hang_hold_nobody_else_up_for_longer_than_a_step() {
    let server = with_three_stuck().await;
    let house = House::of_this_run().await;
    // The longest that there is, so that the three still hang however busy this machine is.
    let house = house.with("SMTP_URL", &format!("{}?timeout=30s", server.url()));
    let api = house.serves().await;
    for stuck in 0..3 {
        api.stranger(&format!("stuck-{stuck}")).signs_up().await;
    }
    takes(&server, 3).await;
    for free in 0..6 {
        api.stranger(&format!("free-{free}")).signs_up().await;
    }
    takes(&server, 9).await;
    let stuck = "SELECT id FROM deliveries WHERE state = 'SENDING' AND address LIKE 'stuck-%'";
    assert_eq!(house.count(stuck).await, 3, "{}", api.log());
}

#[tokio::test]
async fn mails_that_hang_end_with_the_step_and_wait_for_their_next_try() {
    let server = with_three_stuck().await;
    let house = House::of_this_run().await;
    let house = house.with("SMTP_URL", &format!("{}?timeout=2s", server.url()));
    let api = house.serves().await;
    for stuck in 0..3 {
        api.stranger(&format!("stuck-{stuck}")).signs_up().await;
    }
    let began = Instant::now();
    let waiting = "SELECT last_answer FROM deliveries WHERE state = 'DUE' AND failures = 1";
    while house.reads(waiting).await.len() < 3 {
        assert!(
            began.elapsed() < PATIENCE,
            "{:?}",
            house.reads(waiting).await
        );
        sleep(Duration::from_millis(50)).await;
    }
    let answers = house.reads(waiting).await;
    assert_eq!(answers, ["the mail server did not answer within 2s"; 3]);
}

/// apalis gives up what is in its hands when the database is away for a few seconds; what became of
/// the mail must not be lost with it.
#[tokio::test]
async fn a_mail_that_was_taken_while_the_database_went_away_is_not_sent_again() {
    let server = MailServer::start();
    server
        .will(json!({ "at": "end", "waits": [3_000, 3_000] }))
        .await;
    let mut postgres = PostgresServer::start();
    let house = House::on(Arc::new(TestDatabase::elsewhere(&postgres.url())));
    let house = house.with("SMTP_URL", &server.url());
    let api = house.serves().await;
    api.stranger("nico").signs_up().await;
    takes(&server, 1).await;
    postgres.stops();
    sleep(Duration::from_secs(15)).await;
    assert!(
        api.log().contains("a part of the worker does not work"),
        "apalis outlived it: {}",
        api.log()
    );
    postgres.starts_again();
    let states = "SELECT state || ' ' || attempts FROM deliveries";
    let began = Instant::now();
    while house.reads(states).await != ["SENT 1"] {
        let told = house.reads(states).await;
        assert!(began.elapsed() < PATIENCE, "{told:?}: {}", api.log());
        sleep(Duration::from_millis(50)).await;
    }
    // The job itself is handed out again by and by, and finds nothing to do.
    sleep(Duration::from_secs(25)).await;
    assert_eq!(server.count().await, 1, "{}", api.log());
    assert_eq!(house.reads(states).await, ["SENT 1"]);
}

#[tokio::test]
async fn a_server_that_comes_back_gets_every_mail_once() {
    let server = MailServer::start();
    let house = House::of_this_run().await.with("SMTP_URL", &server.url());
    let api = house.serves().await;
    server.goes_down().await;
    for guest in 0..3 {
        api.stranger(&format!("guest-{guest}")).signs_up().await;
    }
    let began = Instant::now();
    let failed = "SELECT id FROM deliveries WHERE state = 'DUE' AND failures = 1";
    while house.count(failed).await < 3 {
        assert!(began.elapsed() < PATIENCE, "{}", api.log());
        sleep(Duration::from_millis(50)).await;
    }
    server.comes_back().await;
    // The first pause is over as soon as this.
    house
        .executes("UPDATE deliveries SET due_at = created_at, announced_until = created_at")
        .await;
    takes(&server, 3).await;
    sleep(Duration::from_secs(1)).await;
    for guest in 0..3 {
        let address = format!("guest-{guest}@example.com");
        assert_eq!(server.taken_for(&address).await.len(), 1);
    }
}

#[tokio::test]
async fn neither_log_nor_rows_tell_what_logs_us_in() {
    let login = json!({ "user": "postman", "password": "s3cret+pass%word" });
    let tls = self_signed("127.0.0.1");
    let refusing = MailServer::start_with(&json!({ "login": login }));
    let says = "535 5.7.8 postman may not, by s3cret+pass%word nor s3cret+pass%25word";
    refusing.will(json!({ "at": "login", "says": says })).await;
    let untrusted = MailServer::start_with(&json!({ "login": login, "tls": tls }));
    for (server, query) in [(refusing, ""), (untrusted, "?tls=required")] {
        let address = server.address();
        let url = format!("smtp://postman:s3cret+pass%25word@{address}{query}");
        let house = House::of_this_run().await;
        let house = house.with("SMTP_URL", &url).with("LOG", "debug");
        let api = house.serves().await;
        api.stranger("nico").signs_up().await;
        let began = Instant::now();
        let answer = "SELECT last_answer FROM deliveries WHERE state = 'DUE' AND failures = 1";
        while house.reads(answer).await.is_empty() {
            assert!(began.elapsed() < PATIENCE, "{}", api.log());
            sleep(Duration::from_millis(50)).await;
        }
        let checked = house.runs(&["check"]).await;
        assert_eq!(checked.status, Some(1), "{checked:?}");
        let told = [
            house.reads(answer).await[0].clone(),
            api.log(),
            checked.out,
            checked.err,
        ];
        for told in told {
            assert!(
                !told.contains("s3cret") && !told.contains("postman"),
                "{told}"
            );
        }
        assert!(
            api.log().contains("a mail could not be sent yet"),
            "{}",
            api.log()
        );
        assert_eq!(server.taken().await.len(), 0);
    }
}
