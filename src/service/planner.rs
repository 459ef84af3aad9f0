//! Decides who is to be told what, now: the daily reminder and the weekly report by
//! the calendar of each person, assignments and sign-ups that were gathered. One
//! call looks at one page of plans in one transaction, so any number of planners
//! can be at work, and one that dies leaves nothing half decided.
//!
//! That nobody is reminded twice of one date does not rest on the plans: a mail is
//! unique by kind, recipient and cause, and the cause is the date.

use std::collections::HashMap;

use chrono::{DateTime, Days, TimeDelta, Utc};
use serde_json::json;

use super::delivery::{Addressee, Notice, draft};
use super::{Context, second_factor};
use crate::calendar::{self, Due, Rhythm, Weekdays};
use crate::entity::delivery::Model as Delivery;
use crate::entity::notification_settings::Model as NotificationSettings;
use crate::entity::plan::Model as Plan;
use crate::entity::user::Model as User;
use crate::entity::{MailKind, Role, TaskId, UserId, UserStatus};
use crate::error::Result;
use crate::store::{self, Tx};

/// Plans that are looked at in one transaction: few enough to hold no writer up.
const PAGE: u64 = 200;
/// What is gathered is told at once, and then not again for so long.
const QUIET: TimeDelta = TimeDelta::minutes(15);
/// People who are given plans, or whose plans are looked at again, in one transaction.
const ADOPTED: u64 = 1_000;
/// How the cause of a weekly report begins, unlike that of one that was asked for.
pub(super) const WEEKLY: &str = "weekly";
/// Assignments that a mail names; the others are counted.
pub const ASSIGNMENTS_MAX: usize = 50;
/// What a weekly report looks back on, by the reader's calendar.
const REPORTED_DAYS: u64 = 7;
/// What was looked at rests for so long at least, whatever the look came to.
const REST: TimeDelta = TimeDelta::seconds(1);

/// Looks at a page of what is due, and says how many plans it looked at: 0 when there is nothing
/// left to look at now.
pub async fn plan_page(cx: &Context) -> Result<u64> {
    let now = cx.now();
    // Most of the time there is nothing, and no writer need wait for this look.
    if !store::plan::exists_due(&cx.db, now).await? {
        return Ok(0);
    }
    let tx = cx.db.begin().await?;
    let due = store::plan::list_due_to_change(&tx, now, PAGE).await?;
    let ids: Vec<UserId> = due.iter().map(|plan| plan.user_id).collect();
    let users = store::user::find_many_to_keep(&tx, &ids).await?;
    let users = second_factor::all_in_force(cx, &tx, users).await?;
    let settings = store::notification_settings::find_many(&tx, &ids).await?;
    // Whoever is being changed just now is looked at the next time.
    let due: Vec<(Plan, &User)> = due
        .into_iter()
        .filter_map(|plan| {
            let user = users.iter().find(|user| user.id == plan.user_id)?;
            Some((plan, user))
        })
        .collect();
    let told_of_tasks = due
        .iter()
        .filter(|(plan, _)| plan.kind == MailKind::Assigned)
        .map(|(plan, _)| plan.user_id);
    let told_of_tasks: Vec<UserId> = told_of_tasks.collect();
    let mut page = Page {
        untold: store::assignment::take_all_of(&tx, &told_of_tasks).await?,
        ..Page::default()
    };
    for (plan, user) in due {
        let settings = settings.iter().find(|row| row.user_id == user.id);
        let settings = settings
            .cloned()
            .unwrap_or_else(|| NotificationSettings::usual(user.id, now));
        page.look(cx, plan, user, &settings, now);
    }
    let looked_at = page.plans.len() as u64;
    let missed = page.settle_reminders(&tx).await?;
    let mails = page.mails.len();
    store::delivery::insert_many(&tx, page.mails).await?;
    store::plan::save_many(&tx, page.plans).await?;
    tx.commit().await?;
    if missed > 0 {
        cx.metrics.reminders_missed(missed);
        tracing::warn!(
            reminders = missed,
            "daily reminders were skipped: they would have come too late"
        );
    }
    tracing::debug!(looked_at, mails, "a page was planned");
    Ok(looked_at)
}

