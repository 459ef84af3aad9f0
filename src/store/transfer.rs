//! Moves everything from `SQLite` to `PostgreSQL`, in pages, and compares both
//! sides to the last row. The original is only read, as of one moment; a move that
//! was interrupted is completed by doing it again.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, EntityName, EntityTrait, IntoActiveModel, Iterable, ModelTrait, PaginatorTrait,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, Statement, TransactionTrait, Value,
};
use sha2::{Digest, Sha256};

use super::database::open_to_read;
use super::{Address, Db, Source, installation, migrate};
use crate::config::Secret;
use crate::entity::{self, UserId};
use crate::error::{Error, Result};

/// Rows that are held at a time. `PostgreSQL` takes 65,535 values in one statement.
const PAGE: u64 = 1_000;
/// For the questions before the move, which itself has no limit.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Moving,
    Comparing,
}

/// How far the work on one table is. It is at its end when all is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub work: Work,
    pub table: &'static str,
    pub done: u64,
    pub all: u64,
}

/// Does something with each table, in the order of their references: who is named by a row is
/// there before it.
macro_rules! in_each_table {
    ($work:ident $arguments:tt) => {
        in_each_table!(
            @ $work $arguments
            user approval task session refresh_token reset_token second_factor recovery_code
            delivery account_event api_token email_confirmation invitation notification_settings
            plan untold_assignment paused_mail
        )
    };
    (@ $work:ident $arguments:tt $($table:ident)*) => {
        $( $work::<entity::$table::Entity> $arguments .await?; )*
    };
}

/// Moves everything from the first database to the second one, and says how far it is after each
/// page.
pub async fn move_everything(
    from: &Secret,
    to: &Secret,
    mut report: impl FnMut(Progress),
) -> Result<()> {
    let original: DatabaseConnection = open_to_read(from).await?.into();
    // One transaction, so that what others write meanwhile is not seen in halves.
    let source = original.begin().await?;
    let version = data_version(&source).await?;
    of_source(migrate::refuse_newer_at(&source).await)?;
    of_source(migrate::check(&source).await)?;

    let db = open_destination(to).await?;
    refuse_unfit(&source, &db).await?;
    migrate::migrate_up(&db).await?;
    installation::receive(&db, installation::copied_at(&source).await?).await?;
    let destination = db.connect_for_long().await?;
    in_each_table!(copy(&source, &destination, &mut report));
    in_each_table!(compare(&source, &destination, &mut report));
    destination.close().await?;
    db.close().await;

    source.rollback().await?;
    if data_version(&original).await? != version {
        return Err(Error::BadUserInput(
            "the source was written to while it was moved: stop Muster there, and run this again"
                .into(),
        ));
    }
    Ok(original.close().await?)
}

async fn open_destination(url: &Secret) -> Result<Db> {
    let address = Address {
        url: url.clone(),
        direct_url: None,
        connections: 2,
        timeout: TIMEOUT,
    };
    Db::open(address).await.map_err(|line| {
        let line = line.trim_start_matches("DATABASE_URL: ");
        Error::internal(format!("the destination: {line}"))
    })
}

fn of_source<T>(done: Result<T>) -> Result<T> {
    done.map_err(|error| match error {
        Error::Unavailable(line) => Error::BadUserInput(format!(
            "the source: {line}; this program moves what `muster migrate` of its own release made"
        )),
        other => other,
    })
}

/// Changes whenever somebody else writes to the file.
async fn data_version(connection: &impl ConnectionTrait) -> Result<i64> {
    let query = Statement::from_string(DbBackend::Sqlite, "PRAGMA data_version");
    let row = connection.query_one_raw(query).await?;
    let row = row.ok_or_else(|| Error::internal("SQLite does not say its data_version"))?;
    Ok(row.try_get("", "data_version")?)
}

/// Refuses a destination that a later release has migrated, or that holds people whom the source
/// does not have. Nothing has been changed there by then.
async fn refuse_unfit(source: &DatabaseTransaction, db: &Db) -> Result<()> {
    use entity::user::{Column, Entity};

    migrate::refuse_newer(db)
        .await
        .map_err(|error| match error {
            Error::Unavailable(line) => Error::BadUserInput(format!("the destination: {line}")),
            other => other,
        })?;
    let migrations = migrate::migration_status(db).await?;
    if !migrations.iter().any(|migration| migration.applied) {
        return Ok(());
    }
    let mut last: Option<UserId> = None;
    loop {
        let mut select = Entity::find().select_only().column(Column::Id);
        if let Some(last) = last {
            select = select.filter(Column::Id.gt(last));
        }
        let page = select.order_by_asc(Column::Id).limit(PAGE);
        let ids: Vec<UserId> = page.into_tuple().all(db.connection()).await?;
        last = ids.last().copied();
        if last.is_none() {
            return Ok(());
        }
        let count = ids.len() as u64;
        let known = Entity::find().filter(Column::Id.is_in(ids));
        if known.count(source).await? != count {
            return Err(Error::BadUserInput(
                "the destination holds users whom the source does not have: it is neither empty \
                 nor a move from there that was interrupted"
                    .into(),
            ));
        }
    }
}

/// One page of rows by primary key, the first one after this key.
async fn page<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    after: Option<Vec<Value>>,
) -> Result<Vec<E::Model>> {
    let columns = || E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let mut select = E::find();
    if let Some(after) = after {
        let key = Expr::tuple(columns().map(Expr::col));
        select = select.filter(ExprTrait::gt(
            key,
            Expr::tuple(after.into_iter().map(Expr::val)),
        ));
    }
    for column in columns() {
        select = select.order_by_asc(column);
    }
    Ok(select.limit(PAGE).all(connection).await?)
}

