//! The only source of randomness. Everything else is handed a [`Generator`], so
//! that a test can seed it and compare ids and tokens literally.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// A cryptographically secure generator, shared by clones.
#[derive(Clone)]
pub struct Generator(Arc<Mutex<State>>);

struct State {
    rng: StdRng,
    last_millis: u64,
    sequence: u16,
}

/// The 12 bits of a UUIDv7 that follow its time count up within a millisecond
/// (RFC 9562, section 6.2, method 1), so ids of one process sort as they were
/// made.
const SEQUENCE_MAX: u16 = 0x0fff;

impl Generator {
    /// Seeded by the operating system. Fails where it offers no randomness.
    pub fn system() -> Result<Self, String> {
        StdRng::try_from_rng(&mut SysRng)
            .map(Self::from_rng)
            .map_err(|error| format!("the operating system gave no randomness: {error}"))
    }

    /// For tests: the same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        Self::from_rng(StdRng::seed_from_u64(seed))
    }

    fn from_rng(rng: StdRng) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng,
            last_millis: 0,
            sequence: 0,
        })))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|state| state.rng.fill_bytes(&mut bytes));
        bytes
    }

    /// A UUIDv7 that is greater than every earlier one of this generator.
    pub fn uuid(&self, now: DateTime<Utc>) -> Uuid {
        let now_millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        self.with(|state| {
            if now_millis > state.last_millis {
                state.last_millis = now_millis;
                // The top bit starts at 0 to leave room to count.
                let mut start = [0; 2];
                state.rng.fill_bytes(&mut start);
                state.sequence = u16::from_be_bytes(start) & (SEQUENCE_MAX >> 1);
            } else if state.sequence < SEQUENCE_MAX {
                state.sequence += 1;
            } else {
                state.last_millis += 1;
                state.sequence = 0;
            }
            let mut bytes = [0; 10];
            let [high, low] = state.sequence.to_be_bytes();
            bytes[0] = high;
            bytes[1] = low;
            state.rng.fill_bytes(&mut bytes[2..]);
            uuid::Builder::from_unix_timestamp_millis(state.last_millis, &bytes).into_uuid()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in here can leave the state half-changed, so a poisoned lock is as good as any.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_sort_as_they_were_made() {
        let generator = Generator::seeded(1);
        let now = DateTime::from_timestamp_millis(1_767_600_000_000).unwrap();
        let ids: Vec<Uuid> = (0..10_000).map(|_| generator.uuid(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
