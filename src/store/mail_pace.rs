//! The pace at which mails go out, shared by all workers: one row says from when
//! on the next mail may go. A claim moves it, so no two claims get the same place.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement};

use super::{Source, Tx};
use crate::error::{Error, Result};

/// Takes the next place, one every `interval`, and says when it is; None when that is later than
/// `patience` from now, and then no place is taken.
pub async fn take(
    tx: &Tx,
    interval: TimeDelta,
    patience: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let connection = tx.connection();
    // No claim moves it further: what is beyond was written by a clock that was put back since.
    let furthest = now + patience + interval;
    let values = [now, now + interval, now + patience, furthest]
        .map(|instant| instant.timestamp_millis().into())
        .into_iter()
        .chain([interval.num_milliseconds().into()]);
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "INSERT INTO mail_pace (id, free_at) VALUES (1, $2) \
         ON CONFLICT (id) DO UPDATE SET free_at = $5 + \
            CASE WHEN mail_pace.free_at > $1 AND mail_pace.free_at <= $4 \
            THEN mail_pace.free_at ELSE $1 END \
         WHERE mail_pace.free_at <= $3 OR mail_pace.free_at > $4 \
         RETURNING free_at",
        values,
    );
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Ok(None);
    };
    let free_at: i64 = row.try_get("", "free_at")?;
    let place = DateTime::from_timestamp_millis(free_at)
        .ok_or_else(|| Error::internal("the pace of mails is beyond all time"))?;
    Ok(Some(place - interval))
}
