//! What the tests speak with: an app of one's own, the people who use it, their
//! operations and inboxes, and the real program.

mod answer;
mod app;
mod authenticator;
pub mod browser;
pub mod certificates;
pub mod database;
mod inbox;
mod mail_server;
mod operation;
mod person;
pub mod program;
pub mod proxy;
pub mod repository;
pub mod row_lock;
pub mod servers;
mod statements;

pub use answer::Answer;
pub use app::TestApp;
pub use authenticator::Authenticator;
pub use database::TestDatabase;
pub use inbox::{Mail, assert_mail};
pub use mail_server::MailServer;
pub use operation::*;
pub use person::{PASSWORD, Person};
pub use statements::Statements;
