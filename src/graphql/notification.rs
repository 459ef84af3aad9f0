//! What people want to be told by mail: their settings, and the daily reminder
//! looked at beforehand.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, SimpleObject};

use super::access::{self, auth};
use super::delivery::MailPreview;
use super::payload::{UserError, patch, payloads, settle};
use super::task::Task;
use super::types::{DateTime, LocalDate, LocalTime, Weekday};
use super::{loaders, muster};
use crate::actor::Actor;
use crate::calendar::Weekdays;
use crate::entity::notification_settings::Model;
use crate::entity::user::Model as UserRow;
use crate::error::{Error, Result};
use crate::service;
use crate::service::reminder::Pressing;

pub struct NotificationSettings {
    row: Model,
    user: Arc<UserRow>,
}

/// What somebody is told by mail, and when. Mails about one's account, such as those with a link for
/// a new password, cannot be switched off.
#[Object]
impl NotificationSettings {
    /// Whether a mail lists one's open tasks every day; none comes when nothing is open. On by
    /// default.
    async fn daily_reminder(&self) -> bool {
        self.row.daily_reminder
    }

    /// When the daily reminder comes, on one's own clock. Null: at the server's hour, which is in
    /// `defaultReminderTime`.
    async fn reminder_time(&self) -> Option<LocalTime> {
        self.row.reminder_time.map(LocalTime)
    }

    /// The server's hour.
    async fn default_reminder_time(&self, ctx: &Context<'_>) -> LocalTime {
        LocalTime(muster(ctx).settings.reminder_time)
    }

    /// On which days the daily reminder comes, from MONDAY on; all by default.
    async fn reminder_weekdays(&self) -> Vec<Weekday> {
        self.row.weekdays().iter().map(Weekday::from).collect()
    }

    /// No daily reminder comes before this date; null when it is not paused.
    async fn reminders_paused_until(&self) -> Option<LocalDate> {
        self.row.reminders_paused_until.map(LocalDate)
    }

    /// When the next daily reminder comes, should anything be open then. Null while none is to come.
    async fn next_reminder_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        service::notification::next_reminder_at(muster(ctx), &self.user, &self.row)
            .await
            .map(|next| next.map(DateTime))
            .transpose()
    }

    /// Whether the weekly report comes, to managers and admins. On by default.
    async fn weekly_report(&self) -> bool {
        self.row.weekly_report
    }

    /// Whether mails tell of tasks that others assign to one. On by default.
    async fn assigned(&self) -> bool {
        self.row.assigned
    }

    /// Whether mails tell of sign-ups that wait for a decision, to admins. On by default.
    async fn approval_waiting(&self) -> bool {
        self.row.approval_waiting
    }
}

/// When a task is due.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "Pressing")]
pub enum ReminderGroupKind {
    /// The deadline has passed.
    Overdue,
    /// Today, by one's own clock.
    Today,
    /// After today, and until Sunday.
    ThisWeek,
    /// After this week.
    Later,
    /// Without a deadline.
    Sometime,
}

/// Open tasks that are due at about the same time.
#[derive(SimpleObject)]
pub struct ReminderGroup {
    /// When they are due.
    kind: ReminderGroupKind,
    /// The tasks, by deadline.
    tasks: Vec<Task>,
}

/// The daily reminder as it would be now.
#[derive(SimpleObject)]
pub struct ReminderPreview {
    /// The most pressing tasks, at most 50, in groups; those that have none are left out.
    groups: Vec<ReminderGroup>,
    /// How many tasks are open.
    total_count: u64,
    /// The mail; null when nothing is open, since none would come.
    mail: Option<MailPreview>,
}

#[derive(Default)]
pub struct NotificationQuery;

#[Object]
impl NotificationQuery {
    /// What the signed-in user is told by mail. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::NOTIFICATION_SETTINGS.into()))]
    async fn notification_settings(&self, ctx: &Context<'_>) -> Result<NotificationSettings> {
        let actor = access::require(ctx, access::NOTIFICATION_SETTINGS)?;
        let user = viewer(ctx, actor).await?;
        let row = service::notification::find(muster(ctx), user.id).await?;
        Ok(NotificationSettings { row, user })
    }

    /// The signed-in user's daily reminder, as it would be now. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::REMINDER_PREVIEW.into()))]
    async fn reminder_preview(&self, ctx: &Context<'_>) -> Result<ReminderPreview> {
        let actor = access::require(ctx, access::REMINDER_PREVIEW)?;
        let user = viewer(ctx, actor).await?;
        let preview = service::reminder::preview(muster(ctx), &user).await?;
        let groups = preview.open.groups.iter().map(|(pressing, tasks)| {
            let tasks = tasks.iter().cloned();
            ReminderGroup {
                kind: (*pressing).into(),
                tasks: tasks.map(|row| Task::new(actor, row)).collect(),
            }
        });
        Ok(ReminderPreview {
            groups: groups.collect(),
            total_count: preview.open.count(),
            mail: preview.mail.map(MailPreview::from),
        })
    }
}

async fn viewer(ctx: &Context<'_>, actor: Actor) -> Result<Arc<UserRow>> {
    let id = actor.signed_in()?.id;
    let user = loaders(ctx).user(actor, id).await?;
    user.ok_or(Error::Unauthenticated)
}

/// Changes to what one is told. An absent field stays as it is.
#[derive(InputObject)]
struct UpdateNotificationSettingsInput {
    /// Whether the daily reminder comes.
    daily_reminder: Option<bool>,
    /// When it comes, on one's own clock; null goes back to the server's hour. An hour that has
    /// passed today begins tomorrow.
    reminder_time: MaybeUndefined<LocalTime>,
    /// On which days it comes; none when empty.
    reminder_weekdays: Option<Vec<Weekday>>,
    /// No daily reminder before this date; null ends the pause.
    reminders_paused_until: MaybeUndefined<LocalDate>,
    /// Whether the weekly report comes.
    weekly_report: Option<bool>,
    /// Whether mails tell of assignments.
    assigned: Option<bool>,
    /// Whether mails tell of sign-ups that wait.
    approval_waiting: Option<bool>,
}

/// The answer to `updateNotificationSettings`.
#[derive(SimpleObject, Default)]
struct UpdateNotificationSettingsPayload {
    /// The settings as changed; null when there are userErrors.
    notification_settings: Option<NotificationSettings>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(UpdateNotificationSettingsPayload);

#[derive(Default)]
pub struct NotificationMutation;

#[Object]
impl NotificationMutation {
    /// Changes what the signed-in user is told by mail. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::UPDATE_NOTIFICATION_SETTINGS.into()))]
    async fn update_notification_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateNotificationSettingsInput,
    ) -> Option<Result<UpdateNotificationSettingsPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::UPDATE_NOTIFICATION_SETTINGS)?;
                let user = viewer(ctx, actor).await?;
                let input = service::notification::UpdateNotificationSettings {
                    daily_reminder: input.daily_reminder,
                    reminder_time: patch(input.reminder_time, |time| time.0),
                    reminder_weekdays: input
                        .reminder_weekdays
                        .map(|days| Weekdays::of(days.into_iter().map(Into::into))),
                    reminders_paused_until: patch(input.reminders_paused_until, |date| date.0),
                    weekly_report: input.weekly_report,
                    assigned: input.assigned,
                    approval_waiting: input.approval_waiting,
                };
                let cx = muster(ctx);
                let verb = || service::notification::update(cx, &actor, input.clone());
                let answer = cx.retried(verb).await;
                settle(answer, |row| UpdateNotificationSettingsPayload {
                    notification_settings: Some(NotificationSettings { row, user }),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
