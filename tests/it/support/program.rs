//! The real program, in a folder of its own, with nothing in its environment but
//! what a test puts there.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::app::{Mails, World};
use super::database::{execute_on_sqlite, on_postgres, read_sqlite};
use super::inbox::Mail;
use super::{Person, TestDatabase};

/// Longer than a busy machine takes to start the program or to send a mail.
const PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(20);

/// Where the program runs: its database, its mails and its `.env` are in there.
pub struct House {
    folder: TempDir,
    settings: Vec<(String, String)>,
    /// None for the SQLite file of the default settings.
    database: Option<Arc<TestDatabase>>,
    processes: AtomicU32,
}

/// What a command that ended has said.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// Status 0 and nothing on standard error but the log.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.out
    }

    /// Status 1, nothing on standard output, and on standard error one line that holds this.
    #[track_caller]
    pub fn complains(self, about: &str) {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        let is_one_line = self.err.trim_end().lines().count() == 1;
        assert!(is_one_line && self.err.contains(about), "{self:?}");
    }
}

impl House {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: vec![
                ("LOG".into(), "warn".into()),
                ("RATE_LIMIT".into(), "off".into()),
            ],
            database: None,
            processes: AtomicU32::new(0),
        }
    }

    /// On an empty database of the engine of this run.
    pub async fn of_this_run() -> Self {
        if on_postgres() {
            Self::on(Arc::new(TestDatabase::empty_on_postgres().await))
        } else {
            Self::new()
        }
    }

    pub fn on(database: Arc<TestDatabase>) -> Self {
        let house = Self::new()
            .with("DATABASE_URL", database.url())
            .with("JWT_SECRET", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4");
        Self {
            database: Some(database),
            ..house
        }
    }

    /// Another house on the same database, with the same mails.
    pub fn sharing(other: &Self) -> Self {
        let mut house = Self {
            database: other.database.clone(),
            settings: other.settings.clone(),
            ..Self::new()
        };
        if other.database.is_none() {
            let url = format!("sqlite://{}", other.path("muster.db").display());
            house = house.with("DATABASE_URL", &url);
        }
        let mails = other.path("mail");
        house.with("MAIL_DIR", mails.to_str().unwrap())
    }

    /// Looks into its database by another way than its processes go.
    pub fn beside(mut self, url: &str) -> Self {
        self.database = Some(Arc::new(TestDatabase::elsewhere(url)));
        self
    }

    /// How many rows there are.
    pub async fn count(&self, query: &str) -> usize {
        let query = query.replacen("SELECT id", "SELECT 'row'", 1);
        self.reads(&query).await.len()
    }

    /// Does anything to the database behind the programs' backs.
    pub async fn executes(&self, statement: &str) {
        if let Some(database) = &self.database {
            database.executes(statement).await;
        } else {
            let url = format!("sqlite://{}", self.path("muster.db").display());
            execute_on_sqlite(&url, statement).await;
        }
    }

    /// The first column of each row, which is text, read from aside.
    pub async fn reads(&self, query: &str) -> Vec<String> {
        if let Some(database) = &self.database {
            database.reads(query).await
        } else {
            let url = format!("sqlite://{}", self.path("muster.db").display());
            read_sqlite(&url, query).await
        }
    }

    /// With a variable of the environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(other, _)| other != name);
        self.settings.push((name.into(), value.into()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path());
        command
    }

    /// Starts a command that nobody listens to.
    pub fn starts(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs a command to its end.
    pub async fn runs(&self, arguments: &[&str]) -> Outcome {
        self.runs_with_input(arguments, "").await
    }

    pub async fn runs_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that complains about its arguments does not wait for its input.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap_or_default();
        drop(stdin);
        let output = tokio::task::spawn_blocking(|| child.wait_with_output());
        let output = output.await.unwrap().unwrap();
        Outcome {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub async fn creates_admin(&self, username: &str, password: &str) -> Outcome {
        let email = format!("{username}@example.com");
        self.creates_admin_at(username, &email, password).await
    }

    pub async fn creates_admin_at(&self, username: &str, email: &str, password: &str) -> Outcome {
        let arguments = ["create-admin", "--username", username, "--email", email];
        let arguments = [&arguments[..], &["--password-stdin"]].concat();
        self.runs_with_input(&arguments, password).await
    }

    /// Starts a server and waits until it is ready.
    pub async fn serves(&self) -> Server {
        self.serves_with(&[]).await
    }

    /// With settings that the other processes of this house do not have.
    pub async fn serves_with(&self, settings: &[(&str, &str)]) -> Server {
        let mut said = String::new();
        // The port may be taken by somebody else before the program has it, so there are more tries.
        for _ in 0..5 {
            let listen = free_address();
            let settings = [&[("LISTEN", listen.as_str())], settings].concat();
            let (child, log) = self.spawns(&["serve"], &settings);
            let mut server = Server {
                child,
                log,
                world: Arc::new(World::at(&[format!("http://{listen}")], Mails::Nowhere)),
            };
            if server.is_ready().await {
                return server;
            }
            said = server.log();
        }
        panic!("no server: {said}");
    }

    /// Starts a worker, and waits until it says that it works.
    pub async fn works(&self) -> Server {
        self.works_at(&[], &[]).await
    }

    /// As `works`, for a worker that answers those who watch over it.
    pub async fn works_and_answers(&self) -> Server {
        let listen = free_address();
        let url = format!("http://{listen}");
        self.works_at(&[url], &[("WORKER_LISTEN", &listen)]).await
    }

    async fn works_at(&self, urls: &[String], settings: &[(&str, &str)]) -> Server {
        let settings = [&[("LOG", "warn,muster=info")], settings].concat();
        let (child, log) = self.spawns(&["worker"], &settings);
        let mut worker = Server {
            child,
            log,
            world: Arc::new(World::at(urls, Mails::Nowhere)),
        };
        let began = Instant::now();
        while !worker.log().contains("working") {
            let ended = worker.child.try_wait().unwrap();
            let is_late = began.elapsed() > PATIENCE;
            assert!(ended.is_none() && !is_late, "no worker: {}", worker.log());
            sleep(GLANCE).await;
        }
        worker
    }

    /// A process, and where all that it says is.
    fn spawns(&self, arguments: &[&str], settings: &[(&str, &str)]) -> (Child, PathBuf) {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("log-{number}"));
        let log = File::create(&path).unwrap();
        let child = self
            .command(arguments)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        (child, path)
    }

    /// The mails in `MAIL_DIR`, whole ones only, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        mails_in(&self.path("mail"))
    }

    /// The mails, once there are so many of them.
    pub async fn waits_for_mails(&self, count: usize) -> Vec<Mail> {
        let began = Instant::now();
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            assert!(began.elapsed() < PATIENCE, "only {mails:?}");
            sleep(GLANCE).await;
        }
    }
}

