//! Clears old rows away in small numbers, so that no writer waits for long and no
//! statement meets its time limit.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{Source, Tx};
use crate::error::Result;

/// Deletes rows whose `instant` lies before this, so many at most, and says how many it were.
pub(super) async fn delete_before<E: EntityTrait>(
    tx: &Tx,
    id: E::Column,
    instant: E::Column,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<u64> {
    let condition = Condition::all().add(instant.into_expr().lt(before));
    delete_some::<E>(tx, id, condition, limit).await
}

/// Deletes so many of these rows at most, and says how many it were.
pub(super) async fn delete_some<E: EntityTrait>(
    tx: &Tx,
    id: E::Column,
    condition: Condition,
    limit: u64,
) -> Result<u64> {
    let some = Query::select()
        .column(id)
        .from(E::default())
        .cond_where(condition)
        .limit(limit)
        .to_owned();
    let delete = E::delete_many().filter(id.in_subquery(some));
    Ok(delete.exec(tx.connection()).await?.rows_affected)
}
