//! What one process tells the others: hints, by which they look sooner. One that
//! gets lost costs a pause, never a fact: the facts are in the database. They go
//! over Redis where there is one, else by `PostgreSQL`'s LISTEN and NOTIFY.

mod relay;

pub use relay::{Transport, relay};

use std::sync::Arc;

use tokio::sync::broadcast;

/// Hints that were not looked at yet; the oldest go first.
const WAITING_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A job was committed.
    JobsDue,
}

impl Event {
    const ALL: [Self; 1] = [Self::JobsDue];

    /// As it travels.
    fn name(self) -> &'static str {
        match self {
            Self::JobsDue => "jobs-due",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Events(Arc<Channels>);

struct Channels {
    /// To whoever waits in this process.
    inward: broadcast::Sender<Event>,
    /// To the relay, if there is one.
    outward: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self(Arc::new(Channels {
            inward: broadcast::Sender::new(WAITING_MAX),
            outward: broadcast::Sender::new(WAITING_MAX),
        }))
    }
}

impl Events {
    /// Tells this process, and by the relay all others. To be called once what it is about is committed.
    pub fn publish(&self, event: Event) {
        self.receive(event);
        if self.0.outward.send(event).is_err() {
            tracing::trace!(?event, "there is no other process to tell");
        }
    }

    /// Tells this process only.
    fn receive(&self, event: Event) {
        if self.0.inward.send(event).is_err() {
            tracing::trace!(?event, "nobody waits for this in this process");
        }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.inward.subscribe()
    }
}
