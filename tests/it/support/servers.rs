//! Servers that a test may stop, kill and hold: `PostgreSQL`, Redis and `PgBouncer` of
//! its own, on free ports, in a folder that goes with them.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::program::free_address;

const PATIENCE: Duration = Duration::from_mins(1);

fn port() -> String {
    let address = free_address();
    address.rsplit(':').next().unwrap().to_owned()
}

/// Waits until somebody listens on this port.
fn waits_for(port: &str, child: &mut Child) {
    let began = Instant::now();
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended at once");
        assert!(began.elapsed() < PATIENCE, "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// `PostgreSQL` and `PgBouncer` do not run as root.
fn unprivileged(program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        program,
    ]);
    command.current_dir("/");
    command
}

fn give_away(folder: &TempDir) {
    if is_root() {
        let path = folder.path();
        let given = Command::new("chown").arg("postgres").arg(path).status();
        assert!(given.unwrap().success());
    }
}

pub struct PostgresServer {
    folder: TempDir,
    port: String,
    child: Option<Child>,
}

#[allow(clippy::disallowed_methods, reason = "tests are told from outside")]
fn postgres_program(name: &str) -> String {
    let folder = env::var("TEST_POSTGRES_BIN").unwrap_or_else(|_| {
        panic!("this test needs PostgreSQL: run `tests/run`, or set TEST_POSTGRES_BIN")
    });
    format!("{folder}/{name}")
}

impl PostgresServer {
    /// With an empty database named muster.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        give_away(&folder);
        let data = folder.path().join("data");
        let made = unprivileged(&postgres_program("initdb"))
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb");
        let mut this = Self {
            folder,
            port: port(),
            child: None,
        };
        this.starts_again();
        let made = Command::new(postgres_program("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
                &this.port,
                "muster",
            ])
            .status();
        assert!(made.unwrap().success(), "createdb");
        this
    }

    pub fn port(&self) -> &str {
        &self.port
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/muster", self.port)
    }

    /// Ends every connection at once, as an operator's restart does, and leaves nobody listening.
    pub fn stops(&mut self) {
        let mut child = self.child.take().unwrap();
        // The "fast" mode.
        signal(child.id(), "-INT");
        child.wait().unwrap();
    }

    pub fn starts_again(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut child = unprivileged(&postgres_program("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port, "-h", "127.0.0.1", "-k", ""])
            .args(["-c", "fsync=off", "-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        waits_for(&self.port, &mut child);
        // It listens before it answers.
        let began = Instant::now();
        let answers = || {
            let asked = Command::new(postgres_program("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port])
                .status();
            asked.unwrap().success()
        };
        while !answers() {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child = Some(child);
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), "-QUIT");
            child.wait().map(drop).unwrap_or_default();
        }
    }
}

pub struct RedisServer {
    folder: TempDir,
    port: String,
    child: Option<Child>,
}

impl RedisServer {
    pub fn start() -> Self {
        let mut this = Self {
            folder: tempfile::tempdir().unwrap(),
            port: port(),
            child: None,
        };
        this.starts_again();
        this
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn starts_again(&mut self) {
        let mut child = Command::new("redis-server")
            .args(["--port", &self.port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs redis-server: {error}"));
        waits_for(&self.port, &mut child);
        self.child = Some(child);
    }

    pub fn dies(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// It keeps its connections, and answers nothing.
    pub fn is_paused(&self) {
        signal(self.child.as_ref().unwrap().id(), "-STOP");
    }

    pub fn goes_on(&self) {
        signal(self.child.as_ref().unwrap().id(), "-CONT");
    }

    pub fn is_told(&self, command: &[&str]) {
        let told = Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(command)
            .stdout(Stdio::null())
            .status();
        assert!(told.unwrap().success());
    }

    /// What it answers, a line for each element.
    pub fn says(&self, command: &[&str]) -> Vec<String> {
        let said = Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(command)
            .output()
            .unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that is paused does not hear anything else.
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
        }
    }
}

/// In transaction mode, in front of a server.
pub struct Pooler {
    _folder: TempDir,
    port: String,
    child: Child,
}

impl Pooler {
    pub fn start(server: &PostgresServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, upstream) = (port(), server.port());
        let path = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users");
        fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        fs::write(
            &path,
            format!(
                "[databases]\nmuster = host=127.0.0.1 port={upstream} dbname=muster user=postgres\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = any\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 4\n\
                 max_client_conn = 200\nserver_reset_query_always = 1\n",
                users.display()
            ),
        )
        .unwrap();
        for file in [&path, &users, &PathBuf::from(folder.path())] {
            let opened = Command::new("chmod").arg("a+rx").arg(file).status();
            assert!(opened.unwrap().success());
        }
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|path| PathBuf::from(path).exists())
            .unwrap_or_else(|| panic!("this test needs pgbouncer: run `tests/run`"));
        let mut child = unprivileged(program)
            .arg("-q")
            .arg(&path)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        waits_for(&port, &mut child);
        Self {
            _folder: folder,
            port,
            child,
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/muster", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
