//! What people want to be told by mail, and when. Mails about one's account cannot
//! be switched off; all others can, in the settings or by the link in each of them.

use chrono::{DateTime, NaiveDate, NaiveTime, Timelike, Utc};

use super::input::{Form, Patch};
use super::{Context, planner};
use crate::actor::Actor;
use crate::calendar::Weekdays;
use crate::credential::UnsubscribeToken;
use crate::entity::notification_settings::Model as NotificationSettings;
use crate::entity::plan::Model as Plan;
use crate::entity::user::Model as User;
use crate::entity::{MailKind, UserId};
use crate::error::Result;
use crate::store::{self, Source, Tx};

#[derive(Clone)]
pub struct UpdateNotificationSettings {
    pub daily_reminder: Option<bool>,
    pub reminder_time: Patch<NaiveTime>,
    pub reminder_weekdays: Option<Weekdays>,
    pub reminders_paused_until: Patch<NaiveDate>,
    pub weekly_report: Option<bool>,
    pub assigned: Option<bool>,
    pub approval_waiting: Option<bool>,
}

/// One's own settings; the usual ones for who never changed any.
pub async fn find(cx: &Context, user_id: UserId) -> Result<NotificationSettings> {
    settings_of(&cx.db, user_id, cx.now()).await
}

async fn settings_of(
    source: &impl Source,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<NotificationSettings> {
    let found = store::notification_settings::find(source, user_id).await?;
    Ok(found.unwrap_or_else(|| NotificationSettings::usual(user_id, now)))
}

/// When the next daily reminder is due to this user, should anything be open then. None while they
/// want none.
pub async fn next_reminder_at(
    cx: &Context,
    user: &User,
    settings: &NotificationSettings,
) -> Result<Option<DateTime<Utc>>> {
    let kind = MailKind::DailyReminder;
    let plan = store::plan::find(&cx.db, user.id, kind).await?;
    let decided_on = plan.and_then(|plan| plan.decided_on);
    let rhythm = planner::reminder_rhythm(cx, user, settings);
    let now = cx.now();
    Ok(rhythm.and_then(|rhythm| {
        let look = rhythm.look(decided_on, now);
        look.due.map(|_| now).or(look.next)
    }))
}

/// Changes one's own settings. What would have come earlier today by the new ones is not caught up
/// on.
pub async fn update(
    cx: &Context,
    actor: &Actor,
    input: UpdateNotificationSettings,
) -> Result<NotificationSettings> {
    let mut form = Form::default();
    if let Patch::Set(time) = input.reminder_time
        && (time.second() != 0 || time.nanosecond() != 0)
    {
        form.problem(
            "reminderTime",
            crate::error::ProblemCode::Invalid,
            "Hours and minutes, such as 08:30.",
        );
    }
    form.check()?;
    let now = cx.now();
    let (tx, _, user) = cx.begin_on_self(actor).await?;
    let before = settings_of(&tx, user.id, now).await?;
    let mut settings = before.clone();
    for (switch, wanted) in [
        (&mut settings.daily_reminder, input.daily_reminder),
        (&mut settings.weekly_report, input.weekly_report),
        (&mut settings.assigned, input.assigned),
        (&mut settings.approval_waiting, input.approval_waiting),
    ] {
        *switch = wanted.unwrap_or(*switch);
    }
    input.reminder_time.apply_to(&mut settings.reminder_time);
    input
        .reminders_paused_until
        .apply_to(&mut settings.reminders_paused_until);
    if let Some(weekdays) = input.reminder_weekdays {
        settings.reminder_weekdays = weekdays.bits();
    }
    save(cx, &tx, &user, &before, &mut settings, now).await?;
    tx.commit().await?;
    Ok(settings)
}

/// Switches the kind of mail off that this token came in, and says which it was. None when the
/// token is not one of ours. Doing it again changes nothing.
pub async fn unsubscribe(cx: &Context, text: &str) -> Result<Option<MailKind>> {
    let Some(UnsubscribeToken { user_id, kind }) = cx.tokens.verify_unsubscribe(text) else {
        return Ok(None);
    };
    let now = cx.now();
    let tx = cx.db.begin().await?;
    // Whoever is deleted gets no mails anyway.
    let Some(user) = store::user::find_to_change(&tx, &Actor::System, user_id).await? else {
        return Ok(Some(kind));
    };
    let before = settings_of(&tx, user_id, now).await?;
    let mut settings = before.clone();
    if let Some(switch) = settings.switch(kind) {
        *switch = false;
    }
    save(cx, &tx, &user, &before, &mut settings, now).await?;
    tx.commit().await?;
    tracing::info!(user = %user_id, ?kind, "somebody unsubscribed");
    Ok(Some(kind))
}

async fn save(
    cx: &Context,
    tx: &Tx,
    user: &User,
    before: &NotificationSettings,
    settings: &mut NotificationSettings,
    now: DateTime<Utc>,
) -> Result<()> {
    if settings == before {
        return Ok(());
    }
    settings.updated_at = now;
    store::notification_settings::save(tx, settings.clone()).await?;
    let rhythms = [
        (
            MailKind::DailyReminder,
            planner::reminder_rhythm(cx, user, before),
            planner::reminder_rhythm(cx, user, settings),
        ),
        (
            MailKind::TaskReport,
            planner::report_rhythm(cx, user, before),
            planner::report_rhythm(cx, user, settings),
        ),
    ];
    let mut plans = Vec::new();
    for (kind, earlier, rhythm) in rhythms {
        // What is due by now by a rhythm that stays is still to come.
        if rhythm == earlier {
            continue;
        }
        let decided_on = store::plan::find(tx, user.id, kind)
            .await?
            .and_then(|plan| plan.decided_on);
        let passed = rhythm.map(|rhythm| rhythm.passed(now));
        plans.push(Plan {
            user_id: user.id,
            kind,
            due_at: now,
            decided_on: decided_on.max(passed),
            quiet_until: None,
        });
    }
    store::plan::save_many(tx, plans).await
}
