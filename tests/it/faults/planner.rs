//! The planner against a model: people of every zone, 400 days with all their clock
//! changes, and downtime at any moment. On each local date that exists, each person
//! is reminded once, or it is counted that they were not.
//!
//! The model knows nothing of calendars: it looks at what a clock in the zone shows
//! every quarter of an hour, which is how far zones differ from each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};
use muster::calendar::{LATE_MAX, Rhythm, Weekdays};
use muster::generator::Generator;

use super::at_length;

const DAYS: i64 = 400;
const STEP: TimeDelta = TimeDelta::minutes(15);
const STEPS_OF_A_DAY: i64 = 24 * 4;
const SEED: u64 = 1;

/// Northern and southern summers begin and end twice in what follows.
fn beginning() -> DateTime<Utc> {
    "2026-02-01T00:00:00Z".parse().unwrap()
}

/// What a clock shows, step by step.
struct ZoneClock {
    zone: Tz,
    shown: Vec<(NaiveDate, NaiveTime)>,
}

impl ZoneClock {
    fn new(zone: Tz) -> Self {
        let offset = |step| zone.offset_from_utc_datetime(&at(step).naive_utc()).fix();
        let mut shown = Vec::new();
        for day in 0..DAYS {
            let (first, next) = (day * STEPS_OF_A_DAY, (day + 1) * STEPS_OF_A_DAY);
            // Most days have no change of clocks, and asking takes long.
            let of_day = Some(offset(first)).filter(|first| *first == offset(next));
            shown.extend((first..next).map(|step| {
                let offset = of_day.unwrap_or_else(|| offset(step));
                let local = at(step).with_timezone(&offset);
                (local.date_naive(), local.time())
            }));
        }
        Self { zone, shown }
    }
}

fn at(step: i64) -> DateTime<Utc> {
    beginning() + STEP * i32::try_from(step).unwrap()
}

struct Person {
    time: NaiveTime,
    weekdays: Weekdays,
    paused_until: Option<NaiveDate>,
    /// Whether anything runs at each step.
    up: Vec<bool>,
}

struct Dice<'a>(&'a Generator);

impl Dice<'_> {
    fn below(&self, limit: u64) -> u64 {
        u64::from_be_bytes(self.0.bytes()) % limit
    }

    fn person(&self, steps: usize) -> Person {
        let quarter = u32::try_from(self.below(24 * 4)).unwrap();
        let days = (0..7).filter(|_| self.below(4) > 0);
        let weekdays = Weekdays::of(days.map(|day| Weekday::try_from(day).unwrap()));
        let mut up = vec![true; steps];
        for _ in 0..self.below(40) {
            let begins = usize::try_from(self.below(steps as u64)).unwrap();
            // A moment, some hours, or days.
            let lasts = match self.below(3) {
                0 => self.below(4),
                1 => self.below(4 * 12),
                _ => self.below(4 * 24 * 5),
            };
            let ends = steps.min(begins + usize::try_from(lasts).unwrap());
            up[begins..ends].fill(false);
        }
        Person {
            time: NaiveTime::from_hms_opt(quarter / 4, quarter % 4 * 15, 0).unwrap(),
            weekdays,
            paused_until: (self.below(5) == 0).then(|| {
                let days = i64::try_from(self.below(100)).unwrap();
                (beginning() + TimeDelta::days(days)).date_naive()
            }),
            up,
        }
    }
}

/// The dates on which somebody is reminded, at which step, and how many were missed.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    reminded: Vec<(NaiveDate, i64)>,
    missed: u32,
}

/// As the planner does it: it looks when the time has come that the look before told.
fn planned(clock: &ZoneClock, person: &Person) -> Told {
    let rhythm = Rhythm {
        time: person.time,
        weekdays: person.weekdays,
        not_before: person.paused_until,
        zone: clock.zone,
    };
    let mut told = Told {
        reminded: Vec::new(),
        missed: 0,
    };
    let (mut due_at, mut decided_on) = (Some(beginning()), None);
    for (step, up) in (0..).zip(&person.up) {
        let now = at(step);
        if !up || due_at.is_none_or(|due| now < due) {
            continue;
        }
        let look = rhythm.look(decided_on, now);
        if let Some(due) = look.due {
            told.reminded.push((due.date, step));
        }
        told.missed += look.missed;
        due_at = look.next;
        decided_on = Some(look.decided_on);
    }
    told
}

