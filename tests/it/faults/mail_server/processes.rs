//! The real program and its worker, which sends several mails at once.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::support::MailServer;
use crate::support::certificates::self_signed;
use crate::support::program::House;

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

#[tokio::test]
async fn mails_that_hang_hold_nobody_else_up_for_longer_than_a_step() {
    let server = MailServer::start();
    for stuck in 0..3 {
        let to = format!("stuck-{stuck}@example.com");
        server
            .will(json!({ "at": "end", "to": to, "hangs": true }))
            .await;
    }
    let house = House::of_this_run().await;
    let house = house.with("SMTP_URL", &format!("{}?timeout=8s", server.url()));
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

    // The three end, too, and wait for their next try.
    let began = Instant::now();
    let waiting = "SELECT last_answer FROM deliveries WHERE state = 'DUE'";
    while house.reads(waiting).await.len() < 3 {
        assert!(
            began.elapsed() < PATIENCE,
            "{:?}",
            house.reads(waiting).await
        );
        sleep(Duration::from_millis(50)).await;
    }
    let answers = house.reads(waiting).await;
    assert_eq!(answers, ["the mail server did not answer within 8s"; 3]);
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
