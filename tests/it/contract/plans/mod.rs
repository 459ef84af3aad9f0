//! How the database goes about what is asked of it, among 100,000 tasks and
//! thousands of users: no statement reads all of them that need not.
//!
//! The plans are those of the statements that `store` really sends. On PostgreSQL the server tells
//! them itself, with the real values and the rows that each step read: `auto_explain` sends the plan
//! after each statement as a notice, which `sqlx` passes on to the log. On SQLite a plan depends on
//! the text alone as long as nobody has gathered statistics, and the program never does; so the
//! texts are heard from the spans of the statements and explained afterwards.

#![allow(
    clippy::wildcard_imports,
    reason = "these files are one, split by meaning"
)]

mod asking;
mod choices;
mod data;
mod ear;
mod plan;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use muster::actor::{Actor, SignedInBy, Viewer};
use muster::entity::{
    ApprovalDecision, DeliveryState, MailKind, Role, SessionId, TaskId, TaskStatus, UserId,
    UserStatus, approval, delivery, task, user,
};
use muster::error::Result;
use muster::store::approval::{self as approvals, ApprovalFilter};
use muster::store::delivery::{self as deliveries, DeliveryFilter};
use muster::store::report::{self as reports, Completed, Happening, Period};
use muster::store::task::{self as tasks, TaskFilter, TaskOrder, TaskOrderField};
use muster::store::user::{self as users, UserFilter, UserOrder, UserOrderField};
use muster::store::{
    Address, Db, Page, Position, SortKey, Window, assignment as assignments, plan as plans,
    session as sessions, stats,
};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use uuid::Uuid;

use crate::support::TestDatabase;
use crate::support::database::{aside, on_postgres};

use asking::*;
use choices::*;
use data::*;
use ear::*;
use plan::*;
use shapes::*;

const TASKS: u64 = 100_000;
const USERS: u64 = 5_000;
const DELIVERIES: u64 = 4 * USERS;
const PAGE: u64 = 20;

/// A page is made of at most this many rows, be it that they are passed over or sorted: more than are
/// open or anybody's, and far from all.
const READS_MAX: u64 = 5_000;

/// What looks at all users or tasks without an index, and why it may.
const EXEMPT: &[(&str, &str)] = &[
    ("any user", "takes the first row that it comes by"),
    (
        "people without plans",
        "looks for what is not there, once an hour",
    ),
    ("figures of all users", "are about all of them"),
    ("figures of all tasks", "are about all of them"),
];

/// Neither end of the list nor the filter helps: what was due years ago comes last among the newest, so
/// three quarters of the tasks are passed over, or else a fifth sorted.
const FAR_APART: &[&str] = &[
    "tasks: due until years ago, by CreatedAt falling, first",
    "tasks: due until years ago, by UpdatedAt falling, first",
];

/// The indexes that SQLite reads whole lists by; the other ones hold only what was asked for.
const ORDERS: &[&str] = &[
    "approvals_by_created_at",
    "deliveries_by_created_at",
    "sqlite_autoindex_users_2",
    "tasks_by_created_at",
    "tasks_by_falling_deadline",
    "tasks_by_rising_deadline",
    "tasks_by_title",
    "tasks_by_updated_at",
    "users_by_created_at",
];

/// A Monday morning, some time after everything that is stored.
fn now() -> DateTime<Utc> {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

struct Finding {
    case: Case,
    statement: String,
    plan: Plan,
    /// The rows that a page was made of.
    rows: u64,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            case, plan, rows, ..
        } = self;
        writeln!(f, "{} ({rows} rows)\n{}", case.name, self.statement)?;
        writeln!(f, "{}", plan.text)
    }
}

/// Asked once for all tests.
fn findings() -> &'static [Finding] {
    static FINDINGS: OnceLock<Vec<Finding>> = OnceLock::new();
    FINDINGS.get_or_init(|| aside(find_out))
}

async fn find_out() -> Vec<Finding> {
    let database = TestDatabase::create().await;
    let dialect = Dialect {
        postgres: on_postgres(),
    };
    for statement in dialect.fill() {
        database.executes(statement).await;
    }
    if dialect.postgres {
        on_the_server(&database).await
    } else {
        in_the_file(&database).await
    }
}

