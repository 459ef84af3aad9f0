//! The report on tasks, which is written and mailed in the background.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Context;
use super::delivery::{Notice, enqueue};
use super::input::Form;
use crate::actor::Actor;
use crate::entity::MailKind;
use crate::error::{ProblemCode, Result};
use crate::event::Event;

const DEFAULT_PERIOD: TimeDelta = TimeDelta::days(7);

/// Enqueues the report to the actor. What is not given follows from the other: the period ends
/// now, and begins 7 days before its end.
pub async fn request(
    cx: &Context,
    actor: &Actor,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Result<()> {
    let now = cx.now();
    let mut form = Form::default();
    let until = until.map_or(now, |at| form.instant("until", at));
    let since = since.map_or(until - DEFAULT_PERIOD, |at| form.instant("since", at));
    if until < since {
        form.problem(
            "until",
            ProblemCode::Invalid,
            "The end is before the beginning.",
        );
    }
    form.check()?;

    let notice = Notice {
        kind: MailKind::TaskReport,
        cause: cx.new_id(now).to_string(),
        params: json!({ "since": since, "until": until }),
    };
    let (tx, _, user) = cx.begin_on_self(actor).await?;
    enqueue(cx, &tx, Some(&user), notice, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    Ok(())
}
