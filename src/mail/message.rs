//! Puts a letter into the form in which mail travels. Called by `worker`, which
//! keeps the bytes with the delivery.
//!
//! The same arguments give the same bytes: nothing in a message is drawn or
//! taken from a clock here, so a mail that arrives twice can be told by its
//! `Message-ID`. Headers are written by lettre's types from values that cannot
//! hold a line break, and none of them is from a list that a user made.
//!
//! Most mails are `alternative(text, html)`. A report has its chart beside the HTML that shows it,
//! and its list of tasks beside both:
//! `mixed(alternative(text, related(html, chart)), list)`.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::address::AddressError;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, Message, MultiPart, SinglePart};
use sea_orm::ActiveEnum;
use sha2::{Digest, Sha256};
use url::Url;

use super::content::{Content, Recipient};
use super::letter::Letter;
use super::user_text;
use crate::entity::DeliveryId;
use crate::error::{Error, Result};

/// The last second of the year 9999: later ones have no form in a header.
const LAST_SECOND: i64 = 253_402_300_799;

/// What all mails have in common.
#[derive(Clone, Debug)]
pub struct Letterhead {
    pub from: Mailbox,
    /// Where links lead.
    pub public_url: Url,
}

/// The whole message, as it is handed to a mail server. Fails when the recipient's address
/// cannot stand in a header, and would fail again.
pub fn compose(
    letterhead: &Letterhead,
    id: DeliveryId,
    date: DateTime<Utc>,
    recipient: &Recipient,
    content: &Content,
) -> Result<Vec<u8>> {
    let address = parse_address(&recipient.address).map_err(|error| {
        Error::internal(format!("the address of {id} cannot be written to: {error}"))
    })?;
    let name = user_text::name(&recipient.display_name);
    let name = Some(name).filter(|name| !name.is_empty());
    let public_url = letterhead.public_url.as_str().trim_end_matches('/');
    let host = letterhead.public_url.host_str().unwrap_or("localhost");
    // Not at our host: not every host can stand in a URL that refers to a part as it is.
    let chart_id = format!("{}@muster", digest("chart", id));
    let letter = Letter::new(recipient, content, public_url, &chart_id);

    let text = SinglePart::plain(letter.text().map_err(Error::internal)?);
    let html = SinglePart::html(letter.html().map_err(Error::internal)?);
    let body = MultiPart::alternative()
        .boundary(digest("boundary", id))
        .singlepart(text);
    let report = content.report();
    let body = match report.and_then(|report| report.chart.clone()) {
        None => body.singlepart(html),
        Some(chart) => body.multipart(
            MultiPart::related()
                .boundary(digest("boundary of related parts", id))
                .singlepart(html)
                .singlepart(as_it_is(
                    Attachment::new_inline_with_name(chart_id, "chart.png".to_owned()),
                    chart,
                    "image/png",
                )?),
        ),
    };
    let body = match report.and_then(|report| report.list.as_ref()) {
        None => body,
        Some(list) => MultiPart::mixed()
            .boundary(digest("boundary of attachments", id))
            .multipart(body)
            .singlepart(as_it_is(
                Attachment::new(list.file_name.clone()),
                list.csv.clone(),
                "text/csv; charset=utf-8",
            )?),
    };
    let mut message = Message::builder()
        .from(letterhead.from.clone())
        .to(Mailbox::new(name, address))
        .subject(letter.subject)
        .date(system_time(date))
        .message_id(Some(format!("<{}@{host}>", digest("message-id", id))))
        .raw_header(header("X-Muster-Mail", content.kind().to_value()))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
    // RFC 8058: a mail program stops such mails by a POST, without opening the page.
    if let Some(link) = &recipient.unsubscribe {
        message = message
            .raw_header(header("List-Unsubscribe", format!("<{}>", link.expose())))
            .raw_header(header(
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".to_owned(),
            ));
    }
    let message = message.multipart(body).map_err(Error::internal)?;
    Ok(message.formatted())
}

/// A mail as its reader sees it.
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What the mail would look like, without an envelope.
pub fn render(
    letterhead: &Letterhead,
    recipient: &Recipient,
    content: &Content,
) -> Result<Rendered> {
    let public_url = letterhead.public_url.as_str().trim_end_matches('/');
    // Pictures do not go along: what is to be seen on them stands in their place.
    let letter = Letter::new(recipient, content, public_url, "");
    Ok(Rendered {
        text: letter.text().map_err(Error::internal)?,
        html: letter.html().map_err(Error::internal)?,
        subject: letter.subject,
    })
}

/// In base64, whatever it is: what is text would lose the ends of its lines else.
fn as_it_is(file: Attachment, bytes: Vec<u8>, media_type: &str) -> Result<SinglePart> {
    let content_type = ContentType::parse(media_type).map_err(Error::internal)?;
    let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64)
        .map_err(|_| Error::internal("a file cannot be put into base64"))?;
    Ok(file.body(body, content_type))
}

/// The address with its domain as mail servers know it. No control character passes.
pub(super) fn parse_address(text: &str) -> Result<Address, AddressError> {
    if text.chars().any(char::is_control) {
        return Err(AddressError::InvalidInput);
    }
    let (user, domain) = text.rsplit_once('@').ok_or(AddressError::MissingParts)?;
    if domain.is_ascii() {
        Address::new(user, domain)
    } else {
        let domain = idna::domain_to_ascii(domain).map_err(|_| AddressError::InvalidDomain)?;
        Address::new(user, domain)
    }
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// 128 bits that follow from the id but do not tell it.
fn digest(purpose: &str, id: DeliveryId) -> String {
    let hash = Sha256::digest(format!("muster {purpose} {id}"));
    hash.iter()
        .take(16)
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
}

fn system_time(date: DateTime<Utc>) -> SystemTime {
    let seconds = date.timestamp().clamp(0, LAST_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())
}

#[cfg(test)]
mod tests;