/// Gives plans to a page of people who have none yet, as those have none who joined before there
/// were plans, from this one on. Says after whom to go on; None at the end.
pub async fn adopt(cx: &Context, after: Option<UserId>) -> Result<Option<UserId>> {
    // Nearly always there is nobody, and no writer need wait for this look.
    let people = store::plan::find_unplanned(&cx.db, after, ADOPTED).await?;
    let Some(last) = people.last().copied() else {
        return Ok(None);
    };
    let tx = cx.db.begin().await?;
    store::plan::adopt(&tx, &people, cx.now()).await?;
    tx.commit().await?;
    Ok(Some(last))
}

/// Lets a page of plans be looked at again if the server's hours have changed since they were made, or
/// whether admins need a second factor, from this person on. Says after whom to go on; None at the end.
pub async fn follow_settings(cx: &Context, after: Option<UserId>) -> Result<Option<UserId>> {
    let mut hours = format!(
        "{} {:?}",
        cx.settings.reminder_time, cx.settings.report_time
    );
    if cx.settings.admin_second_factor {
        hours.push_str(", admins by second factor");
    }
    let planned = store::installation::find_planned_hours(&cx.db).await?;
    if planned.as_deref() == Some(&hours) {
        return Ok(None);
    }
    let tx = cx.db.begin().await?;
    let last = store::plan::look_again_at_all(&tx, after, cx.now(), ADOPTED).await?;
    if last.is_none() {
        store::installation::save_planned_hours(&tx, &hours).await?;
    }
    tx.commit().await?;
    Ok(last)
}

/// When the daily reminder comes to this user, as their settings are.
pub(super) fn reminder_rhythm(
    cx: &Context,
    user: &User,
    settings: &NotificationSettings,
) -> Option<Rhythm> {
    let is_wanted = settings.daily_reminder && user.status == UserStatus::Active;
    is_wanted.then(|| Rhythm {
        time: settings.reminder_time.unwrap_or(cx.settings.reminder_time),
        weekdays: settings.weekdays(),
        not_before: settings.reminders_paused_until,
        zone: user.zone(),
    })
}

/// When the weekly report comes to this user.
pub(super) fn report_rhythm(
    cx: &Context,
    user: &User,
    settings: &NotificationSettings,
) -> Option<Rhythm> {
    let (weekday, time) = cx.settings.report_time?;
    let is_wanted = settings.weekly_report && may_see_figures(user);
    is_wanted.then(|| Rhythm {
        time,
        weekdays: Weekdays::of([weekday]),
        not_before: None,
        zone: user.zone(),
    })
}

pub(super) fn may_see_figures(user: &User) -> bool {
    user.status == UserStatus::Active && user.role >= Role::Manager
}

/// What looking at a page of plans comes to.
#[derive(Default)]
struct Page {
    plans: Vec<Plan>,
    mails: Vec<Delivery>,
    /// Only for those who have something open.
    reminders: Vec<Delivery>,
    /// How many dates went by for whom.
    missed: Vec<(UserId, u32)>,
    /// The tasks that people were given and not told of, oldest first.
    untold: HashMap<UserId, Vec<TaskId>>,
}

