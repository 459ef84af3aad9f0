//! Where encryption is wanted, nothing goes out to a server that has none or cannot
//! prove who it is; and what logs us in is told to nobody else.

use std::fs;

use muster::mail::Mailer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::send;
use crate::support::MailServer;
use crate::support::certificates::{Authority, self_signed};

const PASSWORD: &str = "s3cret+pass%word";
/// The password as it stands in a URL.
const TYPED: &str = "s3cret+pass%25word";

fn login() -> Value {
    json!({ "user": "postman", "password": PASSWORD })
}

/// Trusts this authority.
fn mailer(server: &MailServer, scheme: &str, authority: &Authority) -> (Mailer, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, authority.pem()).unwrap();
    let (address, path) = (server.address(), path.display());
    let url = format!("{scheme}://postman:{TYPED}@{address}?tls=required&ca={path}");
    (Mailer::smtp(&url).unwrap(), folder)
}

/// Neither who we are nor anything of a mail has reached it.
async fn knows_nothing(server: &MailServer) {
    let heard = server.heard().await;
    let told = ["AUTH", "MAIL", "RCPT", "DATA"];
    let is_told = |line: &String| told.iter().any(|command| line.starts_with(command));
    assert!(!heard.iter().any(is_told), "{heard:?}");
    let clear = server.in_the_clear().await;
    let clear = String::from_utf8_lossy(&clear);
    for secret in [PASSWORD, TYPED, "postman", "ada@example.com", "chairs"] {
        assert!(!clear.contains(secret), "{clear}");
    }
    assert_eq!(server.taken().await.len(), 0);
}

#[tokio::test]
async fn a_server_that_proves_who_it_is_gets_log_in_and_mail_encrypted() {
    let authority = Authority::new();
    for (scheme, wrapped) in [("smtp", false), ("smtps", true)] {
        let server = MailServer::start_with(&json!({
            "login": login(), "wrapped": wrapped, "tls": authority.certifies("127.0.0.1", 2100),
        }));
        let (mailer, _folder) = mailer(&server, scheme, &authority);
        send(&mailer, "ada@example.com").await.unwrap();
        let taken = server.taken().await;
        assert!(taken[0].is_encrypted);
        assert_eq!(taken[0].user.as_deref(), Some("postman"));
        let clear = String::from_utf8_lossy(&server.in_the_clear().await).into_owned();
        assert!(
            !clear.contains("AUTH") && !clear.contains("MAIL"),
            "{clear}"
        );
        assert_eq!(clear.contains("STARTTLS"), !wrapped);
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let authority = Authority::new();
    let certificates = [
        ("of another host", authority.certifies("mail.example", 2100)),
        ("that has expired", authority.certifies("127.0.0.1", 2020)),
        ("of its own making", self_signed("127.0.0.1")),
        (
            "of a stranger",
            Authority::new().certifies("127.0.0.1", 2100),
        ),
    ];
    for (certificate, tls) in certificates {
        for (scheme, wrapped) in [("smtp", false), ("smtps", true)] {
            let server = MailServer::start_with(&json!({
                "login": login(), "wrapped": wrapped, "tls": tls,
            }));
            let (mailer, _folder) = mailer(&server, scheme, &authority);
            let error = send(&mailer, "ada@example.com").await.unwrap_err();
            assert!(!error.permanent && !error.unknown, "{certificate}: {error}");
            assert!(
                error.answer.contains("certificate"),
                "{certificate}: {error}"
            );
            let failed = mailer.check().await.unwrap_err();
            for said in [&error.answer, &failed] {
                assert!(
                    !said.contains("s3cret") && !said.contains("postman"),
                    "{said}"
                );
            }
            knows_nothing(&server).await;
        }
    }
}

#[tokio::test]
async fn a_server_whose_encryption_was_stripped_gets_nothing() {
    let authority = Authority::new();
    let server = MailServer::start_with(&json!({
        "login": login(),
        "tls": authority.certifies("127.0.0.1", 2100),
        "without": ["STARTTLS"],
    }));
    let (mailer, _folder) = mailer(&server, "smtp", &authority);
    let error = send(&mailer, "ada@example.com").await.unwrap_err();
    assert!(!error.permanent && !error.unknown, "{error}");
    assert!(error.answer.contains("STARTTLS"), "{error}");
    knows_nothing(&server).await;
    assert!(
        server
            .heard()
            .await
            .iter()
            .any(|line| line.starts_with("EHLO"))
    );
}

#[tokio::test]
async fn where_encryption_is_taken_if_offered_a_bad_certificate_is_no_offer() {
    let server = MailServer::start_with(&json!({
        "login": login(), "tls": self_signed("127.0.0.1"),
    }));
    let address = server.address();
    let url = format!("smtp://postman:{TYPED}@{address}?tls=opportunistic");
    let error = send(&Mailer::smtp(&url).unwrap(), "ada@example.com")
        .await
        .unwrap_err();
    assert!(!error.permanent && !error.unknown, "{error}");
    knows_nothing(&server).await;
}

#[tokio::test]
async fn a_refused_log_in_repeats_no_credentials_and_is_tried_again() {
    let server = MailServer::start_with(&json!({ "login": login() }));
    let url = format!("smtp://postman:wr0ng-s3cret@{}", server.address());
    let mailer = Mailer::smtp(&url).unwrap();
    let error = send(&mailer, "ada@example.com").await.unwrap_err();
    assert!(!error.permanent && !error.unknown, "{error}");
    // The server repeats the name.
    assert_eq!(error.answer, "535 [redacted] is not known");
    assert!(
        !server
            .heard()
            .await
            .iter()
            .any(|line| line.starts_with("MAIL"))
    );
    let failed = mailer.check().await.unwrap_err();
    assert!(
        !failed.contains("s3cret") && !failed.contains("postman"),
        "{failed}"
    );
}
