//! How many connections there can be at once. When all places are taken, the one
//! that has waited longest without being answered, of the source that has most,
//! goes for the newcomer: a crowd of idle connections keeps nobody out (OWASP ASVS
//! 5.0, 13.1.2). What is being answered is never cut off.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::watched::Conversation;

#[derive(Clone)]
pub(super) struct Places(Arc<Mutex<Taken>>);

struct Taken {
    max: usize,
    count: usize,
    /// Larger for those who came later.
    next: u64,
    by_source: HashMap<IpAddr, BTreeMap<u64, Holder>>,
}

struct Holder {
    conversation: Conversation,
    leave: CancellationToken,
}

/// A place, free again when dropped.
pub(super) struct Place {
    places: Places,
    source: IpAddr,
    number: u64,
    leave: CancellationToken,
}

impl Places {
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Mutex::new(Taken {
            max,
            count: 0,
            next: 0,
            by_source: HashMap::new(),
        })))
    }

    /// None when everybody is being answered.
    pub fn take(&self, peer: IpAddr, conversation: Conversation) -> Option<Place> {
        let mut taken = self.lock();
        if taken.count >= taken.max {
            taken.give_up_one()?;
        }
        let (source, number) = (source(peer), taken.next);
        let leave = CancellationToken::new();
        let holder = Holder {
            conversation,
            leave: leave.clone(),
        };
        taken.next += 1;
        taken.count += 1;
        let of_source = taken.by_source.entry(source).or_default();
        of_source.insert(number, holder);
        Some(Place {
            places: self.clone(),
            source,
            number,
            leave,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Whoever panicked with it held, each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn give_up_one(&mut self) -> Option<()> {
        let idle = |holders: &BTreeMap<u64, Holder>| {
            let mut idle = holders
                .iter()
                .filter(|(_, h)| !h.conversation.is_answering());
            idle.next().map(|(number, _)| *number)
        };
        let (source, number) = self
            .by_source
            .iter()
            .filter_map(|(source, holders)| Some((holders.len(), *source, idle(holders)?)))
            .max_by_key(|(count, _, number)| (*count, u64::MAX - number))
            .map(|(_, source, number)| (source, number))?;
        self.remove(source, number)?.leave.cancel();
        Some(())
    }

    fn remove(&mut self, source: IpAddr, number: u64) -> Option<Holder> {
        let holders = self.by_source.get_mut(&source)?;
        let holder = holders.remove(&number)?;
        if holders.is_empty() {
            self.by_source.remove(&source);
        }
        self.count -= 1;
        Some(holder)
    }
}

impl Place {
    /// Returns when somebody else needs it.
    pub async fn is_needed(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.source, self.number);
    }
}

/// One household or office has a /64 of addresses to itself.
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Places, peer: &str) -> Option<(Place, Conversation)> {
        let conversation = Conversation::default();
        let place = places.take(peer.parse().unwrap(), conversation.clone())?;
        Some((place, conversation))
    }

    fn must_leave(place: &Place) -> bool {
        place.leave.is_cancelled()
    }

    #[test]
    fn the_source_that_has_most_gives_up_what_waited_longest() {
        let places = Places::new(4);
        let (lone, _) = take(&places, "192.0.2.1").unwrap();
        let (busy, conversation) = take(&places, "2001:db8::1").unwrap();
        conversation.set_answering(true);
        let (first, _) = take(&places, "2001:db8::2").unwrap();
        let (second, _) = take(&places, "2001:db8::3").unwrap();
        let (newcomer, _) = take(&places, "192.0.2.2").unwrap();
        assert!(must_leave(&first));
        for place in [&lone, &busy, &second, &newcomer] {
            assert!(!must_leave(place));
        }
    }

    #[test]
    fn whoever_is_being_answered_stays_and_a_place_that_was_left_is_free() {
        let places = Places::new(2);
        let (first, conversation) = take(&places, "192.0.2.1").unwrap();
        conversation.set_answering(true);
        let (second, conversation) = take(&places, "192.0.2.1").unwrap();
        conversation.set_answering(true);
        assert!(take(&places, "192.0.2.2").is_none());
        drop(second);
        let (third, _) = take(&places, "192.0.2.2").unwrap();
        assert!(!must_leave(&first) && !must_leave(&third));
        drop((first, third));
        let taken = places.lock();
        assert!(taken.count == 0 && taken.by_source.is_empty());
    }
}
