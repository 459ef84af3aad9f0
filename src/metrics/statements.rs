//! How many SQL statements a request sent. The count goes with the task that works on the request,
//! so that the store need not know of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static STATEMENTS_OF_REQUEST: Arc<AtomicU64>;
}

/// Runs the work of one request, and says how many SQL statements it sent.
pub async fn counting_statements<T>(work: impl Future<Output = T>) -> (T, u64) {
    let statements = Arc::new(AtomicU64::new(0));
    let done = STATEMENTS_OF_REQUEST
        .scope(Arc::clone(&statements), work)
        .await;
    (done, statements.load(Ordering::Relaxed))
}

/// Counts a statement for the request that this task works on, if it does.
pub fn count_statement() {
    // Outside of a request there is nothing to count for.
    let _counted = STATEMENTS_OF_REQUEST.try_with(|sent| sent.fetch_add(1, Ordering::Relaxed));
}
