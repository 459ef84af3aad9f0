//! Days and hours on people's own clocks: the only place that turns a local date
//! and time into an instant. Clocks that are put forward or back, and dates that a
//! zone left out, are settled here, once.
//!
//! A local time that a clock skips stands for the first instant after the gap; one
//! that it shows twice, for the first of the two; a date that does not exist has no
//! instant at all.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;

/// How late something that goes by the calendar is still done, on the same local date.
pub const LATE_MAX: TimeDelta = TimeDelta::hours(6);
/// Days that are looked back on for what was missed.
const MISSED_DAYS_MAX: u64 = 400;
/// Days that are looked ahead for the next time: more than a week, since a date may not exist.
const AHEAD_DAYS: u64 = 15;
const YEAR_MAX: i32 = 9_999;
/// Gaps are a multiple of a quarter of an hour, and none is longer than a day.
const QUARTERS_OF_A_GAP: i64 = 96;

/// When this clock shows this time on this date.
pub fn instant_on(date: NaiveDate, time: NaiveTime, zone: Tz) -> Option<DateTime<Utc>> {
    let local = date.and_time(time);
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        return Some(instant.to_utc());
    }
    // The gap ends at a whole quarter of an hour, so the first instant after it shows one.
    let minutes = i64::from(chrono::Timelike::minute(&time) % 15);
    let quarter = local.checked_sub_signed(TimeDelta::minutes(minutes))?;
    (1..=QUARTERS_OF_A_GAP)
        .find_map(|quarters| {
            let local = quarter.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
            zone.from_local_datetime(&local).earliest()
        })
        .filter(|instant| instant.date_naive() == date)
        .map(|instant| instant.to_utc())
}

/// From the first instant of the day in this zone to the first of the next. Where clocks are put
/// forward over midnight, the day begins when they land.
pub fn local_day(now: DateTime<Utc>, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let today = now.with_timezone(&zone).date_naive();
    (beginning(today, zone), beginning(next(today), zone))
}

/// The first instant that is not before this date on this clock.
pub fn beginning(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    (0..=QUARTERS_OF_A_GAP)
        .find_map(|quarters| {
            let local = midnight.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
            zone.from_local_datetime(&local).earliest()
        })
        .map_or_else(|| midnight.and_utc(), |instant| instant.to_utc())
}

fn next(date: NaiveDate) -> NaiveDate {
    date.checked_add_days(Days::new(1)).unwrap_or(date)
}

fn previous(date: NaiveDate) -> NaiveDate {
    date.checked_sub_days(Days::new(1)).unwrap_or(date)
}

/// Some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    pub const ALL: Self = Self(0b111_1111);

    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Self {
        let bit = |day: Weekday| 1 << day.num_days_from_monday();
        Self(days.into_iter().fold(0, |bits, day| bits | bit(day)))
    }

    /// Monday is the lowest bit.
    pub fn bits(self) -> i32 {
        self.0.into()
    }

    /// Bits beyond the seventh are nobody's.
    pub fn from_bits(bits: i32) -> Self {
        Self(u8::try_from(bits & Self::ALL.bits()).unwrap_or_default())
    }

    pub fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    /// From Monday on.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        (0..7)
            .filter_map(|number| Weekday::try_from(number).ok())
            .filter(move |day| self.contains(*day))
    }
}

/// What comes back on days of the week, at an hour of somebody's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    pub time: NaiveTime,
    pub weekdays: Weekdays,
    /// Not on dates before this one.
    pub not_before: Option<NaiveDate>,
    pub zone: Tz,
}

/// What a look at the clock came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The date that it is time for now, if it is.
    pub due: Option<Due>,
    /// The last date about which it is decided by now.
    pub decided_on: NaiveDate,
    /// When to look again. None: never, as things stand.
    pub next: Option<DateTime<Utc>>,
    /// Dates that went by without being decided about.
    pub missed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub date: NaiveDate,
    pub at: DateTime<Utc>,
    /// Too late from then on.
    pub until: DateTime<Utc>,
}

impl Rhythm {
    /// `decided_on` is what the look before this one came to, in whatever zone; None before the first.
    /// Each date is decided about once: that it is due, or that it was missed.
    pub fn look(&self, decided_on: Option<NaiveDate>, now: DateTime<Utc>) -> Look {
        let today = now.with_timezone(&self.zone).date_naive();
        let Some(last) = decided_on else {
            // Nothing was promised for what is past.
            let decided_on = if self.on(today).is_some_and(|at| at <= now) {
                today
            } else {
                previous(today)
            };
            return Look {
                due: None,
                decided_on,
                next: self.after(decided_on, today),
                missed: 0,
            };
        };
        let mut missed = self.count_between(last, today);
        let mut decided_on = last.max(previous(today));
        let mut due = None;
        if decided_on < today
            && let Some(at) = self.on(today).filter(|at| *at <= now)
        {
            decided_on = today;
            let until = (at + LATE_MAX).min(beginning(next(today), self.zone));
            if now < until {
                due = Some(Due {
                    date: today,
                    at,
                    until,
                });
            } else {
                missed += 1;
            }
        }
        Look {
            due,
            decided_on,
            next: self.after(decided_on, today),
            missed,
        }
    }

    /// The last date that is past by now, so that nothing is caught up on: for a rhythm that was
    /// changed just now.
    pub fn passed(&self, now: DateTime<Utc>) -> NaiveDate {
        self.look(None, now).decided_on
    }

    /// When it is time on this date, if ever. What is beyond the years of four digits never comes:
    /// it would not sort.
    fn on(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let is_wanted = self.weekdays.contains(date.weekday())
            && self.not_before.is_none_or(|first| date >= first);
        is_wanted
            .then(|| instant_on(date, self.time, self.zone))
            .flatten()
            .filter(|at| at.year() <= YEAR_MAX)
    }

    /// The first time after this date, and not before today.
    fn after(&self, decided_on: NaiveDate, today: NaiveDate) -> Option<DateTime<Utc>> {
        let first = next(decided_on)
            .max(today)
            .max(self.not_before.unwrap_or(today));
        first
            .iter_days()
            .take(usize::try_from(AHEAD_DAYS).unwrap_or_default())
            .find_map(|date| self.on(date))
    }

    /// Dates after `last` and before `today` that it was time on.
    fn count_between(&self, last: NaiveDate, today: NaiveDate) -> u32 {
        let earliest = today
            .checked_sub_days(Days::new(MISSED_DAYS_MAX))
            .unwrap_or(today);
        let dates = next(last).max(earliest).iter_days();
        let count = dates
            .take_while(|date| *date < today)
            .filter(|date| self.on(*date).is_some())
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
