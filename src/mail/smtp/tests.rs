use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const MESSAGE: &[u8] = b"Subject: Hello\r\n\r\nOne\r\n.\r\nTwo\r\n";

/// What a server answers to a line: the text, silence, or by hanging up.
#[derive(Clone, Copy)]
enum Answer {
    Say(&'static str),
    /// After a while, and then that it was taken.
    Late(Duration),
    Nothing,
    HangUp,
}
use Answer::{HangUp, Late, Nothing, Say};

/// A mail server on loopback that takes everything, but answers as told to lines that start
/// like this. The greeting goes by "(greeting)" and the end of a message by ".".
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(odd: &'static [(&'static str, Answer)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, odd, Arc::clone(&ears)));
            }
        });
        Self { port, heard }
    }

    fn smtp(&self) -> Smtp {
        self.smtp_with("")
    }

    fn smtp_with(&self, query: &str) -> Smtp {
        Smtp::from_url(&format!("smtp://127.0.0.1:{}{query}", self.port)).unwrap()
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn converse(
    stream: TcpStream,
    odd: &'static [(&'static str, Answer)],
    ears: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut line = "(greeting)".to_owned();
    let mut in_message = false;
    loop {
        let usual = match line.as_str() {
            "(greeting)" => "220 loopback",
            "DATA" => "354 go on",
            line if line.starts_with("EHLO") => "250-loopback\r\n250 AUTH PLAIN",
            _ => "250 2.0.0 taken",
        };
        let mut answer = odd
            .iter()
            .find(|(start, _)| line.starts_with(start))
            .map_or(Say(usual), |(_, answer)| *answer);
        if in_message && line != "." {
            answer = Nothing;
        }
        in_message = in_message && line != "."
            || line == "DATA" && matches!(answer, Say(text) if text.starts_with('3'));
        match answer {
            Say(text) => writer
                .write_all(format!("{text}\r\n").as_bytes())
                .await
                .ok()?,
            Late(pause) => {
                tokio::time::sleep(pause).await;
                writer.write_all(b"250 2.0.0 taken\r\n").await.ok()?;
            }
            Nothing => (),
            HangUp => return None,
        }
        line = lines.next_line().await.ok()??;
        ears.lock().unwrap().push(line.clone());
    }
}

async fn send(smtp: &Smtp) -> Result<String, SendError> {
    smtp.send("muster@muster.example", "ada@example.com", MESSAGE)
        .await
}

async fn send_to(odd: &'static [(&'static str, Answer)]) -> SendError {
    send(&Server::start(odd).await.smtp()).await.unwrap_err()
}

#[tokio::test]
async fn a_mail_is_handed_over_to_one_recipient_byte_for_byte() {
    let server = Server::start(&[]).await;
    assert_eq!(
        send(&server.smtp_with("/muster.example")).await.unwrap(),
        "250 2.0.0 taken"
    );
    let heard = server.heard();
    let expected = [
        "EHLO muster.example",
        "MAIL FROM:<muster@muster.example>",
        "RCPT TO:<ada@example.com>",
        "DATA",
        "Subject: Hello",
        "",
        "One",
        "..",
        "Two",
        "",
        ".",
    ];
    assert_eq!(heard[..expected.len()], expected);
}

#[tokio::test]
async fn an_answer_of_later_is_worth_another_try_at_any_step() {
    for odd in [
        &[("(greeting)", Say("421 too busy"))] as &[_],
        &[("MAIL", Say("451 4.7.1 greylisted"))],
        &[("RCPT", Say("450 mailbox busy"))],
        &[("DATA", Say("452 disk full"))],
        &[(".", Say("451 later"))],
    ] {
        let error = send_to(odd).await;
        assert!(!error.permanent && !error.unknown, "{error}");
        let (_, Say(said)) = odd[0] else { panic!() };
        assert_eq!(error.answer, said);
    }
}

#[tokio::test]
async fn a_final_no_to_the_recipient_or_the_message_is_final() {
    for (odd, answer) in [
        (
            &[(
                "RCPT",
                Say("550-5.1.1 <ada@example.com>:\r\n550 5.1.1 unknown"),
            )] as &[_],
            "550 5.1.1 <[address]>: unknown",
        ),
        (&[("DATA", Say("554 no"))], "554 no"),
        (&[(".", Say("552 too big"))], "552 too big"),
    ] {
        assert_eq!(send_to(odd).await, SendError::permanent(answer));
    }
}

