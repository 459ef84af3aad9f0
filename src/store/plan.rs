//! When each person is to be told something. A row is looked at once its time has
//! come, by one planner at a time.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Query,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::{Source, Tx};
use crate::entity::plan::{Column, Entity, Model};
use crate::entity::{MailKind, UserId, untold_assignment, user};
use crate::error::Result;

/// What everybody has a plan of, from their first day.
pub const BY_CALENDAR: [MailKind; 2] = [MailKind::DailyReminder, MailKind::TaskReport];

/// Whether there is anything to look at.
pub async fn exists_due(source: &impl Source, now: DateTime<Utc>) -> Result<bool> {
    let one: Option<UserId> = Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::DueAt.lte(now))
        .limit(1)
        .into_tuple()
        .one(source.connection())
        .await?;
    Ok(one.is_some())
}

/// What is to be looked at, longest due first, but for what another planner has just found.
pub async fn list_due_to_change(tx: &Tx, now: DateTime<Utc>, limit: u64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(tx.connection())
        .await?)
}

pub async fn find(source: &impl Source, user_id: UserId, kind: MailKind) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((user_id, kind))
        .one(source.connection())
        .await?)
}

/// Writes these in the place of what was there.
pub async fn save_many(tx: &Tx, plans: Vec<Model>) -> Result<()> {
    if plans.is_empty() {
        return Ok(());
    }
    let rows = plans
        .into_iter()
        .map(|plan| plan.into_active_model().reset_all());
    Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::UserId, Column::Kind])
                .update_columns([Column::DueAt, Column::DecidedOn, Column::QuietUntil])
                .to_owned(),
        )
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// For somebody who is new: the planner looks at them at once.
pub(super) async fn insert_of(tx: &Tx, user_id: UserId, now: DateTime<Utc>) -> Result<()> {
    save_many(tx, plans_of(user_id, now).into()).await
}

fn plans_of(user_id: UserId, now: DateTime<Utc>) -> [Model; 2] {
    BY_CALENDAR.map(|kind| Model {
        user_id,
        kind,
        due_at: now,
        decided_on: None,
        quiet_until: None,
    })
}

/// Lets the planner look at what this user is told by the calendar, since what it goes by has
/// changed. `anew`: they were not told anything before, so nothing is missed.
pub(super) async fn look_again(
    tx: &Tx,
    user_id: UserId,
    anew: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut update = Entity::update_many()
        .col_expr(Column::DueAt, Expr::val(now))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Kind.is_in(BY_CALENDAR));
    if anew {
        update = update.col_expr(Column::DecidedOn, Expr::val(None::<NaiveDate>));
    }
    update.exec(tx.connection()).await?;
    Ok(())
}

/// Plans that these people be told of what is gathered: now, or once they have had some quiet.
pub async fn gather(
    tx: &Tx,
    user_ids: &[UserId],
    kind: MailKind,
    now: DateTime<Utc>,
) -> Result<()> {
    if user_ids.is_empty() {
        return Ok(());
    }
    let rows = user_ids.iter().map(|user_id| {
        let plan = Model {
            user_id: *user_id,
            kind,
            due_at: now,
            decided_on: None,
            quiet_until: None,
        };
        plan.into_active_model().reset_all()
    });
    Entity::insert_many(rows)
        .on_conflict(once_it_is_quiet(now))
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// What is planned already stays as it is.
fn once_it_is_quiet(now: DateTime<Utc>) -> OnConflict {
    let quiet_until = || Expr::col((Entity, Column::QuietUntil));
    let due_at = || Expr::col((Entity, Column::DueAt));
    let is_idle = due_at().eq(Model::NEVER);
    let due = CaseStatement::new()
        .case(is_idle.not(), due_at())
        .case(quiet_until().gt(now), quiet_until())
        .finally(now);
    OnConflict::columns([Column::UserId, Column::Kind])
        .value(Column::DueAt, due)
        .to_owned()
}

/// For a copy of a database: what the original may have told is not told again. By the calendar,
/// nothing that is past now is caught up on; what was gathered is dropped.
pub(super) async fn settle_copy(tx: &Tx, now: DateTime<Utc>) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::val(now))
        .col_expr(Column::DecidedOn, Expr::val(None::<NaiveDate>))
        .filter(Column::Kind.is_in(BY_CALENDAR))
        .exec(tx.connection())
        .await?;
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::val(Model::NEVER))
        .filter(Column::Kind.is_not_in(BY_CALENDAR))
        .exec(tx.connection())
        .await?;
    untold_assignment::Entity::delete_many()
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// The next people who have no plans, as from the time before there were any.
pub async fn find_unplanned(
    source: &impl Source,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<UserId>> {
    let planned = Query::select()
        .column(Column::UserId)
        .from(Entity)
        .and_where(Expr::col((Entity, Column::UserId)).equals((user::Entity, user::Column::Id)))
        .and_where(Column::Kind.eq(MailKind::DailyReminder))
        .to_owned();
    Ok(next_people(after, limit)
        .filter(Expr::exists(planned).not())
        .into_tuple()
        .all(source.connection())
        .await?)
}

/// Gives plans to these people, but for those whom another process has just given theirs.
pub async fn adopt(tx: &Tx, people: &[UserId], now: DateTime<Utc>) -> Result<()> {
    let rows = people
        .iter()
        .flat_map(|user_id| plans_of(*user_id, now))
        .map(|plan| plan.into_active_model().reset_all());
    let inserted = Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::UserId, Column::Kind])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx.connection())
        .await;
    match inserted {
        Ok(_) | Err(DbErr::RecordNotInserted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Lets the planner look at what the next people are told by the calendar. Says who was the last of
/// them; None when there are no more people.
pub async fn look_again_at_all(
    tx: &Tx,
    after: Option<UserId>,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Option<UserId>> {
    let people: Vec<UserId> = next_people(after, limit)
        .into_tuple()
        .all(tx.connection())
        .await?;
    if !people.is_empty() {
        Entity::update_many()
            .col_expr(Column::DueAt, Expr::val(now))
            .filter(Column::UserId.is_in(people.iter().copied()))
            .filter(Column::Kind.is_in(BY_CALENDAR))
            .exec(tx.connection())
            .await?;
    }
    Ok(people.last().copied())
}

fn next_people(after: Option<UserId>, limit: u64) -> Select<user::Entity> {
    let mut select = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .order_by_asc(user::Column::Id)
        .limit(limit);
    if let Some(after) = after {
        select = select.filter(user::Column::Id.gt(after));
    }
    select
}
