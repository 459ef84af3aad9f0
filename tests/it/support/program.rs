//! The real program, in a folder of its own, with nothing in its environment but
//! what a test puts there.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Person;
use super::app::World;
use super::inbox::Mail;

/// Longer than a busy machine takes to start the program or to send a mail.
const PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(20);

/// Where the program runs: its database, its mails and its `.env` are in there.
pub struct House {
    folder: TempDir,
    settings: Vec<(String, String)>,
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
            settings: vec![("LOG".into(), "warn".into())],
        }
    }

    /// With a variable of the environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
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
        // The port may be taken by somebody else before the program has it, so there are more tries.
        for _ in 0..5 {
            let listen = free_address();
            let log = File::create(self.path("log")).unwrap();
            let child = self
                .command(&["serve"])
                .env("LISTEN", &listen)
                .env("RATE_LIMIT", "off")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut server = Server {
                child,
                log: self.path("log"),
                world: Arc::new(World {
                    url: format!("http://{listen}"),
                    http: reqwest::Client::new(),
                    outbox: muster::mail::Outbox::default(),
                }),
            };
            if server.is_ready().await {
                return server;
            }
        }
        panic!(
            "no server: {}",
            fs::read_to_string(self.path("log")).unwrap()
        );
    }

    /// The mails in `MAIL_DIR`, whole ones only, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        let Ok(entries) = fs::read_dir(self.path("mail")) else {
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

/// An address that nobody listens on.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
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
        format!("{}{path}", self.world.url)
    }

    pub fn address(&self) -> &str {
        self.world.url.trim_start_matches("http://")
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.world.http
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
