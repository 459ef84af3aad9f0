//! The only room that speaks SQL. Reads take the [`Actor`](crate::actor::Actor)
//! and see what that actor may see; writes ask for a [`Tx`], which only
//! `service` and `worker` open.

pub mod account_event;
mod address;
mod among;
pub mod api_token;
pub mod approval;
pub mod assignment;
mod backup;
mod change;
mod connection;
mod database;
pub mod delivery;
pub mod email_confirmation;
pub mod generation;
pub mod installation;
pub mod invitation;
pub mod job;
mod listen;
pub mod mail_pace;
mod migrate;
pub mod notification_settings;
mod page;
pub mod paused_mail;
pub mod plan;
mod postgres;
mod prune;
pub mod report;
pub mod reset_token;
mod search;
pub mod second_factor;
pub mod session;
mod sqlite;
pub mod stats;
pub mod task;
mod transfer;
pub mod user;
mod visible;

pub use address::{Address, Engine};
pub use backup::{Backup, back_up};
pub use database::{Db, JobPool, Lock, Source, Tx};
pub use installation::settle_copy;
pub use migrate::{MigrationStatus, migrate_down, migrate_up, migration_status, refuse_newer};
pub use page::{Page, Position, SortKey, Window};
pub use transfer::{Progress, Work, move_everything};

use sea_orm::{DbErr, RuntimeErr};

use crate::error::Error;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let trouble = match &error {
            DbErr::ConnectionAcquire(_) => Trouble::Away,
            DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime) => trouble(runtime),
            _ => Trouble::Other,
        };
        match trouble {
            Trouble::Away => Self::Unavailable(error.to_string()),
            Trouble::GivenUp => Self::Contended(error.to_string()),
            Trouble::BadText => Self::BadUserInput("Text must not hold NUL characters.".into()),
            Trouble::Other => Self::internal(error),
        }
    }
}

/// What kind of trouble the database is in.
enum Trouble {
    /// Out of reach, busy or full: the same call may work later.
    Away,
    /// It gave this transaction up in favour of another: the same call may work at once.
    GivenUp,
    /// A text from outside holds a NUL, which `PostgreSQL` takes in no text.
    BadText,
    Other,
}

fn trouble(error: &RuntimeErr) -> Trouble {
    let RuntimeErr::SqlxError(error) = error else {
        return Trouble::Other;
    };
    match error.as_ref() {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // What a server says that is going down in the middle of it is not its protocol.
        | sqlx::Error::Protocol(_) => Trouble::Away,
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if code.len() == 5 => of_sqlstate(&code),
            Some(code) => of_sqlite(&code),
            None => Trouble::Other,
        },
        _ => Trouble::Other,
    }
}

/// By appendix A of PostgreSQL's manual.
fn of_sqlstate(code: &str) -> Trouble {
    match code {
        // serialization_failure, deadlock_detected, and foreign_key_violation: what a verb has just
        // read is gone, as it will find when it looks again
        "40001" | "40P01" | "23503" => Trouble::GivenUp,
        // character_not_in_repertoire, untranslatable_character
        "22021" | "22P05" => Trouble::BadText,
        // query_canceled (by the time limit), lock_not_available, read_only_sql_transaction (a
        // standby, until it is promoted), insufficient_privilege (until it is granted), in_failed_sql_transaction,
        // idle_in_transaction_session_timeout
        "57014" | "55P03" | "25006" | "25P02" | "25P03" | "42501" => Trouble::Away,
        // No connection, no resources such as disk space, and an operator's intervention.
        _ if ["08", "53", "57", "58"].contains(&&code[..2]) => Trouble::Away,
        _ => Trouble::Other,
    }
}

/// `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_FULL` and their extended codes.
fn of_sqlite(code: &str) -> Trouble {
    match code.parse::<u32>() {
        Ok(code) if matches!(code & 0xff, 5 | 6 | 13) => Trouble::Away,
        _ => Trouble::Other,
    }
}
