//! The counts that processes share. Each decision is one script, which Redis runs
//! as a whole and by its own clock. None when Redis did not answer in time.

use std::sync::Arc;
use std::time::Duration;

use super::pause::{
    Counts, FAILURES_MAX, FREE_EVERYWHERE, FREE_HERE, Guess, MEMORY, PAUSE_MAX, Paused,
};
use super::rate::Want;
use super::{Key, Refused};
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
                forget: Script::new("redis.call('DEL', unpack(KEYS)) return {}"),
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

    pub async fn start(&self, guess: &Guess, is_known: bool) -> Option<Result<Counts, Paused>> {
        let mut call = self.scripts.start.prepare_invoke();
        for key in keys(guess) {
            call.key(key.name());
        }
        call.arg(PAUSE_MAX.as_secs())
            .arg(MEMORY.as_secs())
            .arg(FAILURES_MAX)
            .arg(u8::from(is_known))
            .arg(FREE_HERE)
            .arg(FREE_EVERYWHERE);
        match *self.redis.run(&call).await? {
            [1, wait] => Some(Err(Paused::here(Duration::from_micros(wait)))),
            [2, wait] => Some(Err(Paused::everywhere(Duration::from_micros(wait)))),
            [0, here] => Some(Ok([count(here), 0])),
            [0, here, everywhere] => Some(Ok([count(here), count(everywhere)])),
            _ => None,
        }
    }

    pub async fn take_back(&self, guess: &Guess) {
        let mut call = self.scripts.take_back.prepare_invoke();
        for key in keys(guess) {
            call.key(key.name());
        }
        self.redis.run(&call).await;
    }

    pub async fn forget(&self, guesses: &[Guess]) {
        let mut call = self.scripts.forget.prepare_invoke();
        for key in guesses.iter().flat_map(keys) {
            call.key(key.name());
        }
        self.redis.run(&call).await;
    }
}

fn keys(guess: &Guess) -> impl Iterator<Item = Key> + use<> {
    [Some(guess.here), guess.everywhere].into_iter().flatten()
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
