//! Tasks. An employee sees those assigned to them; managers and admins see all.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult,
    IntoActiveModel, Iterable, JoinType, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
    Select,
};

use super::among::among;
use super::change::update_if;
use super::page::Sort;
use super::search;
use super::visible::nothing;
use super::{Engine, Page, Source, Tx, Window};
use crate::actor::Actor;
use crate::entity::task::{Column, Entity, Model};
use crate::entity::{Role, TaskId, TaskStatus, UserId};
use crate::error::Result;

/// Which tasks a list is about; None is any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskFilter {
    pub status: Option<Vec<TaskStatus>>,
    /// None of them matches nothing.
    pub assignee: Option<Vec<UserId>>,
    pub unassigned: Option<bool>,
    pub overdue: Option<bool>,
    /// Deadline at or after this.
    pub deadline_from: Option<DateTime<Utc>>,
    /// Deadline at or before this.
    pub deadline_to: Option<DateTime<Utc>>,
    pub search: Option<String>,
    /// What "overdue" is measured by.
    pub now: DateTime<Utc>,
}

impl TaskFilter {
    pub fn any(now: DateTime<Utc>) -> Self {
        Self {
            status: None,
            assignee: None,
            unassigned: None,
            overdue: None,
            deadline_from: None,
            deadline_to: None,
            search: None,
            now,
        }
    }
}

