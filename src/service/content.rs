//! What a mail says, from the rows as they are when it is first composed, or looked
//! at by an admin. Called by `worker`, and by `service::preview`.

mod secret_link;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::actor::Actor;
use crate::credential::UnsubscribeToken;
use crate::entity::delivery::Model as Delivery;
use crate::entity::task::Model as Task;
use crate::entity::user::Model as User;
use crate::entity::{
    ApprovalDecision, ApprovalId, MailKind, Role, SecondFactorChange, TaskId, TaskStatus,
    UserStatus,
};
use crate::error::{Error, Result};
use crate::mail::{Content, Recipient, SecretLink, TaskGroup, TaskLine, WaitingSignUp};
use crate::store::approval::ApprovalFilter;
use crate::store::{self, Window};

use super::reminder::{OpenTasks, Pressing, find_open_tasks};
use super::{Context, email_confirmation, notification, planner, second_factor, task_report};

const CONFIRMATION_DAYS: u64 = email_confirmation::LIFE.num_days().unsigned_abs();

/// Sign-ups that a mail names; the others are counted.
const SIGN_UPS_MAX: u64 = 20;

/// Whether links that let their holder do something stand in the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Shown,
    /// For whoever only looks at it.
    Hidden,
}

/// None when there is nobody to say it to, or it is no longer true.
pub async fn content(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
) -> Result<Option<(Recipient, Content)>> {
    let found = find_content(cx, delivery, secrets).await?;
    Ok(found.map(|(mut recipient, mut content)| {
        if secrets == Secrets::Hidden {
            content.hide_secrets();
            recipient.unsubscribe = recipient.unsubscribe.map(SecretLink::hidden);
        }
        (recipient, content)
    }))
}

/// Whether its reader may have such a mail, and wants it, as things stand now. What is about an account
/// is always wanted.
pub async fn is_wanted(cx: &Context, delivery: &Delivery) -> Result<bool> {
    if delivery.kind.is_about_account() {
        return Ok(true);
    }
    let reader = find_reader(cx, delivery).await?;
    let Some(user) = reader else {
        return Ok(false);
    };
    is_wanted_by(cx, delivery, &user).await
}

/// With the role that is in force.
async fn find_reader(cx: &Context, delivery: &Delivery) -> Result<Option<User>> {
    let Some(id) = delivery.recipient_id else {
        return Ok(None);
    };
    let reader = store::user::find(&cx.db, &Actor::System, id).await?;
    let mut readers = second_factor::all_in_force(cx, &cx.db, reader).await?;
    Ok(readers.pop())
}

async fn is_wanted_by(cx: &Context, delivery: &Delivery, user: &User) -> Result<bool> {
    let kind = delivery.kind;
    let least_role = match kind {
        MailKind::TaskReport => Role::Manager,
        MailKind::ApprovalWaiting => Role::Admin,
        _ => Role::Employee,
    };
    if user.status != UserStatus::Active || user.role < least_role {
        return Ok(false);
    }
    // Whoever asked for a report wants it.
    if kind == MailKind::TaskReport && !delivery.cause.starts_with(planner::WEEKLY) {
        return Ok(true);
    }
    let mut settings = notification::find(cx, user.id).await?;
    Ok(settings.switch(kind).is_none_or(|switch| *switch))
}

async fn find_content(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
) -> Result<Option<(Recipient, Content)>> {
    if delivery.recipient_id.is_none() {
        return to_stranger(cx, delivery, secrets).await;
    }
    let Some(user) = find_reader(cx, delivery).await? else {
        return Ok(None);
    };
    if !delivery.kind.is_about_account() && !is_wanted_by(cx, delivery, &user).await? {
        return Ok(None);
    }
    let content = match delivery.kind {
        MailKind::Welcome => Some(Content::Welcome {
            link: secret_link::confirmation(cx, delivery, secrets, &user).await?,
            valid_days: CONFIRMATION_DAYS,
        }),
        MailKind::Approved | MailKind::Rejected => decision(cx, delivery).await?,
        MailKind::PasswordReset => secret_link::reset(cx, delivery, secrets).await?,
        MailKind::PasswordChanged => {
            let Changed { at } = params(delivery)?;
            Some(Content::PasswordChanged { at })
        }
        MailKind::SecondFactorChanged => {
            let SecondFactorChanged { change, at } = params(delivery)?;
            Some(Content::SecondFactorChanged { change, at })
        }
        MailKind::EmailConfirmation => {
            let link = secret_link::confirmation(cx, delivery, secrets, &user).await?;
            link.map(|link| Content::EmailConfirmation {
                link,
                valid_days: CONFIRMATION_DAYS,
            })
        }
        MailKind::EmailChanged => {
            let Changed { at } = params(delivery)?;
            Some(Content::EmailChanged { at })
        }
        MailKind::TaskReport => report(cx, delivery, &user).await?,
        // For people who are no users yet.
        MailKind::Invitation => None,
        MailKind::ApprovalWaiting => waiting_sign_ups(cx).await?,
        MailKind::Assigned => assigned(cx, delivery, &user).await?,
        MailKind::DailyReminder => daily_reminder(cx, delivery, &user).await?,
    };
    let recipient = recipient(cx, &user, delivery.kind, delivery.address.clone());
    Ok(content.map(|content| (recipient, content)))
}

