//! How many connections there can be at once. When all places are taken, the one
//! that has waited longest without being answered, of the source that has most,
//! goes for the newcomer: a crowd of idle connections keeps nobody out (OWASP ASVS
//! 5.0, 13.1.2), and neither does one of requests whose bodies do not come. What we
//! are at work on is never cut off; a reader who is slow to take the answer may be.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::watched::Conversation;

#[derive(Clone)]
pub(super) struct Places(Arc<Mutex<Taken>>);

struct Taken {
    max: usize,
    count: usize,
    /// Larger for those who came, or were last answered, later.
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
    /// Changes while `places` is locked only.
    number: AtomicU64,
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
        let source = source(peer);
        let leave = CancellationToken::new();
        let holder = Holder {
            conversation,
            leave: leave.clone(),
        };
        let number = taken.put(source, holder).into();
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
    fn put(&mut self, source: IpAddr, holder: Holder) -> u64 {
        let number = self.next;
        self.next += 1;
        self.count += 1;
        let of_source = self.by_source.entry(source).or_default();
        of_source.insert(number, holder);
        number
    }

    fn give_up_one(&mut self) -> Option<()> {
        let waiting = |holders: &BTreeMap<u64, Holder>| {
            let mut waiting = holders
                .iter()
                .filter(|(_, h)| !h.conversation.is_answering());
            waiting.next().map(|(number, _)| *number)
        };
        let (source, number) = self
            .by_source
            .iter()
            .filter_map(|(source, holders)| Some((holders.len(), *source, waiting(holders)?)))
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

    /// Whether somebody else has it already.
    pub fn is_lost(&self) -> bool {
        self.leave.is_cancelled()
    }

    /// Whoever has it was answered just now, and waits from here on.
    pub fn renew(&self) {
        let mut taken = self.places.lock();
        let number = self.number.load(Ordering::Relaxed);
        if let Some(holder) = taken.remove(self.source, number) {
            let number = taken.put(self.source, holder);
            self.number.store(number, Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.remove(self.source, self.number.load(Ordering::Relaxed));
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

    fn is_answered(conversation: &Conversation) {
        conversation.ask();
    }

    #[test]
    fn the_source_that_has_most_gives_up_what_waited_longest() {
        let places = Places::new(4);
        let (lone, _) = take(&places, "192.0.2.1").unwrap();
        let (busy, conversation) = take(&places, "2001:db8::1").unwrap();
        is_answered(&conversation);
        let (first, _) = take(&places, "2001:db8::2").unwrap();
        let (second, _) = take(&places, "2001:db8::3").unwrap();
        let (newcomer, _) = take(&places, "192.0.2.2").unwrap();
        assert!(first.is_lost());
        for place in [&lone, &busy, &second, &newcomer] {
            assert!(!place.is_lost());
        }
    }

    #[test]
    fn whoever_is_being_answered_stays_and_a_place_that_was_left_is_free() {
        let places = Places::new(2);
        let (first, conversation) = take(&places, "192.0.2.1").unwrap();
        is_answered(&conversation);
        let (second, conversation) = take(&places, "192.0.2.1").unwrap();
        is_answered(&conversation);
        assert!(take(&places, "192.0.2.2").is_none());
        drop(second);
        let (third, _) = take(&places, "192.0.2.2").unwrap();
        assert!(!first.is_lost() && !third.is_lost());
        drop((first, third));
        let taken = places.lock();
        assert!(taken.count == 0 && taken.by_source.is_empty());
    }

    #[test]
    fn who_was_answered_last_waits_the_shortest() {
        let places = Places::new(3);
        let (early, conversation) = take(&places, "192.0.2.1").unwrap();
        let (late, _) = take(&places, "192.0.2.1").unwrap();
        let (latest, _) = take(&places, "192.0.2.1").unwrap();
        is_answered(&conversation);
        conversation.end();
        early.renew();
        let newcomers = [0, 1].map(|_| take(&places, "192.0.2.2").unwrap().0);
        assert!(late.is_lost() && latest.is_lost() && !early.is_lost());
        // One that has lost its place gets none by being answered.
        late.renew();
        assert_eq!(places.lock().count, 3);
        drop((early, late, latest, newcomers));
        let taken = places.lock();
        assert!(taken.count == 0 && taken.by_source.is_empty());
    }

    #[test]
    fn whoever_keeps_the_body_of_a_request_back_is_still_waiting() {
        let places = Places::new(2);
        let (slow, conversation) = take(&places, "192.0.2.1").unwrap();
        conversation.ask();
        conversation.listen();
        let (whole, conversation) = take(&places, "192.0.2.1").unwrap();
        is_answered(&conversation);
        let (newcomer, conversation) = take(&places, "192.0.2.2").unwrap();
        assert!(slow.is_lost() && !whole.is_lost());
        is_answered(&conversation);
        assert!(take(&places, "192.0.2.3").is_none());
        drop(newcomer);
    }
}
