//! Figures that took a look at everything, kept for as long as they hold: in this
//! process, and in Redis for the others. The key says for whom they are, what was
//! asked, and the generation of the tables that they were computed from; that
//! generation is read from the database each time, so an answer is never older
//! than the request. What the clock changes carries its own end.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::future::Cache as Local;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metrics::{Lookup, Metrics};
use crate::redis::Redis;
use crate::store::generation::Generation;

const ENTRIES_MAX: u64 = 1_000;
/// Entries of a generation that is past are never asked for again, and fade away.
const LIFE: Duration = Duration::from_mins(1);

/// What was computed, and the instants of which it is true.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dated<T> {
    pub value: T,
    pub from: DateTime<Utc>,
    /// None when the clock does not change it.
    pub until: Option<DateTime<Utc>>,
}

impl<T> Dated<T> {
    fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && self.until.is_none_or(|until| now <= until)
    }
}

/// What an answer depends on, apart from the clock.
pub struct Key<'a> {
    pub operation: &'static str,
    /// Whose view of the rows it is.
    pub scope: &'a str,
    pub variables: &'a str,
    pub generation: &'a Generation,
}

impl Key<'_> {
    fn text(&self) -> String {
        format!(
            "muster:{}:{}:{}:{}",
            self.operation, self.generation.0, self.scope, self.variables
        )
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Cache {
    local: Local<String, Arc<[u8]>>,
    shared: Option<Redis>,
    metrics: Metrics,
}

impl Cache {
    /// `shared` only where several processes have one database: others must not find its answers.
    pub fn new(shared: Option<Redis>, metrics: Metrics) -> Self {
        Self {
            local: Local::builder()
                .max_capacity(ENTRIES_MAX)
                .time_to_live(LIFE)
                .build(),
            shared,
            metrics,
        }
    }

    /// The answer as it was kept, or else as it is computed now. Whoever asks for the same at the
    /// same time waits for the one that computes.
    pub async fn get<T: Serialize + DeserializeOwned, F: Future<Output = Result<Dated<T>>>>(
        &self,
        key: &Key<'_>,
        now: DateTime<Utc>,
        compute: impl Fn() -> F,
    ) -> Result<T> {
        let text = key.text();
        if let Some(kept) = self.local.get(&text).await {
            if let Some(dated) = read::<T>(&kept, now) {
                self.metrics.looked_up(key.operation, Lookup::Local);
                return Ok(dated.value);
            }
            self.local.invalidate(&text).await;
        }
        let fetch = async {
            if let Some(redis) = &self.shared
                && let Some(kept) = redis.get(&text).await
                && read::<T>(&kept, now).is_some()
            {
                self.metrics.looked_up(key.operation, Lookup::Shared);
                return Ok(kept.into());
            }
            self.metrics.looked_up(key.operation, Lookup::Miss);
            let kept: Arc<[u8]> = serde_json::to_vec(&compute().await?)
                .map_err(Error::internal)?
                .into();
            if let Some(redis) = &self.shared {
                redis.set(&text, &kept, LIFE).await;
            }
            Ok(kept)
        };
        let kept = self
            .local
            .try_get_with_by_ref(&text, fetch)
            .await
            .map_err(|error: Arc<Error>| Error::clone(&error))?;
        match read::<T>(&kept, now) {
            Some(dated) => Ok(dated.value),
            // Whoever was waited for asked at another moment, and something fell due in between.
            None => Ok(compute().await?.value),
        }
    }
}

/// None when it does not hold any more, or is not what it should be.
fn read<T: DeserializeOwned>(kept: &[u8], now: DateTime<Utc>) -> Option<Dated<T>> {
    let dated: Dated<T> = serde_json::from_slice(kept).ok()?;
    dated.holds_at(now).then_some(dated)
}
