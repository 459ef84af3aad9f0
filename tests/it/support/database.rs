//! A database of the test's own, copied from one that was migrated once. On which
//! engine is said by `TEST_STORE`: `sqlite`, or `postgres` on the throw-away server
//! at `TEST_POSTGRES_URL`, or `processes`: the same with the throw-away Redis and
//! real processes. `tests/run` runs all three.

use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use muster::config::Secret;
use muster::store::{self, Address, Db};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tempfile::TempDir;

pub enum TestDatabase {
    Sqlite {
        folder: TempDir,
        url: String,
    },
    Postgres {
        name: String,
        url: String,
    },
    /// On a server of the test's own, which it goes with.
    Elsewhere {
        url: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Sqlite,
    Postgres,
    Processes,
}

#[allow(clippy::disallowed_methods, reason = "tests are told from outside")]
fn shape() -> Shape {
    match env::var("TEST_STORE").as_deref() {
        Err(_) | Ok("sqlite") => Shape::Sqlite,
        Ok("postgres") => Shape::Postgres,
        Ok("processes") => Shape::Processes,
        Ok(other) => panic!("TEST_STORE is {other:?}, not sqlite, postgres or processes"),
    }
}

/// Whether this run is about `PostgreSQL`.
pub fn on_postgres() -> bool {
    shape() != Shape::Sqlite
}

/// Whether apps are real processes in this run.
pub fn in_processes() -> bool {
    shape() == Shape::Processes
}

/// The throw-away server, with the right to make databases.
#[allow(clippy::disallowed_methods, reason = "tests are told from outside")]
pub fn postgres_server() -> String {
    env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("this test needs PostgreSQL: run `tests/run`, or set TEST_POSTGRES_URL")
    })
}

/// The throw-away Redis.
#[allow(clippy::disallowed_methods, reason = "tests are told from outside")]
pub fn redis_server() -> String {
    env::var("TEST_REDIS_URL")
        .unwrap_or_else(|_| panic!("this test needs Redis: run `tests/run`, or set TEST_REDIS_URL"))
}

const LEFTOVER: &str = "SELECT 'job ' || status AS leftover FROM Jobs \
     WHERE status NOT IN ('Done', 'Failed', 'Killed') \
     UNION ALL \
     SELECT kind || ' mail ' || state FROM deliveries WHERE state IN ('DUE', 'SENDING')";

impl TestDatabase {
    /// On the engine of this run.
    pub async fn create() -> Self {
        if on_postgres() {
            Self::on_postgres().await
        } else {
            Self::on_sqlite()
        }
    }

