//! Sessions and the refresh tokens that keep them going. People see their own.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, FromQueryResult, IntoActiveModel,
    JoinType, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::visible::nothing;
use super::{Source, Tx, prune};
use crate::actor::Actor;
use crate::entity::session::{Column, Entity, Model};
use crate::entity::{Role, SessionId, UserId, UserStatus, refresh_token, second_factor, user};
use crate::error::Result;

/// What the access token of a request stands for, as of now.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct Standing {
    pub user_id: UserId,
    pub role: Role,
    pub status: UserStatus,
    pub expires_at: DateTime<Utc>,
    /// None without a second factor.
    pub second_factor_enabled_at: Option<DateTime<Utc>>,
}

impl Standing {
    /// Whether the session is this user's, lasts, and its user is active.
    pub fn is_of(&self, user_id: UserId, now: DateTime<Utc>) -> bool {
        self.user_id == user_id && self.status == UserStatus::Active && self.expires_at > now
    }
}

/// The rows that exist for this actor: their own, as long as they last.
fn visible_to(actor: &Actor, now: DateTime<Utc>) -> Condition {
    match actor {
        Actor::System => Condition::all(),
        Actor::User(viewer) => Condition::all()
            .add(Column::UserId.eq(viewer.id))
            .add(Column::ExpiresAt.gt(now)),
        Actor::Anonymous | Actor::Refused => nothing(),
    }
}

/// The session with its user, in one statement: every request of a signed-in user begins with it.
pub async fn find_standing(source: &impl Source, id: SessionId) -> Result<Option<Standing>> {
    let join = Entity::belongs_to(user::Entity)
        .from(Column::UserId)
        .to(user::Column::Id)
        .into();
    let second_factor = Entity::belongs_to(second_factor::Entity)
        .from(Column::UserId)
        .to(second_factor::Column::UserId)
        .into();
    Ok(Entity::find_by_id(id)
        .select_only()
        .column(Column::UserId)
        .column(Column::ExpiresAt)
        .column_as(user::Column::Role, "role")
        .column_as(user::Column::Status, "status")
        .column_as(second_factor::Column::EnabledAt, "second_factor_enabled_at")
        .join(JoinType::InnerJoin, join)
        .join(JoinType::LeftJoin, second_factor)
        .into_model::<Standing>()
        .one(source.connection())
        .await?)
}

/// Where the sessions were opened that last of whoever has this log-in, a case-folded username or
/// e-mail address. For the log-in, which has no actor yet.
pub async fn find_addresses_of(
    source: &impl Source,
    login_key: &str,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let join = Entity::belongs_to(user::Entity)
        .from(Column::UserId)
        .to(user::Column::Id)
        .into();
    let of_login = Entity::find().join(JoinType::InnerJoin, join).filter(
        Condition::any()
            .add(user::Column::UsernameKey.eq(login_key))
            .add(user::Column::EmailKey.eq(login_key)),
    );
    addresses(source, of_login, now).await
}

/// As `find_addresses_of`, of a user.
pub async fn find_addresses_of_user(
    source: &impl Source,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let of_user = Entity::find().filter(Column::UserId.eq(user_id));
    addresses(source, of_user, now).await
}

async fn addresses(
    source: &impl Source,
    sessions: Select<Entity>,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    Ok(sessions
        .select_only()
        .column(Column::IpAddress)
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::IpAddress.is_not_null())
        .into_tuple()
        .all(source.connection())
        .await?)
}

/// The actor's sessions, newest first.
pub async fn list(source: &impl Source, actor: &Actor, now: DateTime<Utc>) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(visible_to(actor, now))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(source.connection())
        .await?)
}

pub async fn find_many(
    source: &impl Source,
    actor: &Actor,
    ids: &[SessionId],
    now: DateTime<Utc>,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible_to(actor, now))
        .all(source.connection())
        .await?)
}

