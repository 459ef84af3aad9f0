//! A mail server of the test's own that misbehaves as it is told: see
//! `tests/mail_server/server.mjs`, which has all that it can be told.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::inbox::Mail;
use super::repository::root;

/// Ended when it is dropped.
pub struct MailServer {
    child: Child,
    listens: Listens,
    http: reqwest::Client,
}

/// The ports for mails and for what it is told.
#[derive(Deserialize)]
struct Listens {
    port: u16,
    control: u16,
}

/// A mail that it took, whether or not it said so.
pub struct Taken {
    pub to: Vec<String>,
    /// Who was logged in.
    pub user: Option<String>,
    pub is_encrypted: bool,
    /// As it came in, byte for byte.
    pub message: Vec<u8>,
}

impl Taken {
    pub fn mail(&self) -> Mail {
        Mail::parse(&self.message)
    }
}

impl MailServer {
    /// One that takes everything from everybody, without TLS.
    pub fn start() -> Self {
        Self::start_with(&json!({}))
    }

    /// `login`: only for this user with this password. `tls`: with this key and certificate, by
    /// STARTTLS, or from the start if it is `wrapped`. `without`: what it does not offer.
    pub fn start_with(settings: &Value) -> Self {
        let mut child = Command::new("node")
            .arg(root().join("tests/mail_server/server.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs node: {error}"));
        // It stays open, since the server ends with it.
        let stdin = child.stdin.as_mut().unwrap();
        writeln!(stdin, "{settings}").unwrap();
        let mut said = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        let listens = serde_json::from_str(&said).unwrap_or_else(|_| {
            panic!("no mail server: run `tests/run`, or `npm ci` in tests/mail_server")
        });
        Self {
            child,
            listens,
            http: reqwest::Client::new(),
        }
    }

    /// What stands behind "smtp://", and a user name.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.listens.port)
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address())
    }

    /// What it is to do at a step from now on, besides what it was told before.
    pub async fn will(&self, rule: Value) {
        self.is_told("POST", "/rules", Some(rule)).await;
    }

    /// Forgets what it was told.
    pub async fn behaves(&self) {
        self.is_told("DELETE", "/rules", None).await;
    }

    pub async fn goes_down(&self) {
        self.is_told("POST", "/down", None).await;
    }

    pub async fn comes_back(&self) {
        self.is_told("POST", "/up", None).await;
    }

    /// Every mail that it took, in order.
    pub async fn taken(&self) -> Vec<Taken> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Told {
            to: Vec<String>,
            user: Option<String>,
            is_encrypted: bool,
            message: String,
        }
        let told: Vec<Told> = self.tells("/taken").await;
        let taken = told.into_iter().map(|mail| Taken {
            to: mail.to,
            user: mail.user,
            is_encrypted: mail.is_encrypted,
            message: BASE64.decode(mail.message).unwrap(),
        });
        taken.collect()
    }

    /// How many mails it took.
    pub async fn count(&self) -> usize {
        self.tells("/count").await
    }

    /// The mails that it took for this address, in order.
    pub async fn taken_for(&self, address: &str) -> Vec<Taken> {
        let mut taken = self.taken().await;
        taken.retain(|mail| mail.to == [address]);
        taken
    }

    /// Every command of a client, encrypted or not, but nothing of a message.
    pub async fn heard(&self) -> Vec<String> {
        self.tells("/heard").await
    }

    /// All that came in without encryption.
    pub async fn in_the_clear(&self) -> Vec<u8> {
        let told: String = self.tells("/clear").await;
        BASE64.decode(told).unwrap()
    }

    async fn tells<T: DeserializeOwned>(&self, path: &str) -> T {
        serde_json::from_value(self.is_told("GET", path, None).await).unwrap()
    }

    async fn is_told(&self, method: &str, path: &str, what: Option<Value>) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.listens.control);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(what) = what {
            request = request.json(&what);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}");
        answer.json().await.unwrap()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
