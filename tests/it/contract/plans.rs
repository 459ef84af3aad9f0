//! How the database goes about what is asked of it, among 100,000 tasks and
//! thousands of users: no statement reads all of them that need not.
//!
//! The plans are those of the statements that `store` really sends. On PostgreSQL the server tells
//! them itself, with the real values and the rows that each step read: `auto_explain` sends the plan
//! after each statement as a notice, which `sqlx` passes on to the log. On SQLite a plan depends on
//! the text alone as long as nobody has gathered statistics, and the program never does; so the
//! texts are heard from the spans of the statements and explained afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use muster::actor::{Actor, Viewer};
use muster::entity::{
    ApprovalDecision, Role, SessionId, TaskId, TaskStatus, UserId, UserStatus, approval, task, user,
};
use muster::error::Result;
use muster::store::approval::{self as approvals, ApprovalFilter};
use muster::store::task::{self as tasks, TaskFilter, TaskOrder, TaskOrderField};
use muster::store::user::{self as users, UserFilter, UserOrder, UserOrderField};
use muster::store::{
    Address, Db, Page, Position, SortKey, Window, delivery as deliveries, session as sessions,
    stats,
};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use uuid::Uuid;

use crate::support::TestDatabase;
use crate::support::database::{aside, on_postgres};

const TASKS: u64 = 100_000;
const USERS: u64 = 5_000;
const PAGE: u64 = 20;

/// A page is made of at most this many rows, be it that they are passed over or sorted: more than are
/// open or anybody's, and far from all.
const READS_MAX: u64 = 5_000;

