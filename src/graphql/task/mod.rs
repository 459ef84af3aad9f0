//! Tasks: the type here, lists, queries and the verbs of `service::task` beside
//! it.

mod list;
mod mutation;
mod query;

pub use list::{TaskConnection, TaskFilter, TaskOrder};
pub use mutation::TaskMutation;
pub use query::TaskQuery;

pub(super) use list::tasks_of;

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::long_text::long_text;
use super::types::{DateTime, TaskStatus};
use super::user::User;
use super::{access, request_time};
use crate::actor::Actor;
use crate::entity::task::Model;
use crate::error::Result;
use crate::policy;

#[derive(Clone)]
pub struct Task {
    actor: Actor,
    row: Arc<Model>,
}

impl Task {
    pub fn new(actor: Actor, row: impl Into<Arc<Model>>) -> Self {
        Self {
            actor,
            row: row.into(),
        }
    }
}

/// Something to do. Employees see the tasks assigned to them; managers and admins see all.
#[Object]
impl Task {
    /// Opaque and globally unique: a TypeID such as task_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What is to be done, in a line.
    async fn title(&self) -> &str {
        &self.row.title
    }

    /// What is to be done, at length.
    async fn description(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        long_text(ctx, self.row.description.as_deref())
    }

    /// How far it is.
    async fn status(&self) -> TaskStatus {
        self.row.status.into()
    }

    /// Until when it is to be done, if there is such a time.
    async fn deadline(&self) -> Option<DateTime> {
        self.row.deadline.map(DateTime)
    }

    /// The deadline has passed and the task is not COMPLETED.
    async fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        self.row.is_overdue(request_time(ctx))
    }

    /// Who is to do it; null when nobody is.
    async fn assignee(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.assignee_id).await
    }

    /// Who created it; null once that user is deleted.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.created_by).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When it was completed; null while it is not COMPLETED.
    async fn completed_at(&self) -> Option<DateTime> {
        self.row.completed_at.map(DateTime)
    }

    /// Counts the changes to this task; send it back as expectedVersion to refuse a lost update.
    async fn version(&self) -> i32 {
        self.row.version
    }

    /// Whether `updateTask` would be allowed now.
    async fn viewer_can_update(&self) -> bool {
        let verdict = policy::task::may_update(&self.actor, &self.row);
        access::would_allow(&self.actor, access::UPDATE_TASK, verdict)
    }

    /// Whether `assignTask` would be allowed now.
    async fn viewer_can_assign(&self) -> bool {
        let verdict = policy::task::may_assign(&self.actor, &self.row);
        access::would_allow(&self.actor, access::ASSIGN_TASK, verdict)
    }

    /// Whether `setTaskStatus` would be allowed now.
    async fn viewer_can_set_status(&self) -> bool {
        let verdict = policy::task::may_set_status(&self.actor, &self.row);
        access::would_allow(&self.actor, access::SET_TASK_STATUS, verdict)
    }

    /// Whether `deleteTask` would be allowed now.
    async fn viewer_can_delete(&self) -> bool {
        let verdict = policy::task::may_delete(&self.actor, &self.row);
        access::would_allow(&self.actor, access::DELETE_TASK, verdict)
    }
}
