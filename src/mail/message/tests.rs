mod hostile;
mod reports;
mod wording;

use chrono_tz::Tz;
use insta::assert_snapshot;
use mailparse::{ParsedMail, parse_mail};
use uuid::Uuid;

use super::*;
use crate::entity::{Role, SecondFactorChange};
use crate::mail::content::SecretLink;

const ID: DeliveryId = DeliveryId(Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0007));
const LINK: &str = "https://muster.example/reset-password#token=aGVsbG8td29ybGQ_x-y";

fn letterhead() -> Letterhead {
    Letterhead {
        from: "Muster <muster@muster.example>".parse().unwrap(),
        public_url: "https://muster.example/".parse().unwrap(),
    }
}

fn ada() -> Recipient {
    named("Ada Lovelace")
}

fn named(display_name: &str) -> Recipient {
    Recipient {
        address: "ada@example.com".to_owned(),
        display_name: display_name.to_owned(),
        zone: Tz::Asia__Dhaka,
        unsubscribe: None,
    }
}

fn noon() -> DateTime<Utc> {
    "2026-01-05T12:00:00.250Z".parse().unwrap()
}

fn every_content() -> [Content; 14] {
    [
        welcome(),
        Content::Approved {
            role: Role::Manager,
        },
        rejected("We are full."),
        Content::PasswordReset {
            link: link(),
            valid_minutes: 30,
        },
        Content::PasswordChanged { at: noon() },
        Content::TaskReport(Box::new(reports::report())),
        second_factor(SecondFactorChange::Enabled),
        second_factor(SecondFactorChange::Disabled),
        second_factor(SecondFactorChange::Reset),
        second_factor(SecondFactorChange::RecoveryCodeUsed { left: 9 }),
        second_factor(SecondFactorChange::RecoveryCodesReplaced),
        Content::EmailConfirmation {
            link: link(),
            valid_days: 7,
        },
        Content::EmailChanged { at: noon() },
        invited_by("Grace Hopper"),
    ]
}

fn second_factor(change: SecondFactorChange) -> Content {
    Content::SecondFactorChanged { change, at: noon() }
}

fn invited_by(name: &str) -> Content {
    Content::Invitation {
        link: link(),
        role: Role::Manager,
        invited_by: name.to_owned(),
        expires_at: noon(),
    }
}

fn link() -> SecretLink {
    SecretLink::new(LINK.parse().unwrap())
}

fn welcome() -> Content {
    Content::Welcome {
        link: Some(link()),
        valid_days: 7,
    }
}

fn rejected(reason: &str) -> Content {
    Content::Rejected {
        reason: Some(reason.to_owned()),
    }
}

fn bytes(recipient: &Recipient, content: &Content) -> Vec<u8> {
    compose(&letterhead(), ID, noon(), recipient, content).unwrap()
}

struct Read {
    headers: Vec<(String, String)>,
    text: String,
    html: String,
    /// What the HTML shows.
    pictures: Vec<File>,
    attachments: Vec<File>,
}

struct File {
    headers: Vec<(String, String)>,
    bytes: Vec<u8>,
}

