//! Deliveries: written with their cause, claimed by compare-and-set, finished
//! only by the claim that still holds them.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, Iterable,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set,
};

use super::among::among;
use super::change::update_if;
use super::page::newest_first;
use super::{Page, Source, Tx, Window, paused_mail, prune, visible};
use crate::actor::Actor;
use crate::entity::delivery::{ActiveModel, Column, Entity, Model};
use crate::entity::{DeliveryId, DeliveryState, MailKind, UserId};
use crate::error::Result;

/// Adds a delivery; false when this cause has its mail already.
pub async fn insert(tx: &Tx, delivery: Model) -> Result<bool> {
    Ok(insert_many(tx, vec![delivery]).await? == 1)
}

/// Which mails a list is about; None is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeliveryFilter {
    pub kind: Option<Vec<MailKind>>,
    pub state: Option<Vec<DeliveryState>>,
    /// None of them matches nothing.
    pub recipient: Option<Vec<UserId>>,
}

/// The rows that exist for this actor. Those that were written for nobody are nobody's.
fn visible_to(actor: &Actor) -> Condition {
    visible::to_admins(actor).add(Column::Address.ne(""))
}

/// Messages stay where they are: a page of them could be hundreds of megabytes.
fn find_without_messages() -> Select<Entity> {
    let others = Column::iter().filter(|column| !matches!(column, Column::Message));
    Entity::find()
        .select_only()
        .columns(others)
        .column_as(Expr::val(None::<Vec<u8>>), Column::Message)
}

fn select(actor: &Actor, filter: &DeliveryFilter) -> Select<Entity> {
    let mut select = find_without_messages().filter(visible_to(actor));
    if let Some(kinds) = &filter.kind {
        select = select.filter(Column::Kind.is_in(kinds.iter().copied()));
    }
    if let Some(states) = &filter.state {
        select = select.filter(among(Column::State, states, DeliveryState::Sent));
    }
    if let Some(recipients) = &filter.recipient {
        select = select.filter(Column::RecipientId.is_in(recipients.iter().copied()));
    }
    select
}

/// Newest first.
pub async fn list(
    source: &impl Source,
    actor: &Actor,
    filter: &DeliveryFilter,
    window: &Window,
) -> Result<Page<Model>> {
    let select = select(actor, filter);
    newest_first(source, select, (Column::CreatedAt, Column::Id), window).await
}

pub async fn count(source: &impl Source, actor: &Actor, filter: &DeliveryFilter) -> Result<u64> {
    Ok(select(actor, filter).count(source.connection()).await?)
}

pub async fn find_many(
    source: &impl Source,
    actor: &Actor,
    ids: &[DeliveryId],
) -> Result<Vec<Model>> {
    Ok(find_without_messages()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible_to(actor))
        .all(source.connection())
        .await?)
}

/// As `find_to_change`, for somebody who may not see every row.
pub async fn find_to_change_as(tx: &Tx, actor: &Actor, id: DeliveryId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .filter(visible_to(actor))
        .lock_exclusive()
        .one(tx.connection())
        .await?)
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
        state => !state.is_final(),
    }
}

/// Writes what differs if the row still has the fencing number that it was read with; false when
/// another worker took it over.
pub async fn update_if_held(tx: &Tx, before: &Model, after: &Model) -> Result<bool> {
    let is_held = held(before.id, before.fence);
    update_if::<Entity>(tx, before, after, is_held).await
}

/// Says until when whoever has this fencing number holds the row; false when another worker took it
/// over.
pub async fn renew(tx: &Tx, id: DeliveryId, fence: i32, until: DateTime<Utc>) -> Result<bool> {
    let result = Entity::update_many()
        .col_expr(Column::LeasedUntil, Expr::val(until))
        .filter(held(id, fence))
        .exec(tx.connection())
        .await?;
    Ok(result.rows_affected == 1)
}

fn held(id: DeliveryId, fence: i32) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id))
        .add(Column::Fence.eq(fence))
}

/// What is missed is looked for in two ways, each by its own index: what is due, and what its worker
/// left behind.
#[derive(Clone, Copy)]
enum Missed {
    Due,
    LeftBehind,
}

/// What can be claimed and has no job on its way. `ignoring_announcements`: a job that was on its
/// way may have died with the process before this one.
fn missed(which: Missed, now: DateTime<Utc>, ignoring_announcements: bool) -> Select<Entity> {
    let claimable = match which {
        Missed::Due => Condition::all()
            .add(Column::State.eq(DeliveryState::Due))
            .add(Column::DueAt.lte(now))
            .add(Column::Kind.not_in_subquery(paused_mail::kinds())),
        Missed::LeftBehind => Condition::all()
            .add(Column::State.eq(DeliveryState::Sending))
            .add(Column::LeasedUntil.lte(now)),
    };
    let select = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(claimable);
    if ignoring_announcements {
        select
    } else {
        select.filter(Column::AnnouncedUntil.lte(now))
    }
}

/// Whether any mail was missed.
pub async fn exists_missed(
    source: &impl Source,
    now: DateTime<Utc>,
    ignoring_announcements: bool,
) -> Result<bool> {
    for which in [Missed::Due, Missed::LeftBehind] {
        let one: Option<DeliveryId> = missed(which, now, ignoring_announcements)
            .limit(1)
            .into_tuple()
            .one(source.connection())
            .await?;
        if one.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The mails that were missed, in the order in which they are to go, but for those that another
/// worker has just found.
pub async fn list_missed_to_change(
    tx: &Tx,
    now: DateTime<Utc>,
    ignoring_announcements: bool,
    limit: u64,
) -> Result<Vec<(DeliveryId, i32)>> {
    let mut found: Vec<(DeliveryId, i32)> = Vec::new();
    let left_behind = missed(Missed::LeftBehind, now, ignoring_announcements);
    // One priority after the other: an index then has them in order, however many there are.
    let due = MailKind::PRIORITIES.map(|priority| {
        missed(Missed::Due, now, ignoring_announcements).filter(Column::Priority.eq(priority))
    });
    for select in [left_behind].into_iter().chain(due) {
        let room = limit.saturating_sub(found.len() as u64);
        if room == 0 {
            break;
        }
        let rows: Vec<(DeliveryId, i32)> = select
            .column(Column::Priority)
            .order_by_asc(Column::DueAt)
            .limit(room)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple()
            .all(tx.connection())
            .await?;
        found.extend(rows);
    }
    Ok(found)
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

/// Since when the mail that waits longest has been due, but for those that are held back.
pub async fn find_oldest_due(source: &impl Source) -> Result<Option<DateTime<Utc>>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::DueAt)
        .filter(Column::State.eq(DeliveryState::Due))
        .filter(Column::Kind.not_in_subquery(paused_mail::kinds()))
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

/// Adds many at once, but for those whose cause has its mail already. Says how many it were.
pub async fn insert_many(tx: &Tx, deliveries: Vec<Model>) -> Result<u64> {
    if deliveries.is_empty() {
        return Ok(0);
    }
    let rows = deliveries
        .into_iter()
        .map(|delivery| delivery.into_active_model().reset_all());
    let inserted = Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::Kind, Column::RecipientId, Column::Cause])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx.connection())
        .await;
    match inserted {
        Ok(rows) => Ok(rows),
        Err(DbErr::RecordNotInserted) => Ok(0),
        Err(error) => Err(error.into()),
    }
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
