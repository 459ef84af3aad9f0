//! Mail servers are slow, busy, suspicious, half broken or not who they say they
//! are. These speak to a real one, which is told how to be: nobody else's mail is
//! late for it, none is lost that can be sent, and none comes twice that need not.

mod answers;
mod encryption;
mod mails;
mod processes;

use chrono::{DateTime, Utc};
use muster::entity::{DeliveryId, MailKind};
use muster::mail::{Mailer, SendError};

use crate::support::MailServer;

const MESSAGE: &[u8] = b"Subject: Hello\r\n\r\nHow are the chairs?\r\n";

/// Through this server, which has a while for each step, also on a busy machine.
fn mailer(server: &MailServer) -> Mailer {
    Mailer::smtp(&server.url()).unwrap()
}

async fn send(mailer: &Mailer, to: &str) -> Result<String, SendError> {
    let (id, date) = (DeliveryId(uuid::Uuid::nil()), DateTime::<Utc>::UNIX_EPOCH);
    let from = "muster@muster.example";
    let kind = MailKind::Welcome;
    mailer.send(id, kind, date, from, to, MESSAGE).await
}
