//! Redis dead, paused, emptied or full: everything goes on from PostgreSQL, the log
//! has one line about it, and a metric shows it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::program::{House, Server};
use crate::support::servers::RedisServer;
use crate::support::{PASSWORD, Person, STATS, TestDatabase};

struct Scene {
    house: House,
    server: Server,
    ada: Person,
}

/// Whether Redis answers or not.
async fn begins(redis: &RedisServer) -> Scene {
    let house = House::on(Arc::new(TestDatabase::empty_on_postgres().await))
        .with("REDIS_URL", &redis.url());
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    Scene { house, server, ada }
}

async fn scene(redis: &RedisServer) -> Scene {
    let scene = begins(redis).await;
    scene.works("before").await;
    scene.waits_until_redis_is(1.0).await;
    scene
}

impl Scene {
    /// People sign up, get their mails, and figures are right.
    async fn works(&self, name: &str) {
        let before = self.total().await;
        let mails = self.house.mails().len();
        self.server.stranger(name).signs_up().await;
        assert_eq!(self.total().await, before + 1);
        self.house.waits_for_mails(mails + 1).await;
    }

    async fn total(&self) -> u64 {
        let began = Instant::now();
        let answer = self.ada.asks(STATS, json!({})).await.succeeds();
        // Nobody waits for Redis longer than for one call to it.
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        answer.data("stats.usersTotal").as_u64().unwrap()
    }

    async fn waits_until_redis_is(&self, up: f64) {
        let began = Instant::now();
        let mut number = 0;
        while self.server.metric("muster_redis_up ").await != Some(up) {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "{}",
                self.server.log()
            );
            // Each sign-up makes figures that are not in Redis yet.
            number += 1;
            let name = format!("asks-{up}-{number}-{}", began.elapsed().as_nanos());
            self.server
                .stranger(&name[..name.len().min(30)])
                .signs_up()
                .await;
            self.total().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn complaints(&self) -> usize {
        self.server.log().matches("Redis is away").count()
    }
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_is_missed_by_nobody() {
    let mut redis = RedisServer::start();
    let scene = scene(&redis).await;
    redis.dies();
    scene.works("without").await;
    scene.waits_until_redis_is(0.0).await;
    for number in 0..5 {
        scene.works(&format!("without-{number}")).await;
    }
    assert_eq!(scene.complaints(), 1, "{}", scene.server.log());
    redis.starts_again();
    scene.waits_until_redis_is(1.0).await;
    scene.works("after").await;
}

#[tokio::test]
async fn a_redis_that_was_never_there_is_told_of_once_and_so_is_its_coming() {
    let mut redis = RedisServer::start();
    redis.dies();
    let scene = begins(&redis).await;
    scene.works("without").await;
    // More than once it was looked for.
    tokio::time::sleep(Duration::from_secs(6)).await;
    scene.works("still-without").await;
    assert_eq!(scene.complaints(), 1, "{}", scene.server.log());
    redis.starts_again();
    scene.waits_until_redis_is(1.0).await;
    assert_eq!(scene.complaints(), 1, "{}", scene.server.log());
}

#[tokio::test]
async fn a_redis_that_is_paused_holds_nobody_up() {
    let redis = RedisServer::start();
    let scene = scene(&redis).await;
    redis.is_paused();
    for number in 0..5 {
        scene.works(&format!("paused-{number}")).await;
    }
    scene.waits_until_redis_is(0.0).await;
    redis.goes_on();
    scene.waits_until_redis_is(1.0).await;
    assert_eq!(scene.complaints(), 1, "{}", scene.server.log());
}

#[tokio::test]
async fn a_redis_that_is_emptied_or_full_changes_no_answer() {
    let redis = RedisServer::start();
    let scene = scene(&redis).await;
    redis.is_told(&["FLUSHALL"]);
    scene.works("emptied").await;
    redis.is_told(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    redis.is_told(&["CONFIG", "SET", "maxmemory", "1"]);
    for number in 0..3 {
        scene.works(&format!("full-{number}")).await;
    }
    let refusals = scene.server.log().matches("Redis refuses").count();
    assert_eq!(
        (refusals, scene.complaints()),
        (1, 0),
        "{}",
        scene.server.log()
    );
    redis.is_told(&["CONFIG", "SET", "maxmemory", "0"]);
    scene.waits_until_redis_is(1.0).await;
}
