//! What somebody has open, in the order in which it presses: for the daily
//! reminder, and for looking at it beforehand.

use chrono::{DateTime, Datelike, Days, Utc};

use super::delivery::letterhead;
use super::{Context, content};
use crate::actor::Actor;
use crate::calendar::{self, local_day};
use crate::entity::task::Model as Task;
use crate::entity::user::Model as User;
use crate::entity::{MailKind, TaskStatus, UserId};
use crate::error::Result;
use crate::mail::{Rendered, SecretLink, render};
use crate::store::task::{TaskFilter, TaskOrder, TaskOrderField};
use crate::store::{self, Window};

/// Tasks that are named; the others are counted.
pub const TASKS_MAX: u64 = 50;

/// When a task is due, as a person would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressing {
    Overdue,
    Today,
    /// Until Sunday.
    ThisWeek,
    Later,
    /// Without a deadline.
    Sometime,
}

/// What somebody has open.
#[derive(Clone, Debug)]
pub struct OpenTasks {
    /// Each that has any, the most pressing first; by deadline inside.
    pub groups: Vec<(Pressing, Vec<Task>)>,
    /// How many there are besides.
    pub more: u64,
}

impl OpenTasks {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many there are in all.
    pub fn count(&self) -> u64 {
        let named: usize = self.groups.iter().map(|(_, tasks)| tasks.len()).sum();
        self.more + named as u64
    }
}

/// The open tasks of this user, by their own clock.
pub async fn find_open_tasks(cx: &Context, user: &User) -> Result<OpenTasks> {
    let now = cx.now();
    let filter = open_tasks_of(user.id, now);
    let order = TaskOrder {
        field: TaskOrderField::Deadline,
        descending: false,
    };
    let window = Window::first(TASKS_MAX);
    let page = store::task::list(&cx.db, &Actor::System, &filter, order, &window).await?;
    let more = if page.has_next_page {
        let all = store::task::count(&cx.db, &Actor::System, &filter).await?;
        all.saturating_sub(page.rows.len() as u64)
    } else {
        0
    };
    let mut groups: Vec<(Pressing, Vec<Task>)> = Vec::new();
    for task in page.rows {
        let pressing = pressing(task.deadline, now, user);
        match groups.last_mut() {
            Some((last, tasks)) if *last == pressing => tasks.push(task),
            _ => groups.push((pressing, vec![task])),
        }
    }
    Ok(OpenTasks { groups, more })
}

/// The daily reminder as it would be now.
pub struct Preview {
    pub open: OpenTasks,
    /// None when nothing is open.
    pub mail: Option<Rendered>,
}

pub async fn preview(cx: &Context, user: &User) -> Result<Preview> {
    let open = find_open_tasks(cx, user).await?;
    let today = cx.now().with_timezone(&user.zone()).date_naive();
    let mail = match content::reminder(cx, today, &open) {
        None => None,
        Some(content) => {
            let kind = MailKind::DailyReminder;
            let mut recipient = content::recipient(cx, user, kind, user.email.clone());
            recipient.unsubscribe = recipient.unsubscribe.map(SecretLink::hidden);
            Some(render(&letterhead(cx), &recipient, &content)?)
        }
    };
    Ok(Preview { open, mail })
}

fn open_tasks_of(user_id: UserId, now: DateTime<Utc>) -> TaskFilter {
    TaskFilter {
        status: Some(TaskStatus::OPEN.to_vec()),
        assignee: Some(vec![user_id]),
        ..TaskFilter::any(now)
    }
}

fn pressing(deadline: Option<DateTime<Utc>>, now: DateTime<Utc>, user: &User) -> Pressing {
    let Some(deadline) = deadline else {
        return Pressing::Sometime;
    };
    let zone = user.zone();
    let today = now.with_timezone(&zone).date_naive();
    let days_left = 7 - u64::from(today.weekday().num_days_from_monday());
    let monday = today
        .checked_add_days(Days::new(days_left))
        .unwrap_or(today);
    if deadline < now {
        Pressing::Overdue
    } else if deadline < local_day(now, zone).1 {
        Pressing::Today
    } else if deadline < calendar::beginning(monday, zone) {
        Pressing::ThisWeek
    } else {
        Pressing::Later
    }
}
