//! Muster: people sign up, an admin lets them in, managers hand out tasks.
//!
//! The rooms and the arrows between them are drawn in `ARCHITECTURE.md`; the
//! test `contract::rooms` fails when an import leaves them.

pub mod actor;
pub mod clock;
pub mod entity;
pub mod error;
pub mod generator;
pub mod job;
