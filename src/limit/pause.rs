//! Pauses after wrong guesses in a row, by account, known or not alike: after the
//! first few they are 1, 2, 4, … seconds, at most 15 minutes; after the fiftieth, a
//! day. They count twice over: by account and source, and by account alone.
//!
//! The count of the account alone is what strangers have spoilt, from however many
//! sources. It must not lock the owner out, so it does not hold for a source that
//! the account has a live session from: that one is held to its own count. A full
//! log-in and a reset by mail forget the counts of the account, and a day without
//! a guess forgets all. An account has two names, so strangers get a hundred wrong
//! guesses in a row at it at most before a day's pause (NIST SP 800-63B-4, section
//! 3.2.2).

use std::time::Duration;

use super::key::Key;
use super::table::{Fading, Table};
use super::{Limit, Micros, Refused};

/// Of one source at one account: people mistype, and the rates hold meanwhile.
pub(super) const FREE_HERE: u32 = 4;
/// At one account, from everywhere.
pub(super) const FREE_EVERYWHERE: u32 = 9;
pub(super) const PAUSE_MAX: Duration = Duration::from_mins(15);
pub(super) const FAILURES_MAX: u32 = 50;
/// How long the pause after the last allowed guess is, and how long guesses are remembered.
pub(super) const MEMORY: Duration = Duration::from_hours(24);

/// What is guessed at, and from where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guess {
    pub(super) here: Key,
    pub(super) everywhere: Option<Key>,
}

impl Guess {
    /// What it is counted under.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + use<> {
        [Some(self.here), self.everywhere].into_iter().flatten()
    }
}

/// Why a guess has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// For the wrong guesses of this source.
    Here(Refused),
    /// For those of others, too; not if the account knows this source.
    Everywhere(Refused),
}

impl Paused {
    pub(super) fn here(wait: Duration) -> Self {
        let limit = Limit::Pause;
        Self::Here(Refused { limit, wait })
    }

    pub(super) fn everywhere(wait: Duration) -> Self {
        let limit = Limit::Pause;
        Self::Everywhere(Refused { limit, wait })
    }

    /// Whether it does not hold for a source that the account knows.
    pub fn is_for_strangers(self) -> bool {
        matches!(self, Self::Everywhere(_))
    }

    pub fn refused(self) -> Refused {
        match self {
            Self::Here(refused) | Self::Everywhere(refused) => refused,
        }
    }
}

/// Wrong guesses in a row, when the last one was, and when the one before it, for when the last one
/// is taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    count: u32,
    last: Micros,
    before: Micros,
    /// When Redis told of them, by its own clock. None when this process has counted alone since.
    told_at: Option<Micros>,
}

/// What this process knows by itself, which Redis holds against what it has kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub count: u32,
    /// How long ago the last one was.
    pub age: Micros,
    pub told_at: Option<Micros>,
}

/// What all processes have counted. Times are those of Redis's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub count: u32,
    pub last: Micros,
    pub before: Micros,
    pub at: Micros,
}

/// The pause after so many, of which so many are free.
pub(super) fn pause(count: u32, free: u32) -> Duration {
    if count >= FAILURES_MAX {
        return MEMORY;
    }
    let Some(doublings) = count.checked_sub(free + 1) else {
        return Duration::ZERO;
    };
    let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(PAUSE_MAX)
}

fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

impl Failures {
    fn wait(self, free: u32, now: Micros) -> Duration {
        let until = self.last.saturating_add(micros(pause(self.count, free)));
        Duration::from_micros(until.saturating_sub(now))
    }
}

impl Fading for Failures {
    fn is_past(&self, now: Micros) -> bool {
        self.last.saturating_add(micros(MEMORY)) <= now
    }

    /// Each of a row is kept for half an hour longer, which no pause exceeds: a flood of first guesses
    /// at names that nobody has must not soon make those at somebody be forgotten.
    fn weight(&self) -> Micros {
        let kept = MEMORY / FAILURES_MAX * self.count.min(FAILURES_MAX);
        self.last.saturating_add(micros(kept))
    }
}

