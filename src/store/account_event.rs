//! What happened to accounts. Admins see all of it, others what happened to
//! their own.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, Select,
};

use super::page::newest_first;
use super::visible::nothing;
use super::{Page, Source, Tx, Window, prune};
use crate::actor::Actor;
use crate::entity::account_event::{Column, Entity, Model};
use crate::entity::{AccountEventId, AccountEventKind, Role, UserId};
use crate::error::Result;

/// Which events a list is about; None is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccountEventFilter {
    /// `Some(None)` when the id is garbled, which is as good as unknown.
    pub user_id: Option<Option<UserId>>,
    pub kind: Option<Vec<AccountEventKind>>,
    /// Including this instant.
    pub since: Option<DateTime<Utc>>,
    /// Excluding this instant.
    pub until: Option<DateTime<Utc>>,
}

/// The rows that exist for this actor.
fn visible_to(actor: &Actor) -> Condition {
    match actor {
        Actor::System => Condition::all(),
        Actor::User(viewer) if viewer.role >= Role::Admin => Condition::all(),
        Actor::User(viewer) => Condition::all().add(Column::UserId.eq(viewer.id)),
        Actor::Anonymous | Actor::Refused => nothing(),
    }
}

fn select(actor: &Actor, filter: &AccountEventFilter) -> Select<Entity> {
    let mut select = Entity::find().filter(visible_to(actor));
    select = match filter.user_id {
        None => select,
        Some(Some(user_id)) => select.filter(Column::UserId.eq(user_id)),
        Some(None) => select.filter(nothing()),
    };
    if let Some(kinds) = &filter.kind {
        select = select.filter(Column::Kind.is_in(kinds.iter().copied()));
    }
    if let Some(since) = filter.since {
        select = select.filter(Column::CreatedAt.gte(since));
    }
    if let Some(until) = filter.until {
        select = select.filter(Column::CreatedAt.lt(until));
    }
    select
}

/// Newest first.
pub async fn list(
    source: &impl Source,
    actor: &Actor,
    filter: &AccountEventFilter,
    window: &Window,
) -> Result<Page<Model>> {
    let select = select(actor, filter);
    newest_first(source, select, (Column::CreatedAt, Column::Id), window).await
}

pub async fn count(
    source: &impl Source,
    actor: &Actor,
    filter: &AccountEventFilter,
) -> Result<u64> {
    Ok(select(actor, filter).count(source.connection()).await?)
}

pub async fn find_many(
    source: &impl Source,
    actor: &Actor,
    ids: &[AccountEventId],
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible_to(actor))
        .all(source.connection())
        .await?)
}

pub async fn insert(tx: &Tx, event: Model) -> Result<()> {
    Entity::insert(event.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Clears away what happened before this, so many at most. Says how many it were.
pub async fn delete_before(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    prune::delete_before::<Entity>(tx, Column::Id, Column::CreatedAt, before, limit).await
}

/// As `delete_before`, of what strangers tried at accounts that nobody has. What an admin did for
/// somebody who has no account yet stays.
pub async fn delete_of_nobody_before(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    let condition = Condition::all()
        .add(Column::UserId.is_null())
        .add(Column::ActorId.is_null())
        .add(Column::CreatedAt.lt(before));
    prune::delete_some::<Entity>(tx, Column::Id, condition, limit).await
}
