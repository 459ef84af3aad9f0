//! Second factors and recovery codes. People see their own, and admins see who
//! has one. What may happen once is a compare-and-set here, and false when it has
//! happened before.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, FromQueryResult, IntoActiveModel,
    JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::visible::nothing;
use super::{Source, Tx, plan};
use crate::actor::Actor;
use crate::entity::second_factor::{Column, Entity, Model};
use crate::entity::{Role, UserId, recovery_code};
use crate::error::Result;

/// What there is to show of a second factor that is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Summary {
    pub user_id: UserId,
    pub enabled_at: DateTime<Utc>,
    pub recovery_codes_left: i64,
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

/// Those of these users that are enabled.
pub async fn find_summaries(
    source: &impl Source,
    actor: &Actor,
    user_ids: &[UserId],
) -> Result<Vec<Summary>> {
    let unused = Entity::belongs_to(recovery_code::Entity)
        .from(Column::UserId)
        .to(recovery_code::Column::UserId)
        .on_condition(|_, codes| {
            let used_at = Expr::col((codes, recovery_code::Column::UsedAt));
            Condition::all().add(used_at.is_null())
        })
        .into();
    Ok(Entity::find()
        .select_only()
        .column(Column::UserId)
        .column(Column::EnabledAt)
        .column_as(
            recovery_code::Column::CodeHash.count(),
            "recovery_codes_left",
        )
        .join(JoinType::LeftJoin, unused)
        .filter(Column::UserId.is_in(user_ids.iter().copied()))
        .filter(Column::EnabledAt.is_not_null())
        .filter(visible_to(actor))
        .group_by(Column::UserId)
        .group_by(Column::EnabledAt)
        .into_model::<Summary>()
        .all(source.connection())
        .await?)
}

/// Who of these users has one that is enabled.
pub async fn find_enabled(source: &impl Source, user_ids: &[UserId]) -> Result<Vec<UserId>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::UserId.is_in(user_ids.iter().copied()))
        .filter(Column::EnabledAt.is_not_null())
        .into_tuple()
        .all(source.connection())
        .await?)
}

/// The row as it stands in this transaction, held against other writers until its end.
pub async fn find_to_change(tx: &Tx, user_id: UserId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(user_id)
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

/// Puts one that is not enabled yet in the place of an earlier one that is not.
pub async fn replace_pending(tx: &Tx, pending: Model) -> Result<()> {
    Entity::delete_many()
        .filter(Column::UserId.eq(pending.user_id))
        .filter(Column::EnabledAt.is_null())
        .exec(tx.connection())
        .await?;
    Entity::insert(pending.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Enables the one that was started, by a code of this step. It may give its user a right to mails
/// that come by the calendar, so the planner looks at them again.
pub async fn enable(tx: &Tx, user_id: UserId, step: i64, now: DateTime<Utc>) -> Result<bool> {
    let result = Entity::update_many()
        .col_expr(Column::EnabledAt, Expr::val(now))
        .col_expr(Column::LastStep, Expr::val(step))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::EnabledAt.is_null())
        .exec(tx.connection())
        .await?;
    let is_enabled = result.rows_affected == 1;
    if is_enabled {
        plan::look_again(tx, user_id, false, now).await?;
    }
    Ok(is_enabled)
}

/// Uses up the codes of this step and of all before it.
pub async fn use_step(tx: &Tx, user_id: UserId, step: i64) -> Result<bool> {
    let is_later = Condition::any()
        .add(Column::LastStep.is_null())
        .add(Column::LastStep.lt(step));
    let result = Entity::update_many()
        .col_expr(Column::LastStep, Expr::val(step))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::EnabledAt.is_not_null())
        .filter(is_later)
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// Takes the second factor and its recovery codes away; false when there was none that was enabled.
pub async fn delete_of(tx: &Tx, user_id: UserId) -> Result<bool> {
    delete_recovery_codes_of(tx, user_id).await?;
    let result = Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::EnabledAt.is_not_null())
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// Clears away what was started before this and never enabled, so many at most; says how many it
/// were.
pub async fn delete_pending(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    let ids: Vec<UserId> = Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::EnabledAt.is_null())
        .filter(Column::StartedAt.lt(before))
        .limit(limit)
        .into_tuple()
        .all(tx.connection())
        .await?;
    // Asked again: one of them may have been enabled meanwhile.
    let delete = Entity::delete_many()
        .filter(Column::UserId.is_in(ids))
        .filter(Column::EnabledAt.is_null())
        .filter(Column::StartedAt.lt(before));
    Ok(delete.exec(tx.connection()).await?.rows_affected)
}

/// Those that were encrypted by one of these keys, so many at most. In an order, so that two workers
/// who change them all do not wait for each other.
pub async fn list_encrypted_by(
    source: &impl Source,
    key_ids: &[&str],
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut of_earlier = Entity::find().filter(Column::KeyId.is_in(key_ids.iter().copied()));
    if let Some(after) = after {
        of_earlier = of_earlier.filter(Column::UserId.gt(after));
    }
    Ok(of_earlier
        .order_by_asc(Column::UserId)
        .limit(limit)
        .all(source.connection())
        .await?)
}

/// Writes the same secret as encrypted by another key; false when it is not the same any more.
pub async fn update_encryption(
    tx: &Tx,
    before: &Model,
    key_id: String,
    secret: Vec<u8>,
) -> Result<bool> {
    let result = Entity::update_many()
        .col_expr(Column::KeyId, Expr::val(key_id))
        .col_expr(Column::Secret, Expr::val(secret))
        .filter(Column::UserId.eq(before.user_id))
        .filter(Column::KeyId.eq(before.key_id.as_str()))
        .filter(Column::Secret.eq(before.secret.clone()))
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// Puts these codes in the place of all that the user had.
pub async fn replace_recovery_codes(
    tx: &Tx,
    user_id: UserId,
    codes: Vec<recovery_code::Model>,
) -> Result<()> {
    delete_recovery_codes_of(tx, user_id).await?;
    let codes = codes
        .into_iter()
        .map(|code| code.into_active_model().reset_all());
    recovery_code::Entity::insert_many(codes)
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

async fn delete_recovery_codes_of(tx: &Tx, user_id: UserId) -> Result<()> {
    recovery_code::Entity::delete_many()
        .filter(recovery_code::Column::UserId.eq(user_id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Uses a recovery code of this user up.
pub async fn use_recovery_code(
    tx: &Tx,
    user_id: UserId,
    code_hash: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let result = recovery_code::Entity::update_many()
        .col_expr(recovery_code::Column::UsedAt, Expr::val(now))
        .filter(recovery_code::Column::CodeHash.eq(code_hash))
        .filter(recovery_code::Column::UserId.eq(user_id))
        .filter(recovery_code::Column::UsedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// How many recovery codes of this user are unused.
pub async fn count_recovery_codes(tx: &Tx, user_id: UserId) -> Result<u64> {
    Ok(recovery_code::Entity::find()
        .filter(recovery_code::Column::UserId.eq(user_id))
        .filter(recovery_code::Column::UsedAt.is_null())
        .count(tx.connection())
        .await?)
}
