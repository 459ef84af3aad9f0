//! A Muster of the test's own: a database of its own, a clock
//! that stands still, seeded ids, mails in memory, and real HTTP.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use muster::app::App;
use muster::clock::Clock;
use muster::config::{self, Settings};
use muster::generator::Generator;
use muster::http;
use muster::mail::{Mailer, Outbox};
use muster::service::Context;
use muster::service::user::{CreateAdmin, create_admin};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::database::{in_processes, redis_server};
use super::inbox::Mail;
use super::program::{House, Server, mails_in};
use super::{APPROVE_USER, PASSWORD, Person, TestDatabase};

/// A Monday.
const START: &str = "2026-01-05T09:00:00Z";

pub struct TestApp {
    pub clock: Clock,
    pub cx: Context,
    pub outbox: Outbox,
    app: App,
    world: Arc<World>,
    database: Arc<TestDatabase>,
    leaves_jobs: AtomicBool,
    stop: CancellationToken,
    /// None where the app runs in the test's own process.
    processes: Option<Processes>,
    /// The admin who lets in whoever a test wants to have been let in.
    warden: OnceCell<Person>,
}

/// Ended when they are dropped.
struct Processes {
    _running: [Server; 4],
    _house: House,
}

/// What the people of a test share.
pub(super) struct World {
    /// Of each process that serves; requests go to one after the other.
    urls: Vec<String>,
    turn: AtomicUsize,
    pub(super) http: reqwest::Client,
    pub(super) mails: Mails,
}

/// Where mails end up.
pub(super) enum Mails {
    Memory(Outbox),
    Folder(PathBuf),
    Nowhere,
}

impl World {
    pub(super) fn at(urls: &[String], mails: Mails) -> Self {
        Self {
            urls: urls.to_vec(),
            turn: AtomicUsize::new(0),
            http: reqwest::Client::new(),
            mails,
        }
    }

