//! What is stored: 100,000 tasks and thousands of users, spread as people's are.

use super::*;

/// What is said differently to the two engines.
pub(super) struct Dialect {
    pub(super) postgres: bool,
}

impl Dialect {
    /// The id of the row with this number; ids rise with the time of creation, as real ones do.
    pub(super) fn id(&self, number: &str) -> String {
        if self.postgres {
            format!("lpad(to_hex({number}), 32, '0')::uuid")
        } else {
            format!("unhex(printf('%032x', {number}))")
        }
    }

    /// This many seconds from now.
    pub(super) fn instant(&self, seconds: &str) -> String {
        if self.postgres {
            format!("timestamptz '2026-01-05T09:00:00Z' + ({seconds}) * interval '1 second'")
        } else {
            format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 1767603600 + {seconds}, 'unixepoch')")
        }
    }

    /// The statements that fill an empty database.
    pub(super) fn fill(&self) -> Vec<String> {
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
        // Ten o'clock has come for some.
        let plans = format!(
            "INSERT INTO plans (user_id, kind, due_at) SELECT id, kind, {due} FROM \
             ({} SELECT n, {id} AS id, kind FROM numbers, \
             (SELECT 'daily-reminder' AS kind UNION ALL SELECT 'task-report') AS kinds) AS rows",
            numbers(USERS),
            due = self.instant("n % 100 * 3600 - 3600"),
        );
        vec![users, tasks, approvals, sessions, deliveries, plans]
    }
}
