//! What a morning costs: `cargo bench --bench reminders` fills a database with
//! 100,000 people and 1,000,000 tasks, lets ten o'clock come for all of them at
//! once, and prints how long planning took, how much memory, and how long others
//! waited who wrote meanwhile. SQLite, or with `DATABASE_URL` an empty PostgreSQL.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use muster::app::App;
use muster::clock::Clock;
use muster::config;
use muster::generator::Generator;
use muster::mail::Mailer;
use muster::service::Context;
use muster::store::{Engine, Source};
use sea_orm::ConnectionTrait;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USERS: u64 = 100_000;
const TASKS: u64 = 1_000_000;
/// Rows that are put in by one statement.
const AT_ONCE: u64 = 20_000;
/// Between two writes of everybody else.
const PACE: Duration = Duration::from_millis(5);

/// A Monday, an hour before.
fn nine() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_603_600, 0).unwrap_or_default()
}

struct Dialect {
    postgres: bool,
}

impl Dialect {
    fn id(&self, number: &str) -> String {
        if self.postgres {
            format!("lpad(to_hex({number}), 32, '0')::uuid")
        } else {
            format!("unhex(printf('%032x', {number}))")
        }
    }

    fn instant(&self, seconds: &str) -> String {
        if self.postgres {
            format!("timestamptz '2026-01-05T09:00:00Z' + ({seconds}) * interval '1 second'")
        } else {
            format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 1767603600 + {seconds}, 'unixepoch')")
        }
    }

    fn users(&self, from: u64) -> String {
        format!(
            "WITH RECURSIVE numbers (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM numbers \
             WHERE n < {from} + {AT_ONCE} - 1) \
             INSERT INTO users (id, username, username_key, username_skeleton, email, email_key, \
             password_hash, role, status, time_zone, created_at, updated_at) \
             SELECT {}, 'p' || n, 'p' || n, 'p' || n, 'p' || n || '@example.com', \
             'p' || n || '@example.com', '$argon2id$', 'EMPLOYEE', 'ACTIVE', 'UTC', {created}, \
             {created} FROM numbers",
            self.id("n + 1"),
            created = self.instant("-86400"),
        )
    }

    /// Three quarters are done, and one person in ten has nothing.
    fn tasks(&self, from: u64) -> String {
        let assignee = format!("n % {} + 1", USERS * 9 / 10);
        format!(
            "WITH RECURSIVE numbers (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM numbers \
             WHERE n < {from} + {AT_ONCE} - 1) \
             INSERT INTO tasks (id, title, title_key, status, deadline, assignee_id, created_at, \
             updated_at, completed_at, version) \
             SELECT {}, 'Task ' || n, 'task ' || n, \
             CASE WHEN n / {USERS} % 4 > 0 THEN 'COMPLETED' ELSE 'PENDING' END, {}, {}, {created}, \
             {created}, CASE WHEN n / {USERS} % 4 > 0 THEN {created} END, 1 FROM numbers",
            self.id("n + 1"),
            self.instant("n % 1000000"),
            self.id(&assignee),
            created = self.instant("-3600"),
        )
    }
}

async fn fill(cx: &Context) -> Outcome<()> {
    let dialect = Dialect {
        postgres: cx.db.engine() == Engine::Postgres,
    };
    let users = (0..USERS).step_by(usize::try_from(AT_ONCE)?);
    let tasks = (0..TASKS).step_by(usize::try_from(AT_ONCE)?);
    let statements = users
        .map(|from| dialect.users(from))
        .chain(tasks.map(|from| dialect.tasks(from)));
    for statement in statements {
        let tx = cx.db.begin().await?;
        tx.connection().execute_unprepared(&statement).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// How long each of everybody else's writes took.
async fn everybody_else(cx: Context, stop: Arc<AtomicBool>) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let tx = cx.db.begin().await?;
        let write = "UPDATE tasks SET version = version + 1 WHERE title_key = 'task 7'";
        tx.connection().execute_unprepared(write).await?;
        tx.commit().await?;
        took.push(began.elapsed());
        tokio::time::sleep(PACE).await;
    }
    took.sort();
    Ok(took)
}

/// In KiB, from the line of this name in `/proc`.
fn memory(name: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no such line")?.parse()?)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    #[allow(clippy::disallowed_methods, reason = "this is no part of the program")]
    let url = std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| format!("sqlite://{}/m.db?mode=rwc", folder.path().display()));
    let settings = config::read(|name| match name {
        "DATABASE_URL" => Some(url.clone()),
        "JWT_SECRET" => Some("qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4".to_owned()),
        "DATABASE_TIMEOUT" => Some("60s".to_owned()),
        _ => None,
    })
    .map_err(|mistakes| mistakes.to_string())?;
    let clock = Clock::fake(nine());
    let (mailer, _) = Mailer::memory();
    let app = App::open(settings, clock.clone(), Generator::seeded(1), mailer).await?;
    let began = Instant::now();
    fill(&app.cx).await?;
    println!("filled in {:.1?}", began.elapsed());

    let worker = app.worker();
    let began = Instant::now();
    worker.plan().await?;
    println!("{USERS} people got their plans in {:.1?}", began.elapsed());

    for round in ["alone", "while others write"] {
        let stop = Arc::new(AtomicBool::new(false));
        let others = (round != "alone")
            .then(|| tokio::spawn(everybody_else(app.cx.clone(), Arc::clone(&stop))));
        // From here on the greatest amount counts.
        std::fs::write("/proc/self/clear_refs", "5")?;
        let before = memory("VmRSS")?;
        clock.advance(TimeDelta::hours(if round == "alone" { 1 } else { 24 }));
        let began = Instant::now();
        worker.plan().await?;
        let took = began.elapsed();
        let peak = memory("VmHWM")?.saturating_sub(before) / 1024;
        stop.store(true, Ordering::Relaxed);
        println!("ten o'clock, {round}: planned in {took:.1?}, +{peak} MiB");
        if let Some(others) = others {
            let waits = others.await??;
            let at = |percent: usize| waits[(waits.len() - 1) * percent / 100];
            println!(
                "  {} writes of others: p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
                waits.len(),
                at(50),
                at(99),
                at(100)
            );
        }
    }
    let planned = app
        .cx
        .db
        .connection()
        .query_one_raw(sea_orm::Statement::from_string(
            app.cx.db.connection().get_database_backend(),
            "SELECT count(*) AS count FROM deliveries WHERE kind = 'daily-reminder'",
        ))
        .await?
        .ok_or("no count")?;
    let planned: i64 = planned.try_get("", "count")?;
    println!("{planned} reminders for two mornings");
    Ok(())
}
