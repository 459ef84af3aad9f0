//! Verbs on tasks.

use chrono::{DateTime, Utc};

use super::Context;
use super::input::{DESCRIPTION_MAX, Form, Lines, Patch, TITLE_MAX};
use crate::actor::Actor;
use crate::entity::task::Model as Task;
use crate::entity::{MailKind, TaskId, TaskStatus, UserId};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::policy;
use crate::store::{self, Tx};

/// An id from outside: None when it is garbled, which is as good as unknown.
pub type GivenId<T> = Option<T>;

#[derive(Clone)]
pub struct CreateTask {
    pub title: String,
    pub description: Option<String>,
    pub deadline: Option<DateTime<Utc>>,
    pub assignee_id: Option<GivenId<UserId>>,
}

pub async fn create(cx: &Context, actor: &Actor, input: CreateTask) -> Result<Task> {
    policy::task::may_create(actor).map_err(|refusal| refusal.at("title"))?;
    let mut form = Form::default();
    let title = form.text("title", &input.title, TITLE_MAX, Lines::One);
    let description = form.optional_text(
        "description",
        input.description.as_deref(),
        DESCRIPTION_MAX,
        Lines::Many,
    );
    let deadline = input.deadline.map(|at| form.instant("deadline", at));

    let now = cx.now();
    let (tx, actor) = cx.begin(actor).await?;
    let actor = &actor;
    let assignee_id = match input.assignee_id {
        Some(id) => match find_assignee(&tx, actor, id).await {
            Ok(id) => Some(id),
            Err(Error::Refused(problems)) => {
                for problem in problems {
                    form.add(problem);
                }
                None
            }
            Err(error) => return Err(error),
        },
        None => None,
    };
    form.check()?;
    let task = Task {
        id: TaskId(cx.new_id(now)),
        title_key: title.to_lowercase(),
        title,
        description,
        status: TaskStatus::Pending,
        deadline,
        assignee_id,
        created_by: actor.user_id(),
        created_at: now,
        updated_at: now,
        completed_at: None,
        version: 1,
    };
    store::task::insert(&tx, task.clone()).await?;
    tell_assignee(&tx, actor, &task, now).await?;
    tx.commit().await?;
    Ok(task)
}

#[derive(Clone)]
pub struct UpdateTask {
    pub task_id: GivenId<TaskId>,
    pub title: Patch<String>,
    pub description: Patch<String>,
    pub deadline: Patch<DateTime<Utc>>,
    pub expected_version: Option<i32>,
}

pub async fn update(cx: &Context, actor: &Actor, input: UpdateTask) -> Result<Task> {
    let mut form = Form::default();
    let title = form
        .required_patch("title", &input.title)
        .map(|text| form.text("title", text, TITLE_MAX, Lines::One));
    let description = form.patched_text(
        "description",
        &input.description,
        DESCRIPTION_MAX,
        Lines::Many,
    );
    let deadline = match input.deadline {
        Patch::Set(at) => Patch::Set(form.instant("deadline", at)),
        other => other,
    };
    let (tx, actor) = cx.begin(actor).await?;
    let actor = &actor;
    let before = find(&tx, actor, input.task_id).await?;
    policy::task::may_update(actor, &before).map_err(|refusal| refusal.at("taskId"))?;
    form.check()?;
    let mut task = before.clone();
    if let Some(title) = title {
        task.title_key = title.to_lowercase();
        task.title = title;
    }
    description.apply_to(&mut task.description);
    deadline.apply_to(&mut task.deadline);
    save(cx, tx, before, task, input.expected_version).await
}

pub async fn set_status(
    cx: &Context,
    actor: &Actor,
    task_id: GivenId<TaskId>,
    status: TaskStatus,
    expected_version: Option<i32>,
) -> Result<Task> {
    let (tx, actor) = cx.begin(actor).await?;
    let actor = &actor;
    let before = find(&tx, actor, task_id).await?;
    policy::task::may_set_status(actor, &before).map_err(|refusal| refusal.at("taskId"))?;
    let mut task = before.clone();
    if status != task.status {
        task.status = status;
        task.completed_at = (status == TaskStatus::Completed).then(|| cx.now());
    }
    save(cx, tx, before, task, expected_version).await
}