/// What looks at all users or tasks without an index, and why it may.
const EXEMPT: &[(&str, &str)] = &[
    ("any user", "takes the first row that it comes by"),
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

// ---- What is stored ----

/// What is said differently to the two engines.
struct Dialect {
    postgres: bool,
}

impl Dialect {
    /// The id of the row with this number; ids rise with the time of creation, as real ones do.
    fn id(&self, number: &str) -> String {
        if self.postgres {
            format!("lpad(to_hex({number}), 32, '0')::uuid")
        } else {
            format!("unhex(printf('%032x', {number}))")
        }
    }

    /// This many seconds from now.
    fn instant(&self, seconds: &str) -> String {
        if self.postgres {
            format!("timestamptz '2026-01-05T09:00:00Z' + ({seconds}) * interval '1 second'")
        } else {
            format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 1767603600 + {seconds}, 'unixepoch')")
        }
    }

    /// The statements that fill an empty database.
    fn fill(&self) -> Vec<String> {
        let numbers = |count: u64| {
            format!(
                "WITH RECURSIVE numbers (n) AS \
                 (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count} - 1)"
            )
        };
        // Primes scatter what would otherwise go in step.
        let (id, user) = (self.id("n + 1"), self.id("n % 5000 + 1"));
        let users = format!(
            "INSERT INTO users (id, username, username_key, username_skeleton, email, email_key, \
             password_hash, first_name, last_name, role, status, time_zone, created_at, updated_at) \
             {} SELECT {id}, 'Person' || (n * 37 % {USERS}), 'person' || (n * 37 % {USERS}), \
             'person' || (n * 37 % {USERS}), 'Person' || n || '@example.com', \
             'person' || n || '@example.com', '$argon2id$', \
             CASE WHEN n % 50 = 0 THEN 'Ottilie' ELSE 'Jo' || (n % 700) END, 'Smith' || (n % 900), \
             CASE WHEN n % 100 = 1 THEN 'ADMIN' WHEN n % 10 = 2 THEN 'MANAGER' ELSE 'EMPLOYEE' END, \
             CASE WHEN n % 20 = 3 THEN 'PENDING' WHEN n % 20 = 4 THEN 'REJECTED' \
             WHEN n % 20 IN (5, 6) THEN 'DEACTIVATED' ELSE 'ACTIVE' END, \
             'UTC', {created}, {created} FROM numbers",
            numbers(USERS),
            created = self.instant("(n - 5000) * 12000"),
        );
        // Six years of tasks. Old ones are mostly done; one of 53 is the first person's, one of 53
        // nobody's.
        let created = "(n - 100000) * 1800";
        let is_done = "(n < 97000 AND m % 50 <> 0 OR m % 3 = 0)";
        let tasks = format!(
            "INSERT INTO tasks (id, title, title_key, description, status, deadline, assignee_id, \
             created_by, created_at, updated_at, completed_at, version) \
             {} SELECT {id}, title, lower(title), \
             CASE WHEN m % 3 = 0 THEN 'For the quarterly report, see file ' || (m % 977) END, \
             CASE WHEN {is_done} THEN 'COMPLETED' WHEN m % 2 = 0 THEN 'PENDING' ELSE 'IN_PROGRESS' END, \
             CASE WHEN m % 11 < 8 THEN {deadline} END, \
             CASE m % 53 WHEN 0 THEN NULL WHEN 1 THEN {first} ELSE {assignee} END, \
             {creator}, {created}, {updated}, CASE WHEN {is_done} THEN {updated} END, 1 + n % 5 \
             FROM (SELECT n, m, CASE m % 7 WHEN 0 THEN 'Count' WHEN 1 THEN 'Mend' \
             WHEN 2 THEN 'Paint' WHEN 3 THEN 'Order' ELSE 'Write' END || ' ' || m || \
             CASE WHEN m % 97 = 17 THEN ' marbles' ELSE ' chairs' END AS title \
             FROM (SELECT n, n * 7919 % 99991 AS m FROM numbers) AS scattered) AS titled",
            numbers(TASKS),
            first = self.id("1"),
            assignee = self.id("m % 5000 + 1"),
            creator = self.id("m % 491 + 1"),
            created = self.instant(created),
            updated = self.instant(&format!("{created} + m % 1009 * 1700")),
            deadline = self.instant(&format!("{created} + 86400 + m * 61")),
        );
        let approvals = format!(
            "INSERT INTO approvals (id, user_id, requested_role, granted_role, decision, \
             decided_by, decided_at, reason, created_at) \
             {} SELECT {id}, {id}, 'EMPLOYEE', CASE WHEN n % 20 > 4 THEN 'EMPLOYEE' END, \
             CASE WHEN n % 20 = 3 THEN 'PENDING' WHEN n % 20 = 4 THEN 'REJECTED' ELSE 'APPROVED' END, \
             CASE WHEN n % 20 <> 3 THEN {decider} END, CASE WHEN n % 20 <> 3 THEN {created} END, \
             NULL, {created} FROM numbers",
            numbers(USERS),
            decider = self.id("n % 50 * 100 + 2"),
            created = self.instant("(n - 5000) * 12000"),
        );
        let sessions = format!(
            "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) \
             {} SELECT {id}, {user}, {created}, {created}, {expires} FROM numbers",
            numbers(4 * USERS),
            created = self.instant("(n - 20000) * 100"),
            expires = self.instant("(n - 2000) * 100"),
        );
        let deliveries = format!(
            "INSERT INTO deliveries (id, kind, cause, recipient_id, address, params, state, \
             created_at, due_at, announced_until, leased_until, fence, attempts, failures, finished_at) \
             {} SELECT {id}, 'welcome', 'cause ' || n, {user}, 'person@example.com', '{{}}', \
             CASE WHEN n % 200 = 0 THEN 'DUE' WHEN n % 2000 = 1 THEN 'SENDING' ELSE 'SENT' END, \
             {created}, {created}, {created}, CASE WHEN n % 2000 = 1 THEN {created} END, 1, 1, 0, \
             CASE WHEN n % 200 = 0 OR n % 2000 = 1 THEN NULL ELSE {created} END FROM numbers",
            numbers(4 * USERS),
            created = self.instant("(n - 20000) * 100"),
        );
        vec![users, tasks, approvals, sessions, deliveries]
    }
}

// ---- What the program says and the server answers ----

