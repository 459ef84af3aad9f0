//! The commands: status 0 when it worked, 1 and one clear line when it did not, 2
//! for arguments that cannot be used.

use std::fs;
use std::net::TcpListener;

use crate::support::program::House;
use crate::support::{PASSWORD, repository};

#[tokio::test]
async fn schema_prints_the_schema() {
    let out = House::new().runs(&["schema"]).await.succeeds();
    assert_eq!(out, repository::read("schema.graphql"));
}

#[tokio::test]
async fn every_command_explains_itself() {
    let house = House::new();
    for command in [
        "serve",
        "worker",
        "migrate",
        "create-admin",
        "demo",
        "backup",
        "migrate-store",
        "schema",
        "check",
    ] {
        let out = house.runs(&[command, "--help"]).await.succeeds();
        assert!(out.contains("Usage: muster"), "{out}");
        let all = house.runs(&["--help"]).await.succeeds();
        assert!(all.contains(command), "{all}");
    }
    assert!(!house.path("muster.db").exists());
}

#[tokio::test]
async fn arguments_that_cannot_be_used_end_with_status_2() {
    let house = House::new();
    for arguments in [
        &["fly"][..],
        &["serve", "--fast"],
        &["migrate", "sideways"],
        &["create-admin", "--password-stdin"],
        &["create-admin"],
        &["create-admin", "--username", "ada"],
    ] {
        let outcome = house.runs(arguments).await;
        assert_eq!(outcome.status, Some(2), "{arguments:?}: {outcome:?}");
        assert_eq!(outcome.out, "", "{arguments:?}");
        assert_ne!(outcome.err, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let house = House::new().with("LISTEN", &address);
    house.runs(&["serve"]).await.complains(&address);
    // Without a command it serves, too.
    house.runs(&[]).await.complains("LISTEN");
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_one_clear_line() {
    let house = House::new()
        .with("LISTEN", "127.0.0.1:0")
        .with("DATABASE_URL", "sqlite://missing/folder/muster.db?mode=rwc");
    for command in ["serve", "worker", "migrate", "demo"] {
        house.runs(&[command]).await.complains("missing/folder");
    }
    let outcome = house.creates_admin("ada", PASSWORD).await;
    outcome.complains("missing/folder");

    let house = House::new().with("LISTEN", "127.0.0.1:0");
    fs::write(
        house.path("muster.db"),
        "this is no database at all".repeat(100),
    )
    .unwrap();
    house.runs(&["serve"]).await.complains("muster.db");
}

#[tokio::test]
async fn every_broken_setting_is_named_and_no_secret_is_shown() {
    let house = House::new()
        .with("LISTEN", "everywhere")
        .with("TIME_ZONE", "Mars/Olympus")
        .with("JWT_SECRET", "hunter2hunter2");
    let outcome = house.runs(&["serve"]).await;
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let lines: Vec<&str> = outcome.err.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for name in ["LISTEN", "TIME_ZONE", "JWT_SECRET"] {
        let about = lines.iter().filter(|line| line.contains(name)).count();
        assert_eq!(about, 1, "{name}: {lines:#?}");
    }
    assert!(!outcome.err.contains("hunter2"), "{}", outcome.err);
    assert!(!house.path("muster.db").exists());
}

#[tokio::test]
async fn settings_are_read_from_a_file_and_the_environment_wins() {
    let house = House::new();
    fs::write(house.path(".env"), "TIME_ZONE=Nowhere\nLISTEN=nowhere\n").unwrap();
    let outcome = house.runs(&["check"]).await;
    assert!(outcome.err.contains("TIME_ZONE") && outcome.err.contains("LISTEN"));
    let house = house.with("TIME_ZONE", "Asia/Dhaka");
    house.runs(&["check"]).await.complains("LISTEN");
}

#[tokio::test]
async fn migrations_go_up_and_down_and_tell_where_they_are() {
    let house = House::of_this_run().await;
    let status = house.runs(&["migrate", "status"]).await.succeeds();
    assert!(
        status.lines().all(|line| line.starts_with("pending")),
        "{status}"
    );
    let up = house.runs(&["migrate"]).await.succeeds();
    assert!(up.lines().count() >= 4);
    assert!(up.lines().all(|line| line.starts_with("applied")), "{up}");
    let again = house.runs(&["migrate", "up"]).await.succeeds();
    assert_eq!(again, up);
    let down = house.runs(&["migrate", "down"]).await.succeeds();
    let pending = down.lines().filter(|line| line.starts_with("pending"));
    assert_eq!(pending.count(), 1, "{down}");
    for _ in 1..up.lines().count() {
        house.runs(&["migrate", "down"]).await.succeeds();
    }
    let status = house.runs(&["migrate", "status"]).await.succeeds();
    assert!(
        status.lines().all(|line| line.starts_with("pending")),
        "{status}"
    );
    house.runs(&["migrate", "up"]).await.succeeds();
    house.creates_admin("ada", PASSWORD).await.succeeds();
}

#[tokio::test]
async fn a_worker_does_not_touch_a_database_that_is_not_migrated() {
    let house = House::of_this_run().await;
    house.runs(&["worker"]).await.complains("migrate");
}

#[tokio::test]
async fn an_admin_needs_a_name_an_address_and_a_password_that_are_good() {
    let house = House::of_this_run().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    for (username, email, password, about) in [
        ("ada", "new@example.com", PASSWORD, "username"),
        ("ADA", "new@example.com", PASSWORD, "username"),
        ("a d a", "new@example.com", PASSWORD, "username"),
        ("grace", "ADA@example.com", PASSWORD, "email"),
        ("grace", "nowhere", PASSWORD, "email"),
        ("grace", "new@example.com", "short", "password"),
        ("grace", "new@example.com", "password123", "password"),
        ("grace", "new@example.com", "", "password"),
    ] {
        let outcome = house.creates_admin_at(username, email, password).await;
        outcome.complains(about);
    }
    // A line break at the end is the shell's, not the password's.
    let with_line = format!("{PASSWORD}\n");
    house.creates_admin("grace", &with_line).await.succeeds();
    let server = house.serves().await;
    server.stranger("grace").logs_in().await.succeeds();
}

#[tokio::test]
async fn sample_data_is_for_an_empty_database() {
    let house = House::of_this_run().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    house.runs(&["demo"]).await.complains("has users");
    let house = House::of_this_run().await;
    house.runs(&["demo"]).await.succeeds();
    house.runs(&["demo"]).await.complains("has users");
}

#[tokio::test]
async fn the_generated_secret_is_kept_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let house = House::new();
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let path = house.path("muster.jwt-secret");
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    house.creates_admin("grace", PASSWORD).await.succeeds();
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
}

/// Password hashes and addresses are in it.
#[tokio::test]
async fn the_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let mode = |house: &House, name: &str| {
        let metadata = fs::metadata(house.path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    for command in ["serve", "migrate", "demo"] {
        let house = House::new();
        let server = if command == "serve" {
            Some(house.serves().await)
        } else {
            house.runs(&[command]).await.succeeds();
            None
        };
        assert_eq!(mode(&house, "muster.db"), 0o600, "{command}");
        if server.is_some() {
            for beside in ["muster.db-wal", "muster.db-shm"] {
                assert_eq!(mode(&house, beside), 0o600, "{beside}");
            }
        }
    }
    // What an operator chose stays.
    let house = House::new();
    let file = house.path("muster.db");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    house.runs(&["migrate"]).await.succeeds();
    assert_eq!(mode(&house, "muster.db"), 0o640);
}

#[tokio::test]
async fn check_fails_where_the_secret_cannot_be_used_and_makes_none() {
    use std::os::unix::fs::PermissionsExt;

    let house = House::new().with("LISTEN", "127.0.0.1:0");
    house.runs(&["migrate"]).await.succeeds();
    let secret = house.path("muster.jwt-secret");
    let out = house.runs(&["check"]).await.succeeds();
    assert!(out.contains("muster.jwt-secret"), "{out}");
    assert!(!secret.exists());

    house.creates_admin("ada", PASSWORD).await.succeeds();
    house.runs(&["check"]).await.succeeds();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    house.runs(&["serve"]).await.complains("chmod 600");
    let outcome = house.runs(&["check"]).await;
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.err.contains("chmod 600"), "{outcome:?}");
    // It is not used where another one is set.
    let house = house.with("JWT_SECRET", "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4");
    house.runs(&["check"]).await.succeeds();
}

#[tokio::test]
async fn check_says_what_it_found() {
    let house = House::of_this_run().await;
    house.runs(&["migrate"]).await.succeeds();
    let out = house.runs(&["check"]).await.succeeds();
    for part in ["database", "secret", "mail", "redis"] {
        assert!(out.contains(part), "{out}");
    }
    let house = House::of_this_run()
        .await
        .with("SMTP_URL", "smtp://user:hunter2@127.0.0.1:1");
    let outcome = house.runs(&["check"]).await;
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.err.contains("mail"), "{outcome:?}");
    assert!(!outcome.err.contains("hunter2") && !outcome.out.contains("hunter2"));
}
