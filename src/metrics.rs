//! What this process counts. Names of operations are the only text from outside
//! that is shown, and of them a bounded number: no label holds a person's data.

mod counted;
mod statements;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;

use counted::{
    CacheLabels, Counted, LimitLabel, MailLabels, OperationLabel, PartLabel, RequestLabels,
    StateLabel,
};
pub use statements::{count_statement, counting_statements};

/// Operations that are told apart by their names. All later ones are `other`: the names are the
/// clients' choice, and each is kept for as long as the process lives.
const OPERATIONS_MAX: usize = 200;
/// So many of them by people who are not signed in, so that strangers cannot use all of them up.
const OPERATIONS_OF_STRANGERS_MAX: usize = 50;
const OPERATION_LENGTH_MAX: usize = 64;

/// Cheap to clone; one per process.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counted>);

/// One request to the GraphQL endpoint, once it is answered.
pub struct Answered<'a> {
    /// As the client named it, if it did.
    pub operation: Option<&'a str>,
    /// None of somebody who is not signed in.
    pub role: Option<&'static str>,
    /// `ok`, `user_errors`, or the code of the first error.
    pub outcome: &'a str,
    pub took: Duration,
    pub statements: u64,
}

/// Where a cached answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    Local,
    Shared,
    Miss,
}

/// What waits, as the database has it now.
pub struct Waiting {
    pub deliveries: Vec<(String, i64)>,
    pub jobs: Vec<(String, i64)>,
    pub oldest_due_seconds: i64,
}

impl Metrics {
    pub fn answered(&self, answered: &Answered<'_>) {
        let max = match answered.role {
            Some(_) => OPERATIONS_MAX,
            None => OPERATIONS_OF_STRANGERS_MAX,
        };
        let operation = self.operation(answered.operation, max);
        self.0
            .requests
            .get_or_create(&RequestLabels {
                operation: operation.clone(),
                role: answered.role.unwrap_or("NONE"),
                outcome: answered.outcome.to_owned(),
            })
            .inc();
        let label = OperationLabel { operation };
        let seconds = answered.took.as_secs_f64();
        self.0.seconds.get_or_create(&label).observe(seconds);
        #[allow(clippy::cast_precision_loss, reason = "a request has few statements")]
        let statements = answered.statements as f64;
        self.0.statements.get_or_create(&label).observe(statements);
    }

    fn operation(&self, name: Option<&str>, max: usize) -> String {
        let Some(name) = name else {
            return "unnamed".into();
        };
        let mut operations = self
            .0
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if operations.contains(name) {
            return name.to_owned();
        }
        if operations.len() >= max || name.len() > OPERATION_LENGTH_MAX {
            return "other".into();
        }
        operations.insert(name.to_owned());
        name.to_owned()
    }

    pub fn looked_up(&self, cache: &'static str, lookup: Lookup) {
        let outcome = match lookup {
            Lookup::Local => "local",
            Lookup::Shared => "shared",
            Lookup::Miss => "miss",
        };
        self.0
            .cache
            .get_or_create(&CacheLabels { cache, outcome })
            .inc();
    }

    pub fn mailed(&self, kind: &str, outcome: &'static str) {
        let kind = kind.to_owned();
        self.0
            .mails
            .get_or_create(&MailLabels { kind, outcome })
            .inc();
    }

    /// Daily reminders that came too late to be sent.
    pub fn reminders_missed(&self, count: u32) {
        self.0.reminders_missed.inc_by(count.into());
    }

    pub fn limited(&self, limit: &'static str) {
        self.0
            .rate_limited
            .get_or_create(&LimitLabel { limit })
            .inc();
    }

    pub fn worker_is(&self, up: bool) {
        self.0.worker_up.set(up.into());
    }

    pub fn worker_restarted(&self, part: &'static str) {
        let label = PartLabel { part };
        self.0.worker_restarts.get_or_create(&label).inc();
    }

    pub fn redis_answered(&self) {
        self.0.redis_up.set(1);
    }

    /// It is there, but did not do what it was told.
    pub fn redis_refused(&self) {
        self.0.redis_errors.inc();
    }

    pub fn redis_failed(&self) {
        self.0.redis_errors.inc();
        self.0.redis_up.set(0);
    }

    /// `total` and `idle` connections to `PostgreSQL`.
    pub fn connected(&self, total: u32, idle: usize) {
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        for (state, count) in [("idle", idle), ("busy", i64::from(total) - idle)] {
            let state = state.to_owned();
            self.0
                .connections
                .get_or_create(&StateLabel { state })
                .set(count);
        }
    }

    pub fn waiting(&self, waiting: Waiting) {
        for (family, counts) in [
            (&self.0.deliveries, waiting.deliveries),
            (&self.0.jobs, waiting.jobs),
        ] {
            family.clear();
            for (state, count) in counts {
                family.get_or_create(&StateLabel { state }).set(count);
            }
        }
        self.0.oldest_due_seconds.set(waiting.oldest_due_seconds);
    }

    /// In the text format of `OpenMetrics` 1.0, which Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            // Writing to a string does not fail.
            Err(_) => String::new(),
        }
    }
}
