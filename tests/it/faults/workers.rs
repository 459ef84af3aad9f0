//! A worker that cannot work says so, to probes, in the figures and in the log, and
//! is at work again by itself; a process that only works answers those who watch
//! over it, and nobody else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::program::{House, Server};
use crate::support::servers::PostgresServer;
use crate::support::{PASSWORD, TestDatabase};

const UP: &str = "muster_worker_up";

async fn get(server: &Server, path: &str) -> (u16, String) {
    let answer = server.http().get(server.url(path)).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.text().await.unwrap())
}

/// Waits until the process says this of itself.
async fn says(server: &Server, status: u16, body: &str, within: Duration) {
    let began = Instant::now();
    loop {
        let told = get(server, "/readyz").await;
        if told == (status, format!("{body}\n")) {
            println!("{body} after {:?}", began.elapsed());
            return;
        }
        assert!(
            began.elapsed() < within,
            "it says {told:?}: {}",
            server.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the figures say that the worker is up, or down.
async fn shows(server: &Server, up: f64) {
    let began = Instant::now();
    while server.metric(UP).await != Some(up) {
        let is_late = began.elapsed() > Duration::from_secs(30);
        assert!(!is_late, "never {up}: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{UP} {up} after {:?}", began.elapsed());
}

/// How often the log says this.
fn logged(server: &Server, message: &str) -> usize {
    server.log().matches(message).count()
}

#[tokio::test]
async fn a_worker_answers_those_who_watch_over_it_and_nothing_else() {
    let house = House::of_this_run().await;
    house.runs(&["migrate", "up"]).await.succeeds();
    let worker = house.works_and_answers().await;
    says(&worker, 200, "ready", Duration::from_secs(30)).await;
    assert_eq!(get(&worker, "/healthz").await, (200, "alive\n".into()));
    shows(&worker, 1.0).await;
    for path in [
        "/",
        "/graphql",
        "/schema.graphql",
        "/jobs",
        "/jobs/api/v1/queues",
        "/reset-password",
        "/mailed-link/mailed_link.css",
    ] {
        let (status, text) = get(&worker, path).await;
        assert_eq!(
            (status, text.as_str()),
            (404, "There is nothing here.\n"),
            "{path}"
        );
    }
    // Where there is no worker, it is neither up nor down: an alarm would never end.
    let server = house.serves_with(&[("WORKER", "off")]).await;
    assert_eq!(server.metric(UP).await, None);
    // Figures are for this machine, as at a process that serves.
    let through_a_proxy = worker.http().get(worker.url("/metrics"));
    let through_a_proxy = through_a_proxy.header("x-forwarded-for", "203.0.113.7");
    assert_eq!(through_a_proxy.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_worker_that_cannot_have_its_address_says_so_and_ends() {
    let house = House::of_this_run().await;
    house.runs(&["migrate", "up"]).await.succeeds();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let house = house.with("WORKER_LISTEN", &address);
    house.runs(&["worker"]).await.complains("WORKER_LISTEN");
}

#[tokio::test]
async fn a_worker_whose_database_is_away_is_not_ready_until_it_is_back() {
    let mut postgres = PostgresServer::start();
    let house = House::on(Arc::new(TestDatabase::elsewhere(&postgres.url())));
    house.runs(&["migrate", "up"]).await.succeeds();
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let worker = house.works_and_answers().await;
    says(&worker, 200, "ready", Duration::from_secs(30)).await;
    shows(&worker, 1.0).await;

    postgres.stops();
    says(&worker, 503, "not ready", Duration::from_secs(10)).await;
    shows(&worker, 0.0).await;
    // Alive it is: to start it again would bring no database back.
    assert_eq!(get(&worker, "/healthz").await.0, 200);
    // Long enough for several rounds.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(worker.metric(UP).await, Some(0.0));
    let restarts = "muster_worker_restarts_total{part=\"queue\"}";
    assert!(worker.metric(restarts).await.unwrap() >= 2.0);

    postgres.starts_again();
    says(&worker, 200, "ready", Duration::from_secs(20)).await;
    shows(&worker, 1.0).await;
    // Each part is told of once, however often it was tried, and so is why.
    let log = worker.log();
    assert!(!log.contains("it ended by itself"), "{log}");
    assert_eq!(
        logged(&worker, "a part of the worker does not work"),
        3,
        "{log}"
    );
    assert_eq!(
        logged(&worker, "a part of the worker works again"),
        3,
        "{log}"
    );
}

#[tokio::test]
async fn a_worker_that_is_down_is_told_by_its_process_while_the_database_is_well() {
    let house = House::of_this_run().await;
    let server = house.serves().await;
    let worker = house.works_and_answers().await;
    for process in [&server, &worker] {
        says(process, 200, "ready", Duration::from_secs(30)).await;
    }
    // What the sweep looks at, and no request does here.
    house
        .executes("ALTER TABLE deliveries RENAME TO elsewhere")
        .await;
    let patience = Duration::from_secs(40);
    says(&worker, 503, "not ready: the worker is down", patience).await;
    // Whoever is served is served on.
    says(
        &server,
        200,
        "ready; the worker of this process is down",
        patience,
    )
    .await;
    assert_eq!(worker.metric(UP).await, Some(0.0));
    house
        .executes("ALTER TABLE elsewhere RENAME TO deliveries")
        .await;
    for process in [&server, &worker] {
        says(process, 200, "ready", patience).await;
        assert_eq!(logged(process, "a part of the worker does not work"), 1);
    }
}