impl TaskFilter {
    /// The same filter, whenever it is asked. None when the clock changes what it matches.
    pub fn timeless(&self) -> Option<Self> {
        let now = DateTime::<Utc>::MIN_UTC;
        self.overdue.is_none().then(|| Self {
            now,
            ..self.clone()
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskOrderField {
    CreatedAt,
    UpdatedAt,
    Deadline,
    Title,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskOrder {
    pub field: TaskOrderField,
    pub descending: bool,
}

/// The rows that exist for this actor.
fn visible_to(actor: &Actor) -> Condition {
    match actor {
        Actor::System => Condition::all(),
        Actor::User(viewer) if viewer.role >= Role::Manager => Condition::all(),
        Actor::User(viewer) => Condition::all().add(Column::AssigneeId.eq(viewer.id)),
        Actor::Anonymous | Actor::Refused => nothing(),
    }
}

/// The deadline has passed and the task is not completed: what `Model::is_overdue` says of one row.
pub(super) fn overdue(now: DateTime<Utc>) -> Expr {
    Column::Deadline.lt(now).and(is_open())
}

/// The task is not completed, in the words of the index of open tasks. Not a parameter, so that SQLite
/// knows that condition again. Other indexes are better served by `TaskStatus::OPEN`.
pub(super) fn is_open() -> Expr {
    let completed = Expr::Constant(TaskStatus::Completed.name().into());
    Expr::col((Entity, Column::Status)).ne(completed)
}

fn select(engine: Engine, actor: &Actor, filter: &TaskFilter) -> Select<Entity> {
    let mut select = Entity::find().filter(visible_to(actor));
    if let Some(statuses) = &filter.status {
        select = select.filter(among(Column::Status, statuses, TaskStatus::Completed));
    }
    if let Some(assignees) = &filter.assignee {
        select = select.filter(Column::AssigneeId.is_in(assignees.iter().copied()));
    }
    match filter.unassigned {
        Some(true) => select = select.filter(Column::AssigneeId.is_null()),
        Some(false) => select = select.filter(Column::AssigneeId.is_not_null()),
        None => {}
    }
    match filter.overdue {
        Some(true) => {
            // Open tasks are few, completed ones pile up: a range with two ends is what makes SQLite
            // go by the index of the open ones.
            select = select
                .filter(overdue(filter.now))
                .filter(Expr::col((Entity, Column::Deadline)).gt(no_deadline(engine, false)));
        }
        Some(false) => {
            select = select.filter(
                Condition::any()
                    .add(Column::Deadline.is_null())
                    .add(Column::Deadline.gte(filter.now))
                    .add(Column::Status.eq(TaskStatus::Completed)),
            );
        }
        None => {}
    }
    if let Some(from) = filter.deadline_from {
        select = select.filter(Column::Deadline.gte(from));
        if from >= filter.now && filter.deadline_to.is_none() {
            // Deadlines pile up in the past, too, and the ones to come are few.
            select =
                select.filter(Expr::col((Entity, Column::Deadline)).lt(no_deadline(engine, true)));
        }
    }
    if let Some(to) = filter.deadline_to {
        select = select.filter(Column::Deadline.lte(to));
    }
    if let Some(text) = &filter.search {
        select = select.filter(search::matches(engine, "tasks", text));
    }
    select
}

/// The stand-in for "no deadline" that comes after every deadline, or else before.
fn no_deadline(engine: Engine, after: bool) -> Expr {
    match (engine, after) {
        (Engine::Sqlite, true) => Expr::val("~"),
        (Engine::Sqlite, false) => Expr::val(""),
        (Engine::Postgres, true) => Expr::cust("timestamptz 'infinity'"),
        (Engine::Postgres, false) => Expr::cust("timestamptz '-infinity'"),
    }
}

fn sort(engine: Engine, order: TaskOrder) -> Sort {
    // Generated columns, with a stand-in for "no deadline" that comes last in their direction.
    let deadline = if order.descending {
        "deadline_falling"
    } else {
        "deadline_rising"
    };
    let missing = matches!(order.field, TaskOrderField::Deadline)
        .then(|| no_deadline(engine, !order.descending));
    let key = match order.field {
        TaskOrderField::CreatedAt => Expr::col(Column::CreatedAt),
        TaskOrderField::UpdatedAt => Expr::col(Column::UpdatedAt),
        TaskOrderField::Deadline => Expr::col(Alias::new(deadline)),
        TaskOrderField::Title => Expr::col(Column::TitleKey),
    };
    Sort {
        key,
        id: Expr::col(Column::Id),
        descending: order.descending,
        missing,
    }
}

/// What the filter says of deadlines, said once more of the column that a list by deadline is sorted
/// by: its index is then read from where the filter begins, and no further than it goes.
fn narrow(
    select: Select<Entity>,
    filter: &TaskFilter,
    order: TaskOrder,
    sort: &Sort,
) -> Select<Entity> {
    let key = || sort.key.clone();
    let mut bounds = Vec::new();
    if order.field == TaskOrderField::Deadline {
        bounds.extend(filter.deadline_from.map(|from| key().gte(from)));
        bounds.extend(filter.deadline_to.map(|to| key().lte(to)));
        if filter.overdue == Some(true) {
            bounds.push(key().lt(filter.now));
        }
        if !bounds.is_empty() {
            bounds.extend(sort.missing.clone().map(|missing| {
                if order.descending {
                    key().gt(missing)
                } else {
                    key().lt(missing)
                }
            }));
        }
    }
    bounds.into_iter().fold(select, QueryFilter::filter)
}

pub async fn find_many(source: &impl Source, actor: &Actor, ids: &[TaskId]) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible_to(actor))
        .all(source.connection())
        .await?)
}

/// The row as it stands in this transaction, held against other writers until its end.
pub async fn find_to_change(tx: &Tx, actor: &Actor, id: TaskId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .filter(visible_to(actor))
        .lock_exclusive()
        .one(tx.connection())
        .await?)
}

pub async fn list(
    source: &impl Source,
    actor: &Actor,
    filter: &TaskFilter,
    order: TaskOrder,
    window: &Window,
) -> Result<Page<Model>> {
    let sort = sort(source.engine(), order);
    let select = select(source.engine(), actor, filter);
    let rows = sort
        .apply(narrow(select, filter, order, &sort), window)
        .all(source.connection())
        .await?;
    Ok(Page::new(rows, window))
}

/// The same page of each of these assignees' tasks, in one statement, which reads what each list by
/// itself would read.
pub async fn list_by_assignee(
    source: &impl Source,
    actor: &Actor,
    assignees: &[UserId],
    filter: &TaskFilter,
    order: TaskOrder,
    window: &Window,
) -> Result<Vec<(UserId, Page<Model>)>> {
    let engine = source.engine();
    let sort = sort(engine, order);
    // Not narrowed: it is the assignee who leads to few rows, and no index has the bounds besides.
    let page_of = |assignee: Expr| {
        let is_theirs = Expr::col((Entity, Column::AssigneeId)).eq(assignee);
        let theirs = select(engine, actor, filter).filter(is_theirs);
        sort.apply(theirs, window)
    };
    let connection = source.connection();
    let rows = match assignees {
        [] => return Ok(Vec::new()),
        // Nearly always somebody looks at their own.
        [assignee] => page_of(Expr::val(*assignee)).all(connection).await?,
        _ => {
            let reading_order = sort.reading_order(window);
            let statement = of_each(engine, assignees, page_of, &sort.key, &reading_order);
            Entity::find()
                .from_raw_sql(connection.get_database_backend().build(&statement))
                .all(connection)
                .await?
        }
    };
    let mut pages: Vec<(UserId, Vec<Model>)> =
        assignees.iter().map(|id| (*id, Vec::new())).collect();
    for row in rows {
        if let Some((_, of_user)) = pages
            .iter_mut()
            .find(|(id, _)| Some(*id) == row.assignee_id)
        {
            of_user.push(row);
        }
    }
    Ok(pages
        .into_iter()
        .map(|(id, rows)| (id, Page::new(rows, window)))
        .collect())
}

/// The rows of the page that is made for each of these assignees, each page in its order; pages may
/// mingle. Numbering all of their tasks, to take the first numbers, would read and sort every task that
/// they ever had.
fn of_each(
    engine: Engine,
    assignees: &[UserId],
    page_of: impl Fn(Expr) -> Select<Entity>,
    key: &Expr,
    order: &Order,
) -> SelectStatement {
    let (whose, page) = (Alias::new("whose"), Alias::new("page"));
    // What both engines call the only column of a list of values.
    let assignee = Expr::col((whose.clone(), Alias::new("column1")));
    let of_one = page_of(assignee);
    let mut select = Query::select();
    select
        .columns(Column::iter().map(|column| (page.clone(), column)))
        .from_values(assignees.iter().copied(), whose);
    match engine {
        Engine::Postgres => {
            let (of_one, always) = (of_one.expr_as(key.clone(), "sort_key"), Expr::cust("TRUE"));
            select
                .join_lateral(
                    JoinType::InnerJoin,
                    of_one.into_query(),
                    page.clone(),
                    always,
                )
                .order_by((page.clone(), Alias::new("sort_key")), order.clone());
        }
        // It has no LATERAL, but looks again for the ids of each. A cross join it takes in the order
        // in which it is written.
        Engine::Sqlite => {
            let ids = of_one.select_only().column(Column::Id).into_query();
            select
                .join_as(JoinType::CrossJoin, Entity, page.clone(), Condition::all())
                .and_where(Expr::col((page.clone(), Column::Id)).in_subquery(ids))
                .order_by_expr(key.clone(), order.clone());
        }
    }
    select
        .order_by((page, Column::Id), order.clone())
        .to_owned()
}

pub async fn count(source: &impl Source, actor: &Actor, filter: &TaskFilter) -> Result<u64> {
    Ok(select(source.engine(), actor, filter)
        .count(source.connection())
        .await?)
}

/// Those of these people who have something open.
pub async fn find_busy(source: &impl Source, people: &[UserId]) -> Result<Vec<UserId>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find()
        .select_only()
        .column(Column::AssigneeId)
        .distinct()
        .filter(Column::AssigneeId.is_in(people.iter().copied()))
        .filter(Column::Status.is_in(TaskStatus::OPEN))
        .into_tuple()
        .all(source.connection())
        .await?)
}

