//! What this process counts. Names of operations are the only text from outside
//! that is shown, and of them a bounded number: no label holds a person's data.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Operations that are told apart by their names. All later ones are `other`: the names are the
/// clients' choice, and each is kept for as long as the process lives.
const OPERATIONS_MAX: usize = 200;
/// So many of them by people who are not signed in, so that strangers cannot use all of them up.
const OPERATIONS_OF_STRANGERS_MAX: usize = 50;
const OPERATION_LENGTH_MAX: usize = 64;

/// Upper bounds in seconds, from a millisecond to the time limit of a request.
const SECONDS: [f64; 12] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
const STATEMENTS: [f64; 9] = [0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 55.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: String,
    role: &'static str,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cache: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailLabels {
    kind: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabel {
    part: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

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
    if let Ok(statements) = STATEMENTS_OF_REQUEST.try_with(Arc::clone) {
        statements.fetch_add(1, Ordering::Relaxed);
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    operations: Mutex<HashSet<String>>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<OperationLabel, Histogram>,
    statements: Family<OperationLabel, Histogram>,
    cache: Family<CacheLabels, Counter>,
    mails: Family<MailLabels, Counter>,
    reminders_missed: Counter,
    rate_limited: Family<LimitLabel, Counter>,
    connections: Family<StateLabel, Gauge>,
    deliveries: Family<StateLabel, Gauge>,
    jobs: Family<StateLabel, Gauge>,
    oldest_due_seconds: Gauge,
    redis_up: Gauge<i64, AtomicI64>,
    worker_up: OnceKnown,
    worker_restarts: Family<PartLabel, Counter>,
    redis_errors: Counter<u64, AtomicU64>,
    redis_is_up: AtomicBool,
    redis_has_refused: AtomicBool,
}

/// A gauge that is shown once it was set: that of a worker is neither 1 nor 0 where there is none.
#[derive(Clone, Debug, Default)]
struct OnceKnown {
    gauge: Gauge<i64, AtomicI64>,
    is_known: Arc<AtomicBool>,
}

impl OnceKnown {
    fn set(&self, value: i64) {
        self.gauge.set(value);
        self.is_known.store(true, Ordering::Relaxed);
    }
}

impl EncodeMetric for OnceKnown {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.gauge.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.gauge.metric_type()
    }

    fn is_empty(&self) -> bool {
        !self.is_known.load(Ordering::Relaxed)
    }
}

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

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("muster");
        macro_rules! register {
            ($name:literal, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        let seconds = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> _);
        let statements = Family::new_with_constructor((|| Histogram::new(STATEMENTS)) as fn() -> _);
        let inner = Inner {
            operations: Mutex::default(),
            requests: register!(
                "requests",
                "GraphQL requests by operation name, role and outcome",
                Family::default()
            ),
            seconds: register!("request_seconds", "Time from request to answer", seconds),
            statements: register!(
                "request_statements",
                "SQL statements of one request",
                statements
            ),
            cache: register!(
                "cache_lookups",
                "Lookups of cached figures, by where they were found",
                Family::default()
            ),
            mails: register!(
                "mails",
                "Attempts to send a mail, by kind and outcome",
                Family::default()
            ),
            reminders_missed: register!(
                "reminders_missed",
                "Daily reminders that were skipped, since they would have been too late",
                Counter::default()
            ),
            rate_limited: register!(
                "rate_limited",
                "Tries that were refused, by the limit that they reached",
                Family::default()
            ),
            connections: register!(
                "database_connections",
                "Connections to PostgreSQL, busy and idle",
                Family::default()
            ),
            deliveries: register!(
                "deliveries",
                "Mails that wait or are being sent",
                Family::default()
            ),
            jobs: register!(
                "jobs",
                "Jobs in the queue that are not done",
                Family::default()
            ),
            oldest_due_seconds: register!(
                "oldest_due_seconds",
                "For how long the mail that waits longest has been due",
                Gauge::default()
            ),
            redis_up: register!("redis_up", "1 while Redis answers", Gauge::default()),
            worker_up: register!(
                "worker_up",
                "1 while the worker of this process works; absent where there is none",
                OnceKnown::default()
            ),
            worker_restarts: register!(
                "worker_restarts",
                "Times that a part of this process's worker was started again",
                Family::default()
            ),
            redis_errors: register!(
                "redis_errors",
                "Calls to Redis that failed",
                Counter::default()
            ),
            redis_is_up: AtomicBool::new(false),
            redis_has_refused: AtomicBool::new(false),
            registry,
        };
        Self(Arc::new(inner))
    }
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

    /// Notes that Redis answered; true when it had not before.
    pub fn redis_answered(&self) -> bool {
        self.0.redis_up.set(1);
        !self.0.redis_is_up.swap(true, Ordering::Relaxed)
    }

    /// Notes that Redis refused a call; true when it had not since the process began.
    pub fn redis_refused(&self) -> bool {
        self.0.redis_errors.inc();
        !self.0.redis_has_refused.swap(true, Ordering::Relaxed)
    }

    /// Notes that Redis did not answer; true when it had before.
    pub fn redis_failed(&self) -> bool {
        self.0.redis_errors.inc();
        self.0.redis_up.set(0);
        self.0.redis_is_up.swap(false, Ordering::Relaxed)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(metrics: &Metrics, operation: &str, role: Option<&'static str>) {
        metrics.answered(&Answered {
            operation: Some(operation),
            role,
            outcome: "ok",
            took: Duration::from_millis(3),
            statements: 2,
        });
    }

    #[test]
    fn requests_are_told_apart_by_operation_role_and_outcome() {
        let metrics = Metrics::default();
        answered(&metrics, "Tasks", Some("MANAGER"));
        answered(&metrics, "Tasks", Some("MANAGER"));
        let text = metrics.text();
        let line = "muster_requests_total{operation=\"Tasks\",role=\"MANAGER\",outcome=\"ok\"} 2";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("muster_request_seconds_bucket{le=\"0.005\",operation=\"Tasks\"} 2"));
        assert!(text.contains("muster_request_statements_sum{operation=\"Tasks\"} 4.0"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn names_that_clients_make_up_do_not_fill_the_memory() {
        let metrics = Metrics::default();
        let series = || metrics.text().matches("muster_requests_total{").count();
        for number in 0..1_000 {
            answered(&metrics, &format!("Made_up_{number}"), None);
        }
        assert_eq!(series(), OPERATIONS_OF_STRANGERS_MAX + 1);
        for number in 0..1_000 {
            answered(&metrics, &format!("Real_{number}"), Some("ADMIN"));
        }
        assert_eq!(series(), OPERATIONS_MAX + 2);
        assert!(metrics.text().contains("operation=\"other\""));
    }

    #[test]
    fn a_worker_is_shown_only_where_there_is_one() {
        let metrics = Metrics::default();
        let shown = || {
            let text = metrics.text();
            let line = text
                .lines()
                .find(|line| line.starts_with("muster_worker_up"));
            line.map(str::to_owned)
        };
        assert_eq!(shown(), None);
        metrics.worker_is(false);
        assert_eq!(shown().as_deref(), Some("muster_worker_up 0"));
        metrics.worker_is(true);
        assert_eq!(shown().as_deref(), Some("muster_worker_up 1"));
    }

    #[test]
    fn redis_is_reported_when_it_comes_and_when_it_goes() {
        let metrics = Metrics::default();
        assert!(metrics.redis_answered() && !metrics.redis_answered());
        assert!(metrics.redis_failed() && !metrics.redis_failed());
        assert!(metrics.redis_answered());
    }
}
