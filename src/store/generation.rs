//! How often tables have changed: the database counts, in the transaction of each
//! change. What was computed after reading a generation holds as long as the same
//! one is read again.

use sea_orm::{ConnectionTrait, Statement};

use super::{Engine, Source};
use crate::error::Result;

/// Tells one state of the counted tables from every other, also of other databases, and of this
/// one before it was restored: the last transaction that counted is a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Generation(pub String);

pub async fn find(source: &impl Source) -> Result<Generation> {
    let connection = source.connection();
    let sql = match source.engine() {
        Engine::Sqlite => {
            "SELECT group_concat(noun || ':' || value, ',') AS generation FROM generations"
        }
        Engine::Postgres => {
            "SELECT coalesce((SELECT place FROM installation), '') || '/' || \
             sum(value)::text || '/' || max(xmin::text::bigint)::text AS generation FROM generations"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await?;
    Ok(Generation(match row {
        Some(row) => row.try_get("", "generation")?,
        None => String::new(),
    }))
}
