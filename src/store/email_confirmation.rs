//! Links that confirm addresses, by their hashes. Nobody sees them.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::change::update_if;
use super::{Source, Tx, prune};
use crate::entity::email_confirmation::{Column, Entity, Model};
use crate::entity::{EmailConfirmationId, UserId};
use crate::error::Result;

pub async fn find(source: &impl Source, id: EmailConfirmationId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(source.connection()).await?)
}

pub async fn find_by_hash(source: &impl Source, token_hash: &str) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::TokenHash.eq(token_hash))
        .one(source.connection())
        .await?)
}

/// The one that was made last for this user, ended or not.
pub async fn find_newest_of(source: &impl Source, user_id: UserId) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(1)
        .one(source.connection())
        .await?)
}

pub async fn insert(tx: &Tx, confirmation: Model) -> Result<()> {
    Entity::insert(confirmation.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Writes what differs, if the link is still open; false when it has ended or expired.
pub async fn update_if_open(
    tx: &Tx,
    before: &Model,
    after: &Model,
    now: DateTime<Utc>,
) -> Result<bool> {
    let is_open = Condition::all()
        .add(Column::Id.eq(before.id))
        .add(Column::EndedAt.is_null())
        .add(Column::ExpiresAt.gt(now));
    update_if::<Entity>(tx, before, after, is_open).await
}

/// Ends this one; false when it has ended or expired already.
pub async fn end(tx: &Tx, id: EmailConfirmationId, now: DateTime<Utc>) -> Result<bool> {
    let result = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::val(now))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// Makes every one of this user void.
pub async fn end_all_of(tx: &Tx, user_id: UserId, now: DateTime<Utc>) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::EndedAt, Expr::val(now))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::EndedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Clears away what expired before this, so many at most; says how many it were.
pub async fn delete_expired(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    prune::delete_before::<Entity>(tx, Column::Id, Column::ExpiresAt, before, limit).await
}