#[derive(Clone, Debug)]
enum Heard {
    Statement(String),
    Plan(String),
}

/// Hears the statements of `store`, and what PostgreSQL says beside its answers.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Heard>>>);

impl Ear {
    fn all(&self) -> Vec<Heard> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if span.metadata().name() == "sql" {
            let mut text = Text::of("db.query.text");
            span.record(&mut text);
            self.0.lock().unwrap().push(Heard::Statement(text.value));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            let mut text = Text::of("message");
            event.record(&mut text);
            self.0.lock().unwrap().push(Heard::Plan(text.value));
        }
    }
}

struct Text {
    field: &'static str,
    value: String,
}

impl Text {
    fn of(field: &'static str) -> Self {
        Self {
            field,
            value: String::new(),
        }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.field {
            value.clone_into(&mut self.value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == self.field {
            self.value = format!("{value:?}");
        }
    }
}

// ---- What is asked ----

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A page of a list that this many rows belong to.
    Page { matching: u64 },
    /// How many of all rows match.
    Count { matching: u64, total: u64 },
    /// A few rows.
    Lookup,
}

#[derive(Clone, Debug)]
struct Case {
    name: String,
    kind: Kind,
    statements: Vec<String>,
    /// Counts the rows of the table between the ends of the page, on SQLite.
    passed: Option<String>,
}

struct Asking {
    db: Db,
    ear: Ear,
    cases: Vec<Case>,
}

impl Asking {
    async fn case<T>(
        &mut self,
        name: impl Into<String>,
        kind: Kind,
        work: impl Future<Output = Result<T>>,
    ) -> T {
        let before = self.ear.all().len();
        let done = work.await.unwrap();
        let statements = self.ear.all().split_off(before);
        let statements = statements.into_iter().filter_map(|heard| match heard {
            Heard::Statement(text) => Some(text),
            Heard::Plan(_) => None,
        });
        self.cases.push(Case {
            name: name.into(),
            kind,
            statements: statements.collect(),
            passed: None,
        });
        done
    }

    /// How many belong to a list.
    async fn count(
        &mut self,
        list: &str,
        total: u64,
        work: impl Future<Output = Result<u64>>,
    ) -> u64 {
        let unknown = Kind::Count { matching: 0, total };
        let matching = self.case(format!("{list}, counted"), unknown, work).await;
        let last = self.cases.last_mut().unwrap();
        last.kind = Kind::Count { matching, total };
        matching
    }

    async fn everything(&mut self) {
        self.tasks().await;
        self.tasks_of_employees().await;
        self.tasks_of_several().await;
        self.users().await;
        self.approvals().await;
        self.people_at_the_door().await;
        self.figures().await;
        self.changes().await;
        // Whatever the server still has to say about the statement before comes with this one.
        self.db.ready().await.unwrap();
    }

    async fn pages_of_tasks(&mut self, whose: &str, actor: Actor, filters: &[(&str, TaskFilter)]) {
        let (db, beginning) = (self.db.clone(), window(None));
        for (name, filter) in filters {
            let name = format!("{whose}: {name}");
            let count = tasks::count(&db, &actor, filter);
            let matching = self.count(&name, TASKS, count).await;
            let kind = Kind::Page { matching };
            for order in task_orders() {
                let name = format!("{name}, {}", task_order_name(order));
                let first = tasks::list(&db, &actor, filter, order, &beginning);
                let first = self.case(format!("{name}, first"), kind, first).await;
                let end = end_of(&first, |row| position_of(row, order));
                self.has_passed(tasks_between(filter, order, None, end.as_ref()));
                if let Some(start) = end {
                    let window = window(Some(start.clone()));
                    let next = tasks::list(&db, &actor, filter, order, &window);
                    let next = self.case(format!("{name}, next"), kind, next).await;
                    let end = end_of(&next, |row| position_of(row, order));
                    self.has_passed(tasks_between(filter, order, Some(&start), end.as_ref()));
                }
            }
        }
    }

    fn has_passed(&mut self, count: String) {
        self.cases.last_mut().unwrap().passed = Some(count);
    }

