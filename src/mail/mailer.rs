//! The one way out for mails: to a mail server, into a folder, or into the memory
//! of a test. Built by `app`; called by `worker` with messages from `compose`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::files::Files;
use super::memory::{Outbox, SentMail};
use super::send_error::SendError;
use super::smtp::Smtp;
use crate::entity::{DeliveryId, MailKind};

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Mailer(Way);

#[derive(Clone)]
enum Way {
    Smtp(Arc<Smtp>),
    Files(Arc<Files>),
    Memory(Outbox),
}

impl Mailer {
    /// Through the server at `smtp://user:password@host:port` or `smtps://…`; `?tls=required`
    /// and `?tls=opportunistic` ask for STARTTLS. The error is a sentence without credentials.
    pub fn smtp(url: &str) -> Result<Self, String> {
        Ok(Self(Way::Smtp(Arc::new(Smtp::from_url(url)?))))
    }

    /// Into `.eml` files in this folder, which is made with the first of them.
    pub fn files(dir: PathBuf) -> Self {
        Self(Way::Files(Arc::new(Files::new(dir))))
    }

    /// For tests: what was sent is in the outbox.
    pub fn memory() -> (Self, Outbox) {
        let outbox = Outbox::default();
        (Self(Way::Memory(outbox.clone())), outbox)
    }

    /// Hands over one message to one address and gives the server's answer. May take as long as
    /// five steps of a mail server, and a second more for every 32 KiB: longer than a lease, which
    /// has to be renewed meanwhile. `date` is the one of the message.
    pub async fn send(
        &self,
        id: DeliveryId,
        kind: MailKind,
        date: DateTime<Utc>,
        from: &str,
        to: &str,
        message: &[u8],
    ) -> Result<String, SendError> {
        match &self.0 {
            Way::Smtp(smtp) => smtp.send(from, to, message).await,
            Way::Files(files) => files.send(id, kind, date, message).await,
            Way::Memory(outbox) => outbox.send(SentMail {
                delivery_id: id,
                kind,
                from: from.to_owned(),
                to: to.to_owned(),
                message: message.to_vec(),
            }),
        }
    }

    /// Reaches the server, or writes to the folder, without sending anything. Both texts are
    /// sentences without credentials.
    pub async fn check(&self) -> Result<String, String> {
        match &self.0 {
            Way::Smtp(smtp) => smtp.check().await,
            Way::Files(files) => files.check().await,
            Way::Memory(_) => Ok(self.describe()),
        }
    }

    /// Where mails go, for the log; without credentials.
    pub fn describe(&self) -> String {
        match &self.0 {
            Way::Smtp(smtp) => smtp.describe(),
            Way::Files(files) => files.describe(),
            Way::Memory(_) => "mails are kept in memory".to_owned(),
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailer").field(&self.describe()).finish()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn the_outbox_keeps_what_was_sent_and_fails_when_told_to() {
        let (mailer, outbox) = Mailer::memory();
        let send = async |text: &str| {
            let date = DateTime::UNIX_EPOCH;
            let id = DeliveryId(Uuid::from_u128(7));
            let (from, to) = ("muster@example.com", "ada@example.com");
            mailer
                .send(id, MailKind::Welcome, date, from, to, text.as_bytes())
                .await
        };
        let greylisted = SendError::transient("451 later");
        let refused = SendError::permanent("550 no such user");
        outbox.fail_next(2, &greylisted);
        outbox.fail_next(1, &refused);
        assert_eq!(send("one").await, Err(greylisted.clone()));
        assert_eq!(send("two").await, Err(greylisted));
        assert_eq!(send("three").await, Err(refused));
        assert_eq!(outbox.last(), None);

        send("four").await.unwrap();
        send("five").await.unwrap();
        let texts: Vec<_> = outbox.all().into_iter().map(|mail| mail.message).collect();
        assert_eq!(texts, [b"four", b"five"]);
        assert_eq!(outbox.last().unwrap().to, "ada@example.com");
    }
}
