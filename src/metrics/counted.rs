//! What is counted, by which labels and under which name: the list that `/metrics` shows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds, from a millisecond to the time limit of a request.
const SECONDS: [f64; 12] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
const STATEMENTS: [f64; 9] = [0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 55.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub operation: String,
    pub role: &'static str,
    pub outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabel {
    pub operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CacheLabels {
    pub cache: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct MailLabels {
    pub kind: String,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LimitLabel {
    pub limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PartLabel {
    pub part: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabel {
    pub state: String,
}

/// Everything that is counted, and what has to be remembered to count it.
pub(super) struct Counted {
    pub registry: Registry,
    /// The names of operations that are shown.
    pub operations: Mutex<HashSet<String>>,
    pub requests: Family<RequestLabels, Counter>,
    pub seconds: Family<OperationLabel, Histogram>,
    pub statements: Family<OperationLabel, Histogram>,
    pub cache: Family<CacheLabels, Counter>,
    pub mails: Family<MailLabels, Counter>,
    pub reminders_missed: Counter,
    pub rate_limited: Family<LimitLabel, Counter>,
    pub connections: Family<StateLabel, Gauge>,
    pub deliveries: Family<StateLabel, Gauge>,
    pub jobs: Family<StateLabel, Gauge>,
    pub oldest_due_seconds: Gauge,
    pub redis_up: Gauge<i64, AtomicI64>,
    pub worker_up: OnceKnown,
    pub worker_restarts: Family<PartLabel, Counter>,
    pub redis_errors: Counter<u64, AtomicU64>,
}

/// A gauge that is shown once it was set: that of a worker is neither 1 nor 0 where there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct OnceKnown {
    gauge: Gauge<i64, AtomicI64>,
    is_known: Arc<AtomicBool>,
}

impl OnceKnown {
    pub fn set(&self, value: i64) {
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

impl Default for Counted {
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
        Self {
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
            registry,
        }
    }
}
