//! Reading tasks.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::Task;
use super::list::{TaskConnection, TaskFilter, TaskList, TaskOrder};
use crate::error::Result;
use crate::graphql::access::{self, auth};
use crate::graphql::muster;
use crate::graphql::page::PageArguments;
use crate::store;

#[derive(Default)]
pub struct TaskQuery;

#[Object]
impl TaskQuery {
    /// A task, for its assignee, managers and admins. Null when there is no such task or the
    /// viewer may not see it. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::TASK.into()))]
    async fn task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's global id.")] id: ID,
    ) -> Option<Result<Task>> {
        async {
            let actor = access::require(ctx, access::TASK)?;
            let Ok(id) = id.parse() else {
                return Ok(None);
            };
            let found = store::task::find_many(&muster(ctx).db, &actor, &[id]).await?;
            Ok(found.into_iter().next().map(|row| Task::new(actor, row)))
        }
        .await
        .transpose()
    }

    /// All tasks, newest first unless orderBy says otherwise. Requires MANAGER; employees find
    /// theirs in `viewer.tasks`.
    #[graphql(directive = auth::apply(access::TASKS.into()))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the tasks; all of them when absent.")] filter: Option<
            TaskFilter,
        >,
        #[graphql(desc = "In which order; newest first when absent.")] order_by: Option<TaskOrder>,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<TaskConnection> {
        let actor = access::require(ctx, access::TASKS)?;
        let list = TaskList::new(ctx, filter.unwrap_or_default(), order_by, None)?;
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list.id)?;
        let db = &muster(ctx).db;
        let page = store::task::list(db, &actor, &list.filter, list.order, &window).await?;
        Ok(TaskConnection::new(actor, Arc::new(page.shared()), list))
    }
}
