//! Whatever the job board's library may be able to do, its connections are for
//! looking only.

use muster::store::JobPool;

use crate::support::TestApp;

#[tokio::test]
async fn the_connections_of_the_board_cannot_write() {
    let app = TestApp::start().await;
    app.stranger("nico").signs_up().await;
    let pool = app.cx.db.job_board_pool().unwrap();
    let looked = match &pool {
        JobPool::Sqlite(pool) => {
            let jobs = sqlx::query("SELECT id FROM Jobs").fetch_all(pool).await;
            jobs.unwrap().len()
        }
        JobPool::Postgres(pool) => {
            let jobs = sqlx::query("SELECT id FROM apalis.jobs").fetch_all(pool);
            jobs.await.unwrap().len()
        }
    };
    assert_eq!(looked, 1);
    for statement in [
        "DELETE FROM",
        "UPDATE {} SET status = 'Done', attempts = 1 WHERE status IS NOT NULL --",
        "INSERT INTO {} SELECT * FROM",
    ] {
        let told = match &pool {
            JobPool::Sqlite(pool) => {
                let statement = format!("{} Jobs", statement.replace("{}", "Jobs"));
                let done = sqlx::query(sqlx::AssertSqlSafe(statement));
                done.execute(pool).await.unwrap_err().to_string()
            }
            JobPool::Postgres(pool) => {
                let statement = format!("{} apalis.jobs", statement.replace("{}", "apalis.jobs"));
                let done = sqlx::query(sqlx::AssertSqlSafe(statement));
                done.execute(pool).await.unwrap_err().to_string()
            }
        };
        assert!(
            told.contains("readonly") || told.contains("read-only"),
            "{statement}: {told}"
        );
    }
    app.runs_all_jobs().await;
}
