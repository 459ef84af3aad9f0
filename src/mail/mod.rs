//! Says things by mail: composes messages and hands them to a mail server, a
//! folder, or a test. Called by `worker`, which knows when and to whom; built by
//! `app`.
//!
//! The same delivery always composes to the same bytes, and no text that a user
//! typed becomes a header, markup or a link.

mod answer;
mod content;
mod files;
mod letter;
mod mailer;
mod memory;
mod message;
mod send_error;
mod smtp;
mod user_text;

pub use content::{Content, Recipient, SecretLink, TaskGroup, TaskLine, TaskReport, WaitingSignUp};
pub use mailer::Mailer;
pub use memory::{Outbox, SentMail};
pub use message::{Letterhead, Rendered, compose, render};
pub use send_error::SendError;
pub use smtp::LONGEST_SEND;