    pub fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.db");
        std::fs::write(&path, sqlite_template()).unwrap();
        let url = format!("sqlite://{}", path.display());
        Self::Sqlite { folder, url }
    }

    pub async fn on_postgres() -> Self {
        Self::create_on_postgres(Some(postgres_template())).await
    }

    pub fn elsewhere(url: &str) -> Self {
        Self::Elsewhere { url: url.into() }
    }

    /// Without any tables.
    pub async fn empty_on_postgres() -> Self {
        Self::create_on_postgres(None).await
    }

    async fn create_on_postgres(template: Option<&str>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let template = template.unwrap_or("template0");
        on_server(format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let url = format!("{}/{name}", postgres_server());
        Self::Postgres { name, url }
    }

    pub fn url(&self) -> &str {
        match self {
            Self::Sqlite { url, .. } | Self::Postgres { url, .. } | Self::Elsewhere { url } => url,
        }
    }

    /// What is said differently to the two engines.
    pub fn either(&self, on_sqlite: &'static str, on_postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite { .. } => on_sqlite,
            Self::Postgres { .. } | Self::Elsewhere { .. } => on_postgres,
        }
    }

    /// The table of jobs.
    pub fn jobs(&self) -> &'static str {
        self.either("Jobs", "apalis.jobs")
    }

    /// Runs a statement from aside, without the app, and says how many rows it touched.
    pub async fn executes(&self, statement: impl Into<String>) -> u64 {
        let statement = AssertSqlSafe(statement.into());
        match self {
            Self::Sqlite { url, .. } => {
                let mut connection = sqlite(url).await;
                let done = sqlx::query(statement).execute(&mut connection).await;
                done.unwrap().rows_affected()
            }
            Self::Postgres { url, .. } | Self::Elsewhere { url } => {
                let mut connection = postgres(url).await;
                let done = sqlx::query(statement).execute(&mut connection).await;
                done.unwrap().rows_affected()
            }
        }
    }

    /// The first column of each row, which is text.
    pub async fn reads(&self, query: impl Into<String>) -> Vec<String> {
        let query = query.into();
        match self {
            Self::Sqlite { url, .. } => read_sqlite(url, &query).await,
            Self::Postgres { url, .. } | Self::Elsewhere { url } => {
                let mut connection = postgres(url).await;
                let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection);
                rows.await.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// How SQLite would go about a statement, whatever its values are.
    pub async fn explains(&self, statement: &str) -> Vec<String> {
        let query = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let mut connection = sqlite(self.url()).await;
        let rows = sqlx::query(query).fetch_all(&mut connection).await;
        rows.unwrap().iter().map(|row| row.get("detail")).collect()
    }

    /// All that is stored, as bytes to search through.
    pub async fn everything(&self) -> Vec<u8> {
        match self {
            Self::Sqlite { folder, .. } => {
                let files = std::fs::read_dir(folder.path()).unwrap();
                files
                    .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
                    .collect()
            }
            Self::Postgres { url, .. } | Self::Elsewhere { url } => {
                let mut connection = postgres(url).await;
                let mut everything = Vec::new();
                for query in [
                    // Bytes as the text that they are, where they are text.
                    "SELECT set_config('bytea_output', 'escape', false)",
                    "SELECT query_to_xml(format('SELECT t::text FROM %I.%I t', schemaname, tablename), \
                     true, true, '')::text FROM pg_tables \
                     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
                ] {
                    let rows = sqlx::query(query).fetch_all(&mut connection).await;
                    let texts = rows.unwrap();
                    everything.extend(
                        texts
                            .iter()
                            .flat_map(|row| row.get::<String, _>(0).into_bytes()),
                    );
                }
                everything
            }
        }
    }

    /// The jobs and mails that nobody carried out. From any thread, whatever its runtime is doing.
    pub fn leftover(&self) -> Vec<String> {
        std::thread::scope(|scope| {
            let query = LEFTOVER.replace("Jobs", self.jobs());
            scope.spawn(|| block_on(self.reads(query))).join().unwrap()
        })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { name, .. } = self {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            aside(|| on_server(drop));
        }
    }
}

/// With the limits of the default settings.
pub fn address(url: &str) -> Address {
    Address {
        url: Secret::new(url.to_owned()),
        direct_url: None,
        connections: 10,
        timeout: std::time::Duration::from_secs(3),
    }
}

pub(super) async fn read_sqlite(url: &str, query: &str) -> Vec<String> {
    let mut connection = sqlite(url).await;
    let rows = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection);
    rows.await.unwrap().iter().map(|row| row.get(0)).collect()
}

pub(super) async fn execute_on_sqlite(url: &str, statement: &str) {
    let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(&mut sqlite(url).await)
        .await;
    done.unwrap();
}

/// The write lock of an SQLite file, in somebody else's hands.
pub struct SqliteLock(SqliteConnection);

impl SqliteLock {
    pub async fn take(url: &str) -> Self {
        let mut connection = sqlite(url).await;
        let begun = sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await;
        begun.unwrap();
        Self(connection)
    }

    pub async fn release(mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.0).await.unwrap();
    }
}

async fn sqlite(url: &str) -> SqliteConnection {
    let options: SqliteConnectOptions = url.parse().unwrap();
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn postgres(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    PgConnection::connect_with(&options).await.unwrap()
}

pub async fn on_server(statement: String) {
    let mut server = postgres(&format!("{}/postgres", postgres_server())).await;
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut server)
        .await
        .unwrap();
    server.close().await.unwrap();
}

/// The bytes of an empty, migrated database, made once for all tests.
fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| aside(make_sqlite_template))
}

async fn make_sqlite_template() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/template.db?mode=rwc", folder.path().display());
    migrates(&url).await;
    // One file without a write-ahead log beside it.
    let whole = folder.path().join("whole.db");
    sqlx::query("VACUUM INTO ?")
        .bind(whole.to_str().unwrap())
        .execute(&mut sqlite(&url).await)
        .await
        .unwrap();
    std::fs::read(whole).unwrap()
}

/// The name of an empty, migrated database, made once for all tests. It goes with the server.
fn postgres_template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("template_{}", std::process::id());
        let template = name.clone();
        aside(|| async move {
            on_server(format!("CREATE DATABASE {template} TEMPLATE template0")).await;
            migrates(&format!("{}/{template}", postgres_server())).await;
        });
        name
    })
}

async fn migrates(url: &str) {
    let db = Db::open(address(url)).await.unwrap();
    store::migrate_up(&db).await.unwrap();
    db.close().await;
}

/// Runs a future to its end in a thread of its own.
pub fn aside<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> T {
    std::thread::spawn(|| block_on(work())).join().unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
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
