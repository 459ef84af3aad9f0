//! The report on tasks, which is written and mailed in the background.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Context;
use super::delivery::{Notice, enqueue};
use super::input::Form;
use crate::actor::Actor;
use crate::entity::MailKind;
use crate::error::{Error, ProblemCode, Result};
use crate::event::Event;
use crate::store;

const DEFAULT_PERIOD: TimeDelta = TimeDelta::days(7);

/// Enqueues the report to the actor. What is not given follows from the other: the period ends
/// now, and begins 7 days before its end.
pub async fn request(
    cx: &Context,
    actor: &Actor,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Result<()> {
    let viewer = actor.viewer().ok_or(Error::Unauthenticated)?;
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
    let (tx, actor) = cx.begin(actor).await?;
    let actor = &actor;
    let user = store::user::find_to_change(&tx, actor, viewer.id)
        .await?
        .ok_or(Error::Unauthenticated)?;
    enqueue(cx, &tx, Some(&user), notice, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    Ok(())
}
