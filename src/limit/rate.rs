//! Rates, by the generic cell rate algorithm: of each key, the time is kept at
//! which it will be as if nothing had been tried ("theoretical arrival time").
//! Every try puts it off by one interval; a try is refused that would put it off
//! beyond the whole period. So a burst of the full number passes, and then one for
//! each interval.

use std::time::Duration;

use super::key::Key;
use super::table::{Fading, Table};
use super::{Micros, Refused};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident: $name:literal, $burst:literal per $period:ident;)*) => {
        /// What is limited. Changing a number changes what `docs/security.md` says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit {
            $($(#[$doc])* $limit,)*
            /// Not a rate, but the wait after wrong guesses.
            Pause,
        }

        impl Limit {
            /// In keys and metrics.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$limit => $name,)*
                    Self::Pause => "pause",
                }
            }

            pub(super) fn rate(self) -> Rate {
                match self {
                    $(Self::$limit => Rate { burst: $burst, period: $period },)*
                    Self::Pause => Rate { burst: 1, period: Duration::ZERO },
                }
            }
        }

        #[cfg(test)]
        const RATES: &[Limit] = &[$(Limit::$limit),*];
    };
}

limits! {
    LogInByAccount: "log_in_by_account", 5 per MINUTE;
    LogInBySource: "log_in_by_source", 30 per MINUTE;
    /// Of sources that the account does not know, all together: twenty checks of a password each
    /// second.
    LogInByStrangers: "log_in_by_strangers", 1_200 per MINUTE;
    RefreshSession: "refresh_session", 30 per MINUTE;
    SignUp: "sign_up", 10 per HOUR;
    PasswordResetByAddress: "password_reset_by_address", 3 per HOUR;
    PasswordResetBySource: "password_reset_by_source", 20 per HOUR;
    ResetPassword: "reset_password", 10 per MINUTE;
    ConfirmEmail: "confirm_email", 10 per MINUTE;
    AcceptInvitation: "accept_invitation", 10 per MINUTE;
    /// Of a signed-in user's own password or second factor.
    OwnProof: "own_proof", 10 per MINUTE;
    /// Of log-ins with the right password and no right code, those that the account's history tells.
    CodeFailureNoted: "code_failure_noted", 60 per HOUR;
    RequestByUser: "request_by_user", 600 per MINUTE;
    /// Of those, by all API tokens of the user together.
    RequestByScripts: "request_by_scripts", 300 per MINUTE;
    RequestBySource: "request_by_source", 300 per MINUTE;
}

/// So many at once, and so many per period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    burst: u32,
    period: Duration,
}

impl Rate {
    pub fn period(self) -> Micros {
        u64::try_from(self.period.as_micros()).unwrap_or(Micros::MAX)
    }

    pub fn interval(self) -> Micros {
        self.period() / u64::from(self.burst.max(1))
    }
}

/// The theoretical arrival time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell(Micros);

impl Fading for Cell {
    fn is_past(&self, now: Micros) -> bool {
        self.0 <= now
    }

    fn weight(&self) -> Micros {
        self.0
    }
}

/// One try that is to be counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub limit: Limit,
    pub key: Key,
}

/// When the cell would be empty again after one more, and how long that is too late.
fn after(cell: Option<Cell>, rate: Rate, now: Micros) -> (Cell, Micros) {
    let start = cell.map_or(now, |cell| cell.0.max(now));
    let next = start.saturating_add(rate.interval());
    let latest = now.saturating_add(rate.period());
    (Cell(next), next.saturating_sub(latest))
}

/// Whether all of it may be, without counting it.
fn look(table: &Table<Cell>, wants: &[Want], now: Micros) -> Result<(), Refused> {
    let waits = wants.iter().map(|want| {
        let (_, wait) = after(table.get(&want.key), want.limit.rate(), now);
        Refused {
            limit: want.limit,
            wait: Duration::from_micros(wait),
        }
    });
    match waits.max_by_key(|refused| refused.wait) {
        Some(refused) if !refused.wait.is_zero() => Err(refused),
        _ => Ok(()),
    }
}

/// Counts all of it, or nothing.
pub(super) fn take(table: &mut Table<Cell>, wants: &[Want], now: Micros) -> Result<(), Refused> {
    look(table, wants, now)?;
    for want in wants {
        let (cell, _) = after(table.get(&want.key), want.limit.rate(), now);
        table.set(want.key, cell, now);
    }
    Ok(())
}