    async fn tasks(&mut self) {
        self.pages_of_tasks("tasks", manager(), &task_filters())
            .await;
    }

    async fn tasks_of_employees(&mut self) {
        let any = TaskFilter::any(now());
        let pending = TaskFilter {
            status: Some(vec![TaskStatus::Pending]),
            ..any.clone()
        };
        let open = TaskFilter {
            status: Some(vec![TaskStatus::Pending, TaskStatus::InProgress]),
            ..any.clone()
        };
        let filters = [("any", any), ("pending", pending), ("open", open)];
        self.pages_of_tasks("tasks of the busiest", employee(1), &filters)
            .await;
        self.pages_of_tasks("tasks of an employee", employee(2), &filters)
            .await;
        // What a manager sees of one person.
        let db = self.db.clone();
        for order in task_orders() {
            let name = format!("tasks of one user, {}", task_order_name(order));
            let (actor, ids, window) = (manager(), [user_id(2)], window(None));
            let list = tasks::list_by_assignee(&db, &actor, &ids, &filters[0].1, order, &window);
            let kind = Kind::Page {
                matching: TASKS / USERS,
            };
            self.case(name, kind, list).await;
        }
    }

    /// The tasks of everybody on a page of users.
    async fn tasks_of_several(&mut self) {
        let db = self.db.clone();
        let ids: Vec<UserId> = (11..31).map(user_id).collect();
        for (name, filter) in task_filters() {
            let name = format!("tasks of 20 users: {name}");
            let (actor, window) = (manager(), window(None));
            let count = tasks::count_by_assignee(&db, &actor, &ids, &filter);
            let counts = self
                .case(format!("{name}, counted"), Kind::Lookup, count)
                .await;
            let matching = counts.iter().map(|(_, count)| count).sum();
            let kind = Kind::Page { matching };
            for order in task_orders() {
                let name = format!("{name}, {}", task_order_name(order));
                let list = tasks::list_by_assignee(&db, &actor, &ids, &filter, order, &window);
                self.case(name, kind, list).await;
            }
        }
    }

    async fn users(&mut self) {
        let (db, beginning) = (self.db.clone(), window(None));
        for (who, actor) in [("users", manager()), ("users, to an employee", employee(1))] {
            for (name, filter) in user_filters() {
                let name = format!("{who}: {name}");
                let count = users::count(&db, &actor, &filter);
                let matching = self.count(&name, USERS, count).await;
                let kind = Kind::Page { matching };
                for order in user_orders() {
                    let name = format!("{name}, {}", user_order_name(order));
                    let first = users::list(&db, &actor, &filter, order, &beginning);
                    let first = self.case(format!("{name}, first"), kind, first).await;
                    let end = end_of(&first, |row| position_of_user(row, order));
                    self.has_passed(users_between(order, None, end.as_ref()));
                    if let Some(start) = end {
                        let window = window(Some(start.clone()));
                        let next = users::list(&db, &actor, &filter, order, &window);
                        let next = self.case(format!("{name}, next"), kind, next).await;
                        let end = end_of(&next, |row| position_of_user(row, order));
                        self.has_passed(users_between(order, Some(&start), end.as_ref()));
                    }
                }
            }
        }
    }

    async fn approvals(&mut self) {
        let (db, beginning) = (self.db.clone(), window(None));
        let actor = viewer(Role::Admin, 2);
        let pending = vec![ApprovalDecision::Pending];
        let decided = vec![ApprovalDecision::Approved, ApprovalDecision::Rejected];
        for (name, decision) in [
            ("any", None),
            ("pending", Some(pending)),
            ("decided", Some(decided)),
        ] {
            let name = format!("approvals: {name}");
            let filter = ApprovalFilter { decision };
            let count = approvals::count(&db, &actor, &filter);
            let matching = self.count(&name, USERS, count).await;
            let kind = Kind::Page { matching };
            let position = |row: &approval::Model| Position {
                key: SortKey::Instant(row.created_at),
                id: row.id.0,
            };
            let first = approvals::list(&db, &actor, &filter, &beginning);
            let first = self.case(format!("{name}, first"), kind, first).await;
            let start = end_of(&first, position);
            let next_window = window(start.clone());
            let next = approvals::list(&db, &actor, &filter, &next_window);
            let next = self.case(format!("{name}, next"), kind, next).await;
            let end = end_of(&next, position);
            let ends = [start.as_ref(), end.as_ref()];
            self.has_passed(between("approvals", "created_at", true, ends, &[]));
        }
    }