#[tokio::test]
async fn a_final_no_that_is_about_our_settings_is_worth_another_try() {
    for odd in [
        &[("(greeting)", Say("554 not you"))] as &[_],
        &[("EHLO", Say("550 who?"))],
        &[("MAIL", Say("553 not this sender"))],
        &[("RCPT", Say("530 5.7.0 log in first"))],
    ] {
        let error = send_to(odd).await;
        assert!(!error.permanent && !error.unknown, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_worth_another_try() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let smtp = Smtp::from_url(&format!("smtp://127.0.0.1:{port}")).unwrap();
    let error = send(&smtp).await.unwrap_err();
    assert!(!error.permanent && !error.unknown, "{error}");
    let failed = smtp.check().await.unwrap_err();
    let expected = format!("cannot reach the mail server at 127.0.0.1:{port}: ");
    assert!(failed.starts_with(&expected), "{failed}");
}

#[tokio::test]
async fn whether_a_mail_was_taken_is_unknown_when_its_end_is_not_answered() {
    for (odd, unknown) in [
        (&[("(greeting)", Nothing)] as &[_], false),
        (&[("RCPT", HangUp)], false),
        (&[("DATA", Nothing)], false),
        (&[("DATA", Say("250 fine"))], false),
        (&[("DATA", Say("nonsense"))], false),
        (&[(".", HangUp)], true),
        (&[(".", Nothing)], true),
        (&[(".", Say("354 go on"))], true),
        (&[(".", Say("nonsense"))], true),
    ] {
        let server = Server::start(odd).await;
        let smtp = Smtp {
            step: Duration::from_millis(100),
            ..server.smtp()
        };
        let error = send(&smtp).await.unwrap_err();
        assert_eq!(
            (error.permanent, error.unknown),
            (false, unknown),
            "{error}"
        );
    }
}

/// A report of some megabytes is more than a slow line takes within the time for a step.
#[tokio::test]
async fn a_long_message_has_longer_to_be_taken() {
    let server = Server::start(const { &[(".", Late(Duration::from_secs(1)))] }).await;
    let smtp = Smtp {
        step: Duration::from_millis(300),
        ..server.smtp()
    };
    let sends = async |kibibytes: usize| {
        let message = [MESSAGE, &b"0123456789abcde\n".repeat(64 * kibibytes)].concat();
        smtp.send("muster@muster.example", "ada@example.com", &message)
            .await
    };
    assert_eq!(sends(96).await.unwrap(), "250 2.0.0 taken");
    let error = sends(16).await.unwrap_err();
    assert!(error.unknown, "{error}");
    assert_eq!(error.answer, "the mail server did not answer within 300ms");
}

#[test]
fn a_line_of_a_quarter_of_a_megabit_is_fast_enough() {
    let smtp = Smtp::from_url("smtp://mail.example").unwrap();
    for (length, seconds) in [(0, 30), (32 * 1024 - 1, 30), (5 * 1024 * 1024, 30 + 160)] {
        assert_eq!(
            smtp.limit_for(&vec![b'x'; length]),
            Duration::from_secs(seconds)
        );
    }
}

#[tokio::test]
async fn a_refused_log_in_is_worth_another_try_and_tells_no_password() {
    let server = Server::start(&[("AUTH", Say("535 postman/s3+cret% is wrong"))]).await;
    let url = format!("smtp://postman:s3+cret%25@127.0.0.1:{}", server.port);
    let smtp = Smtp::from_url(&url).unwrap();
    let error = send(&smtp).await.unwrap_err();
    assert_eq!(
        error,
        SendError::transient("535 [redacted]/[redacted] is wrong")
    );
    let failed = smtp.check().await.unwrap_err();
    assert!(
        failed.ends_with(": 535 [redacted]/[redacted] is wrong"),
        "{failed}"
    );
    assert!(!smtp.describe().contains("postman"));
}

#[tokio::test]
async fn where_tls_is_required_nothing_is_sent_without_it() {
    let server = Server::start(&[]).await;
    let error = send(&server.smtp_with("?tls=required")).await.unwrap_err();
    assert!(
        !error.permanent && error.answer.contains("STARTTLS"),
        "{error}"
    );
    assert!(!server.heard().iter().any(|line| line.starts_with("MAIL")));
}

#[tokio::test]
async fn an_address_that_the_server_cannot_take_is_refused_for_good() {
    let smtp = Server::start(&[]).await.smtp();
    for to in [
        "zoë@example.com",
        "ada@example.com\r\nRCPT TO:<eve@evil.example>",
    ] {
        let error = smtp
            .send("muster@muster.example", to, MESSAGE)
            .await
            .unwrap_err();
        assert!(
            error.permanent && !error.answer.contains("example"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_sender_that_the_server_cannot_take_is_our_fault_and_not_the_mails() {
    let smtp = Server::start(&[]).await.smtp();
    for from in ["zoë@muster.example", "nonsense"] {
        let error = smtp
            .send(from, "ada@example.com", MESSAGE)
            .await
            .unwrap_err();
        assert!(!error.permanent && !error.unknown, "{error}");
    }
}

#[tokio::test]
async fn the_check_reaches_the_server_and_sends_nothing() {
    let server = Server::start(&[]).await;
    let found = server.smtp().check().await.unwrap();
    assert_eq!(
        found,
        format!(
            "mails are sent through 127.0.0.1:{} without TLS",
            server.port
        )
    );
    assert!(!server.heard().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn the_url_says_where_and_how() {
    for (url, described) in [
        ("smtp://mail.example", "mail.example:25 without TLS"),
        (
            "smtp://mail.example?tls=required",
            "mail.example:587 with TLS",
        ),
        (
            "smtp://u:p@mail.example:2525/?tls=opportunistic",
            "mail.example:2525 with TLS where the server offers it",
        ),
        ("smtps://u:p@mail.example", "mail.example:465 with TLS"),
        (
            "smtps://mail.example?tls=required&timeout=5s",
            "mail.example:465 with TLS",
        ),
        ("smtp://[::1]:2525", "::1:2525 without TLS"),
    ] {
        let smtp = Smtp::from_url(url).unwrap();
        assert_eq!(
            smtp.describe(),
            format!("mails are sent through {described}")
        );
    }
}

#[test]
fn a_step_may_take_half_a_minute_or_as_long_as_the_url_says() {
    let step = |url| Smtp::from_url(url).unwrap().step;
    assert_eq!(step("smtp://mail.example"), Duration::from_secs(30));
    assert_eq!(
        step("smtp://mail.example?timeout=5s"),
        Duration::from_secs(5)
    );
}

#[test]
fn a_parameter_that_there_is_not_is_named() {
    for name in ["TLS", "tsl", "Timeout"] {
        let url = format!("smtp://user:s3cret@mail.example?{name}=required");
        let error = Smtp::from_url(&url).err().unwrap();
        assert!(error.contains(&format!("({name})")), "{error}");
    }
}

#[test]
fn a_url_that_cannot_be_used_is_refused_without_repeating_it() {
    for url in [
        "mail.example",
        "http://user:s3cret@mail.example",
        "smtp://user:s3cret@",
        "smtp://user:s3cret@mail.example:99999",
        "smtp://user:s3cret@mail.example?tls=none",
        "smtp://s3cret@mail.example",
        "smtp://user:s3cret@mail.example?timeout=never",
        "smtp://user:s3cret@mail.example?timeout=31s",
        "smtp://user:s3cret@mail.example?timeout=999ms",
        "smtps://user:s3cret@mail.example?ca=/nowhere/ca.pem",
        "smtps://user:s3cret@mail.example?ca=Cargo.toml",
        "smtp://user:s3cret@mail.example?TLS=required",
        "smtp://user:s3cret@mail.example?tsl=required",
        "smtp://user:s3cret@mail.example?tls=Required",
        "smtp://user:s3cret@mail.example?tls=",
        "smtp://user:s3cret@mail.example?tls=opportunistic&tls=required",
        "smtp://user:s3cret@mail.example?required",
        "smtp://user:s3cret@mail.example?ca=Cargo.toml",
        "smtps://user:s3cret@mail.example?tls=none",
        "smtps://user:s3cret@mail.example?tls=opportunistic",
        // Passwords that would have to be written otherwise.
        "smtp://user:12?s3cret@mail.example",
        "smtp://user:12?s3cret&tls=required@mail.example",
        "smtp://user:12?s3cret#@mail.example",
        "smtp://user:12?s3cret?@mail.example",
        "smtp://mail.example#tls=required",
        "",
    ] {
        let error = Smtp::from_url(url).err().unwrap();
        assert!(
            error.contains("SMTP_URL") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
