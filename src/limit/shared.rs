//! The counts that processes share. Each decision is one script, which Redis runs
//! as a whole and by its own clock. None when Redis did not answer in time.

use std::sync::Arc;
use std::time::Duration;

use super::Refused;
use super::pause::{
    FAILURES_MAX, FREE_EVERYWHERE, FREE_HERE, Guess, Known, MEMORY, PAUSE_MAX, Paused, Told,
};
use super::rate::Want;
use crate::redis::{Redis, Script};

#[derive(Clone)]
pub(super) struct Shared {
    redis: Redis,
    scripts: Arc<Scripts>,
}

struct Scripts {
    rates: Script,
    start: Script,
    take_back: Script,
    forget: Script,
}

/// Whether a guess may begin, and what has been counted of each of its keys.
pub(super) struct Decided {
    pub outcome: Result<(), Paused>,
    pub told: Vec<Told>,
}

impl Shared {
    pub fn new(redis: Redis) -> Self {
        // Otherwise the first to ask would not be answered.
        redis.connect_soon();
        Self {
            redis,
            scripts: Arc::new(Scripts {
                rates: Script::new(include_str!("rates.lua")),
                start: Script::new(include_str!("start.lua")),
                take_back: Script::new(include_str!("take_back.lua")),
                forget: Script::new(include_str!("forget.lua")),
            }),
        }
    }

    pub async fn take(&self, wants: &[Want]) -> Option<Result<(), Refused>> {
        let mut call = self.scripts.rates.prepare_invoke();
        for want in wants {
            let rate = want.limit.rate();
            call.key(want.key.name())
                .arg(rate.interval())
                .arg(rate.period());
        }
        let waits = self.redis.run(&call).await?;
        let (wait, want) = waits.iter().zip(wants).max_by_key(|(wait, _)| **wait)?;
        Some(if *wait == 0 {
            Ok(())
        } else {
            Err(Refused {
                limit: want.limit,
                wait: Duration::from_micros(*wait),
            })
        })
    }

    /// `known` is what this process knows by itself of each key.
    pub async fn start(&self, guess: &Guess, known: &[Known], is_known: bool) -> Option<Decided> {
        let mut call = self.scripts.start.prepare_invoke();
        call.arg(PAUSE_MAX.as_secs())
            .arg(MEMORY.as_secs())
            .arg(FAILURES_MAX)
            .arg(u8::from(is_known));
        let free = [FREE_HERE, FREE_EVERYWHERE];
        for ((key, known), free) in guess.keys().zip(known).zip(free) {
            call.key(key.name())
                .arg(free)
                .arg(known.count)
                .arg(known.age)
                .arg(known.told_at.unwrap_or(0));
        }
        let answer = self.redis.run(&call).await?;
        let [waits_for, wait, at, counts @ ..] = answer.as_slice() else {
            return None;
        };
        let wait = Duration::from_micros(*wait);
        let outcome = match waits_for {
            0 => Ok(()),
            1 => Err(Paused::here(wait)),
            _ => Err(Paused::everywhere(wait)),
        };
        let (counts, _) = counts.as_chunks();
        let told = counts.iter().map(|&[count, last, before]| Told {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            last,
            before,
            at: *at,
        });
        let told = told.collect();
        Some(Decided { outcome, told })
    }

    pub async fn take_back(&self, guess: &Guess) {
        let mut call = self.scripts.take_back.prepare_invoke();
        for key in guess.keys() {
            call.key(key.name());
        }
        self.redis.run(&call).await;
    }

    pub async fn forget(&self, guesses: &[Guess]) {
        let mut call = self.scripts.forget.prepare_invoke();
        for key in guesses.iter().flat_map(Guess::keys) {
            call.key(key.name());
        }
        call.arg(MEMORY.as_secs());
        self.redis.run(&call).await;
    }
}