    /// What happens before anybody is known, and with each request.
    async fn people_at_the_door(&mut self) {
        let db = self.db.clone();
        let look = Kind::Lookup;
        let found = users::find_by_login(&db, "person42");
        let found = self.case("log-in by name", look, found).await.unwrap();
        let by_address = users::find_by_login(&db, "person42@example.com");
        self.case("log-in by address", look, by_address).await;
        let by_address = users::find_by_email(&db, "person42@example.com");
        self.case("user by address", look, by_address).await;
        let any = users::exists_any(&db);
        self.case("any user", look, any).await;
        let actor = manager();
        let one = users::find(&db, &actor, found.id);
        self.case("user by id", look, one).await;
        let ids: Vec<UserId> = (11..31).map(user_id).collect();
        for (name, actor) in [
            ("users by ids", manager()),
            ("users by ids, to an employee", employee(1)),
        ] {
            let many = users::find_many(&db, &actor, &ids);
            self.case(name, look, many).await;
        }
        let ids: Vec<_> = (11..31).map(|number| TaskId(uuid(number))).collect();
        for (name, actor) in [
            ("tasks by ids", manager()),
            ("tasks by ids, to an employee", employee(1)),
        ] {
            let many = tasks::find_many(&db, &actor, &ids);
            self.case(name, look, many).await;
        }
        let id = SessionId(uuid(19_000));
        let standing = sessions::find_standing(&db, id);
        self.case("standing of a session", look, standing).await;
        let actor = employee(3);
        let list = sessions::list(&db, &actor, now());
        self.case("sessions of a user", look, list).await;
        for ignoring in [false, true] {
            let missed = deliveries::exists_missed(&db, now(), ignoring);
            self.case("deliveries missed", look, missed).await;
        }
    }

    async fn figures(&mut self) {
        let db = self.db.clone();
        let (today, lately) = (
            (now() - TimeDelta::hours(9), now() + TimeDelta::hours(15)),
            now() - TimeDelta::days(7),
        );
        for id in [1, 2] {
            let own = stats::count_own_tasks(&db, user_id(id), now(), today, lately);
            self.case("figures of a user", Kind::Lookup, own).await;
        }
        let lately = stats::count_tasks_between(&db, lately, now());
        self.case("figures of a week", Kind::Lookup, lately).await;
        let all = stats::count_users(&db);
        self.case("figures of all users", Kind::Lookup, all).await;
        let all = stats::count_tasks(&db, now());
        self.case("figures of all tasks", Kind::Lookup, all).await;
    }