/// As somebody would tell who only watches the clock.
fn expected(clock: &ZoneClock, person: &Person) -> Told {
    let mut told = Told {
        reminded: Vec::new(),
        missed: 0,
    };
    // What the planner was told of at its first look does not count.
    let first_up = person.up.iter().position(|up| *up);
    let mut waiting: Option<(NaiveDate, i64)> = None;
    let mut decided: Option<NaiveDate> = None;
    let mut last_look = 0;
    for (step, (date, time)) in (0_i64..).zip(&clock.shown) {
        let index = usize::try_from(step).unwrap();
        let is_wanted = person.weekdays.contains(date.weekday())
            && person.paused_until.is_none_or(|first| *date >= first);
        let has_come = is_wanted && *time >= person.time && decided.is_none_or(|last| last < *date);
        if has_come {
            decided = Some(*date);
        }
        if has_come && first_up.is_some_and(|first| index > first) {
            // One that nobody looked after until the next came is over.
            told.missed += u32::from(waiting.replace((*date, step)).is_some());
        }
        if !person.up[index] {
            continue;
        }
        last_look = step;
        if let Some((of, since)) = waiting.take() {
            let late = STEP * i32::try_from(step - since).unwrap();
            if of == *date && late < LATE_MAX {
                told.reminded.push((of, step));
            } else {
                told.missed += 1;
            }
        }
    }
    // What was missed after the last look is not known to anybody.
    told.missed -= unknown_at_the_end(clock, person, last_look);
    told
}

/// The dates that came after this step, but for the one that still waits.
fn unknown_at_the_end(clock: &ZoneClock, person: &Person, looked_until: i64) -> u32 {
    let after = usize::try_from(looked_until + 1).unwrap();
    let (before, after) = clock.shown.split_at(after.min(clock.shown.len()));
    let has_come = |(_, time): &&(NaiveDate, NaiveTime)| *time >= person.time;
    let known = before.iter().rfind(has_come).map(|(date, _)| *date);
    let is_wanted = |date: &NaiveDate| {
        person.weekdays.contains(date.weekday())
            && person.paused_until.is_none_or(|first| *date >= first)
            && known.is_none_or(|known| known < *date)
    };
    let dates = after.iter().filter(has_come).map(|(date, _)| *date);
    let new: BTreeSet<NaiveDate> = dates.filter(is_wanted).collect();
    u32::try_from(new.len().saturating_sub(1)).unwrap()
}

#[test]
fn everybody_is_reminded_once_on_each_date_whatever_clocks_and_machines_do() {
    let people = at_length(10_000, 600);
    let clocks: Vec<Arc<ZoneClock>> = TZ_VARIANTS
        .iter()
        .map(|zone| Arc::new(ZoneClock::new(*zone)))
        .collect();
    assert!(clocks.len() > 500, "{}", clocks.len());
    let generator = Generator::seeded(SEED);
    let dice = Dice(&generator);
    let (mut reminded, mut missed) = (0, 0);
    for number in 0..people {
        // Every zone has its turn.
        let zone = usize::try_from(number).unwrap() % clocks.len();
        let clock = &clocks[zone];
        let person = dice.person(clock.shown.len());
        let told = planned(clock, &person);
        let expected = expected(clock, &person);
        let who = format!(
            "person {number} of seed {SEED} in {} at {}",
            clock.zone, person.time
        );
        assert_eq!(told, expected, "{who}");
        let dates: BTreeSet<NaiveDate> = told.reminded.iter().map(|(date, _)| *date).collect();
        assert_eq!(dates.len(), told.reminded.len(), "{who}");
        reminded += told.reminded.len();
        missed += told.missed;
    }
    println!(
        "{people} people in {} zones, {DAYS} days, seed {SEED}: {reminded} reminders, {missed} missed",
        clocks.len()
    );
    assert!(reminded > 0 && missed > 0);
}

/// Whoever travels is never told of the same date twice, nor of an earlier one.
#[test]
fn travellers_are_reminded_of_later_and_later_dates() {
    let people = at_length(2_000, 200);
    let generator = Generator::seeded(SEED);
    let dice = Dice(&generator);
    let steps = DAYS * STEPS_OF_A_DAY;
    for number in 0..people {
        let person = dice.person(usize::try_from(steps).unwrap());
        let mut zone = Tz::UTC;
        let (mut due_at, mut decided_on) = (Some(beginning()), None);
        let mut last: Option<NaiveDate> = None;
        for (step, up) in (0..).zip(&person.up) {
            let now = at(step);
            if dice.below(500) == 0 {
                let choice = usize::try_from(dice.below(TZ_VARIANTS.len() as u64)).unwrap();
                zone = TZ_VARIANTS[choice];
                due_at = Some(now);
            }
            if !up || due_at.is_none_or(|due| now < due) {
                continue;
            }
            let rhythm = Rhythm {
                time: person.time,
                weekdays: Weekdays::ALL,
                not_before: None,
                zone,
            };
            let look = rhythm.look(decided_on, now);
            if let Some(due) = look.due {
                let local = now.with_timezone(&zone);
                assert_eq!(due.date, local.date_naive(), "person {number}");
                assert!(due.at <= now && now < due.until, "person {number}");
                assert!(last.is_none_or(|last| last < due.date), "person {number}");
                last = Some(due.date);
            }
            due_at = look.next;
            decided_on = Some(look.decided_on);
        }
        assert!(last.is_some(), "person {number}");
    }
}
