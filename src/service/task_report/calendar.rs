//! Cuts a period into steps of somebody's calendar: days while they are few, else
//! weeks, months or years, so that there are never more than fit on a chart.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::calendar::beginning;
use crate::mail::Per;

/// Six weeks.
const DAYS_MAX: u64 = 42;
const STEPS_MAX: u64 = 60;
const MONTHS_OF_A_YEAR: u32 = 12;

pub(super) struct Steps {
    pub(super) per: Per,
    /// The first day of each step, and when it begins; the first step begins with the period.
    pub(super) begins: Vec<(NaiveDate, DateTime<Utc>)>,
    pub(super) last_day: NaiveDate,
}

/// At least one step, since a period without length has a day, too.
pub(super) fn steps(since: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> Steps {
    let day_of = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
    let first_day = day_of(since);
    // What ends at midnight does not reach into the day that begins then.
    let last_day = day_of(until - TimeDelta::milliseconds(1)).max(first_day);
    let per = choose(first_day, last_day);
    let mut begins = vec![(first_day, since)];
    let mut day = first_day;
    while let Some(next) = next_begin(per, day).filter(|next| *next <= last_day) {
        let begin = beginning(next, zone);
        // A day that a zone left out begins with the one after it, and is none.
        if begins.last().is_none_or(|(_, last)| *last < begin) && begin < until {
            begins.push((day_of(begin), begin));
        }
        day = next;
    }
    Steps {
        per,
        begins,
        last_day,
    }
}

fn choose(first: NaiveDate, last: NaiveDate) -> Per {
    let days = (last - first).num_days().unsigned_abs() + 1;
    let months = months_since_christ(last).abs_diff(months_since_christ(first)) + 1;
    let years = u64::from(last.year().abs_diff(first.year())) + 1;
    if days <= DAYS_MAX {
        Per::Day
    } else if days.div_ceil(7) < STEPS_MAX {
        Per::Week
    } else if months <= STEPS_MAX {
        Per::Month
    } else if years <= STEPS_MAX {
        Per::Years(1)
    } else {
        // Nothing is older than the calendar of years with four digits.
        let steps = [2_u32, 5, 10, 20, 50, 100];
        let fits = |step: &&u32| years.div_ceil(u64::from(**step)) < STEPS_MAX;
        Per::Years(steps.iter().find(fits).copied().unwrap_or(1_000))
    }
}

fn months_since_christ(day: NaiveDate) -> i64 {
    i64::from(day.year()) * i64::from(MONTHS_OF_A_YEAR) + i64::from(day.month0())
}

/// The first day of the step after the one that this day is in.
fn next_begin(per: Per, day: NaiveDate) -> Option<NaiveDate> {
    let first_of_month = day.with_day(1)?;
    match per {
        Per::Day => day.succ_opt(),
        Per::Week => {
            let gone = u64::from(day.weekday().num_days_from_monday());
            day.checked_add_days(Days::new(7 - gone))
        }
        Per::Month => first_of_month.checked_add_months(Months::new(1)),
        Per::Years(years) => {
            let step = i32::try_from(years.max(1)).ok()?;
            let year = (day.year().div_euclid(step) + 1).checked_mul(step)?;
            NaiveDate::from_ymd_opt(year, 1, 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(since: &str, until: &str, zone: Tz) -> (Per, Vec<String>, String) {
        let steps = steps(since.parse().unwrap(), until.parse().unwrap(), zone);
        let begins = steps.begins.iter().map(|(day, begin)| {
            assert_eq!(begin.with_timezone(&zone).date_naive(), *day);
            format!("{day} {}", begin.format("%dT%H:%M"))
        });
        (steps.per, begins.collect(), steps.last_day.to_string())
    }

    #[test]
    fn a_week_is_cut_at_the_midnights_of_the_zone() {
        let (per, begins, last) = cut(
            "2026-01-02T09:00:00Z",
            "2026-01-05T09:00:00Z",
            Tz::Asia__Dhaka,
        );
        assert_eq!(per, Per::Day);
        assert_eq!(
            begins,
            [
                "2026-01-02 02T09:00",
                "2026-01-03 02T18:00",
                "2026-01-04 03T18:00",
                "2026-01-05 04T18:00"
            ]
        );
        assert_eq!(last, "2026-01-05");
    }

    #[test]
    fn what_ends_at_midnight_does_not_reach_into_the_next_day() {
        let (_, begins, last) = cut("2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z", Tz::UTC);
        assert_eq!(begins, ["2026-01-05 05T00:00", "2026-01-06 06T00:00"]);
        assert_eq!(last, "2026-01-06");
        let (_, begins, last) = cut("2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z", Tz::UTC);
        assert_eq!(begins, ["2026-01-05 05T00:00"]);
        assert_eq!(last, "2026-01-05");
    }

    #[test]
    fn a_day_of_25_hours_is_one_and_a_day_that_was_left_out_is_none() {
        let (_, begins, _) = cut(
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
            Tz::Europe__Berlin,
        );
        assert_eq!(
            begins,
            [
                "2026-10-24 24T12:00",
                "2026-10-25 24T22:00",
                "2026-10-26 25T23:00"
            ]
        );
        // Samoa went from the 29th to the 31st.
        let (_, begins, _) = cut(
            "2011-12-29T12:00:00Z",
            "2011-12-31T12:00:00Z",
            Tz::Pacific__Apia,
        );
        assert_eq!(
            begins,
            [
                "2011-12-29 29T12:00",
                "2011-12-31 30T10:00",
                "2012-01-01 31T10:00"
            ]
        );
    }

    #[test]
    fn the_longer_the_period_the_longer_the_steps() {
        for (since, until, per, first, second) in [
            (
                "2026-01-01",
                "2026-02-12",
                Per::Day,
                "2026-01-01",
                "2026-01-02",
            ),
            (
                "2026-01-01",
                "2026-02-13",
                Per::Week,
                "2026-01-01",
                "2026-01-05",
            ),
            (
                "2025-01-01",
                "2026-01-05",
                Per::Week,
                "2025-01-01",
                "2025-01-06",
            ),
            (
                "2024-01-15",
                "2026-01-05",
                Per::Month,
                "2024-01-15",
                "2024-02-01",
            ),
            (
                "1970-06-01",
                "2026-01-05",
                Per::Years(1),
                "1970-06-01",
                "1971-01-01",
            ),
            (
                "1926-06-01",
                "2026-01-05",
                Per::Years(2),
                "1926-06-01",
                "1928-01-01",
            ),
            (
                "0001-01-01",
                "2026-01-05",
                Per::Years(50),
                "0001-01-01",
                "0050-01-01",
            ),
            (
                "0001-01-01",
                "9999-12-31",
                Per::Years(1_000),
                "0001-01-01",
                "1000-01-01",
            ),
        ] {
            let at = |day: &str| format!("{day}T00:00:00Z");
            let (found, begins, _) = cut(&at(since), &at(until), Tz::UTC);
            assert_eq!(found, per, "{since} to {until}");
            assert!(begins[0].starts_with(first), "{begins:?}");
            assert!(begins[1].starts_with(second), "{begins:?}");
            assert!(begins.len() <= 60, "{} steps", begins.len());
        }
    }

    #[test]
    fn there_are_never_more_than_sixty_steps() {
        for days in 1..40_000 {
            let until = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
            let steps = steps(until - TimeDelta::days(days), until, Tz::UTC);
            assert!(
                steps.begins.len() <= 60,
                "{days} days: {}",
                steps.begins.len()
            );
            assert!(steps.begins.is_sorted());
        }
    }
}
