//! Figures. Each is counted by the same conditions as the list that it sums up,
//! so the two cannot disagree.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Asterisk, CaseStatement, Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::Source;
use super::task::{is_open, overdue};
use crate::entity::{Role, TaskStatus, UserId, UserStatus, task, user};
use crate::error::{Error, Result};

#[derive(Clone, Debug, FromQueryResult, Serialize, Deserialize)]
pub struct UserCount {
    pub role: Role,
    pub status: UserStatus,
    pub count: i64,
}

#[derive(Clone, Debug, FromQueryResult, Serialize, Deserialize)]
pub struct TaskCount {
    pub status: TaskStatus,
    pub count: i64,
    pub overdue: i64,
    pub unassigned: i64,
}

/// Users by role and status; combinations that nobody has are left out.
pub async fn count_users(source: &impl Source) -> Result<Vec<UserCount>> {
    Ok(user::Entity::find()
        .select_only()
        .column(user::Column::Role)
        .column(user::Column::Status)
        .column_as(user::Column::Id.count(), "count")
        .group_by(user::Column::Role)
        .group_by(user::Column::Status)
        .into_model()
        .all(source.connection())
        .await?)
}

/// Tasks by status; a status that no task has is left out.
pub async fn count_tasks(source: &impl Source, now: DateTime<Utc>) -> Result<Vec<TaskCount>> {
    Ok(task::Entity::find()
        .select_only()
        .column(task::Column::Status)
        .column_as(task::Column::Id.count(), "count")
        .column_as(count_where(overdue(now)), "overdue")
        .column_as(
            count_where(task::Column::AssigneeId.is_null()),
            "unassigned",
        )
        .group_by(task::Column::Status)
        .into_model()
        .all(source.connection())
        .await?)
}

/// When the next open task becomes overdue. Until then the clock alone changes no figure.
pub async fn find_next_deadline(
    source: &impl Source,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    Ok(task::Entity::find()
        .select_only()
        .column(task::Column::Deadline)
        .filter(task::Column::Deadline.gte(now))
        .filter(is_open())
        .order_by_asc(task::Column::Deadline)
        .limit(1)
        .into_tuple()
        .one(source.connection())
        .await?)
}

/// One person's open tasks, and what they completed lately.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OwnTaskCount {
    pub open: i64,
    pub overdue: i64,
    pub due_today: i64,
    pub completed_lately: i64,
}

/// `today` is the person's own day; `lately` is since when completed tasks count. What was completed
/// before that is most of what a person ever had, and is not read.
pub async fn count_own_tasks(
    source: &impl Source,
    user_id: UserId,
    now: DateTime<Utc>,
    today: (DateTime<Utc>, DateTime<Utc>),
    lately: DateTime<Utc>,
) -> Result<OwnTaskCount> {
    let own = || task::Column::AssigneeId.eq(user_id);
    let is_due_today = task::Column::Deadline
        .gte(today.0)
        .and(task::Column::Deadline.lt(today.1));
    // Whatever has such an instant is completed.
    let completed_lately = Query::select()
        .expr(Expr::col(Asterisk).count())
        .from(task::Entity)
        .and_where(own())
        .and_where(task::Column::CompletedAt.gte(lately))
        .to_owned();
    let counts = task::Entity::find()
        .select_only()
        .expr_as(Expr::col(Asterisk).count(), "open")
        .expr_as(count_where(overdue(now)), "overdue")
        .expr_as(count_where(is_due_today), "due_today")
        .expr_as(completed_lately, "completed_lately")
        .filter(own())
        .filter(task::Column::Status.is_in(TaskStatus::OPEN))
        .into_model()
        .one(source.connection())
        .await?;
    counts.ok_or_else(|| Error::internal("a count without a group gave no row"))
}

/// How many rows of the group meet the condition.
pub(super) fn count_where(condition: Expr) -> Expr {
    Func::coalesce([
        Expr::from(Func::sum(
            CaseStatement::new().case(condition, 1).finally(0),
        )),
        Expr::val(0),
    ])
    .into()
}
