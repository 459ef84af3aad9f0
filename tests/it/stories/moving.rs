//! Backups and moves: what was there is there afterwards, to the last row, and no
//! copy repeats what the original may have done.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use std::{fs, thread};

use chrono::TimeDelta;
use muster::clock::Clock;
use serde_json::json;

use crate::support::database::on_server;
use crate::support::program::{House, Server};
use crate::support::{Authenticator, PASSWORD, Person, TASKS, TestDatabase, VIEWER};

/// Nobody listens there.
const DEAD_SMTP: &str = "smtp://127.0.0.1:1";
const SECRET: &str = "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4";
const UNFINISHED: &str = "SELECT kind || ' to ' || address FROM deliveries \
     WHERE state IN ('DUE', 'SENDING') ORDER BY 1";
const WAITING_JOBS: &str = "SELECT id FROM Jobs WHERE status NOT IN ('Done', 'Failed', 'Killed')";

/// The database in this file, to be looked at from aside.
fn at(file: &Path) -> TestDatabase {
    TestDatabase::Sqlite {
        folder: tempfile::tempdir().unwrap(),
        url: format!("sqlite://{}", file.display()),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn admin(house: &House, server: &Server, username: &str) -> Person {
    house.creates_admin(username, PASSWORD).await.succeeds();
    let admin = server.stranger(username);
    admin.logs_in().await.succeeds();
    admin
}

/// Until whoever waits for this has seen enough.
async fn keeps_writing(person: &Person) {
    loop {
        person.creates_task("One more").await;
    }
}

async fn can_log_in(server: &Server, username: &str) {
    server.stranger(username).logs_in().await.succeeds();
}

#[tokio::test]
async fn a_backup_is_whole_while_a_server_writes() {
    let house = House::new();
    let server = house.serves().await;
    let ada = admin(&house, &server, "ada").await;
    for title in ["One", "Two", "Three"] {
        ada.creates_task(title).await;
    }
    let other = House::new();
    let file = other.path("muster.db");
    let arguments = ["backup", text(&file)];
    let outcome = tokio::select! {
        outcome = house.runs(&arguments) => outcome,
        () = keeps_writing(&ada) => unreachable!(),
    };
    let out = outcome.succeeds();
    assert!(out.contains("1 users") && out.contains("tasks"), "{out}");
    let told = ["muster.jwt-secret", "authenticator apps"];
    assert!(told.iter().all(|what| out.contains(what)), "{out}");

    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let copy = at(&file);
    assert_eq!(copy.reads("PRAGMA integrity_check").await, ["ok"]);
    let titles = copy.reads("SELECT title FROM tasks ORDER BY id").await;
    assert_eq!(titles[..3], ["One", "Two", "Three"]);
    // Nothing else is left beside it.
    assert_eq!(fs::read_dir(other.path("")).unwrap().count(), 1);

    let server = other.serves().await;
    can_log_in(&server, "ada").await;
}

#[tokio::test]
async fn a_backup_writes_over_nothing() {
    let house = House::new();
    house.runs(&["migrate"]).await.succeeds();
    fs::write(house.path("kept"), "precious").unwrap();
    for name in ["kept", "muster.db"] {
        house
            .runs(&["backup", name])
            .await
            .complains("is there already");
    }
    assert_eq!(fs::read(house.path("kept")).unwrap(), b"precious");
    let there = fs::read_dir(house.path("")).unwrap().count();
    house
        .runs(&["backup", "no/where"])
        .await
        .complains("no/where");
    assert_eq!(fs::read_dir(house.path("")).unwrap().count(), there);
}

#[tokio::test]
async fn a_backup_needs_a_database_and_makes_none() {
    let house = House::new();
    house.runs(&["backup", "copy"]).await.complains("muster.db");
    assert_eq!(fs::read_dir(house.path("")).unwrap().count(), 0);
}

#[tokio::test]
async fn backups_of_postgresql_are_left_to_its_own_tool() {
    let house = House::new()
        .with(
            "DATABASE_URL",
            "postgres://muster:hunter2@127.0.0.1:1/muster",
        )
        .with("JWT_SECRET", SECRET);
    let outcome = house.runs(&["backup", "copy"]).await;
    assert!(!outcome.err.contains("hunter2"), "{outcome:?}");
    outcome.complains("pg_dump");
}

#[tokio::test]
async fn a_restored_backup_sends_no_old_mail_again() {
    let house = House::new().with("SMTP_URL", DEAD_SMTP);
    let server = house.serves().await;
    server.stranger("nico").signs_up().await;
    let restored = House::new();
    let file = restored.path("muster.db");
    house.runs(&["backup", text(&file)]).await.succeeds();
    let old = ["welcome to nico@example.com"];
    assert_eq!(at(&file).reads(UNFINISHED).await, old);

    let server = restored.serves().await;
    assert!(server.log().contains("restored copy"), "{}", server.log());
    server.stranger("zoe").signs_up().await;
    let mails = restored.waits_for_mails(1).await;
    assert!(mails[0].to.contains("zoe@example.com"), "{mails:?}");
    let nicos = "SELECT state || ': ' || last_answer FROM deliveries \
         WHERE address = 'nico@example.com' AND finished_at IS NOT NULL AND leased_until IS NULL";
    let expected = ["SUPPRESSED: not sent from a restored copy: the original may have sent it"];
    assert_eq!(at(&file).reads(nicos).await, expected);
    server.dies();

    // From then on it is a database like any other.
    let restored = restored.with("WORKER", "off");
    let server = restored.serves().await;
    server.stranger("yuri").signs_up().await;
    server.dies();
    let restored = restored.with("WORKER", "on");
    let server = restored.serves().await;
    let mails = restored.waits_for_mails(2).await;
    assert!(
        mails.iter().all(|mail| !mail.to.contains("nico")),
        "{mails:?}"
    );
    assert!(!server.log().contains("restored copy"), "{}", server.log());
    // The original still has it to send.
    assert_eq!(at(&house.path("muster.db")).reads(UNFINISHED).await, old);
}

#[tokio::test]
async fn the_jobs_of_a_restored_backup_are_gone() {
    let house = House::new().with("WORKER", "off");
    let server = house.serves().await;
    server.stranger("nico").signs_up().await;
    let restored = House::new().with("WORKER", "off");
    let file = restored.path("muster.db");
    house.runs(&["backup", text(&file)]).await.succeeds();
    assert_eq!(at(&file).reads(WAITING_JOBS).await.len(), 1);
    let _server = restored.serves().await;
    assert_eq!(at(&file).reads(WAITING_JOBS).await.len(), 0);
}

fn on_postgres(database: &TestDatabase) -> House {
    House::new()
        .with("DATABASE_URL", database.url())
        .with("JWT_SECRET", SECRET)
}

#[tokio::test]
async fn a_restored_dump_sends_no_old_mail_again() {
    let original = TestDatabase::on_postgres().await;
    let house = on_postgres(&original).with("WORKER", "off");
    let server = house.serves().await;
    server.stranger("nico").signs_up().await;
    server.dies();
    // Where it has always been, nothing is called off.
    house.serves().await.dies();
    let old = ["welcome to nico@example.com"];
    assert_eq!(original.reads(UNFINISHED).await, old);

    let TestDatabase::Postgres { name, url } = &original else {
        unreachable!()
    };
    let copy = TestDatabase::Postgres {
        name: format!("{name}_copy"),
        url: format!("{url}_copy"),
    };
    on_server(format!("CREATE DATABASE {name}_copy TEMPLATE {name}")).await;
    let restored = on_postgres(&copy);
    let server = restored.serves().await;
    assert!(server.log().contains("restored copy"), "{}", server.log());
    server.stranger("zoe").signs_up().await;
    let mails = restored.waits_for_mails(1).await;
    assert!(mails[0].to.contains("zoe@example.com"), "{mails:?}");
    assert_eq!(original.reads(UNFINISHED).await, old);

    // As a dump does that is restored over the database that it came from.
    for statement in [
        "ALTER TABLE installation RENAME TO former",
        "CREATE TABLE installation (LIKE former INCLUDING ALL)",
        "INSERT INTO installation SELECT * FROM former",
        "DROP TABLE former",
    ] {
        original.executes(statement).await;
    }
    let server = house.serves().await;
    assert!(server.log().contains("restored copy"), "{}", server.log());
    assert_eq!(original.reads(UNFINISHED).await, [""; 0]);
}

/// A house on SQLite where ada let nico in and gave him a task, and no mail went out yet.
struct Old {
    database: TestDatabase,
    house: House,
    ada: Person,
    authenticator: Authenticator,
}

impl Old {
    async fn new() -> Self {
        let database = TestDatabase::on_sqlite();
        let house = House::new()
            .with("DATABASE_URL", database.url())
            .with("WORKER", "off");
        let server = house.serves().await;
        let ada = admin(&house, &server, "ada").await;
        let nico = server.stranger("nico");
        let user = nico.signs_up().await;
        ada.approves(&user).await;
        let task = ada.creates_task("Water the plants").await;
        ada.assigns(&task, &nico).await;
        nico.logs_in().await.succeeds();
        let authenticator = Authenticator::set_up(&nico, &Clock::system()).await;
        server.dies();
        Self {
            database,
            house,
            ada,
            authenticator,
        }
    }

    fn secret(&self) -> String {
        let file = self.database.url().trim_start_matches("sqlite://");
        fs::read_to_string(Path::new(file).with_extension("jwt-secret")).unwrap()
    }

    fn arguments<'a>(&'a self, to: &'a TestDatabase) -> [&'a str; 5] {
        [
            "migrate-store",
            "--from",
            self.database.url(),
            "--to",
            to.url(),
        ]
    }
}

#[tokio::test]
async fn a_move_to_postgresql_brings_everybody_and_everything() {
    let old = Old::new().await;
    let unfinished = old.database.reads(UNFINISHED).await;
    assert!(unfinished.len() >= 2, "{unfinished:?}");
    let new = TestDatabase::empty_on_postgres().await;
    let out = old.house.runs(&old.arguments(&new)).await.succeeds();
    for line in ["moved     users           2", "compared  deliveries"] {
        assert!(out.contains(line), "{out}");
    }
    let secret = old.secret();
    assert!(out.contains(".jwt-secret"), "{out}");
    assert!(!out.contains(secret.trim()), "{out}");
    // Doing it again changes nothing.
    old.house.runs(&old.arguments(&new)).await.succeeds();

    let house = House::new()
        .with("DATABASE_URL", new.url())
        .with("JWT_SECRET", &secret);
    let server = house.serves().await;
    let ada = server.stranger("ada");
    ada.keeps(old.ada.tokens());
    let answer = ada.asks(VIEWER, json!({})).await.succeeds();
    assert_eq!(answer.data("viewer.username"), "ada");
    ada.refreshes().await.succeeds();
    let nico = server.stranger("nico");
    let code = old.authenticator.code_in(TimeDelta::seconds(30));
    for code in [&code, &old.authenticator.recovery_codes[0]] {
        nico.logs_in_with(code).await.succeeds();
    }
    let answer = ada.asks(TASKS, json!({})).await.succeeds();
    assert_eq!(answer.data("tasks.totalCount"), 1);
    // And one about the recovery code.
    let mails = house.waits_for_mails(unfinished.len() + 1).await;
    assert_eq!(mails.len(), unfinished.len() + 1);
    assert!(!server.log().contains("restored copy"), "{}", server.log());
    drop(server);

    let outcome = old.house.runs(&old.arguments(&new)).await;
    outcome_names(&outcome, "in use");
}

/// It failed with one line, whatever it has printed before.
#[track_caller]
fn outcome_names(outcome: &crate::support::program::Outcome, what: &str) {
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let lines = outcome.err.trim_end().lines().count();
    assert!(lines == 1 && outcome.err.contains(what), "{outcome:?}");
}

/// Kills it once there are tasks on the other side.
async fn is_killed_amid_tasks(mut child: Child, new: &TestDatabase) -> usize {
    let moved = loop {
        let count = new.reads("SELECT count(*)::text FROM tasks").await;
        let count: usize = count[0].parse().unwrap();
        if count > 0 {
            break count;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(5));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    moved
}

#[tokio::test]
async fn a_move_that_was_interrupted_is_completed_by_another() {
    const MORE: usize = 30_000;
    let old = Old::new().await;
    let more = format!(
        "INSERT INTO tasks (id, title, title_key, status, created_by, created_at, updated_at, version) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MORE}) \
         SELECT randomblob(16), 'Task ' || n, 'task ' || n, status, created_by, created_at, updated_at, 1 \
         FROM tasks, numbers"
    );
    old.database.executes(more).await;
    let new = TestDatabase::empty_on_postgres().await;
    let house = on_postgres(&new);
    house.runs(&["migrate"]).await.succeeds();

    let child = old.house.starts(&old.arguments(&new));
    let moved = is_killed_amid_tasks(child, &new).await;
    assert!(moved < MORE, "it was done before it was killed");
    let out = old.house.runs(&old.arguments(&new)).await.succeeds();
    assert!(
        out.contains(&format!("compared  tasks           {}", MORE + 1)),
        "{out}"
    );
}

#[tokio::test]
async fn rows_that_differ_are_found_and_told_by_their_table() {
    let old = Old::new().await;
    let new = TestDatabase::empty_on_postgres().await;
    old.house.runs(&old.arguments(&new)).await.succeeds();
    new.executes("UPDATE tasks SET description = 'Twice'").await;
    let outcome = old.house.runs(&old.arguments(&new)).await;
    outcome_names(
        &outcome,
        "tasks differs: 1 rows in the source, 1 in the destination",
    );
    new.executes("UPDATE tasks SET description = NULL").await;
    old.house.runs(&old.arguments(&new)).await.succeeds();
    new.executes("INSERT INTO reset_tokens SELECT gen_random_uuid(), NULL, 'x', now(), now()")
        .await;
    let outcome = old.house.runs(&old.arguments(&new)).await;
    outcome_names(&outcome, "reset_tokens differs: 0 rows");
}

#[tokio::test]
async fn a_move_to_where_others_are_is_refused() {
    let old = Old::new().await;
    let new = TestDatabase::empty_on_postgres().await;
    on_postgres(&new)
        .creates_admin("grace", PASSWORD)
        .await
        .succeeds();
    let outcome = old.house.runs(&old.arguments(&new)).await;
    outcome.complains("users whom the source does not have");
    assert_eq!(new.reads("SELECT username FROM users").await, ["grace"]);
}

#[tokio::test]
async fn a_move_of_what_is_still_written_to_is_told() {
    let old = Old::new().await;
    let new = TestDatabase::empty_on_postgres().await;
    let server = old.house.serves().await;
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    let arguments = old.arguments(&new);
    let outcome = tokio::select! {
        outcome = old.house.runs(&arguments) => outcome,
        () = keeps_writing(&ada) => unreachable!(),
    };
    outcome_names(&outcome, "stop Muster there");
}

#[tokio::test]
async fn a_restored_backup_that_is_moved_sends_no_old_mail_either() {
    let old = Old::new().await;
    let copy = old.house.path("copy.db");
    old.house.runs(&["backup", text(&copy)]).await.succeeds();
    let new = TestDatabase::empty_on_postgres().await;
    let from = format!("sqlite://{}", copy.display());
    let arguments = ["migrate-store", "--from", &from, "--to", new.url()];
    old.house.runs(&arguments).await.succeeds();
    let house = on_postgres(&new);
    let server = house.serves().await;
    assert!(server.log().contains("restored copy"), "{}", server.log());
    assert_eq!(new.reads(UNFINISHED).await, [""; 0]);
}

#[tokio::test]
async fn a_move_names_what_cannot_be_used_and_shows_no_password() {
    let house = House::new();
    house.runs(&["migrate"]).await.succeeds();
    let postgres = "postgres://muster:hunter2@127.0.0.1:1/muster";
    let sqlite = "sqlite://muster.db";
    for (from, to, status, about) in [
        (postgres, postgres, 2, "--from"),
        (sqlite, sqlite, 2, "--to"),
        (sqlite, "mysql://muster:hunter2@127.0.0.1:1/x", 2, "--to"),
        (sqlite, postgres, 1, "PostgreSQL cannot be reached"),
        (
            sqlite,
            "postgres://muster:hunter2@127.0.0.1:port/x",
            1,
            "destination",
        ),
        ("sqlite://missing.db?mode=rwc", postgres, 1, "missing.db"),
    ] {
        let outcome = house
            .runs(&["migrate-store", "--from", from, "--to", to])
            .await;
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        assert!(outcome.err.contains(about), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("hunter2"), "{outcome:?}");
    }
    assert!(!house.path("missing.db").exists());
    house.runs(&["migrate", "down"]).await.succeeds();
    let outcome = house
        .runs(&["migrate-store", "--from", sqlite, "--to", postgres])
        .await;
    outcome.complains("muster migrate");
}