/// The session that this refresh token is of, held against other writers until the transaction's
/// end. Whoever changes one of its tokens holds it; a token is never held without it, so nobody waits
/// in a circle with those who end the session, and its tokens with it.
pub async fn find_to_change(tx: &Tx, token_hash: &str) -> Result<Option<Model>> {
    let of_token = Query::select()
        .column(refresh_token::Column::SessionId)
        .from(refresh_token::Entity)
        .and_where(refresh_token::Column::TokenHash.eq(token_hash))
        .to_owned();
    Ok(Entity::find()
        .filter(Column::Id.in_subquery(of_token))
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

/// As `find_to_change`, by its id: for a token that is not known any more.
pub async fn find_by_id_to_change(tx: &Tx, id: SessionId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

pub async fn insert(tx: &Tx, session: Model) -> Result<()> {
    Entity::insert(session.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Notes that the session was used, and how long it lasts from here.
pub async fn extend(
    tx: &Tx,
    id: SessionId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::val(now))
        .col_expr(Column::ExpiresAt, Expr::val(expires_at))
        .filter(Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Ends one session of this user; false when they have no such session.
pub async fn delete(tx: &Tx, user_id: UserId, id: SessionId, now: DateTime<Utc>) -> Result<bool> {
    let result = Entity::delete_many()
        .filter(Column::Id.eq(id))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ExpiresAt.gt(now))
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// Ends every session of this user but the one to keep.
pub async fn delete_all_of(tx: &Tx, user_id: UserId, keep: Option<SessionId>) -> Result<()> {
    let mut delete = Entity::delete_many().filter(Column::UserId.eq(user_id));
    if let Some(keep) = keep {
        delete = delete.filter(Column::Id.ne(keep));
    }
    delete.exec(tx.connection()).await?;
    Ok(())
}

/// Ends the oldest sessions of this user beyond the newest `keep`.
pub async fn delete_oldest_of(tx: &Tx, user_id: UserId, keep: u64) -> Result<()> {
    let oldest: Vec<SessionId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user_id))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .offset(keep)
        // SQLite knows no offset without a limit.
        .limit(i64::MAX.unsigned_abs())
        .into_tuple()
        .all(tx.connection())
        .await?;
    if !oldest.is_empty() {
        Entity::delete_many()
            .filter(Column::Id.is_in(oldest))
            .exec(tx.connection())
            .await?;
    }
    Ok(())
}

/// Clears away what expired before this, so many at most; their refresh tokens go with them. Says
/// how many it were.
pub async fn delete_expired(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    prune::delete_before::<Entity>(tx, Column::Id, Column::ExpiresAt, before, limit).await
}

/// For whoever holds its session.
pub async fn find_refresh_token(tx: &Tx, token_hash: &str) -> Result<Option<refresh_token::Model>> {
    Ok(refresh_token::Entity::find_by_id(token_hash)
        .one(tx.connection())
        .await?)
}

pub async fn insert_refresh_token(tx: &Tx, token: refresh_token::Model) -> Result<()> {
    refresh_token::Entity::insert(token.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

pub async fn mark_refresh_token_used(tx: &Tx, token_hash: &str, now: DateTime<Utc>) -> Result<()> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::val(now))
        .filter(refresh_token::Column::TokenHash.eq(token_hash))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Forgets which tokens of this session were used before this.
pub async fn delete_used_refresh_tokens(
    tx: &Tx,
    session_id: SessionId,
    before: DateTime<Utc>,
) -> Result<()> {
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::SessionId.eq(session_id))
        .filter(refresh_token::Column::UsedAt.lt(before))
        .exec(tx.connection())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_session_stands_for_its_own_user_while_it_lasts_and_they_are_active() {
        let now: DateTime<Utc> = "2026-01-05T12:00:00Z".parse().unwrap();
        let (owner, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let second = TimeDelta::seconds(1);
        for (status, user_id, expires_at, expected) in [
            (UserStatus::Active, owner, now + second, true),
            (UserStatus::Active, owner, now, false),
            (UserStatus::Active, owner, now - second, false),
            (UserStatus::Active, other, now + second, false),
            (UserStatus::Deactivated, owner, now + second, false),
            (UserStatus::Pending, owner, now + second, false),
            (UserStatus::Rejected, other, now - second, false),
        ] {
            let standing = Standing {
                user_id: owner,
                role: Role::Employee,
                status,
                expires_at,
                second_factor_enabled_at: None,
            };
            assert_eq!(standing.is_of(user_id, now), expected, "{standing:?}");
        }
    }
}
