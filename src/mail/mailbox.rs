//! Reads the mails of a folder back, for whoever tries Muster out without a mail
//! server. Called by `http`.
//!
//! Files are found by listing the folder, never by a name that somebody asks for.
//! What is in them is not trusted: the parser takes anything, and what comes out
//! is text for the caller to escape, but for the HTML, which is to be shown where
//! nothing in it runs.

mod html;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::files::from_file_name;
use crate::entity::{DeliveryId, MailKind};
use crate::error::{Error, Result};

/// More than any mail of ours has. What is beyond is left out.
const SIZE_MAX: u64 = 8 * 1024 * 1024;
/// More parts than any mail of ours has. The parser goes into parts of parts by recursion, and
/// thousands would end the process.
const PARTS_MAX: usize = 100;
/// Enough for a look at the headers.
const HEAD_MAX: u64 = 64 * 1024;

#[derive(Clone, Debug)]
pub struct Mailbox {
    dir: PathBuf,
}

/// A mail in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: DeliveryId,
    pub kind: MailKind,
    /// When what it tells of happened.
    pub at: DateTime<Utc>,
    /// Both may be empty.
    pub to: String,
    pub subject: String,
}

#[derive(Clone, Debug)]
pub struct Mail {
    pub entry: Entry,
    /// In their order, on one line each, and not decoded.
    pub headers: Vec<(String, String)>,
    pub text: Option<String>,
    /// Links open in a new tab, and images that came with the mail are in it.
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
}

#[derive(Clone, Debug)]
pub struct Attachment {
    /// May be empty.
    pub name: String,
    pub content: Vec<u8>,
}

/// A file of the folder.
struct Found {
    name: OsString,
    at: DateTime<Utc>,
    kind: MailKind,
    id: DeliveryId,
}

impl Entry {
    /// As the header has it.
    pub fn kind_name(&self) -> &'static str {
        self.kind.name()
    }
}

impl Mailbox {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The newest first, at most this many.
    pub async fn list_newest(&self, count: usize) -> Result<Vec<Entry>> {
        let dir = self.dir.clone();
        blocking(move || {
            let mut found = find_all(&dir)?;
            found.sort_by(|a, b| b.name.cmp(&a.name));
            found.truncate(count);
            let entries = found.iter().map(|found| {
                let head = read(&dir.join(&found.name), HEAD_MAX)?;
                let message = MessageParser::default().parse_headers(&head);
                Ok(found.entry(message.as_ref()))
            });
            entries.filter(|entry| !is_gone(entry)).collect()
        })
        .await
    }

    pub async fn find(&self, id: DeliveryId) -> Result<Option<Mail>> {
        let dir = self.dir.clone();
        blocking(move || {
            let mut found = find_all(&dir)?.into_iter();
            let Some(found) = found.find(|found| found.id == id) else {
                return Ok(None);
            };
            let bytes = read(&dir.join(&found.name), SIZE_MAX);
            if is_gone(&bytes) {
                return Ok(None);
            }
            let bytes = bytes?;
            Ok(Some(found.mail(parse(&bytes))))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| Error::internal(format!("the folder of mails cannot be read: {error}")))
}

/// Every mail of ours. Links and whatever else is no plain file are passed over; a folder that is
/// not there yet has none.
fn find_all(dir: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some((at, kind, id)) = name.to_str().and_then(from_file_name) else {
            continue;
        };
        if entry.file_type()?.is_file() {
            all.push(Found { name, at, kind, id });
        }
    }
    Ok(all)
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Only the headers of what has too many parts.
fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let parser = MessageParser::default();
    let header = b"content-type";
    let named = bytes.windows(header.len());
    let parts = named.filter(|name| name.eq_ignore_ascii_case(header));
    if parts.take(PARTS_MAX + 1).count() > PARTS_MAX {
        parser.parse_headers(bytes)
    } else {
        parser.parse(bytes)
    }
}

/// Cleared away since the folder was listed.
fn is_gone<T>(outcome: &io::Result<T>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::NotFound)
}

impl Found {
    fn entry(&self, message: Option<&Message<'_>>) -> Entry {
        Entry {
            id: self.id,
            kind: self.kind,
            at: self.at,
            to: message
                .and_then(Message::to)
                .map(written)
                .unwrap_or_default(),
            subject: message
                .and_then(Message::subject)
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn mail(&self, message: Option<Message<'_>>) -> Mail {
        let entry = self.entry(message.as_ref());
        let Some(message) = message else {
            return Mail {
                entry,
                headers: Vec::new(),
                text: None,
                html: None,
                attachments: Vec::new(),
            };
        };
        Mail {
            entry,
            headers: message
                .headers_raw()
                .map(|(name, value)| (name.to_owned(), on_one_line(value)))
                .collect(),
            text: message.text_bodies().find_map(|part| match &part.body {
                PartType::Text(text) => Some(text.clone().into_owned()),
                _ => None,
            }),
            html: message.html_bodies().find_map(|part| match &part.body {
                PartType::Html(text) => Some(html::to_be_shown(text, &message)),
                _ => None,
            }),
            attachments: message.attachments().map(attachment).collect(),
        }
    }
}

/// `Ada Lovelace <ada@example.com>`.
fn written(addresses: &Address<'_>) -> String {
    let each = addresses.iter().map(|address| {
        let email = address.address().unwrap_or_default();
        match address.name() {
            Some(name) => format!("{name} <{email}>"),
            None => email.to_owned(),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn on_one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    Attachment {
        name: part.attachment_name().unwrap_or_default().to_owned(),
        content: part.contents().to_vec(),
    }
}

#[cfg(test)]
mod tests;
