//! A row of `PostgreSQL` in somebody else's hands, for as long as a test likes: what
//! needs it waits, one behind the other, in the order in which they came.

use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::task::JoinHandle;

use super::{Answer, Operation, Person, TestApp};

pub struct RowLock {
    holder: PgConnection,
    watcher: PgConnection,
}

impl RowLock {
    /// Of the one row of this table for which the condition holds.
    pub async fn take(app: &TestApp, table: &str, condition: &str) -> Self {
        let mut lock = Self::none(app).await;
        let select = format!("SELECT 1 FROM {table} WHERE {condition} FOR UPDATE");
        assert_eq!(lock.does(&select).await, 1);
        lock
    }

    /// Of a whole table, which others can read and lock rows of, but not write to.
    pub async fn of_table(app: &TestApp, table: &str) -> Self {
        let mut lock = Self::none(app).await;
        lock.does(&format!("LOCK TABLE {table} IN SHARE MODE"))
            .await;
        lock
    }

    /// Of what the test is going to take.
    pub async fn none(app: &TestApp) -> Self {
        let options: PgConnectOptions = app.database().url().parse().unwrap();
        let mut lock = Self {
            holder: PgConnection::connect_with(&options).await.unwrap(),
            watcher: PgConnection::connect_with(&options).await.unwrap(),
        };
        lock.does("BEGIN").await;
        lock
    }

    pub async fn of_user(app: &TestApp, username: &str) -> Self {
        Self::take(app, "users", &format!("username = '{username}'")).await
    }

    /// Runs a statement as whoever holds the row, and says how many rows it touched.
    pub async fn does(&mut self, statement: &str) -> u64 {
        let statement = sqlx::query(AssertSqlSafe(statement.to_owned()));
        let done = statement.execute(&mut self.holder).await;
        done.unwrap().rows_affected()
    }

    /// Until so many wait for somebody's locks.
    pub async fn has_waiting(&mut self, count: i64) {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        for _ in 0..1_000 {
            let row = sqlx::query(waiting).fetch_one(&mut self.watcher).await;
            if row.unwrap().get::<i64, _>(0) == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there were never {count} that waited");
    }

    /// Lets the row go, with what was done to it.
    pub async fn release(mut self) {
        self.does("COMMIT").await;
    }
}

/// Begins to ask, and is answered once nothing is in the way.
pub fn queues(person: &Person, operation: Operation, variables: Value) -> JoinHandle<Answer> {
    let person = person.clone();
    tokio::spawn(async move { person.asks(operation, variables).await })
}
