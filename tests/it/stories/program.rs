//! The real program, as it runs on somebody's machine: what it acknowledged
//! outlives it, and it stops without dropping what it is at.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::program::House;
use crate::support::{PASSWORD, USERS, VIEWER};

#[tokio::test]
async fn a_kill_right_after_the_sign_up_loses_no_mail() {
    let house = House::of_this_run().await;
    for round in 0..3 {
        let server = house.serves().await;
        let guest = server.stranger(&format!("guest-{round}"));
        guest.signs_up().await;
        server.dies();
    }
    // Nobody was asked to wait for a mail, so whatever is missing comes with the next start.
    let server = house.serves().await;
    let mails = house.waits_for_mails(3).await;
    let mut to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(mails.len(), 3);
    for (round, to) in to.iter().enumerate() {
        assert!(to.contains(&format!("guest-{round}@example.com")), "{to}");
    }
    assert!(mails.iter().all(|mail| mail.kind == "welcome"));
    drop(server);
}

#[tokio::test]
async fn a_server_that_only_serves_leaves_the_mails_to_the_worker() {
    let house = House::of_this_run().await.with("WORKER", "off");
    let server = house.serves().await;
    server.stranger("nico").signs_up().await;
    server.dies();
    assert_eq!(house.mails(), []);
    let house = house.with("WORKER", "on");
    let _server = house.serves().await;
    assert_eq!(house.waits_for_mails(1).await[0].kind, "welcome");
}

#[tokio::test]
async fn the_first_admin_is_made_beside_a_running_server_and_lets_people_in() {
    let house = House::of_this_run().await;
    let server = house.serves().await;
    let out = house.creates_admin("ada", PASSWORD).await.succeeds();
    assert!(out.contains("ada"), "{out}");
    assert!(!out.contains(PASSWORD));
    let (ada, nico) = (server.stranger("ada"), server.stranger("nico"));
    ada.logs_in().await.succeeds();
    let user = nico.signs_up().await;
    ada.approves(&user).await;
    nico.logs_in().await.succeeds();
    let mails = house.waits_for_mails(2).await;
    let mut kinds: Vec<&str> = mails.iter().map(|mail| mail.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["approved", "welcome"]);
    for secret in [PASSWORD, "nico@example.com", "ada@example.com"] {
        assert!(!server.log().contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let house = House::of_this_run().await;
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    let tokens = ada.tokens();
    server.dies();
    let server = house.serves().await;
    let ada = server.stranger("ada");
    ada.keeps(tokens);
    let answer = ada.asks(VIEWER, json!({})).await.succeeds();
    assert_eq!(answer.data("viewer.username"), "ada");
}

#[tokio::test]
async fn on_sigterm_the_server_finishes_what_is_in_flight_and_ends_well() {
    let house = House::of_this_run().await;
    let mut server = house.serves().await;
    // A request whose body is still on its way.
    let body = r#"{"query":"{ server { signUpOpen } }"}"#;
    let (first, rest) = body.split_at(10);
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: muster\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // An answer on another connection shows that the first bytes have been read.
    let answer = server.http().get(server.url("/healthz")).send().await;
    assert!(answer.unwrap().status().is_success());

    server.is_told_to_stop();
    // It takes no new connections any more.
    while TcpStream::connect(server.address()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    slow.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""signUpOpen":true"#), "{answer}");
    assert_eq!(server.ends().await, Some(0), "{}", server.log());
}

#[tokio::test]
async fn the_sample_house_can_be_walked_through() {
    let house = House::of_this_run().await;
    let out = house.runs(&["demo"]).await.succeeds();
    let (_, rest) = out.split_once("password ").unwrap();
    let password = rest.split_whitespace().next().unwrap();
    let server = house.serves().await;
    let ada = server.stranger("ada").with_password(password);
    ada.logs_in().await.succeeds();
    let answer = ada.asks(USERS, json!({})).await.succeeds();
    let users = answer.data("users.totalCount");
    assert!(users.as_u64().unwrap() >= 4, "{users}");
    let tasks = ada.sends("{ stats { tasksTotal } }", json!({})).await;
    assert_ne!(tasks.data("stats.tasksTotal"), 0);
    assert_ne!(tasks.data("stats.tasksTotal"), Value::Null);
}
