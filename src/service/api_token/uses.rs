//! When tokens were last used. It is noted beside the answer: nobody waits for it,
//! and a database that takes no writes still answers reads.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::task::TaskTracker;

use crate::entity::ApiTokenId;
use crate::error::Result;
use crate::service::Context;
use crate::store::{self, api_token::Standing};

/// How exactly the last use is known. A write at each request would make every read a write.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);
/// Longer than a note waits for the database.
const DRAIN: Duration = Duration::from_secs(10);

/// The uses that are being noted by this process; clones share them.
#[derive(Clone, Default)]
pub struct Uses {
    tasks: TaskTracker,
    /// One of each token at a time: however many requests come until it is written, they would all
    /// write the same.
    at_hand: Arc<Mutex<HashSet<ApiTokenId>>>,
}

impl Uses {
    /// Waits for what is being noted, for a while.
    pub async fn finish(&self) {
        self.tasks.close();
        let done = tokio::time::timeout(DRAIN, self.tasks.wait()).await;
        if done.is_err() {
            let notes = self.tasks.len();
            tracing::warn!(notes, "uses of API tokens were not noted before the end");
        }
    }

    /// None while a use of this token is being noted.
    fn begin(&self, id: ApiTokenId) -> Option<Turn> {
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        at_hand.insert(id).then(|| Turn {
            at_hand: Arc::clone(&self.at_hand),
            id,
        })
    }
}

/// The right to note a use of this token, given up when dropped.
struct Turn {
    at_hand: Arc<Mutex<HashSet<ApiTokenId>>>,
    id: ApiTokenId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        at_hand.remove(&self.id);
    }
}

/// Notes a use of this token, unless that was done within the last minute or is being done.
pub(super) fn note(cx: &Context, standing: &Standing, now: DateTime<Utc>) {
    let earlier = now - NOTED_EVERY;
    if standing.last_used_at.is_some_and(|noted| noted > earlier) {
        return;
    }
    let uses = &cx.api_token_uses;
    let Some(turn) = uses.begin(standing.id) else {
        return;
    };
    let (cx, id) = (cx.clone(), standing.id);
    uses.tasks.spawn(async move {
        let _turn = turn;
        if let Err(error) = write(&cx, id, now, earlier).await {
            tracing::debug!(%error, api_token = %id, "the use of an API token was not noted");
        }
    });
}

async fn write(
    cx: &Context,
    id: ApiTokenId,
    now: DateTime<Utc>,
    earlier: DateTime<Utc>,
) -> Result<()> {
    let tx = cx.db.begin().await?;
    store::api_token::note_use(&tx, id, now, earlier).await?;
    tx.commit().await
}
