//! Mails as people read them.

use std::fmt;

use mailparse::{MailHeaderMap, ParsedMail};

/// The mails to one address, oldest first.
pub struct Inbox(pub(super) Vec<Mail>);

impl Inbox {
    #[track_caller]
    pub fn last(&self) -> Mail {
        self.0.last().expect("the inbox is empty").clone()
    }

    /// The newest of its kind. Two workers may send what was due at once in either order.
    #[track_caller]
    pub fn latest(&self, kind: &str) -> Mail {
        let found = self.0.iter().rfind(|mail| mail.kind == kind);
        found
            .unwrap_or_else(|| panic!("no {kind} among {:?}", self.kinds()))
            .clone()
    }

    pub fn all(&self) -> &[Mail] {
        &self.0
    }

    /// What the mails are, oldest first.
    pub fn kinds(&self) -> Vec<&str> {
        self.0.iter().map(|mail| mail.kind.as_str()).collect()
    }

    pub fn count(&self, kind: &str) -> usize {
        self.0.iter().filter(|mail| mail.kind == kind).count()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The `X-Muster-Mail` header.
    pub kind: String,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub headers: Vec<(String, String)>,
    /// The files that go along, those that the HTML shows included.
    pub attachments: Vec<Attachment>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub media_type: String,
    /// What the HTML shows it by.
    pub content_id: Option<String>,
    pub bytes: Vec<u8>,
}

impl Mail {
    pub fn parse(message: &[u8]) -> Self {
        let mail = mailparse::parse_mail(message).unwrap();
        let header = |name: &str| mail.headers.get_first_value(name).unwrap_or_default();
        Self {
            kind: header("X-Muster-Mail"),
            from: header("From"),
            to: header("To"),
            subject: header("Subject"),
            text: part(&mail, "text/plain"),
            html: part(&mail, "text/html"),
            headers: mail
                .headers
                .iter()
                .map(|header| (header.get_key(), header.get_value()))
                .collect(),
            attachments: mail.parts().filter_map(attachment).collect(),
        }
    }

    #[track_caller]
    pub fn attachment(&self, media_type: &str) -> &Attachment {
        let mut attachments = self.attachments.iter();
        let found = attachments.find(|attachment| attachment.media_type == media_type);
        found.unwrap_or_else(|| panic!("no {media_type} in {self}"))
    }

    /// Whether it goes to this address, whatever name stands before it.
    pub fn is_to(&self, address: &str) -> bool {
        self.to == address || self.to.ends_with(&format!("<{address}>"))
    }

    /// Where it goes, without a name before it.
    pub fn address(&self) -> String {
        let address = self.to.rsplit('<').next().unwrap();
        address.trim_end_matches('>').to_owned()
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self}")).1
    }

    /// The token of the link for a new password.
    #[track_caller]
    pub fn reset_token(&self) -> String {
        self.token()
    }

    /// The token of the link.
    #[track_caller]
    pub fn token(&self) -> String {
        let (_, token) = self.text.split_once("#token=").expect("no link");
        token.split_whitespace().next().unwrap().to_owned()
    }
}

fn part(mail: &ParsedMail<'_>, media_type: &str) -> String {
    mail.parts()
        .find(|part| part.ctype.mimetype == media_type)
        .map(|part| part.get_body().unwrap().replace("\r\n", "\n"))
        .unwrap_or_default()
}

fn attachment(part: &ParsedMail<'_>) -> Option<Attachment> {
    let name = part.get_content_disposition().params.remove("filename")?;
    let content_id = part.headers.get_first_value("Content-ID");
    Some(Attachment {
        name,
        media_type: part.ctype.mimetype.clone(),
        content_id: content_id.map(|id| id.trim_matches(['<', '>']).to_owned()),
        bytes: part.get_body_raw().unwrap(),
    })
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            media_type,
            bytes,
            ..
        } = self;
        write!(f, "{name} ({media_type}, {} bytes)", bytes.len())
    }
}

/// What a reader sees of it. Which mail it is, to machines, is in `headers`.
impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "From: {}", self.from)?;
        writeln!(f, "To: {}", self.to)?;
        writeln!(f, "Subject: {}", self.subject)?;
        writeln!(f, "X-Muster-Mail: {}", self.kind)?;
        writeln!(f, "\n{}", self.text.trim_end())?;
        let mut html = self.html.trim_end().to_owned();
        for attachment in &self.attachments {
            if let Some(id) = &attachment.content_id {
                html = html.replace(id, &attachment.name);
            }
        }
        writeln!(f, "\n-- as HTML --\n{html}")?;
        for attachment in &self.attachments {
            let Attachment {
                name, media_type, ..
            } = attachment;
            writeln!(f, "\n-- attached: {name} ({media_type}) --")?;
        }
        Ok(())
    }
}

/// Compares a mail with the snapshot of this name.
#[track_caller]
pub fn assert_mail(name: &str, mail: &Mail) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, mail.to_string()));
}
