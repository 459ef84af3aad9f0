//! What people want to be told. Who has no row has the usual settings.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, Iterable, QueryFilter};

use super::{Source, Tx};
use crate::entity::UserId;
use crate::entity::notification_settings::{Column, Entity, Model};
use crate::error::Result;

pub async fn find(source: &impl Source, user_id: UserId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(user_id).one(source.connection()).await?)
}

pub async fn find_many(source: &impl Source, user_ids: &[UserId]) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.is_in(user_ids.iter().copied()))
        .all(source.connection())
        .await?)
}

/// Writes them in the place of earlier ones. The caller holds the row of their user, so that no
/// two writers take turns.
pub async fn save(tx: &Tx, settings: Model) -> Result<()> {
    let others = Column::iter().filter(|column| !matches!(column, Column::UserId));
    Entity::insert(settings.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(Column::UserId)
                .update_columns(others)
                .to_owned(),
        )
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}
