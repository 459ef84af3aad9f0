//! Processes that start at once, and programs that meet a schema of another age.

use tokio::task::JoinSet;

use crate::support::TestDatabase;
use crate::support::database::on_server;
use crate::support::program::House;

#[tokio::test]
async fn many_that_start_at_once_migrate_once() {
    let house = std::sync::Arc::new(House::of_this_run().await);
    let mut starting = JoinSet::new();
    for _ in 0..6 {
        let house = house.clone();
        starting.spawn(async move { house.runs(&["migrate"]).await.succeeds() });
    }
    while let Some(out) = starting.join_next().await {
        let out = out.unwrap();
        assert!(out.lines().all(|line| line.starts_with("applied")), "{out}");
    }
    let applied = house.reads("SELECT version FROM seaql_migrations").await;
    let mut once = applied.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), applied.len());
}

#[tokio::test]
async fn who_only_serves_need_not_own_the_tables() {
    let database = std::sync::Arc::new(TestDatabase::on_postgres().await);
    let role = format!("serves_{}", std::process::id());
    for statement in [
        format!("CREATE ROLE {role} LOGIN"),
        format!("GRANT USAGE ON SCHEMA public, apalis TO {role}"),
        format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, apalis TO {role}"
        ),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
    ] {
        database.executes(statement).await;
    }
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let house = House::on(std::sync::Arc::clone(&database)).with("DATABASE_URL", &url);
    let server = house.serves().await;
    server.stranger("nico").signs_up().await;
    assert_eq!(house.waits_for_mails(1).await[0].kind, "welcome");
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    drop((server, house, database));
    on_server(format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_schema_of_a_later_release_is_refused() {
    let house = House::of_this_run().await;
    house.runs(&["migrate"]).await.succeeds();
    house
        .executes("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_later', 0)")
        .await;
    let house = house.with("LISTEN", "127.0.0.1:0");
    for command in ["serve", "worker", "migrate", "demo"] {
        let outcome = house.runs(&[command]).await;
        outcome.complains("later release of Muster (m20991231_000001_later)");
    }
}
