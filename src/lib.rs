//! Muster: people sign up, an admin lets them in, managers hand out tasks.
//!
//! The rooms and the arrows between them are drawn in `ARCHITECTURE.md`; the
//! test `contract::rooms` fails when an import leaves them.

pub mod actor;
pub mod app;
pub mod cache;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credential;
pub mod entity;
pub mod error;
pub mod event;
pub mod generator;
pub mod graphql;
pub mod http;
pub mod job;
pub mod limit;
pub mod mail;
pub mod metrics;
pub mod policy;
pub mod redis;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod worker;
pub mod worker_health;
