//! What there is to know of an installation as a whole. Above all, a database that
//! finds itself to be a copy: restored from a backup or a dump. What it was about to
//! send may have been sent by the original, so it sends none of it.

use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryResult,
    QuerySelect, Statement,
};

use super::change::changed;
use super::{Db, Engine, Source, Tx, delivery, job, plan};
use crate::entity::installation::{Column, Entity, Model};
use crate::entity::user;
use crate::error::{Error, Result};

const ID: i32 = 1;
const ANSWER: &str = "not sent from a restored copy: the original may have sent it";

/// Looks whether this database is a copy that was not opened before, and if so, calls off the mails
/// and jobs that came with it. To be called before anything works on it.
pub async fn settle_copy(db: &Db, now: DateTime<Utc>) -> Result<()> {
    let tx = db.begin().await?;
    let before = read(&tx).await?;
    let here = here(&tx).await?;
    let is_elsewhere = match (&before.place, &here) {
        (Some(there), Some(here)) => !here.is(there),
        // Never opened, or on SQLite, where places say nothing: files are moved as they are.
        _ => false,
    };
    let is_copy = before.copied_at.is_some() || is_elsewhere;
    let settled = Model {
        id: ID,
        place: here.map(|here| here.to_string()),
        copied_at: None,
        ..before.clone()
    };
    if settled == before {
        return Ok(());
    }
    let mut called_off = None;
    if is_copy {
        called_off = Some(delivery::suppress_unfinished(&tx, ANSWER, now).await?);
        job::delete_unfinished(&tx).await?;
        plan::settle_copy(&tx, now).await?;
    }
    write(&tx, &before, &settled).await?;
    tx.commit().await?;
    if let Some(mails) = called_off {
        tracing::warn!(
            mails,
            "this database is a restored copy: mails that were unfinished are not sent, since the \
             original may have sent them"
        );
    }
    Ok(())
}

/// By what hours of the server the plans were made. None before they were.
pub async fn find_planned_hours(source: &impl Source) -> Result<Option<String>> {
    let found = Entity::find_by_id(ID).one(source.connection()).await?;
    Ok(found.and_then(|found| found.planned_hours))
}

pub async fn save_planned_hours(tx: &Tx, hours: &str) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::PlannedHours, Expr::val(hours))
        .filter(Column::Id.eq(ID))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// When the backup was taken that this database is.
pub(super) async fn copied_at(connection: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>> {
    let found = Entity::find_by_id(ID).one(connection).await?;
    Ok(found.and_then(|found| found.copied_at))
}

/// Marks a database as a copy that was taken now.
pub(super) async fn mark_as_copy(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<()> {
    let before = Entity::find_by_id(ID).one(connection).await?;
    let before = before.ok_or_else(missing)?;
    let after = Model {
        copied_at: Some(now),
        ..before.clone()
    };
    Entity::update(changed::<Entity>(&before, &after))
        .exec(connection)
        .await?;
    Ok(())
}

/// Readies a database for being moved into: its first opening shall be that of the original, so
/// that unfinished mails go out from here. Refuses one that people have worked with already.
pub(super) async fn receive(db: &Db, copied_at: Option<DateTime<Utc>>) -> Result<()> {
    let tx = db.begin().await?;
    let before = read(&tx).await?;
    let somebody = user::Entity::find().limit(1).count(tx.connection()).await?;
    if before.place.is_some() && somebody > 0 {
        return Err(Error::BadUserInput(
            "the destination is in use: Muster has run on it since people were moved there; to \
             move again, drop and create it first"
                .into(),
        ));
    }
    let after = Model {
        id: ID,
        place: None,
        copied_at,
        ..before.clone()
    };
    write(&tx, &before, &after).await?;
    tx.commit().await
}

/// The row, held against other processes that start.
async fn read(tx: &Tx) -> Result<Model> {
    let found = Entity::find_by_id(ID).lock_exclusive();
    found.one(tx.connection()).await?.ok_or_else(missing)
}

async fn write(tx: &Tx, before: &Model, after: &Model) -> Result<()> {
    if before != after {
        Entity::update(changed::<Entity>(before, after))
            .exec(tx.connection())
            .await?;
    }
    Ok(())
}

fn missing() -> Error {
    Error::internal("the row of the table installation is gone")
}

/// What tells one `PostgreSQL` database from its copies.
struct Place {
    /// The cluster's own number. None where this user may not know it.
    system: Option<String>,
    database: String,
    /// A dump that is restored into the database that it came from makes its tables anew.
    table: String,
}

impl Place {
    /// Whether this is the place that was written down. A part that either does not know could be
    /// any.
    fn is(&self, written: &str) -> bool {
        let written: Vec<&str> = written.split('/').collect();
        let [system, database, table] = written[..] else {
            return false;
        };
        let same_system = match self.system.as_deref() {
            None => true,
            Some(here) => system == UNKNOWN || system == here,
        };
        same_system && database == self.database && table == self.table
    }
}

const UNKNOWN: &str = "-";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = self.system.as_deref().unwrap_or(UNKNOWN);
        write!(f, "{system}/{}/{}", self.database, self.table)
    }
}

async fn here(tx: &Tx) -> Result<Option<Place>> {
    if tx.engine() == Engine::Sqlite {
        return Ok(None);
    }
    let allowed = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS allowed";
    let system = if one(tx, allowed).await?.try_get("", "allowed")? {
        let system = "SELECT system_identifier::text AS system FROM pg_control_system()";
        one(tx, system).await?.try_get("", "system")?
    } else {
        None
    };
    let place = one(
        tx,
        "SELECT oid::text AS database, 'installation'::regclass::oid::text AS place \
         FROM pg_database WHERE datname = current_database()",
    );
    let place = place.await?;
    Ok(Some(Place {
        system,
        database: place.try_get("", "database")?,
        table: place.try_get("", "place")?,
    }))
}

async fn one(tx: &Tx, sql: &'static str) -> Result<QueryResult> {
    let query = Statement::from_string(DbBackend::Postgres, sql);
    let row = tx.connection().query_one_raw(query).await?;
    row.ok_or_else(|| Error::internal("PostgreSQL does not say where the database is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(system: Option<&str>, database: &str, table: &str) -> Place {
        Place {
            system: system.map(str::to_owned),
            database: database.into(),
            table: table.into(),
        }
    }

    #[test]
    fn a_place_is_known_again_and_any_other_is_not() {
        let here = place(Some("7"), "16384", "16500");
        assert!(here.is(&here.to_string()));
        for other in [
            place(Some("8"), "16384", "16500"),
            place(Some("7"), "16385", "16500"),
            place(Some("7"), "16384", "16501"),
        ] {
            assert!(!here.is(&other.to_string()));
        }
        assert!(!here.is("elsewhere"));
    }

    #[test]
    fn a_right_that_was_lost_or_granted_moves_nothing() {
        let known = place(Some("7"), "16384", "16500");
        let unknown = place(None, "16384", "16500");
        assert!(known.is(&unknown.to_string()));
        assert!(unknown.is(&known.to_string()));
        assert!(!unknown.is(&place(Some("7"), "16385", "16500").to_string()));
    }
}
