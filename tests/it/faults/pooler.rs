//! `PgBouncer` in transaction mode hands each transaction to another connection.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::program::House;
use crate::support::servers::{Pooler, PostgresServer};
use crate::support::{PASSWORD, STATS, TASKS, TestDatabase};

#[tokio::test]
async fn everything_works_through_a_pooler_in_transaction_mode() {
    let postgres = PostgresServer::start();
    let pooler = Pooler::start(&postgres);
    let house = House::on(Arc::new(TestDatabase::elsewhere(&pooler.url())))
        .with("DATABASE_DIRECT_URL", &postgres.url());
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    let mut crowd = JoinSet::new();
    for number in 0..8 {
        let (ada, nico) = (ada.clone(), server.stranger(&format!("nico-{number}")));
        crowd.spawn(async move {
            let user = nico.signs_up().await;
            ada.approves(&user).await;
            nico.logs_in().await.succeeds();
            for task in 0..5 {
                ada.creates_task(&format!("Task {number}-{task}")).await;
                ada.asks(TASKS, json!({ "filter": { "search": "task" } }))
                    .await
                    .succeeds();
                ada.asks(STATS, json!({})).await.succeeds();
            }
        });
    }
    while let Some(done) = crowd.join_next().await {
        done.unwrap();
    }
    let stats = ada.asks(STATS, json!({})).await.succeeds();
    assert_eq!(stats.data("stats.tasksTotal"), 40);
    assert_eq!(house.waits_for_mails(16).await.len(), 16);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}
