//! What of the queue is to be seen: apalis's own board asks these routes. They read
//! by connections of their own that cannot write, so whatever the board may be able
//! to do, it fills no queue, holds up no worker, and waits for no request's
//! connection. Who may ask, and what, is decided by `http`.

use apalis_board_api::framework::{ApiBuilder, RegisterRoute};
use axum::Router;

use crate::job::Job;
use crate::store::JobPool;

pub fn board(pool: &JobPool) -> Router {
    // The two engines' types have nothing in common that could be named here.
    macro_rules! routes {
        ($engine:ident, $storage:ident, $pool:expr) => {{
            let config = $engine::Config::default().queue(Job::QUEUE);
            let storage = $engine::$storage::<Job>::new($pool).with_config(config);
            ApiBuilder::new(Router::new())
                .register(Job::QUEUE, storage)
                .build()
        }};
    }
    match pool {
        JobPool::Sqlite(pool) => routes!(apalis_sqlite, SqliteStorage, pool),
        JobPool::Postgres(pool) => routes!(apalis_postgres, PostgresStorage, pool),
    }
}