    /// What transactions look for; none of them is committed.
    async fn changes(&mut self) {
        let look = Kind::Lookup;
        let tx = self.db.begin().await.unwrap();
        let actor = viewer(Role::Admin, 2);
        let found = users::find_to_change(&tx, &actor, user_id(43));
        let user = self.case("user to change", look, found).await.unwrap();
        let taken = users::find_taken(&tx, &user);
        self.case("names that are taken", look, taken).await;
        let admins = users::count_other_active_admins(&tx, user.id);
        self.case("other active admins", look, admins).await;
        let approval = approvals::find_of_user_to_change(&tx, &actor, user.id);
        self.case("approval of a user", look, approval).await;
        let task = tasks::find_to_change(&tx, &actor, TaskId(uuid(77)));
        self.case("task to change", look, task).await;
        let missed = deliveries::list_missed_to_change(&tx, now(), false, 100);
        self.case("deliveries to catch up with", look, missed).await;
        let finished = deliveries::delete_finished(&tx, now() - TimeDelta::days(20), 1_000);
        self.case("deliveries to clear away", look, finished).await;
        let expired = sessions::delete_expired(&tx, now() - TimeDelta::days(1), 1_000);
        self.case("sessions to clear away", look, expired).await;
        let oldest = sessions::delete_oldest_of(&tx, user.id, 2);
        self.case("oldest sessions of a user", look, oldest).await;
        let sessions = sessions::delete_all_of(&tx, user.id, None);
        self.case("sessions of a user, ended", look, sessions).await;
        let unassigned = tasks::unassign_all_of(&tx, user.id, now());
        self.case("tasks taken back", look, unassigned).await;
        let deleted = users::delete(&tx, user.id);
        self.case("user deleted", look, deleted).await;
    }
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn user_id(number: u128) -> UserId {
    UserId(uuid(number))
}

fn viewer(role: Role, number: u128) -> Actor {
    Actor::User(Viewer {
        id: user_id(number),
        role,
        session_id: None,
    })
}

fn manager() -> Actor {
    viewer(Role::Manager, 3)
}

fn employee(number: u128) -> Actor {
    viewer(Role::Employee, number)
}

/// Reading from the end is reading the opposite order from the beginning, so `backward` adds nothing.
fn window(after: Option<Position>) -> Window {
    Window {
        size: PAGE,
        backward: false,
        after,
        before: None,
    }
}

fn end_of<T>(page: &Page<T>, position: impl Fn(&T) -> Position) -> Option<Position> {
    page.has_next_page
        .then(|| position(page.rows.last().unwrap()))
}

fn position_of(row: &task::Model, order: TaskOrder) -> Position {
    Position {
        id: row.id.0,
        key: match order.field {
            TaskOrderField::CreatedAt => SortKey::Instant(row.created_at),
            TaskOrderField::UpdatedAt => SortKey::Instant(row.updated_at),
            TaskOrderField::Deadline => row.deadline.map_or(SortKey::Missing, SortKey::Instant),
            TaskOrderField::Title => SortKey::Text(row.title_key.clone()),
        },
    }
}

fn position_of_user(row: &user::Model, order: UserOrder) -> Position {
    Position {
        id: row.id.0,
        key: match order.field {
            UserOrderField::CreatedAt => SortKey::Instant(row.created_at),
            UserOrderField::Username => SortKey::Text(row.username_key.clone()),
        },
    }
}

/// Counts the rows of a table between the ends of a page, which a walk along an index must pass.
fn between(
    table: &str,
    key: &str,
    descending: bool,
    [start, end]: [Option<&Position>; 2],
    bounds: &[String],
) -> String {
    let (later, until) = if descending { ("<", ">=") } else { (">", "<=") };
    let mut conditions = bounds.to_vec();
    for (comparison, position) in [(later, start), (until, end)] {
        if let Some(Position { key: value, id }) = position {
            let value = match value {
                SortKey::Instant(instant) => literal(*instant),
                SortKey::Text(text) => format!("'{}'", text.replace('\'', "''")),
                SortKey::Missing => (if descending { "''" } else { "'~'" }).to_owned(),
            };
            let id = id.simple();
            conditions.push(format!("({key}, id) {comparison} ({value}, X'{id}')"));
        }
    }
    conditions.push("true".to_owned());
    let conditions = conditions.join(" AND ");
    format!("SELECT CAST(count(*) AS text) FROM {table} WHERE {conditions}")
}

fn literal(instant: DateTime<Utc>) -> String {
    let text = instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false);
    format!("'{text}'")
}

/// A list by deadline is read no further than its filter on deadlines goes.
fn tasks_between(
    filter: &TaskFilter,
    order: TaskOrder,
    start: Option<&Position>,
    end: Option<&Position>,
) -> String {
    let mut bounds = Vec::new();
    let key = match order.field {
        TaskOrderField::CreatedAt => "created_at",
        TaskOrderField::UpdatedAt => "updated_at",
        TaskOrderField::Title => "title_key",
        TaskOrderField::Deadline => {
            let from = filter.deadline_from.map(|from| (">=", from));
            let to = filter.deadline_to.map(|to| ("<=", to));
            let overdue = (filter.overdue == Some(true)).then_some(("<", filter.now));
            for (comparison, instant) in [from, to, overdue].into_iter().flatten() {
                bounds.push(format!("deadline {comparison} {}", literal(instant)));
            }
            if order.descending {
                "deadline_falling"
            } else {
                "deadline_rising"
            }
        }
    };
    between("tasks", key, order.descending, [start, end], &bounds)
}

fn users_between(order: UserOrder, start: Option<&Position>, end: Option<&Position>) -> String {
    let key = match order.field {
        UserOrderField::CreatedAt => "created_at",
        UserOrderField::Username => "username_key",
    };
    between("users", key, order.descending, [start, end], &[])
}

fn task_orders() -> Vec<TaskOrder> {
    let fields = [
        TaskOrderField::CreatedAt,
        TaskOrderField::UpdatedAt,
        TaskOrderField::Deadline,
        TaskOrderField::Title,
    ];
    let both = |field| [false, true].map(|descending| TaskOrder { field, descending });
    fields.into_iter().flat_map(both).collect()
}

fn user_orders() -> Vec<UserOrder> {
    let fields = [UserOrderField::CreatedAt, UserOrderField::Username];
    let both = |field| [false, true].map(|descending| UserOrder { field, descending });
    fields.into_iter().flat_map(both).collect()
}

fn task_order_name(order: TaskOrder) -> String {
    direction_name(&format!("{:?}", order.field), order.descending)
}

fn user_order_name(order: UserOrder) -> String {
    direction_name(&format!("{:?}", order.field), order.descending)
}

fn direction_name(field: &str, descending: bool) -> String {
    format!(
        "by {field} {}",
        if descending { "falling" } else { "rising" }
    )
}

fn task_filters() -> Vec<(&'static str, TaskFilter)> {
    let any = || TaskFilter::any(now());
    // A filter that is added to these does not compile until it is asked for below.
    let TaskFilter {
        status: None,
        assignee: None,
        unassigned: None,
        overdue: None,
        deadline_from: None,
        deadline_to: None,
        search: None,
        now: _,
    } = any()
    else {
        panic!("`any` is about something");
    };
    let status = |status: &[TaskStatus]| TaskFilter {
        status: Some(status.to_vec()),
        ..any()
    };
    let assignee = |number| TaskFilter {
        assignee: Some(vec![user_id(number)]),
        ..any()
    };
    let unassigned = |unassigned| TaskFilter {
        unassigned: Some(unassigned),
        ..any()
    };
    let overdue = |overdue| TaskFilter {
        overdue: Some(overdue),
        ..any()
    };
    let deadline = |from: Option<i64>, to: Option<i64>| TaskFilter {
        deadline_from: from.map(|days| now() + TimeDelta::days(days)),
        deadline_to: to.map(|days| now() + TimeDelta::days(days)),
        ..any()
    };
    let search = |words: &str| TaskFilter {
        search: Some(words.to_owned()),
        ..any()
    };
    vec![
        ("any", any()),
        ("pending", status(&[TaskStatus::Pending])),
        ("completed", status(&[TaskStatus::Completed])),
        (
            "open",
            status(&[TaskStatus::Pending, TaskStatus::InProgress]),
        ),
        ("of the busiest", assignee(1)),
        ("of somebody", assignee(2)),
        ("unassigned", unassigned(true)),
        ("assigned", unassigned(false)),
        ("overdue", overdue(true)),
        ("not overdue", overdue(false)),
        ("due from now on", deadline(Some(0), None)),
        ("due until a month ago", deadline(None, Some(-30))),
        ("due until years ago", deadline(None, Some(-1500))),
        ("due this week", deadline(Some(0), Some(7))),
        ("found by a word", search("marbles")),
        ("found by two words", search("paint marb")),
        ("found by a rare word", search("4711")),
    ]
}

fn user_filters() -> Vec<(&'static str, UserFilter)> {
    let any = UserFilter::default;
    // As with the tasks.
    let UserFilter {
        role: None,
        status: None,
        search: None,
    } = any()
    else {
        panic!("`any` is about something");
    };
    let role = |role: &[Role]| UserFilter {
        role: Some(role.to_vec()),
        ..any()
    };
    let status = |status: &[UserStatus]| UserFilter {
        status: Some(status.to_vec()),
        ..any()
    };
    let search = |words: &str| UserFilter {
        search: Some(words.to_owned()),
        ..any()
    };
    vec![
        ("any", any()),
        ("admins", role(&[Role::Admin])),
        ("employees", role(&[Role::Employee])),
        ("managers and admins", role(&[Role::Manager, Role::Admin])),
        ("pending", status(&[UserStatus::Pending])),
        ("active", status(&[UserStatus::Active])),
        (
            "left out",
            status(&[UserStatus::Rejected, UserStatus::Deactivated]),
        ),
        ("found by a word", search("ottilie")),
        ("found by a rare word", search("person4711")),
    ]
}

// ---- What the plans say ----

#[derive(Clone, Debug, Default)]
struct Plan {
    /// Tables, and results of steps before, that are read from one end to the other, in no order.
    scans: BTreeSet<String>,
    indexes: BTreeSet<String>,
    /// An index is read in its order, from one end until the page is full.
    walks: bool,
    sorts: bool,
    /// Rows of tables that were looked at; 0 where the engine does not tell.
    reads: u64,
    text: String,
}

impl Plan {
    fn of_sqlite(lines: &[String]) -> Self {
        let mut plan = Self {
            text: lines.join("\n"),
            ..Self::default()
        };
        for line in lines {
            let mut words = line.split_whitespace();
            let verb = words.next();
            let table = words.next().unwrap_or_default();
            let index = line
                .split_once("INDEX ")
                .and_then(|(_, rest)| rest.split_whitespace().next())
                .filter(|_| line.contains(" USING "));
            match (verb, index) {
                (Some("SCAN"), None) if !line.contains("VIRTUAL TABLE") => {
                    plan.scans.insert(table.to_owned());
                }
                (Some("SCAN"), Some(_)) => plan.walks = true,
                (Some("USE"), _) if line.contains("B-TREE FOR ORDER BY") => plan.sorts = true,
                _ => {}
            }
            if let Some(index) = index {
                plan.indexes.insert(index.to_owned());
            } else if line.contains("VIRTUAL TABLE") {
                plan.indexes.insert(table.to_owned());
            }
        }
        plan
    }

    fn of_postgres(answer: &Value) -> Self {
        let mut plan = Self::default();
        plan.adds(&answer["Plan"], 0);
        plan
    }

    fn adds(&mut self, node: &Value, depth: usize) {
        let word = |key: &str| node[key].as_str().unwrap_or_default();
        let number = |key: &str| node[key].as_f64().unwrap_or_default();
        let (kind, table, index) = (word("Node Type"), word("Relation Name"), word("Index Name"));
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "numbers of rows"
        )]
        let rows = ((number("Actual Rows")
            + number("Rows Removed by Filter")
            + number("Rows Removed by Index Recheck"))
            * number("Actual Loops")) as u64;
        writeln!(
            self.text,
            "{}{kind} {table} {index} {rows} {}",
            "  ".repeat(depth),
            word("Filter")
        )
        .unwrap();
        if kind == "Seq Scan" {
            self.scans.insert(table.to_owned());
        }
        if !index.is_empty() {
            self.indexes.insert(index.to_owned());
        }
        self.sorts |= kind == "Sort";
        if !table.is_empty() {
            self.reads += rows;
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.adds(child, depth + 1);
        }
    }
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
    let is_bad = |finding: &&Finding| {
        let scans = ["tasks", "users"]
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