    /// Of the process whose turn it is.
    pub(super) fn url(&self) -> &str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.urls[turn % self.urls.len()]
    }

    /// Every mail that was sent, oldest first.
    pub(super) fn mails(&self) -> Vec<Mail> {
        match &self.mails {
            Mails::Memory(outbox) => {
                let sent = outbox.all();
                sent.iter().map(|mail| Mail::parse(&mail.message)).collect()
            }
            Mails::Folder(folder) => mails_in(folder),
            Mails::Nowhere => Vec::new(),
        }
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings that differ from the usual ones.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        if in_processes() {
            return Self::start_processes(settings).await;
        }
        let clock = Clock::fake(START.parse().unwrap());
        Self::open(Arc::new(TestDatabase::create().await), clock, 1, settings).await
    }

    /// With mails that go through this server instead of into the outbox.
    pub async fn start_mailing_through(smtp_url: &str) -> Self {
        let clock = Clock::fake(START.parse().unwrap());
        let database = Arc::new(TestDatabase::create().await);
        let mailer = Mailer::smtp(smtp_url).unwrap();
        Self::open_mailing(database, clock, 1, &[], mailer, Outbox::default()).await
    }

    /// Whatever the engine of this run is.
    pub async fn start_on_postgres() -> Self {
        Self::start_on_postgres_with(&[]).await
    }

    pub async fn start_on_postgres_with(settings: &[(&str, &str)]) -> Self {
        let clock = Clock::fake(START.parse().unwrap());
        let database = Arc::new(TestDatabase::on_postgres().await);
        Self::open(database, clock, 1, settings).await
    }

    /// Carries events to and from other processes, until it is cancelled.
    pub fn relays(&self, cancel: CancellationToken) -> impl Future<Output = ()> + use<> {
        let app = self.app.clone();
        async move { app.relay(cancel).await }
    }

    /// Another app on the same database and by the same clock, with other settings.
    pub async fn restarts_with(&self, settings: &[(&str, &str)]) -> Self {
        // Two that made up the same ids would not be two.
        let seed = u64::from_be_bytes(self.cx.generator.bytes());
        let (database, clock) = (Arc::clone(&self.database), self.clock.clone());
        Self::open(database, clock, seed, settings).await
    }

    /// Two servers and two workers, as real processes on one database, one Redis and the machine's
    /// own clock. What this process has of an app only looks and prepares.
    async fn start_processes(settings: &[(&str, &str)]) -> Self {
        let database = Arc::new(TestDatabase::create().await);
        let redis = redis_server();
        let mut house = House::on(Arc::clone(&database)).with("REDIS_URL", &redis);
        for (name, value) in USUAL.iter().chain(settings) {
            house = house.with(name, value);
        }
        let serves = || house.serves_with(&[("WORKER", "off")]);
        let (first, second, third, fourth) =
            tokio::join!(serves(), serves(), house.works(), house.works());
        let urls = [first.url(""), second.url("")];
        let mails = Mails::Folder(house.path("mail"));
        let clock = Clock::system();
        let seed = u64::from(std::process::id()) << 32 | u64::from(first.pid());
        let mut this = Self::open(database, clock, seed, settings).await;
        this.world = Arc::new(World::at(&urls, mails));
        this.processes = Some(Processes {
            _running: [first, second, third, fourth],
            _house: house,
        });
        this
    }

    async fn open(
        database: Arc<TestDatabase>,
        clock: Clock,
        seed: u64,
        settings: &[(&str, &str)],
    ) -> Self {
        let (mailer, outbox) = Mailer::memory();
        Self::open_mailing(database, clock, seed, settings, mailer, outbox).await
    }

    async fn open_mailing(
        database: Arc<TestDatabase>,
        clock: Clock,
        seed: u64,
        settings: &[(&str, &str)],
        mailer: Mailer,
        outbox: Outbox,
    ) -> Self {
        let app = Box::pin(App::open(
            read_settings(database.url(), settings),
            clock.clone(),
            Generator::seeded(seed),
            mailer,
        ))
        .await
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let connections = app.cx.settings.connections;
        let server = http::server::serve(listener, app.router(), connections, stop.clone());
        tokio::spawn(server);
        Self {
            clock,
            cx: app.cx.clone(),
            world: Arc::new(World::at(&[url], Mails::Memory(outbox.clone()))),
            outbox,
            app,
            database,
            leaves_jobs: AtomicBool::new(false),
            stop,
            processes: None,
            warden: OnceCell::new(),
        }
    }

    /// Somebody whom the server does not know yet.
    pub fn stranger(&self, username: &str) -> Person {
        Person::new(&self.world, username)
    }

    /// An admin from the command line, logged in.
    pub async fn admin(&self, username: &str) -> Person {
        let person = self.stranger(username);
        let input = CreateAdmin {
            username: person.username.clone(),
            email: person.email.clone(),
            password: PASSWORD.into(),
        };
        create_admin(&self.cx, input).await.unwrap();
        person.logs_in().await.succeeds();
        // The first one stays the warden.
        self.warden.set(person.clone()).unwrap_or_default();
        person
    }

    /// Somebody who asked to be a manager, was let in, and logged in.
    pub async fn manager(&self, username: &str) -> Person {
        self.member(username, "MANAGER").await
    }

    /// Somebody who signed up, was let in, and logged in.
    pub async fn employee(&self, username: &str) -> Person {
        self.member(username, "EMPLOYEE").await
    }

    async fn member(&self, username: &str, role: &str) -> Person {
        if self.warden.get().is_none() {
            self.admin("warden").await;
        }
        let warden = self.warden.get().unwrap();
        let person = self.stranger(username);
        let form = json!({ "requestedRole": role });
        person.tries_to_sign_up(form).await.succeeds();
        let input = json!({ "input": { "userId": person.id() } });
        warden.asks(APPROVE_USER, input).await.succeeds();
        person.logs_in().await.succeeds();
        self.runs_all_jobs().await;
        person
    }

    pub async fn runs_all_jobs(&self) -> usize {
        if self.processes.is_some() {
            return self.waits_for_all_jobs().await;
        }
        self.app.worker().run_until_idle().await.unwrap()
    }

    /// Decides whom to tell what, as the worker does every few seconds, and sends nothing.
    pub async fn plans(&self) {
        self.app.worker().plan().await.unwrap();
    }

    /// What `/metrics` says of this one.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.http().get(self.url("/metrics")).send().await.unwrap();
        let text = text.text().await.unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        value.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// As the worker does at its start and every hour.
    pub async fn encrypts_anew(&self) {
        self.app.worker().encrypt_anew().await.unwrap();
    }

    /// As the worker does every hour.
    pub async fn clears_away(&self) {
        self.app.worker().clear_away().await.unwrap();
    }

    /// The workers do them; how many it were nobody knows.
    async fn waits_for_all_jobs(&self) -> usize {
        for _ in 0..1_000 {
            let left = "SELECT id::text FROM deliveries WHERE state IN ('DUE', 'SENDING')";
            if self.database.reads(left).await.is_empty() {
                return 0;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("mails are left that no worker sends");
    }

    /// Moves the clock, and carries out what is due by then.
    pub async fn lets_pass(&self, time: TimeDelta) -> usize {
        self.clock.advance(time);
        self.runs_all_jobs().await
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// This long from now, as the API writes it.
    pub fn in_(&self, time: TimeDelta) -> String {
        (self.now() + time).format("%FT%T%.3fZ").to_string()
    }

    /// Every mail that was sent, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.world.mails()
    }

    pub(super) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.url())
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.world.http
    }

    /// How many SQL statements were run so far.
    pub fn statements(&self) -> u64 {
        self.cx.db.statements()
    }

    /// Changes rows behind the app's back.
    pub async fn sql(&self, statement: impl Into<String>) {
        let statement = statement.into();
        let touched = self.executes(statement.as_str()).await;
        assert_ne!(touched, 0, "{statement}");
    }

    /// Does anything to the database behind the app's back, and says how many rows it touched.
    pub async fn executes(&self, statement: impl Into<String>) -> u64 {
        self.database.executes(statement).await
    }

    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// This test is not about the mails that it causes.
    pub fn leaves_jobs(&self) {
        self.leaves_jobs.store(true, Ordering::Relaxed);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.processes.is_none()
            && !std::thread::panicking()
            && !self.leaves_jobs.load(Ordering::Relaxed)
        {
            let leftover = self.database.leftover();
            assert!(
                leftover.is_empty(),
                "work is left undone: {leftover:?}; call runs_all_jobs() or leaves_jobs()"
            );
        }
        self.stop.cancel();
    }
}

const USUAL: &[(&str, &str)] = &[
    ("JWT_SECRET", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4"),
    ("PUBLIC_URL", "https://muster.example"),
    ("MAIL_FROM", "Muster <muster@muster.example>"),
    ("RATE_LIMIT", "off"),
];

fn read_settings(database_url: &str, others: &[(&str, &str)]) -> Settings {
    config::read(|name| {
        let given = others.iter().find(|(other, _)| *other == name);
        let usual = USUAL.iter().find(|(usual, _)| *usual == name);
        let value = match name {
            "DATABASE_URL" => database_url,
            "WORKER" => "off",
            _ => given.or(usual)?.1,
        };
        Some(value.to_owned())
    })
    .unwrap()
}
