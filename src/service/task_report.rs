//! Gathers what a report on tasks says: the figures, the chart of them, and the
//! tasks themselves. Everything is bounded, whatever there is in the database: the
//! bars, the people, and the rows of the list.

mod calendar;
mod task_list;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::actor::Actor;
use crate::entity::{TaskStatus, UserId};
use crate::error::{Error, Result};
use crate::mail::{Bar, Bars, PersonFigures, TaskReport, draw_chart};
use crate::service::Context;
use crate::store;
use crate::store::report::{Happening, Period};
use crate::store::stats::TaskCount;

const PEOPLE_MAX: u64 = 10;
/// From then on a chart leaves out the time before the first task.
const LONG: TimeDelta = TimeDelta::weeks(6);

/// The report on this period, by the calendar of this zone.
pub(super) async fn gather(cx: &Context, period: Period, zone: Tz) -> Result<TaskReport> {
    let now = cx.now();
    let period = Period {
        until: period.until.max(period.since),
        ..period
    };
    let bars = count_bars(cx, period, zone, now).await?;
    // The very figures of `stats`.
    let counts = store::stats::count_tasks(&cx.db, now).await?;
    let total =
        |of: fn(&TaskCount) -> i64| -> u64 { counts.iter().map(of).sum::<i64>().unsigned_abs() };
    let with_status = |status: TaskStatus| -> u64 {
        let of_status = counts.iter().filter(|count| count.status == status);
        of_status
            .map(|count| count.count)
            .sum::<i64>()
            .unsigned_abs()
    };
    let (open_pending, open_in_progress) = (
        with_status(TaskStatus::Pending),
        with_status(TaskStatus::InProgress),
    );
    let open = open_pending + open_in_progress;
    Ok(TaskReport {
        since: period.since,
        until: period.until,
        counted_at: now,
        open_pending,
        open_in_progress,
        overdue: total(|count| count.overdue),
        unassigned: total(|count| count.unassigned),
        people: list_people(cx, period, now).await?,
        chart: draw(&bars).await?,
        list: task_list::write(cx, period, zone, now, open).await?,
        bars,
    })
}

async fn count_bars(cx: &Context, period: Period, zone: Tz, now: DateTime<Utc>) -> Result<Bars> {
    // A report on everything there ever was need not begin with the year 1.
    let begin = if period.until - period.since > LONG {
        let first = store::report::find_first_creation(&cx.db).await?;
        let first = first.unwrap_or(period.since);
        first.clamp(period.since, period.until)
    } else {
        period.since
    };
    let end = now.clamp(begin, period.until);
    let steps = calendar::steps(begin, end, zone);
    // What was left out is counted all the same: clocks may differ, and so may what was imported.
    let mut instants = vec![period.since];
    instants.extend(steps.begins.iter().skip(1).map(|(_, begin)| *begin));
    instants.push(period.until);
    let count = async |happening| store::report::count_between(&cx.db, happening, &instants).await;
    let (created, completed) = (
        count(Happening::Creation).await?,
        count(Happening::Completion).await?,
    );
    let figures = created.into_iter().zip(completed);
    let bars = steps.begins.iter().zip(figures);
    Ok(Bars {
        per: steps.per,
        bars: bars
            .map(|((first_day, _), (created, completed))| Bar {
                first_day: *first_day,
                created,
                completed,
            })
            .collect(),
        last_day: steps.last_day,
    })
}

/// None when there is nothing to be seen on it.
async fn draw(bars: &Bars) -> Result<Option<Vec<u8>>> {
    if bars.created() + bars.completed() == 0 {
        return Ok(None);
    }
    let bars = bars.clone();
    // Some milliseconds of work, which other mails and requests need not wait for.
    tokio::task::spawn_blocking(move || draw_chart(&bars).map(Some))
        .await
        .map_err(Error::internal)?
}

async fn list_people(
    cx: &Context,
    period: Period,
    now: DateTime<Utc>,
) -> Result<Vec<PersonFigures>> {
    let busiest = store::report::list_busiest(&cx.db, now, PEOPLE_MAX).await?;
    let ids: Vec<UserId> = busiest.iter().map(|count| count.assignee_id).collect();
    let users = store::user::find_many(&cx.db, &Actor::System, &ids).await?;
    let completed = store::report::count_completed_of(&cx.db, &ids, period).await?;
    let names: HashMap<UserId, String> = users
        .iter()
        .map(|user| (user.id, user.display_name()))
        .collect();
    let completed: HashMap<UserId, u64> = completed.into_iter().collect();
    let figures = busiest.into_iter().filter_map(|count| {
        // Whoever is deleted meanwhile is left out.
        let name = names.get(&count.assignee_id)?.clone();
        Some(PersonFigures {
            name,
            open: count.open.unsigned_abs(),
            overdue: count.overdue.unsigned_abs(),
            completed: completed.get(&count.assignee_id).copied().unwrap_or(0),
        })
    });
    Ok(figures.collect())
}