impl Page {
    fn look(
        &mut self,
        cx: &Context,
        mut plan: Plan,
        user: &User,
        settings: &NotificationSettings,
        now: DateTime<Utc>,
    ) {
        match plan.kind {
            MailKind::DailyReminder => {
                let rhythm = reminder_rhythm(cx, user, settings);
                let (due, missed) = look(&mut plan, rhythm, now);
                if missed > 0 {
                    self.missed.push((user.id, missed));
                }
                self.reminders.extend(due.map(|due| {
                    let notice = Notice {
                        kind: MailKind::DailyReminder,
                        cause: due.date.to_string(),
                        params: json!({ "date": due.date }),
                    };
                    in_time(draft(cx, Addressee::User(user), notice, now), due)
                }));
            }
            MailKind::TaskReport => {
                let rhythm = report_rhythm(cx, user, settings);
                let (due, _) = look(&mut plan, rhythm, now);
                self.mails.extend(rhythm.zip(due).map(|(rhythm, due)| {
                    let params = json!({ "since": a_week_before(due, rhythm), "until": due.at });
                    let notice = Notice {
                        kind: MailKind::TaskReport,
                        cause: format!("{WEEKLY} {}", due.date),
                        params,
                    };
                    in_time(draft(cx, Addressee::User(user), notice, now), due)
                }));
            }
            MailKind::Assigned => {
                let mut named = self.untold.remove(&user.id).unwrap_or_default();
                let more = named.len().saturating_sub(ASSIGNMENTS_MAX);
                named.truncate(ASSIGNMENTS_MAX);
                if settings.assigned && user.status == UserStatus::Active && !named.is_empty() {
                    let params = json!({ "task_ids": named, "more": more });
                    self.tell(cx, &mut plan, user, params, now);
                }
                plan.due_at = Plan::NEVER;
            }
            MailKind::ApprovalWaiting => {
                let decides = user.status == UserStatus::Active && user.role >= Role::Admin;
                if settings.approval_waiting && decides {
                    self.tell(cx, &mut plan, user, json!({}), now);
                }
                plan.due_at = Plan::NEVER;
            }
            // Nothing else is planned.
            _ => plan.due_at = Plan::NEVER,
        }
        plan.due_at = plan.due_at.max(now + REST);
        self.plans.push(plan);
    }

    /// Reminds those who have something open, and says how many reminders such people missed.
    async fn settle_reminders(&mut self, tx: &Tx) -> Result<u32> {
        let recipients = self.reminders.iter().filter_map(|mail| mail.recipient_id);
        let candidates: Vec<UserId> = recipients
            .chain(self.missed.iter().map(|(user_id, _)| *user_id))
            .collect();
        let busy = store::task::find_busy(tx, &candidates).await?;
        let is_busy = |user_id: &UserId| busy.contains(user_id);
        self.mails.extend(
            self.reminders
                .drain(..)
                .filter(|mail| mail.recipient_id.as_ref().is_some_and(is_busy)),
        );
        let missed = self.missed.iter().filter(|(user_id, _)| is_busy(user_id));
        Ok(missed.map(|(_, count)| count).sum())
    }

    /// Tells what was gathered, and keeps quiet for a while.
    fn tell(
        &mut self,
        cx: &Context,
        plan: &mut Plan,
        user: &User,
        params: serde_json::Value,
        now: DateTime<Utc>,
    ) {
        plan.quiet_until = Some(now + QUIET);
        let notice = Notice {
            kind: plan.kind,
            cause: cx.new_id(now).to_string(),
            params,
        };
        let mail = draft(cx, Addressee::User(user), notice, now);
        self.mails.push(mail);
    }
}

/// Moves a plan on by what its rhythm says, and tells what is due and how much was missed. Where
/// there is no rhythm, nothing is due until something changes, and what goes by until then is not
/// missed.
fn look(plan: &mut Plan, rhythm: Option<Rhythm>, now: DateTime<Utc>) -> (Option<Due>, u32) {
    let look = rhythm.map(|rhythm| rhythm.look(plan.decided_on, now));
    plan.due_at = look.and_then(|look| look.next).unwrap_or(Plan::NEVER);
    plan.decided_on = look.map(|look| look.decided_on);
    look.map_or((None, 0), |look| (look.due, look.missed))
}

/// The same hour of the same day of the week before: where clocks were changed in between, that is
/// not seven times 24 hours, and no hour is in two reports or in none.
fn a_week_before(due: Due, rhythm: Rhythm) -> DateTime<Utc> {
    due.date
        .checked_sub_days(Days::new(REPORTED_DAYS))
        .and_then(|date| calendar::instant_on(date, rhythm.time, rhythm.zone))
        .unwrap_or(due.at - TimeDelta::weeks(1))
}

fn in_time(mail: Delivery, due: Due) -> Delivery {
    Delivery {
        expires_at: Some(due.until),
        ..mail
    }
}
