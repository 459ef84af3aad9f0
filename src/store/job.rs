//! The rows of the job queue, written with what causes them. The table is
//! apalis's (`apalis-sqlite` 1.0): its layout is known here and nowhere else.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement};
use ulid::Ulid;
use uuid::Uuid;

use super::{Db, Source, Tx};
use crate::error::{Error, Result};
use crate::job::Job;

/// Tries that apalis itself may make. One: when to try again is said by the row that the job names.
const MAX_ATTEMPTS: i32 = 1;

/// Adds a job that is seen once the transaction commits. apalis names its rows by ULID: the same
/// 128 bits as a UUIDv7, time first.
pub async fn push(tx: &Tx, id: Uuid, job: Job, now: DateTime<Utc>) -> Result<()> {
    let payload = serde_json::to_vec(&job).map_err(Error::internal)?;
    let connection = tx.connection();
    connection
        .execute_raw(Statement::from_sql_and_values(
            connection.get_database_backend(),
            "INSERT INTO Jobs (job, id, job_type, status, attempts, max_attempts, run_at, priority, metadata) \
             VALUES (?, ?, ?, 'Pending', 0, ?, ?, 0, '{}')",
            [
                payload.into(),
                Ulid::from(id.as_u128()).to_string().into(),
                Job::QUEUE.into(),
                MAX_ATTEMPTS.into(),
                now.timestamp().into(),
            ],
        ))
        .await?;
    Ok(())
}

/// The jobs that wait, with the names of their rows. For tests, which run them one by one.
pub async fn list_pending(db: &Db) -> Result<Vec<(String, Job)>> {
    let connection = db.connection();
    let rows = connection
        .query_all_raw(Statement::from_sql_and_values(
            connection.get_database_backend(),
            "SELECT id, job FROM Jobs WHERE job_type = ? AND status = 'Pending' ORDER BY id",
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

/// Takes a job off the queue.
pub async fn delete(tx: &Tx, id: &str) -> Result<()> {
    let connection = tx.connection();
    connection
        .execute_raw(Statement::from_sql_and_values(
            connection.get_database_backend(),
            "DELETE FROM Jobs WHERE id = ?",
            [id.into()],
        ))
        .await?;
    Ok(())
}

/// Clears away jobs that ended before this, and workers of earlier starts that hold none.
pub async fn prune(tx: &Tx, before: DateTime<Utc>) -> Result<()> {
    let connection = tx.connection();
    for sql in [
        "DELETE FROM Jobs WHERE status IN ('Done', 'Failed', 'Killed') AND done_at < ?",
        "DELETE FROM Workers WHERE last_seen < ? \
         AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)",
    ] {
        connection
            .execute_raw(Statement::from_sql_and_values(
                connection.get_database_backend(),
                sql,
                [before.timestamp().into()],
            ))
            .await?;
    }
    Ok(())
}