fn find(table: &Table<Failures>, key: &Key, now: Micros) -> Option<Failures> {
    table.get(key).filter(|failures| !failures.is_past(now))
}

/// What is known of each key of a guess.
pub(super) fn known(table: &Table<Failures>, guess: &Guess, now: Micros) -> Vec<Known> {
    let known = |key| {
        find(table, &key, now).map_or_else(Known::default, |failures| Known {
            count: failures.count,
            age: now.saturating_sub(failures.last),
            told_at: failures.told_at,
        })
    };
    guess.keys().map(known).collect()
}

pub(super) fn start(
    table: &mut Table<Failures>,
    guess: &Guess,
    is_known: bool,
    now: Micros,
) -> Result<(), Paused> {
    let here = find(table, &guess.here, now);
    let everywhere = guess.everywhere.and_then(|key| find(table, &key, now));
    let wait = here.map_or(Duration::ZERO, |failures| failures.wait(FREE_HERE, now));
    if !wait.is_zero() {
        return Err(Paused::here(wait));
    }
    let wait = everywhere.map_or(Duration::ZERO, |failures| {
        failures.wait(FREE_EVERYWHERE, now)
    });
    if !wait.is_zero() && !is_known {
        return Err(Paused::everywhere(wait));
    }
    for key in guess.keys() {
        let earlier = find(table, &key, now);
        let failures = Failures {
            count: earlier.map_or(0, |failures| failures.count) + 1,
            last: now,
            before: earlier.map_or(0, |failures| failures.last),
            told_at: None,
        };
        table.set(key, failures, now);
    }
    Ok(())
}

/// Keeps what Redis has told, which was asked at `now`.
pub(super) fn note(table: &mut Table<Failures>, guess: &Guess, told: &[Told], now: Micros) {
    for (key, told) in guess.keys().zip(told) {
        // Answers overtake each other, and meanwhile this process may have had to count alone.
        let is_past = table.get(&key).is_some_and(|own| match own.told_at {
            Some(at) => at > told.at,
            None => own.last > now,
        });
        if is_past {
            continue;
        }
        if told.count == 0 {
            table.remove(&key);
            continue;
        }
        let here = |then: Micros| now.saturating_sub(told.at.saturating_sub(then));
        let failures = Failures {
            count: told.count,
            last: here(told.last),
            before: here(told.before),
            told_at: Some(told.at),
        };
        table.set(key, failures, now);
    }
}

pub(super) fn take_back(table: &mut Table<Failures>, guess: &Guess, now: Micros) {
    for key in guess.keys() {
        let Some(failures) = table.get(&key) else {
            continue;
        };
        match failures.count.saturating_sub(1) {
            0 => table.remove(&key),
            // As it was: the pause that was waited out is not to be waited for once more.
            count => {
                let last = failures.before;
                table.set(
                    key,
                    Failures {
                        count,
                        last,
                        ..failures
                    },
                    now,
                );
            }
        }
    }
}