/// Gives the task to somebody, or with Null takes it back from whoever has it.
pub async fn assign(
    cx: &Context,
    actor: &Actor,
    task_id: GivenId<TaskId>,
    assignee: Patch<GivenId<UserId>>,
    expected_version: Option<i32>,
) -> Result<Task> {
    let (tx, actor) = cx.begin(actor).await?;
    let actor = &actor;
    let before = find(&tx, actor, task_id).await?;
    policy::task::may_assign(actor, &before).map_err(|refusal| refusal.at("taskId"))?;
    let assignee_id = match assignee {
        Patch::Absent => {
            let mut form = Form::default();
            form.blank("assigneeId");
            form.check()?;
            None
        }
        Patch::Null => None,
        Patch::Set(id) => Some(find_assignee(&tx, actor, id).await?),
    };
    let mut task = before.clone();
    task.assignee_id = assignee_id;
    if task.assignee_id != before.assignee_id {
        tell_assignee(&tx, actor, &task, cx.now()).await?;
    }
    save(cx, tx, before, task, expected_version).await
}

/// Plans the mail to whoever was given the task, unless they gave it to themselves. What comes in a
/// burst is told together.
async fn tell_assignee(tx: &Tx, actor: &Actor, task: &Task, now: DateTime<Utc>) -> Result<()> {
    let Some(assignee_id) = task.assignee_id else {
        return Ok(());
    };
    if actor.user_id() == Some(assignee_id) {
        return Ok(());
    }
    // The plan first, as the planner does: so they wait for each other in one order.
    store::plan::gather(tx, &[assignee_id], MailKind::Assigned, now).await?;
    store::assignment::insert(tx, assignee_id, task.id, now).await
}

pub async fn delete(cx: &Context, actor: &Actor, task_id: GivenId<TaskId>) -> Result<TaskId> {
    let (tx, actor) = cx.begin(actor).await?;
    let actor = &actor;
    let task = find(&tx, actor, task_id).await?;
    policy::task::may_delete(actor, &task).map_err(|refusal| refusal.at("taskId"))?;
    store::task::delete(&tx, task.id).await?;
    tx.commit().await?;
    tracing::info!(task = %task.id, by = actor.user_id().map(tracing::field::display), "a task was deleted");
    Ok(task.id)
}

/// Writes a changed task if nobody else changed it first, and commits. What did not change is no
/// change: the version stays.
async fn save(
    cx: &Context,
    tx: Tx,
    before: Task,
    mut task: Task,
    expected_version: Option<i32>,
) -> Result<Task> {
    let expected = expected_version.unwrap_or(before.version);
    let saved = if task == before {
        expected == before.version
    } else {
        task.version = before.version.saturating_add(1);
        task.updated_at = cx.now();
        store::task::update_if_version(&tx, &before, &task, expected).await?
    };
    if !saved {
        return Err(Problem::new(
            "expectedVersion",
            ProblemCode::VersionConflict,
            format!(
                "Somebody else changed this task: it has version {} now. Load it again.",
                before.version
            ),
        )
        .into());
    }
    tx.commit().await?;
    Ok(task)
}

async fn find(tx: &Tx, actor: &Actor, id: GivenId<TaskId>) -> Result<Task> {
    let task = match id {
        Some(id) => store::task::find_to_change(tx, actor, id).await?,
        None => None,
    };
    task.ok_or_else(|| Problem::not_found("taskId", "task").into())
}

/// Whoever is deactivated or promoted at this very moment may still be given the task, as they might
/// have been a moment ago, when it would have stayed with them. Whoever is deleted may not.
async fn find_assignee(tx: &Tx, actor: &Actor, id: GivenId<UserId>) -> Result<UserId> {
    let user = match id {
        Some(id) => store::user::find_to_refer_to(tx, actor, id).await?,
        None => None,
    };
    let user = user.ok_or_else(|| Problem::not_found("assigneeId", "user"))?;
    if !policy::task::is_assignable(&user) {
        return Err(Problem::new(
            "assigneeId",
            ProblemCode::NotAssignable,
            "Tasks can be assigned to active employees and managers only.",
        )
        .into());
    }
    Ok(user.id)
}