/// The mails in a folder, whole ones only, oldest first.
pub(super) fn mails_in(folder: &Path) -> Vec<Mail> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| Mail::parse(&fs::read(path).unwrap()))
        .collect()
}

/// An address that nobody listens on.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Those who use a server.
pub struct People(Arc<World>);

impl People {
    pub fn stranger(&self, username: &str) -> Person {
        Person::new(&self.0, username)
    }
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    log: PathBuf,
    world: Arc<World>,
}

impl Server {
    async fn is_ready(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let answer = self.world.http.get(self.url("/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            sleep(GLANCE).await;
        }
        false
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.url())
    }

    pub fn address(&self) -> &str {
        self.world.url().trim_start_matches("http://")
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.world.http
    }

    /// What it counted, by the name and labels of the series.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let answer = self.world.http.get(self.url("/metrics")).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        line.trim().parse().ok()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Who outlives this value, and meets the server as long as it lives.
    pub fn people(&self) -> People {
        People(Arc::clone(&self.world))
    }

    pub fn stranger(&self, username: &str) -> Person {
        Person::new(&self.world, username)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// As by `kill -9`: no chance to tidy up.
    pub fn dies(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub fn is_told_to_stop(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// The exit status, once it has ended.
    pub async fn ends(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it goes on: {}", self.log());
            sleep(GLANCE).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
