//! What the report on tasks counts and lists besides the figures of `stats`. Each statement reads
//! the rows of its period, or the open ones, by an index, and no others.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Asterisk, CaseStatement, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use serde::Deserialize;

use super::page::Sort;
use super::stats::count_where;
use super::task::overdue;
use super::{Page, Source, Window};
use crate::entity::task::{Column, Entity, Model};
use crate::entity::{TaskStatus, UserId};
use crate::error::Result;

/// What happens once to a task, or once again when it was taken up anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    Creation,
    Completion,
}

impl Happening {
    fn column(self) -> Column {
        match self {
            Self::Creation => Column::CreatedAt,
            Self::Completion => Column::CompletedAt,
        }
    }
}

/// From `since` on and before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Period {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Period {
    fn has(self, happening: Happening) -> Condition {
        let column = happening.column();
        Condition::all()
            .add(column.gte(self.since))
            .add(column.lt(self.until))
    }
}

/// When the first task was created that there is.
pub async fn find_first_creation(source: &impl Source) -> Result<Option<DateTime<Utc>>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::CreatedAt)
        .order_by_asc(Column::CreatedAt)
        .limit(1)
        .into_tuple()
        .one(source.connection())
        .await?)
}

/// How often it happened between each of these instants, which rise, and the next.
pub async fn count_between(
    source: &impl Source,
    happening: Happening,
    instants: &[DateTime<Utc>],
) -> Result<Vec<u64>> {
    let ([since, ends @ ..], Some(until)) = (instants, instants.last()) else {
        return Ok(Vec::new());
    };
    let mut counts = vec![0; ends.len()];
    if ends.is_empty() {
        return Ok(counts);
    }
    let period = Period {
        since: *since,
        until: *until,
    };
    // The first end that it is before; whatever is before none was left out by the period.
    let mut interval = CaseStatement::new();
    for (number, end) in (0_i32..).zip(ends) {
        interval = interval.case(happening.column().lt(*end), number);
    }
    let rows: Vec<(i32, i64)> = Entity::find()
        .select_only()
        .expr_as(interval, "interval_number")
        .expr_as(Expr::col(Asterisk).count(), "count")
        .filter(period.has(happening))
        // By its name: PostgreSQL takes the same words with other parameters for something else.
        .group_by(Expr::col(Alias::new("interval_number")))
        .into_tuple()
        .all(source.connection())
        .await?;
    for (number, count) in rows {
        let place = usize::try_from(number).ok();
        if let Some(place) = place.and_then(|number| counts.get_mut(number)) {
            *place = count.unsigned_abs();
        }
    }
    Ok(counts)
}

/// One person's open tasks.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OpenCount {
    pub assignee_id: UserId,
    pub open: i64,
    pub overdue: i64,
}

/// Who has most open tasks, beginning with the most.
pub async fn list_busiest(
    source: &impl Source,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<OpenCount>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::AssigneeId)
        .expr_as(Expr::col(Asterisk).count(), "open")
        .expr_as(count_where(overdue(now)), "overdue")
        .filter(Column::AssigneeId.is_not_null())
        .filter(Column::Status.is_in(TaskStatus::OPEN))
        .group_by(Column::AssigneeId)
        .order_by_desc(Expr::col(Alias::new("open")))
        .order_by_desc(Expr::col(Alias::new("overdue")))
        .order_by_asc(Column::AssigneeId)
        .limit(limit)
        .into_model()
        .all(source.connection())
        .await?)
}

/// How many tasks of each of these people were completed in the period; who completed none is left
/// out.
pub async fn count_completed_of(
    source: &impl Source,
    assignees: &[UserId],
    period: Period,
) -> Result<Vec<(UserId, u64)>> {
    let rows: Vec<(UserId, i64)> = Entity::find()
        .select_only()
        .column(Column::AssigneeId)
        .expr_as(Expr::col(Asterisk).count(), "count")
        .filter(Column::AssigneeId.is_in(assignees.iter().copied()))
        .filter(period.has(Happening::Completion))
        .group_by(Column::AssigneeId)
        .into_tuple()
        .all(source.connection())
        .await?;
    let count = |(id, count): (UserId, i64)| (id, count.unsigned_abs());
    Ok(rows.into_iter().map(count).collect())
}

/// Which completed tasks a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// Those that were completed in the period.
    Within,
    /// Those that were created in the period, but completed outside of it.
    Elsewhere,
}

fn select_completed(which: Completed, period: Period) -> Select<Entity> {
    match which {
        // Whatever has such an instant is completed. To say so would make SQLite read all that is.
        Completed::Within => Entity::find().filter(period.has(Happening::Completion)),
        Completed::Elsewhere => Entity::find()
            .filter(Column::Status.eq(TaskStatus::Completed))
            .filter(period.has(Happening::Creation))
            .filter(period.has(Happening::Completion).not()),
    }
}

/// What happened last comes first.
pub async fn list_completed(
    source: &impl Source,
    which: Completed,
    period: Period,
    window: &Window,
) -> Result<Page<Model>> {
    let column = match which {
        Completed::Within => Column::CompletedAt,
        Completed::Elsewhere => Column::CreatedAt,
    };
    let sort = Sort {
        key: Expr::col(column),
        id: Expr::col(Column::Id),
        descending: true,
        missing: None,
    };
    let rows = sort
        .apply(select_completed(which, period), window)
        .all(source.connection())
        .await?;
    Ok(Page::new(rows, window))
}

pub async fn count_completed(
    source: &impl Source,
    which: Completed,
    period: Period,
) -> Result<u64> {
    Ok(select_completed(which, period)
        .count(source.connection())
        .await?)
}
