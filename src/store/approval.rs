//! Decisions on sign-ups. Only admins see them.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect, Select,
};

use super::among::among;
use super::change::changed;
use super::page::newest_first;
use super::{Page, Source, Tx, Window, visible};
use crate::actor::Actor;
use crate::entity::approval::{Column, Entity, Model};
use crate::entity::{ApprovalDecision, ApprovalId, UserId};
use crate::error::Result;

/// Which approvals a list is about; None is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApprovalFilter {
    pub decision: Option<Vec<ApprovalDecision>>,
}

fn select(actor: &Actor, filter: &ApprovalFilter) -> Select<Entity> {
    let mut select = Entity::find().filter(visible::to_admins(actor));
    if let Some(decisions) = &filter.decision {
        select = select.filter(among(
            Column::Decision,
            decisions,
            ApprovalDecision::Approved,
        ));
    }
    select
}

pub async fn find_many(
    source: &impl Source,
    actor: &Actor,
    ids: &[ApprovalId],
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible::to_admins(actor))
        .all(source.connection())
        .await?)
}

/// The decision on this user's sign-up, held against other writers until the transaction's end.
pub async fn find_of_user_to_change(
    tx: &Tx,
    actor: &Actor,
    user_id: UserId,
) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(visible::to_admins(actor))
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

/// Newest first.
pub async fn list(
    source: &impl Source,
    actor: &Actor,
    filter: &ApprovalFilter,
    window: &Window,
) -> Result<Page<Model>> {
    let select = select(actor, filter);
    newest_first(source, select, (Column::CreatedAt, Column::Id), window).await
}

pub async fn count(source: &impl Source, actor: &Actor, filter: &ApprovalFilter) -> Result<u64> {
    Ok(select(actor, filter).count(source.connection()).await?)
}

pub async fn insert(tx: &Tx, approval: Model) -> Result<()> {
    Entity::insert(approval.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

pub async fn update(tx: &Tx, before: &Model, after: &Model) -> Result<()> {
    Entity::update(changed::<Entity>(before, after))
        .exec(tx.connection())
        .await?;
    Ok(())
}
