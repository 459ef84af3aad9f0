//! `PostgreSQL`'s LISTEN and NOTIFY, for hints between processes.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Db, Source};
use crate::error::{Error, Result};

/// A connection of its own, around any pooler: a pooled one would hear only what comes while it
/// happens to be lent out.
pub struct Listener(PgListener);

impl Listener {
    /// The text of the next notification. An error when the connection has ended.
    pub async fn next(&mut self) -> Result<String> {
        let notification = self.0.try_recv().await.map_err(Error::internal)?;
        let notification = notification.ok_or_else(|| Error::internal("the connection ended"))?;
        Ok(notification.payload().to_owned())
    }
}

impl Db {
    pub async fn listen(&self, channel: &str) -> Result<Listener> {
        let away = |error: sqlx::Error| Error::Unavailable(error.to_string());
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.timeout())
            .connect_lazy_with(self.direct(self.timeout())?);
        let mut listener = PgListener::connect_with(&pool).await.map_err(away)?;
        listener.listen(channel).await.map_err(away)?;
        Ok(Listener(listener))
    }

    pub async fn notify(&self, channel: &str, text: &str) -> Result<()> {
        self.connection()
            .execute_raw(Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_notify($1, $2)",
                [channel.into(), text.into()],
            ))
            .await?;
        Ok(())
    }
}