impl File {
    fn new(part: &ParsedMail) -> Self {
        Self {
            headers: headers(part),
            bytes: part.get_body_raw().unwrap(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }
}

fn headers(part: &ParsedMail) -> Vec<(String, String)> {
    let header = |header: &mailparse::MailHeader| (header.get_key(), header.get_value());
    part.headers.iter().map(header).collect()
}

/// The parts of a multipart of this kind.
fn parts<'a, 'b>(part: &'a ParsedMail<'b>, kind: &str) -> &'a [ParsedMail<'b>] {
    assert_eq!(part.ctype.mimetype, format!("multipart/{kind}"));
    &part.subparts
}

impl Read {
    fn new(message: &[u8]) -> Self {
        let mail = parse_mail(message).unwrap();
        let (said, attachments) = if mail.ctype.mimetype == "multipart/mixed" {
            parts(&mail, "mixed").split_first().unwrap()
        } else {
            (&mail, &[][..])
        };
        let [text, shown] = parts(said, "alternative") else {
            panic!("{} parts", said.subparts.len());
        };
        let (html, pictures) = if shown.ctype.mimetype == "multipart/related" {
            parts(shown, "related").split_first().unwrap()
        } else {
            (shown, &[][..])
        };
        let body = |part: &ParsedMail, mimetype: &str| {
            assert_eq!(part.ctype.mimetype, mimetype);
            assert_eq!(part.ctype.charset, "utf-8");
            part.get_body().unwrap().replace("\r\n", "\n")
        };
        Self {
            text: body(text, "text/plain"),
            html: body(html, "text/html"),
            headers: headers(&mail),
            pictures: pictures.iter().map(File::new).collect(),
            attachments: attachments.iter().map(File::new).collect(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next().map_or("", |(_, value)| value);
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    fn as_text(&self) -> String {
        let header = |name: &str| format!("{name}: {}\n", self.header(name));
        ["X-Muster-Mail", "Subject"].map(header).concat() + "\n" + &self.text
    }
}

fn read(recipient: &Recipient, content: &Content) -> Read {
    Read::new(&bytes(recipient, content))
}

#[test]
fn every_mail_is_addressed_dated_and_marked_as_sent_by_a_machine() {
    let message = String::from_utf8(bytes(&ada(), &welcome())).unwrap();
    let (headers, _) = message.split_once("\r\n\r\n").unwrap();
    assert_snapshot!(headers.replace("\r\n", "\n"), @r#"
    From: Muster <muster@muster.example>
    To: "Ada Lovelace" <ada@example.com>
    Subject: Welcome to Muster: your sign-up has arrived
    Date: Mon, 05 Jan 2026 12:00:00 +0000
    Message-ID: <49c53716071e0791d22f5d31846251e7@muster.example>
    X-Muster-Mail: welcome
    Auto-Submitted: auto-generated
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="1dac2e2f87878842fdfb0b3c8a0fb905"
    "#);
    for content in every_content() {
        let mail = read(&ada(), &content);
        assert_eq!(mail.header("X-Muster-Mail"), content.kind().to_value());
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert!(mail.header("Subject").chars().count() <= 200);
    }
}

#[test]
fn the_same_delivery_is_the_same_bytes_and_another_is_not() {
    for content in every_content() {
        assert_eq!(bytes(&ada(), &content), bytes(&ada(), &content));
    }
    let other = DeliveryId(Uuid::from_u128(8));
    let other = compose(&letterhead(), other, noon(), &ada(), &welcome()).unwrap();
    let (one, other) = (read(&ada(), &welcome()), Read::new(&other));
    assert_ne!(one.header("Message-ID"), other.header("Message-ID"));
    assert_ne!(one.header("Content-Type"), other.header("Content-Type"));
}

#[test]
fn a_message_id_stays_with_its_delivery_whatever_the_mail_says() {
    let ids = every_content().map(|content| read(&ada(), &content).header("Message-ID").to_owned());
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_snapshot!(ids[0], @"<49c53716071e0791d22f5d31846251e7@muster.example>");
}

#[test]
fn without_a_name_the_greeting_is_plain() {
    let mail = read(&named(" \u{200b}\r\n "), &welcome());
    assert!(mail.text.starts_with("Hello,\n"), "{}", mail.text);
    assert_eq!(mail.header("To"), "ada@example.com");
}

#[test]
fn the_domain_is_written_as_mail_servers_know_it() {
    let address = |text: &str| parse_address(text).map(|address| address.to_string());
    assert_eq!(
        address("ada@bücher.example"),
        Ok("ada@xn--bcher-kva.example".to_owned())
    );
    assert_eq!(
        address("muster@localhost"),
        Ok("muster@localhost".to_owned())
    );
    assert_eq!(address("ada@[127.0.0.1]"), Ok("ada@[127.0.0.1]".to_owned()));
}

#[test]
fn a_date_outside_of_what_a_header_can_say_is_the_nearest_that_can() {
    for date in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let message = compose(&letterhead(), ID, date, &ada(), &welcome()).unwrap();
        let year = if date == DateTime::<Utc>::MIN_UTC {
            "1970"
        } else {
            "9999"
        };
        assert!(Read::new(&message).header("Date").contains(year));
    }
}