pub(super) fn forget(table: &mut Table<Failures>, guesses: &[Guess]) {
    for key in guesses.iter().flat_map(Guess::keys) {
        table.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    fn guess_from(source: u128) -> Guess {
        Guess {
            here: Key::numbered(source),
            everywhere: Some(Key::numbered(u128::MAX)),
        }
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_end_in_a_day() {
        let seconds = |count| pause(count, FREE_HERE).as_secs();
        assert_eq!([0, 1, 4].map(seconds), [0, 0, 0]);
        assert_eq!([5, 6, 7, 8, 14].map(seconds), [1, 2, 4, 8, 512]);
        assert_eq!([15, 16, 40, 49].map(seconds), [900; 4]);
        assert_eq!([50, 51, u32::MAX].map(seconds), [86_400; 3]);
    }

    #[test]
    fn nobody_gets_more_than_a_hundred_guesses_in_a_row_however_patient() {
        let mut table = Table::default();
        let (mut now, mut guesses) = (0, 0);
        // Each from a source of its own, at one of the two names, and as soon as may be.
        while now < 48 * 3_600 * SECOND {
            match start(&mut table, &guess_from(guesses.into()), false, now) {
                Ok(()) => guesses += 1,
                Err(paused) => {
                    let wait = paused.refused().wait;
                    if wait > PAUSE_MAX {
                        break;
                    }
                    now += u64::try_from(wait.as_micros()).unwrap();
                }
            }
        }
        assert_eq!(guesses, FAILURES_MAX);
        // It is not for ever.
        now += u64::try_from(MEMORY.as_micros()).unwrap();
        assert!(start(&mut table, &guess_from(7), false, now).is_ok());
    }

    #[test]
    fn a_day_without_a_guess_forgets_all() {
        let (mut table, guess) = (Table::default(), guess_from(1));
        for round in 0..3 {
            let now = round * micros(MEMORY);
            for _ in 0..=FREE_HERE {
                start(&mut table, &guess, false, now).unwrap();
            }
            assert!(start(&mut table, &guess, false, now).is_err());
        }
    }

    #[test]
    fn the_more_there_are_the_longer_they_are_kept_and_no_pause_outlasts_them() {
        let failures = |count, last| Failures {
            count,
            last: last * SECOND,
            before: 0,
            told_at: None,
        };
        assert_eq!(failures(1, 100).weight(), (100 + 1_728) * SECOND);
        assert_eq!(failures(7, 100).weight(), (100 + 7 * 1_728) * SECOND);
        for count in 0..=2 * FAILURES_MAX {
            let kept = failures(count, 0).weight();
            assert!(kept >= micros(pause(count, 0)) && kept <= micros(MEMORY));
        }
    }

    #[test]
    fn a_flood_of_other_names_makes_no_guesses_be_forgotten_for_hours() {
        let (mut table, victim) = (Table::default(), guess_from(0));
        let told = Told {
            count: 20,
            last: 0,
            before: 0,
            at: 0,
        };
        note(&mut table, &victim, &[told, told], 0);
        // As many as all strangers together may in three hours, each at a name of its own.
        let mut now = 0;
        for number in 1..=3 * 60 * 1_200_u128 {
            now += SECOND / 20;
            let guess = Guess {
                here: Key::numbered(2 * number),
                everywhere: Some(Key::numbered(2 * number + 1)),
            };
            start(&mut table, &guess, false, now).unwrap();
        }
        let counts: Vec<u32> = known(&table, &victim, now)
            .iter()
            .map(|it| it.count)
            .collect();
        assert_eq!(counts, [20, 20]);
    }

    /// What Redis tells, half a minute by its clock after it began, of both keys alike.
    fn told(count: u32, ago: Micros, at: Micros) -> [Told; 2] {
        let at = 1_000_000 * SECOND + at;
        let last = at - ago;
        let before = last - SECOND;
        [Told {
            count,
            last,
            before,
            at,
        }; 2]
    }

    #[test]
    fn what_redis_has_told_holds_without_it_for_as_long_as_it_would_have() {
        let (mut table, guess) = (Table::default(), guess_from(1));
        let now = micros(MEMORY);
        note(&mut table, &guess, &told(50, 36_000 * SECOND, 0), now);
        let paused = start(&mut table, &guess, true, now).unwrap_err();
        assert_eq!(paused, Paused::here(Duration::from_hours(14)));
        let then = now + 14 * 3_600 * SECOND;
        assert!(start(&mut table, &guess, true, then - 1).is_err());
        assert!(start(&mut table, &guess, true, then).is_ok());
        // The guess that is taken back was the last, and the others are as old as they were.
        let (mut table, now) = (Table::default(), now + 7);
        note(&mut table, &guess, &told(12, 0, 0), now);
        take_back(&mut table, &guess, now);
        let age = known(&table, &guess, now)[0].age;
        assert_eq!(age, SECOND);
    }

    #[test]
    fn redis_is_told_what_is_known_and_whether_it_was_counted_alone() {
        let (mut table, guess) = (Table::default(), guess_from(1));
        assert_eq!(known(&table, &guess, 0), [Known::default(); 2]);
        note(&mut table, &guess, &told(3, 0, 0), 5 * SECOND);
        let (age, at) = (2 * SECOND, 1_000_000 * SECOND);
        let from_redis = Known {
            count: 3,
            age,
            told_at: Some(at),
        };
        assert_eq!(known(&table, &guess, 7 * SECOND), [from_redis; 2]);
        start(&mut table, &guess, false, 8 * SECOND).unwrap();
        let alone = Known {
            count: 4,
            age,
            told_at: None,
        };
        assert_eq!(known(&table, &guess, 10 * SECOND), [alone; 2]);
        // What is past holds nobody up there either.
        let now = 8 * SECOND + micros(MEMORY);
        assert_eq!(known(&table, &guess, now), [Known::default(); 2]);
        let only_here = Guess {
            everywhere: None,
            ..guess
        };
        assert_eq!(known(&table, &only_here, 10 * SECOND), [alone]);
    }

    #[test]
    fn what_redis_tells_takes_the_place_of_all_but_what_is_newer() {
        let (mut table, guess) = (Table::default(), guess_from(1));
        let count = |table: &Table<Failures>| known(table, &guess, 20 * SECOND)[1].count;
        note(&mut table, &guess, &told(6, 0, SECOND), 10 * SECOND);
        // An answer that was overtaken.
        note(&mut table, &guess, &told(5, 0, 0), 10 * SECOND);
        assert_eq!(count(&table), 6);
        // One that knows of less, because it was forgiven elsewhere.
        note(&mut table, &guess, &told(1, 0, 2 * SECOND), 11 * SECOND);
        assert_eq!(count(&table), 1);
        // Counted alone before Redis was asked, and so a part of what it tells; and counted after.
        start(&mut table, &guess, false, 12 * SECOND).unwrap();
        note(&mut table, &guess, &told(1, 0, 3 * SECOND), 12 * SECOND);
        assert_eq!(count(&table), 1);
        start(&mut table, &guess, false, 13 * SECOND).unwrap();
        note(&mut table, &guess, &told(1, 0, 4 * SECOND), 12 * SECOND);
        assert_eq!(count(&table), 2);
        // Nothing is as good as no row.
        note(&mut table, &guess, &told(0, 0, 5 * SECOND), 14 * SECOND);
        assert!(table.get(&guess.here).is_none());
    }

    #[test]
    fn what_is_taken_back_leaves_no_pause_behind() {
        let (mut table, guess) = (Table::default(), guess_from(1));
        let mut now = 1_000 * SECOND;
        for _ in 0..12 {
            now += micros(PAUSE_MAX);
            start(&mut table, &guess, false, now).unwrap();
        }
        assert!(start(&mut table, &guess, false, now).is_err());
        now += micros(PAUSE_MAX);
        // The password alone, and right after it the password with the code.
        start(&mut table, &guess, false, now).unwrap();
        take_back(&mut table, &guess, now);
        start(&mut table, &guess, false, now).unwrap();
        assert!(start(&mut table, &guess, false, now).is_err());
    }

    #[test]
    fn a_known_source_waits_for_its_own_failures_only() {
        let mut table = Table::default();
        for source in 0..100 {
            start(&mut table, &guess_from(source), false, 0).unwrap_or_default();
        }
        let owner = guess_from(1_000);
        let stranger = start(&mut table, &owner, false, 0);
        assert!(matches!(stranger, Err(Paused::Everywhere(_))));
        for _ in 0..=FREE_HERE {
            start(&mut table, &owner, true, 0).unwrap();
        }
        let paused = start(&mut table, &owner, true, 0).unwrap_err();
        assert_eq!(paused, Paused::here(Duration::from_secs(1)));
        assert!(start(&mut table, &owner, true, SECOND).is_ok());
    }

    #[test]
    fn a_guess_that_was_taken_back_or_forgotten_does_not_count() {
        let mut table = Table::default();
        let guess = guess_from(1);
        for _ in 0..100 {
            start(&mut table, &guess, false, 0).unwrap();
            take_back(&mut table, &guess, 0);
        }
        for _ in 0..=FREE_HERE {
            start(&mut table, &guess, false, 0).unwrap();
        }
        assert!(start(&mut table, &guess, false, 0).is_err());
        forget(&mut table, &[guess]);
        assert!(start(&mut table, &guess, false, 0).is_ok());
    }
}
