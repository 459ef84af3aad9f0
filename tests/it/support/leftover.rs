//! Looks into a test's database from aside, without the app.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

pub(super) async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// The jobs and mails that nobody carried out. From any thread, whatever its runtime is doing.
pub(super) fn find(path: PathBuf) -> Vec<String> {
    aside(async move {
        let mut connection = connect(&path).await;
        let rows = sqlx::query(
            "SELECT 'job ' || status AS leftover FROM Jobs \
             WHERE status NOT IN ('Done', 'Failed', 'Killed') \
             UNION ALL \
             SELECT kind || ' mail ' || state FROM deliveries WHERE state IN ('DUE', 'SENDING')",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        rows.iter().map(|row| row.get("leftover")).collect()
    })
}

/// Runs a future to its end in a thread of its own.
pub(super) fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    })
    .join()
    .unwrap()
}

#[tokio::test]
#[should_panic(expected = "work is left undone: [\"job Pending\", \"welcome mail DUE\"]")]
async fn a_test_that_forgets_a_mail_fails() {
    let app = super::TestApp::start().await;
    app.stranger("nico").signs_up().await;
}

#[tokio::test]
async fn a_test_that_is_not_about_mails_can_say_so() {
    let app = super::TestApp::start().await;
    app.stranger("nico").signs_up().await;
    app.leaves_jobs();
}
