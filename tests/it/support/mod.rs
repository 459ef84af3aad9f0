//! What the tests speak with: an app of one's own, the people who use it, their
//! operations and inboxes, and the real program.

mod answer;
mod app;
mod inbox;
mod leftover;
mod operation;
mod person;
pub mod program;
pub mod repository;

pub use answer::Answer;
pub use app::TestApp;
pub use inbox::assert_mail;
pub use operation::*;
pub use person::{PASSWORD, Person};
