//! The kinds of mail that are held back. What it means is said where mails are
//! claimed and found.

use sea_orm::sea_query::{OnConflict, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use super::{Source, Tx};
use crate::entity::MailKind;
use crate::entity::paused_mail::{Column, Entity, Model};
use crate::error::Result;

/// For a condition on what is not held back.
pub(super) fn kinds() -> SelectStatement {
    Query::select().column(Column::Kind).from(Entity).to_owned()
}

pub async fn is_paused(source: &impl Source, kind: MailKind) -> Result<bool> {
    let found = Entity::find_by_id(kind).one(source.connection()).await?;
    Ok(found.is_some())
}

/// Those that have been held back longest come first.
pub async fn list(source: &impl Source) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .order_by_asc(Column::PausedAt)
        .order_by_asc(Column::Kind)
        .all(source.connection())
        .await?)
}

/// Holds this kind back; false when it was already.
pub async fn insert(tx: &Tx, pause: Model) -> Result<bool> {
    let inserted = Entity::insert(pause.into_active_model().reset_all())
        .on_conflict(OnConflict::column(Column::Kind).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await;
    match inserted {
        Ok(rows) => Ok(rows > 0),
        Err(DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Lets these kinds go again; says how many of them were held back.
pub async fn delete(tx: &Tx, kinds: &[MailKind]) -> Result<u64> {
    let deleted = Entity::delete_many()
        .filter(Column::Kind.is_in(kinds.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(deleted.rows_affected)
}
