//! Every migration, down and up again, on a database in which people have been at
//! work: what a migration has nothing to do with is as it was.

use serde_json::json;

use crate::support::program::House;
use crate::support::{PASSWORD, STATS, TASKS, USERS};

/// Tables and what of them no migration after the third may change.
const KEPT: &[(&str, &str)] = &[
    (
        "users",
        "username || email_key || role || status || password_hash",
    ),
    ("tasks", "title || status || version"),
    ("approvals", "decision || requested_role"),
    ("deliveries", "kind || state || cause"),
];

async fn kept(house: &House) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (table, columns) in KEPT {
        let query = format!("SELECT {columns} AS row FROM {table} ORDER BY 1");
        all.push(house.reads(&query).await);
    }
    all
}

#[tokio::test]
async fn a_house_that_is_lived_in_survives_every_migration_down_and_up_again() {
    let house = House::of_this_run().await;
    house.runs(&["demo"]).await.succeeds();
    house.creates_admin("root-ada", PASSWORD).await.succeeds();
    let before = kept(&house).await;
    assert!(
        before.iter().take(3).all(|rows| !rows.is_empty()),
        "{before:?}"
    );

    // The first four made the tables that people's rows are in.
    let status = house.runs(&["migrate", "status"]).await.succeeds();
    let since_tables = status.lines().count() - 4;
    assert!(since_tables >= 4, "{status}");
    for undone in 1..=since_tables {
        house.runs(&["migrate", "down"]).await.succeeds();
        assert_eq!(kept(&house).await, before, "after {undone} were undone");
    }
    let status = house.runs(&["migrate", "up"]).await.succeeds();
    assert!(!status.contains("pending"), "{status}");
    assert_eq!(kept(&house).await, before);

    // What the later ones brought is filled for the rows that were there.
    let server = house.serves().await;
    let ada = server.stranger("root-ada");
    ada.logs_in().await.succeeds();
    let stats = ada.asks(STATS, json!({})).await.succeeds();
    let title = ada
        .asks(TASKS, json!({}))
        .await
        .succeeds()
        .words("tasks.nodes.0.title");
    let word = title.split(' ').next().unwrap();
    let filter = json!({ "filter": { "search": word } });
    let found = ada.asks(TASKS, filter).await.succeeds();
    assert!(found.data("tasks.totalCount").as_u64() >= Some(1), "{word}");
    let filter = json!({ "filter": { "search": "root-ada" } });
    let found = ada.asks(USERS, filter).await.succeeds();
    assert_eq!(found.data("users.totalCount"), 1);
    ada.creates_task("One more").await;
    let again = ada.asks(STATS, json!({})).await.succeeds();
    let total = |answer: &crate::support::Answer| answer.data("stats.tasksTotal").as_u64();
    assert_eq!(total(&again), total(&stats).map(|total| total + 1));
}
