//! Deliveries: written with their cause, claimed by compare-and-set, finished
//! only by the claim that still holds them.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};

use super::change::changed;
use super::{Source, Tx, prune};
use crate::entity::delivery::{ActiveModel, Column, Entity, Model};
use crate::entity::{DeliveryId, DeliveryState};
use crate::error::Result;

/// Adds a delivery; false when this cause has its mail already.
pub async fn insert(tx: &Tx, delivery: Model) -> Result<bool> {
    let inserted = Entity::insert(delivery.into_active_model().reset_all())
        .on_conflict(
            OnConflict::columns([Column::Kind, Column::RecipientId, Column::Cause])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx.connection())
        .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub async fn find(source: &impl Source, id: DeliveryId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(source.connection()).await?)
}

/// The row as it stands in this transaction, held against other writers until its end.
pub async fn find_to_change(tx: &Tx, id: DeliveryId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

/// Waiting past its time, or held by a worker whose lease ran out.
pub fn is_claimable(delivery: &Model, now: DateTime<Utc>) -> bool {
    match delivery.state {
        DeliveryState::Due => delivery.due_at <= now,
        DeliveryState::Sending => delivery.leased_until.is_none_or(|until| until <= now),
        DeliveryState::Sent | DeliveryState::Failed | DeliveryState::Suppressed => false,
    }
}

/// The same as `is_claimable`, for the database.
fn claimable(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(
            Column::State
                .eq(DeliveryState::Due)
                .and(Column::DueAt.lte(now)),
        )
        .add(
            Column::State
                .eq(DeliveryState::Sending)
                .and(Column::LeasedUntil.lte(now)),
        )
}

/// Writes what differs if the row still has the fencing number that it was read with; false when
/// another worker took it over.
pub async fn update_if_held(tx: &Tx, before: &Model, after: &Model) -> Result<bool> {
    let result = Entity::update_many()
        .set(changed::<Entity>(before, after))
        .filter(Column::Id.eq(before.id))
        .filter(Column::Fence.eq(before.fence))
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

/// What can be claimed and has no job on its way. `ignoring_announcements`: a job that was on its
/// way may have died with the process before this one.
fn missed(now: DateTime<Utc>, ignoring_announcements: bool) -> Condition {
    let claimable = claimable(now);
    if ignoring_announcements {
        claimable
    } else {
        Condition::all()
            .add(claimable)
            .add(Column::AnnouncedUntil.lte(now))
    }
}

/// Whether any mail was missed.
pub async fn exists_missed(
    source: &impl Source,
    now: DateTime<Utc>,
    ignoring_announcements: bool,
) -> Result<bool> {
    let one: Option<DeliveryId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(missed(now, ignoring_announcements))
        .limit(1)
        .into_tuple()
        .one(source.connection())
        .await?;
    Ok(one.is_some())
}

/// The mails that were missed, oldest first, but for those that another worker has just found.
pub async fn list_missed_to_change(
    tx: &Tx,
    now: DateTime<Utc>,
    ignoring_announcements: bool,
    limit: u64,
) -> Result<Vec<DeliveryId>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(missed(now, ignoring_announcements))
        .order_by_asc(Column::DueAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx.connection())
        .await?)
}

/// How many mails are due or being sent, by state.
pub async fn count_unfinished(source: &impl Source) -> Result<Vec<(String, i64)>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "count")
        .filter(Column::State.is_in([DeliveryState::Due, DeliveryState::Sending]))
        .group_by(Column::State)
        .into_tuple()
        .all(source.connection())
        .await?)
}

/// Since when the mail that waits longest has been due.
pub async fn find_oldest_due(source: &impl Source) -> Result<Option<DateTime<Utc>>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::DueAt)
        .filter(Column::State.eq(DeliveryState::Due))
        .order_by_asc(Column::DueAt)
        .limit(1)
        .into_tuple()
        .one(source.connection())
        .await?)
}

/// Notes that a job is on its way for each of these.
pub async fn announce(tx: &Tx, ids: &[DeliveryId], until: DateTime<Utc>) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::AnnouncedUntil, Expr::val(until))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Calls off every mail that is neither sent nor given up, and says how many there were.
pub(super) async fn suppress_unfinished(tx: &Tx, answer: &str, now: DateTime<Utc>) -> Result<u64> {
    let result = Entity::update_many()
        .set(ActiveModel {
            state: Set(DeliveryState::Suppressed),
            last_answer: Set(Some(answer.to_owned())),
            finished_at: Set(Some(now)),
            leased_until: Set(None),
            ..Default::default()
        })
        .filter(Column::State.is_in([DeliveryState::Due, DeliveryState::Sending]))
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected)
}

/// Clears away what was finished before this, so many at most; says how many it were.
pub async fn delete_finished(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64> {
    prune::delete_before::<Entity>(tx, Column::Id, Column::FinishedAt, before, limit).await
}
