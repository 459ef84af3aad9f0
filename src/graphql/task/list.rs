//! Lists of tasks: filter, order, connection.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject};

use super::Task;
use crate::actor::Actor;
use crate::entity::UserId;
use crate::entity::task::Model;
use crate::error::Result;
use crate::graphql::connection::{List, connection};
use crate::graphql::loader::TaskList as LoaderList;
use crate::graphql::page::{ListId, PageArguments, SortKind, search_text};
use crate::graphql::types::{DateTime, OrderDirection, TaskStatus};
use crate::graphql::{figures, loaders, muster, request_time};
use crate::store::{self, Position, SortKey};

/// Which tasks a list is about. Fields are joined by AND; null is as good as absent.
#[derive(InputObject, Default)]
pub struct TaskFilter {
    /// Tasks of any of these statuses; an empty list matches nothing.
    status: Option<Vec<TaskStatus>>,
    /// Tasks assigned to this user; an unknown one has none.
    assignee_id: Option<ID>,
    /// True: tasks that nobody is assigned to. False: tasks that somebody is.
    unassigned: Option<bool>,
    /// True: tasks whose `isOverdue` is true. False: all others.
    overdue: Option<bool>,
    /// Tasks with a deadline at this instant or later.
    deadline_from: Option<DateTime>,
    /// Tasks with a deadline at this instant or earlier.
    deadline_to: Option<DateTime>,
    /// Full-text match on title and description: every word must begin a word of them, without
    /// regard to case and accents. At most 16 words of 200 characters in all.
    search: Option<String>,
}

/// What tasks can be sorted by.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "store::task::TaskOrderField")]
pub enum TaskOrderField {
    /// When they were created.
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// Until when they are to be done. Tasks without a deadline come last in either direction.
    Deadline,
    /// Alphabetically, without regard to case.
    Title,
}

/// How a list of tasks is sorted; ties are broken by id in the same direction.
#[derive(InputObject)]
pub struct TaskOrder {
    /// What to sort by.
    field: TaskOrderField,
    /// Which end comes first.
    direction: OrderDirection,
}

pub struct TaskList {
    pub id: ListId,
    pub filter: Arc<store::task::TaskFilter>,
    pub order: store::task::TaskOrder,
    /// Whose tasks, in the list on a user.
    assignee: Option<UserId>,
}

impl TaskList {
    pub fn new(
        ctx: &Context<'_>,
        filter: TaskFilter,
        order: Option<TaskOrder>,
        assignee: Option<UserId>,
    ) -> Result<Self> {
        let now = request_time(ctx);
        let filter = store::task::TaskFilter {
            status: filter
                .status
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
            // A garbled id is nobody's.
            assignee: filter
                .assignee_id
                .map(|id| id.parse().ok().into_iter().collect()),
            unassigned: filter.unassigned,
            overdue: filter.overdue,
            deadline_from: filter.deadline_from.map(|at| at.0),
            deadline_to: filter.deadline_to.map(|at| at.0),
            search: search_text(filter.search)?,
            now,
        };
        let order = store::task::TaskOrder {
            field: order
                .as_ref()
                .map_or(store::task::TaskOrderField::CreatedAt, |order| {
                    order.field.into()
                }),
            descending: order.is_none_or(|order| order.direction == OrderDirection::Desc),
        };
        let sorted_by = match order.field {
            store::task::TaskOrderField::CreatedAt | store::task::TaskOrderField::UpdatedAt => {
                SortKind::Instant
            }
            store::task::TaskOrderField::Deadline => SortKind::InstantOrMissing,
            store::task::TaskOrderField::Title => SortKind::Text,
        };
        // The next page is asked for later, so the list is not known by its time.
        let timeless = store::task::TaskFilter {
            now: chrono::DateTime::UNIX_EPOCH,
            ..filter.clone()
        };
        Ok(Self {
            id: ListId::new("tasks", &timeless, &order, sorted_by),
            filter: Arc::new(filter),
            order,
            assignee,
        })
    }
}

impl List for TaskList {
    type Row = Model;

    fn id(&self) -> ListId {
        self.id
    }

    fn position(&self, row: &Model) -> Position {
        use store::task::TaskOrderField;
        Position {
            id: row.id.0,
            key: match self.order.field {
                TaskOrderField::CreatedAt => SortKey::Instant(row.created_at),
                TaskOrderField::UpdatedAt => SortKey::Instant(row.updated_at),
                TaskOrderField::Deadline => row.deadline.map_or(SortKey::Missing, SortKey::Instant),
                TaskOrderField::Title => SortKey::Text(row.title_key.clone()),
            },
        }
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        if let Some(assignee) = self.assignee {
            let filter = Arc::clone(&self.filter);
            return loaders(ctx).count_tasks_of(actor, assignee, filter).await;
        }
        let count = || store::task::count(&muster(ctx).db, &actor, &self.filter);
        let filter = self.filter.timeless().map(|filter| format!("{filter:?}"));
        figures::total(ctx, "tasks", &actor, filter.as_deref(), count).await
    }
}

connection!(TaskConnection, TaskEdge, Task, Model, TaskList);

/// The tasks of one user, loaded together with those of the other users of this request.
pub async fn tasks_of(
    ctx: &Context<'_>,
    actor: Actor,
    assignee: UserId,
    filter: Option<TaskFilter>,
    order: Option<TaskOrder>,
    page: PageArguments,
) -> Result<TaskConnection> {
    let list = TaskList::new(ctx, filter.unwrap_or_default(), order, Some(assignee))?;
    let wanted = LoaderList {
        filter: store::task::TaskFilter::clone(&list.filter),
        order: list.order,
        window: page.window(list.id)?,
    };
    let page = loaders(ctx)
        .tasks_of(actor, assignee, Arc::new(wanted))
        .await?;
    Ok(TaskConnection::new(actor, page, list))
}
