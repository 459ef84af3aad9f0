//! What 200 log-ins at once do to everybody else: `cargo bench --bench log_ins`
//! runs the real program and prints how many got in, how long other queries took
//! meanwhile, and how much memory it cost. With `MUSTER_BIN` it takes that program
//! instead of building one.

use std::error::Error;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const PASSWORD: &str = "velvet orbit cactus lantern";
const AT_ONCE: usize = 200;
const WAVES: usize = 5;
/// Between two of the queries that everybody else sends.
const PACE: Duration = Duration::from_millis(5);

/// A running server, ended when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

impl Server {
    /// In KiB, from the line of this name in `/proc`.
    fn memory(&self, name: &str) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.ok_or("no such line")?.parse()?)
    }
}

#[allow(clippy::disallowed_methods, reason = "this is no part of the program")]
fn muster(folder: &Path, arguments: &[&str], listen: &str) -> Command {
    let program = std::env::var("MUSTER_BIN");
    let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_muster").to_owned());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs([("LISTEN", listen), ("RATE_LIMIT", "off"), ("LOG", "error")])
        .current_dir(folder);
    command
}

async fn starts(folder: &Path, http: &Client) -> Outcome<(Server, String)> {
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    // Whoever logs in that often loses their oldest sessions, so it is not who reads.
    for username in ["reader", "flood"] {
        let email = format!("{username}@example.com");
        let arguments = ["create-admin", "--username", username, "--email", &email];
        let arguments = [&arguments[..], &["--password-stdin"]].concat();
        let mut admin = muster(folder, &arguments, &listen)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut stdin = admin.stdin.take().ok_or("no input")?;
        stdin.write_all(PASSWORD.as_bytes())?;
        drop(stdin);
        if !admin.wait()?.success() {
            return Err("there is no admin".into());
        }
    }
    let server = Server(muster(folder, &["serve"], &listen).spawn()?);
    let url = format!("http://{listen}");
    for _ in 0..200 {
        if http.get(format!("{url}/readyz")).send().await.is_ok() {
            return Ok((server, format!("{url}/graphql")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the server does not start".into())
}

async fn ask(http: &Client, url: &str, token: &str, query: &str) -> Outcome<Value> {
    let body = json!({ "query": query });
    let request = http.post(url).bearer_auth(token).json(&body);
    Ok(request.send().await?.json().await?)
}

async fn log_in(http: &Client, url: &str, login: &str) -> Outcome<Value> {
    let query = format!(
        "mutation {{ logIn(input: {{ login: \"{login}\", password: \"{PASSWORD}\" }}) {{ accessToken }} }}"
    );
    let request = http.post(url).json(&json!({ "query": query }));
    Ok(request.send().await?.json().await?)
}

/// How long each query took, one after the other at a steady pace, until told to stop.
async fn everybody_else(
    http: Client,
    url: String,
    token: String,
    stop: Arc<AtomicBool>,
) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = ask(&http, &url, &token, "{ viewer { username } }").await?;
        took.push(began.elapsed());
        if answer.pointer("/data/viewer/username").is_none() {
            return Err(answer.to_string().into());
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(took)
}

fn percentile(took: &mut [Duration], part: usize) -> Duration {
    took.sort_unstable();
    let at = (took.len() * part / 100).min(took.len().saturating_sub(1));
    took.get(at).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let http = Client::builder().timeout(Duration::from_mins(1)).build()?;
    let (server, url) = starts(folder.path(), &http).await?;
    let token = log_in(&http, &url, "reader").await?;
    let token = token.pointer("/data/logIn/accessToken");
    let token = token.and_then(Value::as_str).ok_or("nobody logged in")?;

    for (name, waves) in [("quiet", 0), ("flood", WAVES)] {
        let before = server.memory("VmRSS")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (http_too, url_too) = (http.clone(), url.clone());
        let others = everybody_else(http_too, url_too, token.to_owned(), Arc::clone(&stop));
        let others = tokio::spawn(others);
        let (mut in_, mut busy, mut other) = (0, 0, 0);
        let mut longest = Duration::ZERO;
        for _ in 0..waves {
            let log_ins = (0..AT_ONCE).map(|_| async {
                let began = Instant::now();
                let answer = log_in(&http, &url, "flood").await;
                (answer, began.elapsed())
            });
            for (answer, took) in join_all(log_ins).await {
                let answer = answer?;
                longest = longest.max(took);
                let code = answer.pointer("/errors/0/extensions/code");
                match (answer.pointer("/data/logIn/accessToken"), code) {
                    (Some(Value::String(_)), _) => in_ += 1,
                    (_, Some(code)) if code == "UNAVAILABLE" => busy += 1,
                    _ => other += 1,
                }
            }
        }
        if waves == 0 {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut took = others.await??;
        let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
        println!(
            "{name}: {} other queries, p50 {p50:.1?}, p99 {p99:.1?}",
            took.len()
        );
        println!("  log-ins: {in_} in, {busy} UNAVAILABLE, {other} other; longest {longest:.1?}");
        let added = server.memory("VmHWM")?.saturating_sub(before);
        println!(
            "  memory: {} MiB at its peak above {} MiB",
            added / 1024,
            before / 1024
        );
    }
    Ok(())
}
