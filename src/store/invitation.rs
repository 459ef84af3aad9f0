//! Invitations. Only admins see them; whoever holds a token finds the one that it
//! is of.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect, Select,
};

use super::change::update_if;
use super::page::newest_first;
use super::visible::nothing;
use super::{Page, Source, Tx, Window, prune, visible};
use crate::actor::Actor;
use crate::entity::invitation::{Column, Entity, InvitationState, Model};
use crate::entity::{InvitationId, UserId};
use crate::error::Result;

/// Which invitations a list is about; None is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct InvitationFilter {
    pub state: Option<Vec<InvitationState>>,
}

/// The same as `Model::state`, for the database.
fn is_in(state: InvitationState, now: DateTime<Utc>) -> Condition {
    let unanswered = Condition::all()
        .add(Column::AcceptedAt.is_null())
        .add(Column::RevokedAt.is_null());
    match state {
        InvitationState::Pending => unanswered.add(Column::ExpiresAt.gt(now)),
        InvitationState::Accepted => Condition::all().add(Column::AcceptedAt.is_not_null()),
        InvitationState::Revoked => Condition::all()
            .add(Column::AcceptedAt.is_null())
            .add(Column::RevokedAt.is_not_null()),
        InvitationState::Expired => unanswered.add(Column::ExpiresAt.lte(now)),
    }
}

fn select(actor: &Actor, filter: &InvitationFilter, now: DateTime<Utc>) -> Select<Entity> {
    let select = Entity::find().filter(visible::to_admins(actor));
    match &filter.state {
        None => select,
        Some(states) if states.is_empty() => select.filter(nothing()),
        Some(states) => select.filter(
            states
                .iter()
                .fold(Condition::any(), |any, state| any.add(is_in(*state, now))),
        ),
    }
}

/// Newest first.
pub async fn list(
    source: &impl Source,
    actor: &Actor,
    filter: &InvitationFilter,
    now: DateTime<Utc>,
    window: &Window,
) -> Result<Page<Model>> {
    let select = select(actor, filter, now);
    newest_first(source, select, (Column::CreatedAt, Column::Id), window).await
}

pub async fn count(
    source: &impl Source,
    actor: &Actor,
    filter: &InvitationFilter,
    now: DateTime<Utc>,
) -> Result<u64> {
    Ok(select(actor, filter, now)
        .count(source.connection())
        .await?)
}

pub async fn find_many(
    source: &impl Source,
    actor: &Actor,
    ids: &[InvitationId],
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible::to_admins(actor))
        .all(source.connection())
        .await?)
}

/// The row as it stands in this transaction, held against other writers until its end.
pub async fn find_to_change(tx: &Tx, actor: &Actor, id: InvitationId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .filter(visible::to_admins(actor))
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

/// By the hash of its token. For whoever accepts it, who is nobody yet.
pub async fn find_by_hash(source: &impl Source, token_hash: &str) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::TokenHash.eq(token_hash))
        .one(source.connection())
        .await?)
}

pub async fn insert(tx: &Tx, invitation: Model) -> Result<()> {
    Entity::insert(invitation.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Writes what differs, if the invitation is still open; false when it was answered or taken back,
/// or has expired.
pub async fn update_if_open(
    tx: &Tx,
    before: &Model,
    after: &Model,
    now: DateTime<Utc>,
) -> Result<bool> {
    let is_open = is_in(InvitationState::Pending, now).add(Column::Id.eq(before.id));
    update_if::<Entity>(tx, before, after, is_open).await
}

/// Takes back whatever is open for this address.
pub async fn revoke_all_to(tx: &Tx, email_key: &str, now: DateTime<Utc>) -> Result<()> {
    revoke(
        tx,
        Condition::all().add(Column::EmailKey.eq(email_key)),
        now,
    )
    .await
}

/// Takes back whatever is open of this admin.
pub async fn revoke_all_by(tx: &Tx, admin: UserId, now: DateTime<Utc>) -> Result<()> {
    revoke(tx, Condition::all().add(Column::InvitedBy.eq(admin)), now).await
}

async fn revoke(tx: &Tx, which: Condition, now: DateTime<Utc>) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::val(now))
        .filter(which)
        .filter(is_in(InvitationState::Pending, now))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Clears away what expired before this, so many at most; says how many it were.
pub async fn delete_expired(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    prune::delete_before::<Entity>(tx, Column::Id, Column::ExpiresAt, before, limit).await
}
