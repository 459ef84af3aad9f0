//! The rows of the job queue, written with what causes them. The table is
//! apalis's (`apalis-sqlite` and `apalis-postgres` 1.0): its layout is known here and nowhere
//! else.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement, Value};
use ulid::Ulid;
use uuid::Uuid;

use super::{Db, Engine, Source, Tx};
use crate::error::{Error, Result};
use crate::job::Job;

/// Tries that apalis itself may make. One: when to try again is said by the row that the job names.
const MAX_ATTEMPTS: i32 = 1;

/// Adds a job that is seen once the transaction commits; of those that wait, greater priorities go
/// first. apalis names its rows by ULID: the same 128 bits as a UUIDv7, time first.
pub async fn push(tx: &Tx, id: Uuid, job: Job, priority: i32, now: DateTime<Utc>) -> Result<()> {
    push_many(tx, &[(id, job, priority)], now).await
}

/// As `push`, for many in one statement: each an id, a job and its priority.
pub async fn push_many(tx: &Tx, jobs: &[(Uuid, Job, i32)], now: DateTime<Utc>) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let engine = tx.engine();
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for (id, job, priority) in jobs {
        let place = |number: usize| values.len() + number;
        rows.push(match engine {
            Engine::Sqlite => "(?, ?, ?, 'Pending', 0, ?, ?, ?, '{}')".to_owned(),
            Engine::Postgres => format!(
                "(${}, ${}, ${}, 'Pending', 0, ${}, \
                 least(to_timestamp(${}), now() - interval '1 second'), ${}, '')",
                place(1),
                place(2),
                place(3),
                place(4),
                place(5),
                place(6)
            ),
        });
        let payload = serde_json::to_vec(job).map_err(Error::internal)?;
        values.extend([
            payload.into(),
            Ulid::from(id.as_u128()).to_string().into(),
            Job::QUEUE.into(),
            MAX_ATTEMPTS.into(),
            seconds(engine, now),
            (*priority).into(),
        ]);
    }
    let table = match engine {
        Engine::Sqlite => "Jobs",
        Engine::Postgres => "apalis.jobs",
    };
    let insert = format!(
        "INSERT INTO {table} \
         (job, id, job_type, status, attempts, max_attempts, run_at, priority, metadata) VALUES {}",
        rows.join(", ")
    );
    execute(tx, insert, values).await?;
    Ok(())
}

/// As apalis writes instants: whole seconds.
fn seconds(engine: Engine, at: DateTime<Utc>) -> Value {
    match engine {
        Engine::Sqlite => at.timestamp().into(),
        // `to_timestamp` takes a double, which holds every second of the next 285 million years.
        #[allow(clippy::cast_precision_loss, reason = "see above")]
        Engine::Postgres => (at.timestamp() as f64).into(),
    }
}

async fn execute(
    tx: &Tx,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64> {
    let connection = tx.connection();
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

/// How many jobs wait to be taken on; it stops counting at `max`.
pub async fn count_pending(tx: &Tx, max: u64) -> Result<u64> {
    let select = match tx.engine() {
        Engine::Sqlite => {
            "SELECT count(*) AS count FROM \
             (SELECT 1 FROM Jobs WHERE job_type = ? AND status = 'Pending' LIMIT ?)"
        }
        Engine::Postgres => {
            "SELECT count(*) AS count FROM \
             (SELECT 1 FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending' LIMIT $2) AS jobs"
        }
    };
    let connection = tx.connection();
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let values = [Job::QUEUE.into(), limit.into()];
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, select, values);
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::internal("a count without a group gave no row"))?;
    let count: i64 = row.try_get("", "count")?;
    Ok(count.unsigned_abs())
}

/// The jobs that wait, with the names of their rows. For tests, which run them one by one.
pub async fn list_pending(db: &Db) -> Result<Vec<(String, Job)>> {
    let connection = db.connection();
    let select = match db.engine() {
        Engine::Sqlite => {
            "SELECT id, job FROM Jobs WHERE job_type = ? AND status = 'Pending' ORDER BY priority DESC, id"
        }
        Engine::Postgres => {
            "SELECT id, job FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending' ORDER BY priority DESC, id"
        }
    };
    let rows = connection
        .query_all_raw(Statement::from_sql_and_values(
            connection.get_database_backend(),
            select,
            [Job::QUEUE.into()],
        ))
        .await?;
    rows.iter()
        .map(|row| {
            let payload: Vec<u8> = row.try_get("", "job")?;
            let job = serde_json::from_slice(&payload).map_err(Error::internal)?;
            Ok((row.try_get("", "id")?, job))
        })
        .collect()
}

/// How many jobs are not done, by apalis's own states.
pub async fn count_unfinished(db: &Db) -> Result<Vec<(String, i64)>> {
    let connection = db.connection();
    let select = match db.engine() {
        Engine::Sqlite => {
            "SELECT status, count(*) AS count FROM Jobs \
             WHERE status IN ('Pending', 'Queued', 'Running') GROUP BY status"
        }
        Engine::Postgres => {
            "SELECT status, count(*) AS count FROM apalis.jobs \
             WHERE status IN ('Pending', 'Queued', 'Running') GROUP BY status"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), select);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "status")?, row.try_get("", "count")?)))
        .collect()
}

/// Takes a job off the queue.
pub async fn delete(tx: &Tx, id: &str) -> Result<()> {
    let delete = match tx.engine() {
        Engine::Sqlite => "DELETE FROM Jobs WHERE id = ?",
        Engine::Postgres => "DELETE FROM apalis.jobs WHERE id = $1",
    };
    execute(tx, delete, [id.into()]).await?;
    Ok(())
}

/// Takes every job off the queue that has not ended, whoever holds it.
pub(super) async fn delete_unfinished(tx: &Tx) -> Result<()> {
    let delete = match tx.engine() {
        Engine::Sqlite => "DELETE FROM Jobs WHERE status NOT IN ('Done', 'Failed', 'Killed')",
        Engine::Postgres => {
            "DELETE FROM apalis.jobs WHERE status NOT IN ('Done', 'Failed', 'Killed')"
        }
    };
    execute(tx, delete, []).await?;
    Ok(())
}

/// Clears away jobs that ended before this, and workers of earlier starts that hold none; so many of
/// each at most. Says how many jobs it were.
pub async fn prune(tx: &Tx, before: DateTime<Utc>, limit: u32) -> Result<u64> {
    let [jobs, workers] = match tx.engine() {
        Engine::Sqlite => [
            "DELETE FROM Jobs WHERE id IN (SELECT id FROM Jobs \
             WHERE status IN ('Done', 'Failed', 'Killed') AND done_at < ? LIMIT ?)",
            "DELETE FROM Workers WHERE id IN (SELECT id FROM Workers WHERE last_seen < ? \
             AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL) LIMIT ?)",
        ],
        Engine::Postgres => [
            "DELETE FROM apalis.jobs WHERE id IN (SELECT id FROM apalis.jobs \
             WHERE status IN ('Done', 'Failed', 'Killed') AND done_at < to_timestamp($1) LIMIT $2)",
            "DELETE FROM apalis.workers WHERE id IN (SELECT id FROM apalis.workers w \
             WHERE last_seen < to_timestamp($1) \
             AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE lock_by = w.id) LIMIT $2)",
        ],
    };
    let values = || [seconds(tx.engine(), before), i64::from(limit).into()];
    let pruned = execute(tx, jobs, values()).await?;
    execute(tx, workers, values()).await?;
    Ok(pruned)
}