/// Asks everything with these settings, by one connection, so that answers come in order.
async fn ask(database: &TestDatabase) -> (Vec<Case>, Vec<Heard>) {
    let ear = Ear::default();
    let subscriber = tracing_subscriber::registry().with(ear.clone());
    let listening = tracing::subscriber::set_default(subscriber);
    let address = Address {
        connections: 1,
        timeout: std::time::Duration::from_secs(30),
        ..crate::support::database::address(database.url())
    };
    let mut asking = Asking {
        db: Db::open(address).await.unwrap(),
        ear: ear.clone(),
        cases: Vec::new(),
    };
    asking.everything().await;
    asking.db.close().await;
    drop(listening);
    (asking.cases, ear.all())
}

async fn in_the_file(database: &TestDatabase) -> Vec<Finding> {
    let (cases, _) = ask(database).await;
    let mut findings = Vec::new();
    let mut plans = BTreeMap::new();
    for case in &cases {
        for statement in &case.statements {
            if !plans.contains_key(statement) {
                let lines = database.explains(statement).await;
                plans.insert(statement, Plan::of_sqlite(&lines));
            }
            let plan = plans[statement].clone();
            let goes_by_order = ORDERS.iter().any(|index| plan.indexes.contains(*index));
            let rows = match (case.kind, &case.passed) {
                (Kind::Page { matching }, _) if plan.sorts => matching,
                (Kind::Page { .. }, Some(count)) if goes_by_order => {
                    database.reads(count).await[0].parse().unwrap()
                }
                _ => 0,
            };
            findings.push(Finding {
                case: case.clone(),
                statement: statement.clone(),
                plan,
                rows,
            });
        }
    }
    findings
}

async fn on_the_server(database: &TestDatabase) -> Vec<Finding> {
    let TestDatabase::Postgres { name, .. } = database else {
        panic!("this is no server");
    };
    for setting in [
        // Everything is looked at, so that each run finds the same.
        "default_statistics_target = 1000",
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_nested_statements = on",
        "auto_explain.log_format = 'json'",
        "auto_explain.log_level = 'notice'",
    ] {
        let statement = format!("ALTER DATABASE {name} SET {setting}");
        database.executes(statement).await;
    }
    database.executes("VACUUM ANALYZE").await;
    let mut findings = Vec::new();
    let (cases, heard) = ask(database).await;
    let mut sent = cases
        .iter()
        .flat_map(|case| case.statements.iter().map(move |text| (case, text)))
        .peekable();
    let plans = heard.iter().filter_map(|heard| match heard {
        Heard::Plan(message) => message.split_once("plan:\n"),
        Heard::Statement(_) => None,
    });
    let mut nested = Vec::new();
    for (_, answer) in plans {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let plan = Plan::of_postgres(&answer);
        let text = answer["Query Text"].as_str().unwrap().to_owned();
        let Some((case, _)) = sent.next_if(|(_, sent)| **sent == text) else {
            // What a statement makes the server do besides comes before the statement's own.
            nested.push((text, plan));
            continue;
        };
        for (statement, plan) in nested.drain(..).chain([(text, plan)]) {
            findings.push(Finding {
                case: case.clone(),
                statement,
                rows: plan.reads,
                plan,
            });
        }
    }
    assert!(sent.next().is_none(), "no plan came for {:?}", sent.next());
    findings
}

fn is_exempt(finding: &Finding) -> bool {
    EXEMPT.iter().any(|(name, _)| *name == finding.case.name)
}