/// Takes back what was counted and did not come to pass.
pub(super) fn give_back(table: &mut Table<Cell>, wants: &[Want], now: Micros) {
    for want in wants {
        if let Some(Cell(at)) = table.get(&want.key) {
            let cell = Cell(at.saturating_sub(want.limit.rate().interval()));
            table.set(want.key, cell, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// A bucket that fills drop by drop, which is the same seen from the other side. In drops, of
    /// which one try takes as many as an interval has microseconds.
    struct Bucket {
        level: u64,
        seen: Micros,
    }

    impl Bucket {
        fn allows(&mut self, rate: Rate, now: Micros) -> bool {
            let full = rate.interval() * u64::from(rate.burst);
            self.level = (self.level + now - self.seen).min(full);
            self.seen = now;
            let allowed = self.level >= rate.interval();
            if allowed {
                self.level -= rate.interval();
            }
            allowed
        }
    }

    fn want(limit: Limit) -> [Want; 1] {
        let key = Key::numbered(1);
        [Want { limit, key }]
    }

    #[test]
    fn every_rate_is_a_bucket_that_fills_evenly() {
        for (seed, limit) in (0..200).flat_map(|seed| RATES.iter().map(move |limit| (seed, *limit)))
        {
            let mut chance = StdRng::seed_from_u64(seed);
            let rate = limit.rate();
            let mut bucket = Bucket {
                level: rate.period(),
                seen: 0,
            };
            let mut table = Table::default();
            let mut now = 0;
            for _ in 0..200 {
                now += match chance.random_range(0..10) {
                    0..5 => 0,
                    5 => 1,
                    6 => rate.interval(),
                    7 => chance.random_range(0..=rate.interval()),
                    8 => chance.random_range(0..=2 * rate.interval()),
                    _ => chance.random_range(0..=2 * rate.period()),
                };
                let expected = bucket.allows(rate, now);
                let taken = take(&mut table, &want(limit), now);
                assert_eq!(taken.is_ok(), expected, "{limit:?} by {seed} at {now}");
                let Err(refused) = taken else { continue };
                // What it says of the wait is true to the microsecond.
                let then = now + u64::try_from(refused.wait.as_micros()).unwrap();
                assert!(look(&table, &want(limit), then).is_ok());
                assert!(look(&table, &want(limit), then - 1).is_err());
            }
        }
    }

    #[test]
    fn the_full_number_passes_at_once_and_one_more_does_not() {
        for limit in RATES {
            let rate = limit.rate();
            assert_eq!(
                rate.interval() * u64::from(rate.burst),
                rate.period(),
                "{limit:?} has no interval of whole microseconds"
            );
            let mut table = Table::default();
            for _ in 0..rate.burst {
                take(&mut table, &want(*limit), 5).unwrap();
            }
            let refused = take(&mut table, &want(*limit), 5).unwrap_err();
            assert_eq!(refused.wait, Duration::from_micros(rate.interval()));
            assert_eq!(refused.limit, *limit);
            let later = 5 + rate.period();
            for _ in 0..rate.burst {
                take(&mut table, &want(*limit), later).unwrap();
            }
            assert!(take(&mut table, &want(*limit), later).is_err());
        }
    }

    #[test]
    fn what_counts_longest_is_kept_longest() {
        let cell = Cell(7);
        assert!(!cell.is_past(6) && cell.is_past(7) && cell.is_past(8));
        assert_eq!(cell.weight(), 7);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut table = Table::default();
        let want = want(Limit::LogInByAccount);
        for _ in 0..100 {
            take(&mut table, &want, 7).unwrap();
            give_back(&mut table, &want, 7);
        }
        for _ in 0..5 {
            take(&mut table, &want, 7).unwrap();
        }
        assert!(take(&mut table, &want, 7).is_err());
    }

    #[test]
    fn what_is_refused_counts_against_none_of_the_limits() {
        let mut table = Table::default();
        let (many, few) = (Limit::LogInBySource, Limit::LogInByAccount);
        let both = [
            Want {
                limit: many,
                key: Key::numbered(1),
            },
            Want {
                limit: few,
                key: Key::numbered(2),
            },
        ];
        for _ in 0..100 {
            take(&mut table, &both, 0).unwrap_or_default();
        }
        let refused = take(&mut table, &both, 0).unwrap_err();
        assert_eq!(refused.limit, few);
        // 25 of the 30 are left.
        for _ in 0..25 {
            take(&mut table, &want(many), 0).unwrap();
        }
        assert_eq!(take(&mut table, &want(many), 0).unwrap_err().limit, many);
    }
}
