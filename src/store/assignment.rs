//! Tasks that people were given and have not been told of.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{Source, Tx};
use crate::entity::untold_assignment::{Column, Entity, Model};
use crate::entity::{TaskId, UserId};
use crate::error::Result;

/// Notes that this user was given this task. Given twice is told once.
pub async fn insert(tx: &Tx, user_id: UserId, task_id: TaskId, now: DateTime<Utc>) -> Result<()> {
    let row = Model {
        user_id,
        task_id,
        created_at: now,
    };
    Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::columns([Column::UserId, Column::TaskId])
                .update_column(Column::CreatedAt)
                .to_owned(),
        )
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// So many of what this user has not been told of, oldest first.
pub async fn list_of(tx: &Tx, user_id: UserId, limit: u64) -> Result<Vec<TaskId>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::TaskId)
        .filter(Column::UserId.eq(user_id))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::TaskId)
        .limit(limit)
        .into_tuple()
        .all(tx.connection())
        .await?)
}

/// Forgets everything that this user was to be told of; says how much it was.
pub async fn delete_all_of(tx: &Tx, user_id: UserId) -> Result<u64> {
    let deleted = Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .exec(tx.connection())
        .await?;
    Ok(deleted.rows_affected)
}
