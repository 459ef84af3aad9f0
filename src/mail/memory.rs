//! Keeps mails instead of sending them, for tests: they read what was sent from
//! an [`Outbox`], and make it fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::send_error::SendError;
use crate::entity::{DeliveryId, MailKind};

/// What a memory mailer was handed; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sent: Vec<SentMail>,
    failures: Vec<SendError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    pub delivery_id: DeliveryId,
    pub kind: MailKind,
    pub from: String,
    pub to: String,
    pub message: Vec<u8>,
}

impl Outbox {
    /// Everything that was sent, in order. A delivery that was sent twice is there twice.
    pub fn all(&self) -> Vec<SentMail> {
        self.state().sent.clone()
    }

    pub fn last(&self) -> Option<SentMail> {
        self.state().sent.last().cloned()
    }

    /// Makes the next `count` sends fail, after those that already are to fail.
    pub fn fail_next(&self, count: usize, failure: &SendError) {
        let mut state = self.state();
        for _ in 0..count {
            state.failures.push(failure.clone());
        }
    }

    /// Lets whatever is sent from now on arrive.
    pub fn forgives(&self) {
        self.state().failures.clear();
    }

    pub(super) fn send(&self, mail: SentMail) -> Result<String, SendError> {
        let mut state = self.state();
        if !state.failures.is_empty() {
            return Err(state.failures.remove(0));
        }
        state.sent.push(mail);
        Ok("250 kept in memory".to_owned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can leave the state half-changed, so a poisoned lock is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
