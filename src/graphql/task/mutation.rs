//! The verbs of `service::task`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::Task;
use crate::error::Result;
use crate::graphql::access::{self, auth};
use crate::graphql::muster;
use crate::graphql::payload::{UserError, patch, payloads, settle};
use crate::graphql::types::{DateTime, TaskStatus};
use crate::service;

/// What a new task is.
#[derive(InputObject)]
struct CreateTaskInput {
    /// 1 to 255 characters.
    title: String,
    /// At most 10,000 characters.
    description: Option<String>,
    /// Until when it is to be done.
    deadline: Option<DateTime>,
    /// Who is to do it: an active employee or manager.
    assignee_id: Option<ID>,
}

/// The answer to `createTask`.
#[derive(SimpleObject, Default)]
struct CreateTaskPayload {
    /// The new task; null when there are userErrors.
    task: Option<Task>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Changes to a task. An absent field stays as it is; null clears it.
#[derive(InputObject)]
struct UpdateTaskInput {
    /// Which task to change.
    task_id: ID,
    /// 1 to 255 characters; cannot be cleared.
    title: MaybeUndefined<String>,
    /// At most 10,000 characters.
    description: MaybeUndefined<String>,
    /// Until when it is to be done.
    deadline: MaybeUndefined<DateTime>,
    /// The `version` that the change was made on. When the task has moved on since, the answer is
    /// VERSION_CONFLICT and nothing is changed.
    expected_version: Option<i32>,
}

/// The answer to `updateTask`.
#[derive(SimpleObject, Default)]
struct UpdateTaskPayload {
    /// The task as changed; null when there are userErrors.
    task: Option<Task>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// How far a task is.
#[derive(InputObject)]
struct SetTaskStatusInput {
    /// Which task.
    task_id: ID,
    /// How far it is now.
    status: TaskStatus,
    /// The `version` that the change was made on; VERSION_CONFLICT when the task has moved on.
    expected_version: Option<i32>,
}

/// The answer to `setTaskStatus`.
#[derive(SimpleObject, Default)]
struct SetTaskStatusPayload {
    /// The task as changed; null when there are userErrors.
    task: Option<Task>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Who is to do a task.
#[derive(InputObject)]
struct AssignTaskInput {
    /// Which task.
    task_id: ID,
    /// An active employee or manager. Null takes the task back from its assignee; absent is BLANK.
    assignee_id: MaybeUndefined<ID>,
    /// The `version` that the change was made on; VERSION_CONFLICT when the task has moved on.
    expected_version: Option<i32>,
}

/// The answer to `assignTask`.
#[derive(SimpleObject, Default)]
struct AssignTaskPayload {
    /// The task as changed; null when there are userErrors.
    task: Option<Task>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which task to delete.
#[derive(InputObject)]
struct DeleteTaskInput {
    /// Which task.
    task_id: ID,
}

/// The answer to `deleteTask`.
#[derive(SimpleObject, Default)]
struct DeleteTaskPayload {
    /// The id of the task that is no more, for evicting from caches; null when there are userErrors.
    deleted_task_id: Option<ID>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(
    CreateTaskPayload,
    UpdateTaskPayload,
    SetTaskStatusPayload,
    AssignTaskPayload,
    DeleteTaskPayload,
);

#[derive(Default)]
pub struct TaskMutation;

#[Object]
impl TaskMutation {
    /// Creates a task, PENDING, and assigns it if there is an assignee. Requires MANAGER.
    #[graphql(directive = auth::apply(access::CREATE_TASK.into()))]
    async fn create_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the task is.")] input: CreateTaskInput,
    ) -> Option<Result<CreateTaskPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::CREATE_TASK)?;
                let input = service::task::CreateTask {
                    title: input.title,
                    description: input.description,
                    deadline: input.deadline.map(|at| at.0),
                    assignee_id: input.assignee_id.map(|id| id.parse().ok()),
                };
                let cx = muster(ctx);
                let verb = || service::task::create(cx, &actor, input.clone());
                let answer = cx.retried(verb).await;
                settle(answer, |task| CreateTaskPayload {
                    task: Some(Task::new(actor, task)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Changes what a task is. Requires MANAGER.
    #[graphql(directive = auth::apply(access::UPDATE_TASK.into()))]
    async fn update_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and the changes.")] input: UpdateTaskInput,
    ) -> Option<Result<UpdateTaskPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::UPDATE_TASK)?;
                let input = service::task::UpdateTask {
                    task_id: input.task_id.parse().ok(),
                    title: patch(input.title, |text| text),
                    description: patch(input.description, |text| text),
                    deadline: patch(input.deadline, |at| at.0),
                    expected_version: input.expected_version,
                };
                let cx = muster(ctx);
                let verb = || service::task::update(cx, &actor, input.clone());
                let answer = cx.retried(verb).await;
                settle(answer, |task| UpdateTaskPayload {
                    task: Some(Task::new(actor, task)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Says how far a task is. For the assignee, managers and admins. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::SET_TASK_STATUS.into()))]
    async fn set_task_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and how far it is.")] input: SetTaskStatusInput,
    ) -> Option<Result<SetTaskStatusPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::SET_TASK_STATUS)?;
                let id = input.task_id.parse().ok();
                let status = input.status.into();
                let version = input.expected_version;
                let cx = muster(ctx);
                let verb = || service::task::set_status(cx, &actor, id, status, version);
                let answer = cx.retried(verb).await;
                settle(answer, |task| SetTaskStatusPayload {
                    task: Some(Task::new(actor, task)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Gives a task to somebody, or takes it back. Only active employees and managers can be
    /// assigned; others are NOT_ASSIGNABLE, unknown ones NOT_FOUND. Requires MANAGER.
    #[graphql(directive = auth::apply(access::ASSIGN_TASK.into()))]
    async fn assign_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and who is to do it.")] input: AssignTaskInput,
    ) -> Option<Result<AssignTaskPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::ASSIGN_TASK)?;
                let id = input.task_id.parse().ok();
                let assignee = patch(input.assignee_id, |id| id.parse().ok());
                let version = input.expected_version;
                let cx = muster(ctx);
                let verb = || service::task::assign(cx, &actor, id, assignee.clone(), version);
                let answer = cx.retried(verb).await;
                settle(answer, |task| AssignTaskPayload {
                    task: Some(Task::new(actor, task)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Deletes a task for good. Requires MANAGER.
    #[graphql(directive = auth::apply(access::DELETE_TASK.into()))]
    async fn delete_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task.")] input: DeleteTaskInput,
    ) -> Option<Result<DeleteTaskPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::DELETE_TASK)?;
                let id = input.task_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::task::delete(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |id| DeleteTaskPayload {
                    deleted_task_id: Some(id.to_string().into()),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
