//! What waits to be done, for those who watch over it.

use super::Context;
use crate::error::Result;
use crate::metrics::Waiting;
use crate::store;

/// Brings the gauges up to date. Where the database is away they keep what they showed; that it is
/// away is shown by `/readyz`.
pub async fn measure(cx: &Context) {
    if let Some((total, idle)) = cx.db.connections() {
        cx.metrics.connected(total, idle);
    }
    match find(cx).await {
        Ok(waiting) => cx.metrics.waiting(waiting),
        Err(error) => tracing::warn!(%error, "what waits could not be counted"),
    }
}

async fn find(cx: &Context) -> Result<Waiting> {
    let deliveries = store::delivery::count_unfinished(&cx.db).await?;
    let oldest = store::delivery::find_oldest_due(&cx.db).await?;
    let now = cx.now();
    Ok(Waiting {
        deliveries,
        jobs: store::job::count_unfinished(&cx.db).await?,
        oldest_due_seconds: oldest.map_or(0, |due| (now - due).num_seconds().max(0)),
    })
}
