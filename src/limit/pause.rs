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

    fn weight(&self) -> Micros {
        self.last.saturating_add(micros(pause(self.count, 0)))
    }
}

fn find(table: &Table<Failures>, key: &Key, now: Micros) -> Option<Failures> {
    table.get(key).filter(|failures| !failures.is_past(now))
}

/// How many have been counted of this guess's source, and of all.
pub(super) type Counts = [u32; 2];

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
    let one_more = |failures: Option<Failures>| failures.map_or(0, |failures| failures.count) + 1;
    note(table, guess, [one_more(here), one_more(everywhere)], now);
    Ok(())
}

/// Keeps what somebody else has counted.
pub(super) fn note(table: &mut Table<Failures>, guess: &Guess, counts: Counts, now: Micros) {
    let [here, everywhere] = counts;
    let counted = [(Some(guess.here), here), (guess.everywhere, everywhere)];
    for (key, count) in counted {
        let Some(key) = key else { continue };
        let before = table.get(&key).map_or(0, |failures| failures.last);
        let last = now;
        table.set(
            key,
            Failures {
                count,
                last,
                before,
            },
            now,
        );
    }
}

pub(super) fn take_back(table: &mut Table<Failures>, guess: &Guess, now: Micros) {
    for key in [Some(guess.here), guess.everywhere].into_iter().flatten() {
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
    for guess in guesses {
        table.remove(&guess.here);
        if let Some(key) = &guess.everywhere {
            table.remove(key);
        }
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
    fn what_is_longest_to_be_waited_for_is_kept_longest() {
        let failures = |count, last| Failures {
            count,
            last: last * SECOND,
            before: 0,
        };
        assert_eq!(failures(1, 100).weight(), 101 * SECOND);
        assert_eq!(failures(7, 100).weight(), 164 * SECOND);
        assert!(failures(7, 50).weight() > failures(1, 100).weight());
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
