//! Says things by mail: composes messages and hands them to a mail server, a
//! folder, or a test. Called by `worker`, which knows when and to whom; built by
//! `app`. What went into a folder is read back for `http`, which shows it.
//!
//! The same delivery always composes to the same bytes, and no text that a user
//! typed becomes a header, markup or a link.

mod answer;
mod chart;
mod content;
mod files;
mod letter;
mod mailbox;
mod mailer;
mod memory;
mod message;
mod report;
mod send_error;
mod smtp;
mod user_text;

pub use chart::draw_chart;
pub use content::{Content, Recipient, SecretLink, TaskGroup, TaskLine, WaitingSignUp};
pub use mailbox::{Attachment, Entry, Mail, Mailbox};
pub use mailer::Mailer;
pub use memory::{Outbox, SentMail};
pub use message::{Letterhead, Rendered, compose, render};
pub use report::{Bar, Bars, Per, PersonFigures, TaskList, TaskReport};
pub use send_error::SendError;
