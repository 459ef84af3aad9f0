//! The tokens of scripts.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, FromQueryResult, IntoActiveModel,
    JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::visible::nothing;
use super::{Source, Tx, prune};
use crate::actor::Actor;
use crate::entity::api_token::{Column, Entity, Model};
use crate::entity::{ApiTokenAccess, ApiTokenId, Role, UserId, UserStatus, second_factor, user};
use crate::error::Result;

/// What a token stands for, as of now.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct Standing {
    pub id: ApiTokenId,
    pub user_id: UserId,
    pub access: ApiTokenAccess,
    /// What it may do at most.
    pub token_role: Role,
    pub user_role: Role,
    status: UserStatus,
    expires_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// None without a second factor.
    pub second_factor_enabled_at: Option<DateTime<Utc>>,
}

impl Standing {
    /// Whether the token lasts, and its owner is active.
    pub fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.status == UserStatus::Active && self.expires_at > now
    }
}

/// The rows that exist for this actor, as long as they last: their own, and everyone's for admins.
fn visible_to(actor: &Actor, now: DateTime<Utc>) -> Condition {
    let lasting = Condition::all().add(Column::ExpiresAt.gt(now));
    match actor {
        Actor::System => Condition::all(),
        Actor::User(viewer) if viewer.role >= Role::Admin => lasting,
        Actor::User(viewer) => lasting.add(Column::UserId.eq(viewer.id)),
        Actor::Anonymous | Actor::Refused => nothing(),
    }
}

/// The token with its owner, in one statement: every request by a token begins with it.
pub async fn find_standing(source: &impl Source, token_hash: &str) -> Result<Option<Standing>> {
    standing(source, Column::TokenHash.eq(token_hash)).await
}

/// As `find_standing`, for a token that was shown before.
pub async fn find_standing_of(source: &impl Source, id: ApiTokenId) -> Result<Option<Standing>> {
    standing(source, Column::Id.eq(id)).await
}

async fn standing(source: &impl Source, which: Expr) -> Result<Option<Standing>> {
    let owner = Entity::belongs_to(user::Entity)
        .from(Column::UserId)
        .to(user::Column::Id)
        .into();
    let second_factor = Entity::belongs_to(second_factor::Entity)
        .from(Column::UserId)
        .to(second_factor::Column::UserId)
        .into();
    Ok(Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::UserId,
            Column::Access,
            Column::ExpiresAt,
            Column::LastUsedAt,
        ])
        .column_as(Column::Role, "token_role")
        .column_as(user::Column::Role, "user_role")
        .column_as(user::Column::Status, "status")
        .column_as(second_factor::Column::EnabledAt, "second_factor_enabled_at")
        .join(JoinType::InnerJoin, owner)
        .join(JoinType::LeftJoin, second_factor)
        .filter(which)
        .into_model::<Standing>()
        .one(source.connection())
        .await?)
}

/// The tokens of this user, as far as the actor sees them, newest first.
pub async fn list(
    source: &impl Source,
    actor: &Actor,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(visible_to(actor, now))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(source.connection())
        .await?)
}

pub async fn find_many(
    source: &impl Source,
    actor: &Actor,
    ids: &[ApiTokenId],
    now: DateTime<Utc>,
) -> Result<Vec<Model>> {
    Ok(of(actor, now)
        .filter(Column::Id.is_in(ids.iter().copied()))
        .all(source.connection())
        .await?)
}

pub async fn find_to_change(
    tx: &Tx,
    actor: &Actor,
    id: ApiTokenId,
    now: DateTime<Utc>,
) -> Result<Option<Model>> {
    Ok(of(actor, now)
        .filter(Column::Id.eq(id))
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

fn of(actor: &Actor, now: DateTime<Utc>) -> Select<Entity> {
    Entity::find().filter(visible_to(actor, now))
}

/// How many of this user's last.
pub async fn count_of(tx: &Tx, user_id: UserId, now: DateTime<Utc>) -> Result<u64> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ExpiresAt.gt(now))
        .count(tx.connection())
        .await?)
}

pub async fn insert(tx: &Tx, token: Model) -> Result<()> {
    Entity::insert(token.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Notes that the token was used now, unless another process noted a use after `earlier` meanwhile.
pub async fn note_use(
    tx: &Tx,
    id: ApiTokenId,
    now: DateTime<Utc>,
    earlier: DateTime<Utc>,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::val(now))
        .filter(Column::Id.eq(id))
        .filter(
            Condition::any()
                .add(Column::LastUsedAt.is_null())
                .add(Column::LastUsedAt.lte(earlier)),
        )
        .exec(tx.connection())
        .await?;
    Ok(())
}

pub async fn delete(tx: &Tx, id: ApiTokenId) -> Result<()> {
    Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}

pub async fn delete_all_of(tx: &Tx, user_id: UserId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Clears away what expired before this, so many at most; says how many it were.
pub async fn delete_expired(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    prune::delete_before::<Entity>(tx, Column::Id, Column::ExpiresAt, before, limit).await
}
