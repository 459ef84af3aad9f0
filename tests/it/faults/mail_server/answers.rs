//! What an answer means, or none: whether the mail may be tried again.

use std::time::{Duration, Instant};

use muster::mail::{Mailer, SendError};
use serde_json::json;

use super::{MESSAGE, mailer, send};
use crate::support::MailServer;

const STEPS: [&str; 5] = ["greeting", "sender", "recipient", "start", "end"];

#[tokio::test]
async fn every_answer_of_later_is_worth_another_try_at_every_step() {
    let server = MailServer::start();
    let mailer = mailer(&server);
    for code in [450, 451, 452, 421] {
        for step in STEPS {
            let says = format!("{code} 4.7.1 <ada@example.com> is busy");
            server.will(json!({ "at": step, "says": says })).await;
            let expected = SendError::transient(format!("{code} 4.7.1 <[address]> is busy"));
            let sent = send(&mailer, "ada@example.com").await;
            assert_eq!(sent, Err(expected), "{code} at {step}");
            server.behaves().await;
        }
    }
    assert_eq!(server.taken().await.len(), 0);
    // What it was told before has left nothing behind.
    send(&mailer, "ada@example.com").await.unwrap();
    assert!(server.taken().await[0].message.starts_with(MESSAGE));
}

#[tokio::test]
async fn a_final_answer_is_final_where_it_is_about_the_mail() {
    let server = MailServer::start();
    let mailer = mailer(&server);
    for code in [550, 552, 553, 554] {
        for step in STEPS {
            let says = format!("{code} 5.1.1 no ada@example.com here");
            server.will(json!({ "at": step, "says": says })).await;
            let answer = format!("{code} 5.1.1 no [address] here");
            // Who we are and how we greet is the same for every mail.
            let expected = if ["greeting", "sender"].contains(&step) {
                SendError::transient(answer)
            } else {
                SendError::permanent(answer)
            };
            let sent = send(&mailer, "ada@example.com").await;
            assert_eq!(sent, Err(expected), "{code} at {step}");
            server.behaves().await;
        }
    }
    assert_eq!(server.taken().await.len(), 0);
}

#[tokio::test]
async fn a_slow_server_is_waited_for() {
    let server = MailServer::start();
    for step in STEPS {
        server
            .will(json!({ "at": step, "waits": [300, 300] }))
            .await;
    }
    let began = Instant::now();
    send(&mailer(&server), "ada@example.com").await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_500), "{took:?}");
    assert_eq!(server.taken().await.len(), 1);
}

#[tokio::test]
async fn silence_at_any_step_ends_and_is_unknown_only_after_the_message() {
    let server = MailServer::start();
    let mailer = Mailer::smtp(&format!("{}?timeout=2s", server.url())).unwrap();
    for step in STEPS {
        server.will(json!({ "at": step, "hangs": true })).await;
        let began = Instant::now();
        let error = send(&mailer, "ada@example.com").await.unwrap_err();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?} at {step}");
        let expected = (false, step == "end");
        assert_eq!(
            (error.permanent, error.unknown),
            expected,
            "{step}: {error}"
        );
        assert!(
            error.answer.contains("did not answer within 2s"),
            "{step}: {error}"
        );
        server.behaves().await;
    }
    send(&mailer, "ada@example.com").await.unwrap();
}

#[tokio::test]
async fn a_conversation_that_is_cut_off_is_unknown_only_after_the_message() {
    let server = MailServer::start();
    let mailer = mailer(&server);
    for step in STEPS {
        server.will(json!({ "at": step, "hangsUp": true })).await;
        let error = send(&mailer, "ada@example.com").await.unwrap_err();
        let expected = (false, step == "end");
        assert_eq!(
            (error.permanent, error.unknown),
            expected,
            "{step}: {error}"
        );
        server.behaves().await;
    }
    // That it may have been taken is no exaggeration.
    assert_eq!(server.taken().await.len(), 1);
}

#[tokio::test]
async fn a_server_that_is_down_is_worth_another_try() {
    let server = MailServer::start();
    let mailer = mailer(&server);
    server.goes_down().await;
    let error = send(&mailer, "ada@example.com").await.unwrap_err();
    assert!(!error.permanent && !error.unknown, "{error}");
    server.comes_back().await;
    send(&mailer, "ada@example.com").await.unwrap();
}

#[tokio::test]
async fn an_address_beyond_ascii_goes_where_the_server_knows_such_and_is_refused_elsewhere() {
    let address = "zoë@example.com";
    let modern = MailServer::start();
    send(&mailer(&modern), address).await.unwrap();
    assert_eq!(modern.taken_for(address).await.len(), 1);
    let heard = modern.heard().await;
    assert!(
        heard.iter().any(|line| line.ends_with("> SMTPUTF8")),
        "{heard:?}"
    );

    let plain = MailServer::start_with(&json!({ "without": ["SMTPUTF8"] }));
    let expected = "the mail server takes only addresses of ASCII letters (no SMTPUTF8)";
    let sent = send(&mailer(&plain), address).await;
    assert_eq!(sent, Err(SendError::permanent(expected)));
    send(&mailer(&plain), "ada@example.com").await.unwrap();
}