#[derive(FromQueryResult)]
struct AssigneeCount {
    assignee_id: UserId,
    count: i64,
}

/// How many tasks each of these assignees has; one without any is left out.
pub async fn count_by_assignee(
    source: &impl Source,
    actor: &Actor,
    assignees: &[UserId],
    filter: &TaskFilter,
) -> Result<Vec<(UserId, u64)>> {
    let counts = select(source.engine(), actor, filter)
        .filter(Column::AssigneeId.is_in(assignees.to_vec()))
        .select_only()
        .column(Column::AssigneeId)
        .column_as(Column::Id.count(), "count")
        .group_by(Column::AssigneeId)
        .into_model::<AssigneeCount>()
        .all(source.connection())
        .await?;
    Ok(counts
        .into_iter()
        .map(|row| (row.assignee_id, u64::try_from(row.count).unwrap_or(0)))
        .collect())
}

pub async fn insert(tx: &Tx, task: Model) -> Result<()> {
    Entity::insert(task.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// Writes what differs if the task still has this version; false when it has moved on.
pub async fn update_if_version(
    tx: &Tx,
    before: &Model,
    after: &Model,
    version: i32,
) -> Result<bool> {
    let is_unchanged = Condition::all()
        .add(Column::Id.eq(before.id))
        .add(Column::Version.eq(version));
    update_if::<Entity>(tx, before, after, is_unchanged).await
}

/// Takes every task back from this user.
pub async fn unassign_all_of(tx: &Tx, user_id: UserId, now: DateTime<Utc>) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::AssigneeId, Expr::val(None::<UserId>))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .filter(Column::AssigneeId.eq(user_id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

pub async fn delete(tx: &Tx, id: TaskId) -> Result<()> {
    Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}
