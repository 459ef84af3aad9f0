//! What Muster survives: processes that are killed, databases that restart, go
//! silent or are locked, Redis and mail servers in every kind of trouble. How long
//! and how often is little by default; `FAULTS=long` does what an operator's
//! nightmare does.

mod kills;
mod limits;
mod mail_kills;
mod mail_pace;
mod mail_server;
mod migrations;
mod planner;
mod pooler;
mod postgres;
mod redis;
mod retries;
mod sqlite;
mod starts;
mod workers;

/// In a long run, or in one of every day.
#[allow(clippy::disallowed_methods, reason = "tests are told from outside")]
fn at_length<T>(long: T, every_day: T) -> T {
    if std::env::var("FAULTS").is_ok_and(|faults| faults == "long") {
        long
    } else {
        every_day
    }
}