/// By which the next page is found.
fn key<E: EntityTrait>(row: &E::Model) -> Vec<Value> {
    E::PrimaryKey::iter()
        .map(|key| row.get(key.into_column()))
        .collect()
}

async fn copy<E>(
    source: &DatabaseTransaction,
    destination: &DatabaseConnection,
    report: &mut impl FnMut(Progress),
) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync,
{
    let table = name::<E>();
    let all = E::find().count(source).await?;
    let (mut done, mut last) = (0, None);
    loop {
        report(Progress {
            work: Work::Moving,
            table,
            done,
            all,
        });
        let rows = page::<E>(source, last).await?;
        let Some(row) = rows.last() else {
            return Ok(());
        };
        last = Some(key::<E>(row));
        done += rows.len() as u64;
        let rows = rows
            .into_iter()
            .map(|row| row.into_active_model().reset_all());
        // One statement is one transaction. What is there already was moved before.
        E::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(destination)
            .await
            .map_err(|error| Error::internal(format!("{table} cannot be moved: {error}")))?;
    }
}

async fn compare<E>(
    source: &DatabaseTransaction,
    destination: &DatabaseConnection,
    report: &mut impl FnMut(Progress),
) -> Result<()>
where
    E: EntityTrait,
    E::Model: Sync,
{
    let table = name::<E>();
    let all = E::find().count(source).await?;
    let mut show = |done| {
        report(Progress {
            work: Work::Comparing,
            table,
            done,
            all,
        });
    };
    // Both sides are read, so either is half of the work.
    let here = checksum::<E>(source, |rows| show(rows / 2)).await?;
    let there = checksum::<E>(destination, |rows| {
        let done = u64::midpoint(here.rows, rows);
        show(Ord::min(done, all.saturating_sub(1)));
    })
    .await?;
    if here != there {
        return Err(Error::internal(format!(
            "{table} differs: {} rows in the source, {} in the destination{}; to move again, drop \
             and create the destination first",
            here.rows,
            there.rows,
            if here.rows == there.rows {
                ", and not the same ones"
            } else {
                ""
            }
        )));
    }
    show(all);
    Ok(())
}

/// What two tables have in common if and only if they hold the same rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Checksum {
    rows: u64,
    /// Whatever the order: each engine may sort texts its own way.
    sum: u128,
}

impl Checksum {
    fn add<M: ModelTrait>(&mut self, row: &M) {
        let mut bytes = Vec::new();
        for column in <M::Entity as EntityTrait>::Column::iter() {
            let value = encode(row.get(column));
            // With its length, so that no two rows read the same in a row.
            bytes.extend(value.len().to_be_bytes());
            bytes.extend(value);
        }
        let hash = Sha256::digest(bytes);
        let half = hash.iter().take(16);
        let number = half.fold(0, |number, byte| (number << 8) | u128::from(*byte));
        self.sum = self.sum.wrapping_add(number);
        self.rows += 1;
    }
}

async fn checksum<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    mut show: impl FnMut(u64),
) -> Result<Checksum> {
    let mut checksum = Checksum::default();
    let mut last = None;
    loop {
        let rows = page::<E>(connection, last).await?;
        let Some(row) = rows.last() else {
            return Ok(checksum);
        };
        last = Some(key::<E>(row));
        for row in &rows {
            checksum.add(row);
        }
        show(checksum.rows);
    }
}

fn encode(value: Value) -> Vec<u8> {
    match value {
        // Short of what `Debug` makes of them.
        Value::Bytes(Some(bytes)) => bytes,
        Value::Json(Some(mut json)) => {
            // PostgreSQL sorts the keys of an object its own way.
            json.sort_all_objects();
            json.to_string().into_bytes()
        }
        other => format!("{other:?}").into_bytes(),
    }
}

fn name<E: EntityTrait>() -> &'static str {
    // The entities have no names that are made at run time.
    EntityName::table_name(&E::default())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::entity::ResetTokenId;
    use crate::entity::reset_token::Model;

    fn row(id: u128) -> Model {
        Model {
            id: ResetTokenId(Uuid::from_u128(id)),
            user_id: None,
            token_hash: "a".into(),
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            ended_at: None,
        }
    }

    fn checksum_of(rows: &[Model]) -> Checksum {
        let mut checksum = Checksum::default();
        for row in rows {
            checksum.add(row);
        }
        checksum
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_every_value_does() {
        let whole = checksum_of(&[row(1), row(2)]);
        assert_eq!(whole, checksum_of(&[row(2), row(1)]));
        let changed = [
            Model {
                user_id: Some(UserId(Uuid::nil())),
                ..row(2)
            },
            Model {
                token_hash: String::new(),
                ..row(2)
            },
            Model {
                ended_at: Some(DateTime::UNIX_EPOCH),
                ..row(2)
            },
            row(3),
        ];
        for changed in changed {
            assert_ne!(whole, checksum_of(&[row(1), changed]));
        }
        assert_ne!(whole, checksum_of(&[row(1)]));
        // Two of the same do not cancel each other out.
        assert_ne!(
            checksum_of(&[row(1), row(1)]),
            checksum_of(&[row(2), row(2)])
        );
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let of = |text| {
            encode(Value::Json(Some(Box::new(
                serde_json::from_str(text).unwrap(),
            ))))
        };
        assert_eq!(
            of(r#"{"a":1,"b":{"c":2,"d":3}}"#),
            of(r#"{"b":{"d":3,"c":2},"a":1}"#)
        );
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":2}"#));
    }
}
