//! Which state the tables are in that figures are computed from: the database makes
//! a new token in the transaction of each change. What was computed after reading a
//! generation holds as long as the same one is read again.

use sea_orm::{ConnectionTrait, Statement};

use super::{Engine, Source};
use crate::error::Result;

/// Tells one state of the tables from every other, also from those of other databases.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Generation(pub String);

pub async fn find(source: &impl Source) -> Result<Generation> {
    let connection = source.connection();
    let sql = match source.engine() {
        Engine::Sqlite => "SELECT group_concat(token, '') AS generation FROM generations",
        Engine::Postgres => {
            "SELECT md5(string_agg(token, '' ORDER BY noun, shard)) AS generation FROM generations"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await?;
    Ok(Generation(match row {
        Some(row) => row.try_get("", "generation")?,
        None => String::new(),
    }))
}
