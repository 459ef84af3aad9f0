//! `kill -9` of servers and workers, again and again, while people sign up: what
//! was acknowledged is there, and has its mail.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::at_length;
use crate::support::database::on_postgres;
use crate::support::program::House;
use crate::support::{Person, SIGN_UP};

/// Signs up until the server is gone; says who was told that it worked.
async fn signs_people_up(stranger: impl Fn(usize) -> Person + Send) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let person = stranger(number);
        let form = json!({ "input": {
            "username": person.username, "email": person.email, "password": person.password,
        } });
        match person.tries(SIGN_UP, form).await {
            Some(answer)
                if answer.errors().is_empty() && answer.data("signUp.user").is_object() =>
            {
                acknowledged.push(person.email.clone());
            }
            Some(answer) => panic!("{}", answer.text()),
            None => return acknowledged,
        }
    }
    acknowledged
}

#[tokio::test]
async fn kills_at_any_moment_lose_nothing_that_was_acknowledged() {
    let rounds = at_length(100, 20);
    let house = House::of_this_run().await;
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let server = house.serves_with(&[("WORKER", "off")]).await;
        let worker = house.works().await;
        let mut crowds = JoinSet::new();
        for crowd in 0..3 {
            let world = server.people();
            let stranger = move |number| world.stranger(&format!("g{round}-{crowd}-{number}"));
            crowds.spawn(signs_people_up(stranger));
        }
        // Another moment each time: from before the first mail to amid many.
        tokio::time::sleep(Duration::from_millis(120 + 67 * (round % 9))).await;
        if round % 2 == 0 {
            worker.dies();
            server.dies();
        } else {
            server.dies();
            worker.dies();
        }
        while let Some(told) = crowds.join_next().await {
            acknowledged.extend(told.unwrap());
        }
    }
    assert!(
        acknowledged.len() > usize::try_from(rounds).unwrap(),
        "{}",
        acknowledged.len()
    );

    let _server = house.serves().await;
    let unfinished = "SELECT state FROM deliveries WHERE state NOT IN ('SENT')";
    // However many are left, they move on within the time that a takeover may take.
    let (mut left, mut moved) = (usize::MAX, tokio::time::Instant::now());
    while left > 0 {
        let now_left = house.reads(unfinished).await.len();
        if now_left < left {
            (left, moved) = (now_left, tokio::time::Instant::now());
        }
        let stuck = moved.elapsed();
        assert!(stuck < Duration::from_secs(30), "{left} mails do not move");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stored = house.reads("SELECT email FROM users").await;
    let mut mails: HashMap<String, Vec<String>> = HashMap::new();
    for mail in house.mails() {
        let id = mail.header("Message-ID").to_owned();
        mails.entry(mail.address()).or_default().push(id);
    }
    for email in &acknowledged {
        assert!(stored.contains(email), "{email} was lost");
    }
    let mut duplicates = 0;
    for email in &stored {
        let ids = mails
            .get(email)
            .unwrap_or_else(|| panic!("no mail to {email}"));
        // A mail that left the house with its worker comes again as the same mail.
        assert!(ids.iter().all(|id| *id == ids[0]), "{email}: {ids:?}");
        duplicates += ids.len() - 1;
    }
    println!(
        "{rounds} rounds: {} acknowledged, {} stored, {duplicates} mails twice",
        acknowledged.len(),
        stored.len()
    );
    // At most what each killed worker had in its four hands.
    assert!(
        duplicates <= usize::try_from(rounds).unwrap() * 4,
        "{duplicates}"
    );
    if !on_postgres() {
        assert_eq!(house.reads("PRAGMA integrity_check").await, ["ok"]);
    }
}

#[tokio::test]
async fn the_mails_of_a_killed_worker_are_taken_over() {
    let house = House::of_this_run().await;
    let server = house.serves_with(&[("WORKER", "off")]).await;
    let first = house.works().await;
    // It has claimed the mail, and will not say a word any more.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smtp = format!("smtp://{}", silent.local_addr().unwrap());
    first.dies();
    let stuck = House::sharing(&house).with("SMTP_URL", &smtp);
    let first = stuck.works().await;
    server.stranger("nico").signs_up().await;
    let (_connection, _) = silent.accept().await.unwrap();
    let claimed = "SELECT id FROM deliveries WHERE state = 'SENDING'";
    assert_eq!(house.count(claimed).await, 1);
    first.dies();

    let began = tokio::time::Instant::now();
    let _second = house.works().await;
    assert_eq!(house.waits_for_mails(1).await[0].kind, "welcome");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}
