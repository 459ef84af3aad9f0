//! Tasks: the type, the lists, and the verbs of `service::task`.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::access::{self, auth};
use super::connection::connection;
use super::loader::TaskList as LoaderList;
use super::page::{ListId, PageArguments};
use super::payload::{UserError, patch, payloads, settle};
use super::types::{DateTime, OrderDirection, TaskStatus};
use super::user::User;
use super::{loaders, muster, request_time};
use crate::actor::Actor;
use crate::entity::UserId;
use crate::entity::task::Model;
use crate::error::Result;
use crate::policy;
use crate::service;
use crate::store::{self, Position, SortKey};

/// Something to do. Employees see the tasks assigned to them; managers and admins see all.
#[derive(Clone)]
pub struct Task {
    actor: Actor,
    row: Model,
}

impl Task {
    pub fn new(actor: Actor, row: Model) -> Self {
        Self { actor, row }
    }
}

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
    async fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
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
        policy::task::may_update(&self.actor, &self.row).is_ok()
    }

    /// Whether `assignTask` would be allowed now.
    async fn viewer_can_assign(&self) -> bool {
        policy::task::may_assign(&self.actor, &self.row).is_ok()
    }

    /// Whether `setTaskStatus` would be allowed now.
    async fn viewer_can_set_status(&self) -> bool {
        policy::task::may_set_status(&self.actor, &self.row).is_ok()
    }

    /// Whether `deleteTask` would be allowed now.
    async fn viewer_can_delete(&self) -> bool {
        policy::task::may_delete(&self.actor, &self.row).is_ok()
    }
}

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
    /// regard to case and accents.
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

/// Blank text is none.
pub(super) fn search_text(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

pub struct TaskList {
    id: ListId,
    filter: Arc<store::task::TaskFilter>,
    order: store::task::TaskOrder,
    /// Whose tasks, in the list on a user.
    assignee: Option<UserId>,
}

impl TaskList {
    fn new(
        ctx: &Context<'_>,
        filter: TaskFilter,
        order: Option<TaskOrder>,
        assignee: Option<UserId>,
    ) -> Self {
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
            search: search_text(filter.search),
            now,
        };
        let order = store::task::TaskOrder {
            field: order
                .as_ref()
                .map_or(store::task::TaskOrderField::CreatedAt, |order| order.field.into()),
            descending: order.is_none_or(|order| order.direction == OrderDirection::Desc),
        };
        // The next page is asked for later, so the list is not known by its time.
        let timeless = store::task::TaskFilter {
            now: chrono::DateTime::UNIX_EPOCH,
            ..filter.clone()
        };
        Self {
            id: ListId::new("tasks", &timeless, &order),
            filter: Arc::new(filter),
            order,
            assignee,
        }
    }

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
                TaskOrderField::Deadline => {
                    row.deadline.map_or(SortKey::Missing, SortKey::Instant)
                }
                TaskOrderField::Title => SortKey::Text(row.title_key.clone()),
            },
        }
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        match self.assignee {
            Some(assignee) => {
                let filter = Arc::clone(&self.filter);
                loaders(ctx).count_tasks_of(actor, assignee, filter).await
            }
            None => store::task::count(&muster(ctx).db, &actor, &self.filter).await,
        }
    }
}

connection!(TaskConnection, TaskEdge, Task, Model, TaskList);

/// The tasks of one user, loaded together with those of the other users of this request.
pub(super) async fn tasks_of(
    ctx: &Context<'_>,
    actor: Actor,
    assignee: UserId,
    filter: Option<TaskFilter>,
    order: Option<TaskOrder>,
    page: PageArguments,
) -> Result<TaskConnection> {
    let list = TaskList::new(ctx, filter.unwrap_or_default(), order, Some(assignee));
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
    #[allow(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the tasks; all of them when absent.")] filter: Option<TaskFilter>,
        #[graphql(desc = "In which order; newest first when absent.")] order_by: Option<TaskOrder>,
        #[graphql(desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<TaskConnection> {
        let actor = access::require(ctx, access::TASKS)?;
        let list = TaskList::new(ctx, filter.unwrap_or_default(), order_by, None);
        let window = PageArguments { first, after, last, before }.window(list.id)?;
        let db = &muster(ctx).db;
        let page = store::task::list(db, &actor, &list.filter, list.order, &window).await?;
        Ok(TaskConnection::new(actor, Arc::new(page), list))
    }
}

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
                let answer = service::task::create(muster(ctx), &actor, input).await;
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
                let answer = service::task::update(muster(ctx), &actor, input).await;
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
                let answer =
                    service::task::set_status(muster(ctx), &actor, id, status, version).await;
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
                let answer =
                    service::task::assign(muster(ctx), &actor, id, assignee, version).await;
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
                let answer = service::task::delete(muster(ctx), &actor, id).await;
                settle(answer, |id| DeleteTaskPayload {
                    deleted_task_id: Some(id.to_string().into()),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
