//! The only room that speaks SQL. Reads take the [`Actor`](crate::actor::Actor)
//! and see what that actor may see; writes ask for a [`Tx`], which only
//! `service` and `worker` open.

pub mod approval;
mod change;
mod database;
pub mod delivery;
pub mod job;
mod migrate;
mod page;
pub mod reset_token;
mod search;
pub mod session;
pub mod stats;
pub mod task;

pub mod user;

pub use database::{Db, Source, Tx};
pub use migrate::{MigrationStatus, migrate_down, migrate_up, migration_status};
pub use page::{Page, Position, SortKey, Window};

use sea_orm::{DbErr, RuntimeErr};

use crate::error::Error;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let away = match &error {
            DbErr::ConnectionAcquire(_) => true,
            DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime) => is_away(runtime),
            _ => false,
        };
        if away {
            Self::Unavailable(error.to_string())
        } else {
            Self::internal(error)
        }
    }
}

/// Whether the database is out of reach or busy, so that the same call may work later.
fn is_away(error: &RuntimeErr) -> bool {
    let RuntimeErr::SqlxError(error) = error else {
        return false;
    };
    match error.as_ref() {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL and their extended codes.
        sqlx::Error::Database(error) => error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .is_some_and(|code| matches!(code & 0xff, 5 | 6 | 13)),
        _ => false,
    }
}
