//! Counts by key, in this process, in bounded memory: what is as good as never
//! counted is dropped from time to time, and of the rest, when there is too much of
//! it, what matters least.

use std::collections::HashMap;

use super::Micros;
use super::key::Key;

/// About 5 MB.
const ROWS_MAX: usize = 100_000;
const ROWS_MIN: usize = 1_024;

/// A count that fades away by itself.
pub(super) trait Fading: Copy {
    /// Whether it is as good as none by now.
    fn is_past(&self, now: Micros) -> bool;
    /// What it is kept for longest; those with the least go first.
    fn weight(&self) -> Micros;
}

pub(super) struct Table<V> {
    rows: HashMap<Key, V>,
    /// So many rows are a reason to look for those that are past. Far enough from what was left the
    /// last time that looking costs each new row the same.
    sweep_at: usize,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            sweep_at: ROWS_MIN,
        }
    }
}

impl<V: Fading> Table<V> {
    pub fn get(&self, key: &Key) -> Option<V> {
        self.rows.get(key).copied()
    }

    pub fn set(&mut self, key: Key, value: V, now: Micros) {
        if self.rows.len() >= self.sweep_at && !self.rows.contains_key(&key) {
            self.sweep(now);
        }
        self.rows.insert(key, value);
    }

    pub fn remove(&mut self, key: &Key) {
        self.rows.remove(key);
    }

    fn sweep(&mut self, now: Micros) {
        self.rows.retain(|_, row| !row.is_past(now));
        // Room for a good many, or else each new one would be a reason to look again.
        if self.rows.len() > ROWS_MAX / 4 * 3 {
            self.drop_the_lightest(self.rows.len() - ROWS_MAX / 2);
        }
        self.sweep_at = (2 * self.rows.len()).clamp(ROWS_MIN, ROWS_MAX);
        self.rows.shrink_to(self.sweep_at);
    }

    fn drop_the_lightest(&mut self, count: usize) {
        let mut weights: Vec<Micros> = self.rows.values().map(Fading::weight).collect();
        let (_, heaviest, _) = weights.select_nth_unstable(count.saturating_sub(1));
        let (heaviest, mut left) = (*heaviest, count);
        self.rows.retain(|_, row| {
            let goes = left > 0 && row.weight() <= heaviest;
            left -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Until(Micros);

    impl Fading for Until {
        fn is_past(&self, now: Micros) -> bool {
            self.0 <= now
        }

        fn weight(&self) -> Micros {
            self.0
        }
    }

    #[test]
    fn millions_of_keys_take_the_room_of_a_few() {
        let mut table = Table::default();
        let victim = Key::numbered(u128::MAX);
        table.set(victim, Until(u64::MAX), 0);
        for number in 0..1_000_000_u64 {
            table.set(Key::numbered(number.into()), Until(number + 1_000_000), 0);
            assert!(table.rows.len() <= ROWS_MAX);
        }
        assert!(table.get(&victim).is_some(), "what weighs most stays");
        assert!(table.get(&Key::numbered(999_999)).is_some());
        assert!(table.get(&Key::numbered(0)).is_none());
    }

    #[test]
    fn what_is_past_makes_room_for_the_rest() {
        let mut table = Table::default();
        for number in 0..1_000_000_u64 {
            // Each counts for the time of a hundred others.
            table.set(Key::numbered(number.into()), Until(number + 100), number);
            assert!(table.rows.len() <= ROWS_MIN);
        }
        let last = table.get(&Key::numbered(999_999));
        assert_eq!(last.map(|row| row.0), Some(1_000_099));
    }

    #[test]
    fn rows_of_the_same_weight_are_not_all_dropped() {
        let mut table = Table::default();
        for number in 0..=ROWS_MAX {
            table.set(Key::numbered(number as u128), Until(7), 0);
        }
        assert_eq!(table.rows.len(), ROWS_MAX / 2 + 1);
    }
}
