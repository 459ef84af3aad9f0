//! What is noted of a request while it is worked on, and what becomes of it at its
//! end: it is answered and counted, once.

use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::Duration;

use async_graphql::{Response as GraphqlResponse, Value};
use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::error::Error;
use crate::graphql::error;
use crate::http::accept::MediaType;
use crate::http::layers::RequestId;
use crate::http::params::Malformed;
use crate::http::{Shared, TIME_LIMIT, answer};
use crate::metrics::{Answered, counting_statements};

pub(super) struct Record {
    request_id: RequestId,
    media_type: MediaType,
    /// How long was worked on it; waiting for its body is no work.
    took: Duration,
    statements: u64,
}

/// What came to light of a request before it ended, however it did.
#[derive(Default)]
pub(super) struct Seen {
    /// The name of an operation that was found good enough to run.
    pub operation: OnceLock<String>,
    pub role: OnceLock<&'static str>,
}

impl Record {
    pub fn new(request_id: RequestId, media_type: MediaType) -> Self {
        Self {
            request_id,
            media_type,
            took: Duration::ZERO,
            statements: 0,
        }
    }

    /// Waits for a part of the work no longer than its request may take, and survives its panic. One
    /// that is dropped rolls its transaction back.
    pub async fn work<T>(&mut self, part: impl Future<Output = T>) -> Result<T, Error> {
        let began = Instant::now();
        let time_left = TIME_LIMIT.saturating_sub(self.took);
        let caught = AssertUnwindSafe(part).catch_unwind();
        let bounded = tokio::time::timeout(time_left, caught);
        let (outcome, statements) = counting_statements(bounded).await;
        self.took += began.elapsed();
        self.statements += statements;
        match outcome {
            Ok(outcome) => outcome.map_err(|_| Error::internal("a request panicked")),
            Err(_) => Err(Error::Unavailable(
                "the time limit of a request was reached".into(),
            )),
        }
    }

    /// Answers what the schema said.
    pub fn answer(self, shared: &Shared, seen: &Seen, mut response: GraphqlResponse) -> Response {
        let schema_is_shown = shared.cx.settings.introspection;
        error::finish(&mut response, &self.request_id.0, schema_is_shown);
        let outcome = match response.errors.first() {
            Some(failure) => error::code(failure).unwrap_or_default(),
            None if is_refused(&response.data) => "user_errors",
            None => "ok",
        };
        self.count(shared, seen, outcome);
        answer::write(self.media_type, response)
    }

    /// Answers that nothing could be done.
    pub fn fail(self, shared: &Shared, seen: &Seen, error: Error) -> Response {
        let failure = GraphqlResponse::from_errors(vec![error::failure(error)]);
        self.answer(shared, seen, failure)
    }

    /// Answers that the request was not understood.
    pub fn refuse(self, shared: &Shared, seen: &Seen, malformed: &Malformed) -> Response {
        self.count(shared, seen, malformed.code);
        answer::refuse(self.media_type, malformed)
    }

    fn count(&self, shared: &Shared, seen: &Seen, outcome: &str) {
        shared.cx.metrics.answered(&Answered {
            operation: seen.operation.get().map(String::as_str),
            role: seen.role.get().copied(),
            outcome,
            took: self.took,
            statements: self.statements,
        });
    }
}

/// Whether a payload says what is wrong with the input.
fn is_refused(data: &Value) -> bool {
    let has_user_errors = |payload: &Value| match payload {
        Value::Object(fields) => {
            matches!(fields.get("userErrors"), Some(Value::List(errors)) if !errors.is_empty())
        }
        _ => false,
    };
    matches!(data, Value::Object(fields) if fields.values().any(has_user_errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new(RequestId("r".into()), MediaType::Json)
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_of_ours_and_nothing_more() {
        let mut record = record();
        let outcome: Result<(), Error> = record.work(async { panic!("on purpose") }).await;
        assert!(matches!(outcome, Err(Error::Internal(_))));
        assert_eq!(record.work(async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_is_given_up_whatever_part_of_it_does() {
        let mut record = record();
        let nearly = tokio::time::sleep(TIME_LIMIT * 9 / 10);
        record.work(nearly).await.unwrap();
        let outcome = record.work(tokio::time::sleep(TIME_LIMIT / 5)).await;
        assert!(matches!(outcome, Err(Error::Unavailable(_))));
        assert_eq!(record.took, TIME_LIMIT);
    }
}
