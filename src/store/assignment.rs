//! Tasks that people were given and have not been told of.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

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

/// Forgets everything that these people were to be told of, and says what it was: the tasks of each,
/// oldest first.
pub async fn take_all_of(tx: &Tx, user_ids: &[UserId]) -> Result<HashMap<UserId, Vec<TaskId>>> {
    let mut taken: HashMap<UserId, Vec<TaskId>> = HashMap::new();
    if user_ids.is_empty() {
        return Ok(taken);
    }
    let mut rows = Entity::delete_many()
        .filter(Column::UserId.is_in(user_ids.iter().copied()))
        .exec_with_returning(tx.connection())
        .await?;
    rows.sort_by_key(|row| (row.created_at, row.task_id));
    for row in rows {
        taken.entry(row.user_id).or_default().push(row.task_id);
    }
    Ok(taken)
}