/// This user, as the reader of such a mail.
pub(super) fn recipient(cx: &Context, user: &User, kind: MailKind, address: String) -> Recipient {
    let unsubscribe = (!kind.is_about_account()).then(|| {
        let mut url = cx.settings.public_url.clone();
        let path = format!("{}/unsubscribe", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let token = UnsubscribeToken {
            user_id: user.id,
            kind,
        };
        url.set_query(Some(&format!("token={}", cx.tokens.unsubscribe(token))));
        SecretLink::new(url)
    });
    Recipient {
        address,
        display_name: user.display_name(),
        zone: user.zone(),
        unsubscribe,
    }
}

/// To an address that has no account. Other mails without a recipient are for nobody: they were
/// written to take the time that a mail takes.
async fn to_stranger(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
) -> Result<Option<(Recipient, Content)>> {
    if delivery.kind != MailKind::Invitation {
        return Ok(None);
    }
    let recipient = Recipient {
        address: delivery.address.clone(),
        display_name: String::new(),
        zone: cx.settings.time_zone,
        unsubscribe: None,
    };
    let content = secret_link::invitation(cx, delivery, secrets).await?;
    Ok(content.map(|content| (recipient, content)))
}

#[derive(Deserialize)]
struct Changed {
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct SecondFactorChanged {
    #[serde(flatten)]
    change: SecondFactorChange,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Decided {
    approval_id: ApprovalId,
}

#[derive(Deserialize)]
struct Assigned {
    task_ids: Vec<TaskId>,
    more: u64,
}

#[derive(Deserialize)]
struct Reminder {
    date: NaiveDate,
}

fn params<T: DeserializeOwned>(delivery: &Delivery) -> Result<T> {
    serde_json::from_value(delivery.params.clone()).map_err(Error::internal)
}

async fn decision(cx: &Context, delivery: &Delivery) -> Result<Option<Content>> {
    let Decided { approval_id } = params(delivery)?;
    let approval = store::approval::find_many(&cx.db, &Actor::System, &[approval_id])
        .await?
        .into_iter()
        .next();
    Ok(approval.map(|approval| match approval.granted_role {
        Some(role) => Content::Approved { role },
        None => Content::Rejected {
            reason: approval.reason,
        },
    }))
}

async fn report(cx: &Context, delivery: &Delivery, user: &User) -> Result<Option<Content>> {
    let report = task_report::gather(cx, params(delivery)?, user.zone()).await?;
    Ok(Some(Content::TaskReport(Box::new(report))))
}

/// None when there are none any more.
async fn waiting_sign_ups(cx: &Context) -> Result<Option<Content>> {
    let pending = ApprovalFilter {
        decision: Some(vec![ApprovalDecision::Pending]),
    };
    let count = store::approval::count(&cx.db, &Actor::System, &pending).await?;
    let window = Window::first(SIGN_UPS_MAX);
    let page = store::approval::list(&cx.db, &Actor::System, &pending, &window).await?;
    let ids: Vec<_> = page.rows.iter().filter_map(|row| row.user_id).collect();
    let people = store::user::find_many(&cx.db, &Actor::System, &ids).await?;
    let sign_ups: Vec<WaitingSignUp> = page
        .rows
        .iter()
        .filter_map(|approval| {
            let person = people.iter().find(|one| Some(one.id) == approval.user_id)?;
            Some(WaitingSignUp {
                name: person.display_name(),
                username: person.username.clone(),
                requested_role: approval.requested_role,
                created_at: approval.created_at,
            })
        })
        .collect();
    Ok((!sign_ups.is_empty()).then(|| Content::ApprovalWaiting {
        more: count.saturating_sub(sign_ups.len() as u64),
        sign_ups,
        link: cx.settings.approvals_url.clone(),
    }))
}

/// None when nothing of it is the recipient's to do any more.
async fn assigned(cx: &Context, delivery: &Delivery, user: &User) -> Result<Option<Content>> {
    let Assigned { task_ids, more } = params(delivery)?;
    let found = store::task::find_many(&cx.db, &Actor::System, &task_ids).await?;
    // In the order in which they were given.
    let tasks: Vec<TaskLine> = task_ids
        .iter()
        .filter_map(|id| found.iter().find(|task| task.id == *id))
        .filter(|task| task.assignee_id == Some(user.id) && task.status != TaskStatus::Completed)
        .map(|task| task_line(cx, task))
        .collect();
    Ok((!tasks.is_empty()).then(|| Content::Assigned {
        tasks,
        more,
        link: cx.settings.tasks_url.clone(),
    }))
}

/// None when nothing is open any more. When it is too late for it is in the row.
async fn daily_reminder(cx: &Context, delivery: &Delivery, user: &User) -> Result<Option<Content>> {
    let Reminder { date } = params(delivery)?;
    let open = find_open_tasks(cx, user).await?;
    Ok(reminder(cx, date, &open))
}

/// None when nothing is open.
pub(super) fn reminder(cx: &Context, date: NaiveDate, open: &OpenTasks) -> Option<Content> {
    let groups = open.groups.iter().map(|(pressing, tasks)| TaskGroup {
        title: match pressing {
            Pressing::Overdue => "Overdue",
            Pressing::Today => "Due today",
            Pressing::ThisWeek => "Due this week",
            Pressing::Later => "Due later",
            Pressing::Sometime => "Without a deadline",
        },
        is_overdue: *pressing == Pressing::Overdue,
        tasks: tasks.iter().map(|task| task_line(cx, task)).collect(),
    });
    (!open.is_empty()).then(|| Content::DailyReminder {
        date,
        groups: groups.collect(),
        more: open.more,
        link: cx.settings.tasks_url.clone(),
    })
}

fn task_line(cx: &Context, task: &Task) -> TaskLine {
    let link = cx.settings.task_url.as_ref();
    TaskLine {
        title: task.title.clone(),
        deadline: task.deadline,
        is_in_progress: task.status == TaskStatus::InProgress,
        link: link.and_then(|pattern| pattern.of(&task.id.to_string())),
    }
}