#[test]
fn no_statement_reads_all_tasks_or_users_without_an_index() {
    // PostgreSQL reads a table whole that is as short as the latter two are here.
    let tables = if on_postgres() {
        &["tasks", "users"][..]
    } else {
        &["tasks", "users", "deliveries", "plans"]
    };
    let is_bad = |finding: &&Finding| {
        let scans = tables
            .iter()
            .any(|table| finding.plan.scans.contains(*table));
        match finding.case.kind {
            // Counting most of the rows is looking at most of them. An index that was made for
            // something else may be shorter than the table, but is read as a whole, too.
            Kind::Count { matching, total } => {
                (scans || finding.plan.walks) && matching <= total / 2
            }
            Kind::Page { .. } | Kind::Lookup => scans && !is_exempt(finding),
        }
    };
    let bad: Vec<String> = findings()
        .iter()
        .filter(is_bad)
        .map(Finding::to_string)
        .collect();
    assert!(
        bad.is_empty(),
        "{} statements:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

#[test]
fn every_exemption_is_needed() {
    for (name, reason) in EXEMPT {
        let mut named = findings()
            .iter()
            .filter(|finding| finding.case.name == *name);
        let is_needed = named.any(|finding| finding.plan.walks || !finding.plan.scans.is_empty());
        assert!(is_needed, "{name}, which {reason}");
    }
    for name in FAR_APART {
        let mut named = findings()
            .iter()
            .filter(|finding| finding.case.name == *name);
        assert!(named.any(|finding| finding.rows > READS_MAX), "{name}");
    }
}

#[test]
fn no_page_is_made_of_many_more_rows_than_it_has() {
    let is_bad = |finding: &&Finding| {
        let is_page = matches!(finding.case.kind, Kind::Page { .. });
        let is_exempt = FAR_APART.contains(&finding.case.name.as_str());
        is_page && !is_exempt && finding.rows > READS_MAX
    };
    let bad: Vec<String> = findings()
        .iter()
        .filter(is_bad)
        .map(Finding::to_string)
        .collect();
    assert!(bad.is_empty(), "{} pages:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn a_report_reads_no_more_than_its_period() {
    for (name, index) in [
        ("Creation by day", "tasks_by_created_at"),
        ("Completion by day", "tasks_by_completed_at"),
        ("tasks completed Within, counted", "tasks_by_completed_at"),
        ("tasks completed Within, first", "tasks_by_completed_at"),
        ("tasks completed Within, next", "tasks_by_completed_at"),
        ("tasks completed Elsewhere, counted", "tasks_by_status"),
        ("tasks completed Elsewhere, first", "tasks_by_status"),
        ("who has most open tasks", "tasks_by_status"),
    ] {
        let named: Vec<_> = findings()
            .iter()
            .filter(|finding| finding.case.name == name)
            .collect();
        assert!(!named.is_empty(), "{name}");
        for finding in named {
            // PostgreSQL knows how many rows there are, and may take another index for it.
            let is_short = on_postgres() && finding.rows <= READS_MAX;
            let is_fit = finding.plan.indexes.contains(index);
            assert!(is_fit || is_short, "{finding}");
        }
    }
}

/// The first person had two thousand tasks, of which a few are open, and a few were completed lately.
#[test]
fn the_figures_of_a_person_do_not_grow_with_all_that_they_ever_completed() {
    const OPEN: &str = "tasks_by_assignee_and_status (assignee_id=? AND status=?)";
    const COMPLETED: &str = "tasks_by_assignee_and_completion (assignee_id=? AND completed_at>?)";
    let named: Vec<_> = findings()
        .iter()
        .filter(|finding| finding.case.name == "figures of a user")
        .collect();
    assert_eq!(named.len(), 2);
    for finding in named {
        if on_postgres() {
            assert!(finding.rows < 200, "{finding}");
        } else {
            let text = &finding.plan.text;
            assert!(text.contains(OPEN) && text.contains(COMPLETED), "{finding}");
        }
    }
}

#[test]
fn every_index_of_tasks_and_users_is_used_by_some_statement() {
    let used: BTreeSet<&String> = findings()
        .iter()
        .flat_map(|finding| &finding.plan.indexes)
        .collect();
    let made = aside(|| async {
        let database = TestDatabase::create().await;
        let query = database.either(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL \
             AND tbl_name IN ('tasks', 'users')",
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' \
             AND tablename IN ('tasks', 'users') AND indexdef NOT LIKE 'CREATE UNIQUE%'",
        );
        database.reads(query).await
    });
    assert!(made.len() > 10, "{made:?}");
    let unused: Vec<_> = made.iter().filter(|name| !used.contains(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}
