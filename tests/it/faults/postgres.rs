//! PostgreSQL restarted, gone, or silent under load: callers hear of it soon, and
//! all is well again when it is, without a restart of Muster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::at_length;
use crate::support::program::{House, Server};
use crate::support::proxy::Proxy;
use crate::support::servers::PostgresServer;
use crate::support::{PASSWORD, Person, TestDatabase, VIEWER};

/// The longest that anybody may be kept waiting.
const SOON: Duration = Duration::from_secs(5);

async fn house_on(url: &str) -> (House, Server, Person) {
    let house = House::on(Arc::new(TestDatabase::elsewhere(url)));
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    (house, server, ada)
}

/// Asks on and on until told to stop; says which codes came, and how long the longest took.
async fn asks_until(
    ada: Person,
    answered: Arc<Semaphore>,
    stop: tokio::sync::watch::Receiver<bool>,
) -> (Vec<String>, Duration) {
    let (mut codes, mut longest) = (Vec::new(), Duration::ZERO);
    while !*stop.borrow() {
        let began = Instant::now();
        let answer = ada.asks(VIEWER, json!({})).await;
        longest = longest.max(began.elapsed());
        codes.push(answer.code().unwrap_or_else(|| "ok".into()));
        answered.add_permits(1);
    }
    (codes, longest)
}

/// What happens to a crowd while the database has its trouble.
async fn crowd_during(ada: &Person, trouble: impl Future<Output = ()>) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut crowd = JoinSet::new();
    let answered = Arc::new(Semaphore::new(0));
    for _ in 0..6 {
        crowd.spawn(asks_until(
            ada.clone(),
            Arc::clone(&answered),
            stopped.clone(),
        ));
    }
    // All are at it, however busy the machine is.
    answered.acquire_many(60).await.unwrap().forget();
    trouble.await;
    let mut well = 0;
    let began = Instant::now();
    // Twenty in a row: no broken connection is left in the pool.
    while well < 20 {
        let answer = ada.asks(VIEWER, json!({})).await;
        well = if answer.code().is_none() { well + 1 } else { 0 };
        assert!(
            began.elapsed() < SOON * 2,
            "not well again: {}",
            answer.text()
        );
    }
    println!("well again after {:?}", began.elapsed());
    stop.send(true).unwrap();
    while let Some(told) = crowd.join_next().await {
        let (codes, longest) = told.unwrap();
        let others = codes
            .iter()
            .find(|code| !["ok", "UNAVAILABLE"].contains(&code.as_str()));
        assert_eq!(others, None);
        assert!(codes.iter().any(|code| code == "ok"));
        assert!(longest < SOON, "somebody waited for {longest:?}");
    }
}

#[tokio::test]
async fn a_restart_under_load_is_told_as_unavailable_and_is_over_by_itself() {
    let mut postgres = PostgresServer::start();
    let (_house, server, ada) = house_on(&postgres.url()).await;
    let away = Duration::from_secs(at_length(30, 6));
    crowd_during(&ada, async {
        postgres.stops();
        tokio::time::sleep(away).await;
        let ready = server.http().get(server.url("/readyz")).send().await;
        assert_eq!(ready.unwrap().status(), 503);
        postgres.starts_again();
    })
    .await;
    let ready = server.http().get(server.url("/readyz")).send().await;
    assert_eq!(ready.unwrap().status(), 200);
}

#[tokio::test]
async fn connections_that_went_silent_are_replaced() {
    let postgres = PostgresServer::start();
    let proxy = Proxy::start(postgres.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/muster", proxy.port());
    let (_house, _server, ada) = house_on(&url).await;
    crowd_during(&ada, async {
        proxy.swallows_everything();
        tokio::time::sleep(Duration::from_secs(7)).await;
        proxy.passes_again();
    })
    .await;
}

#[tokio::test]
async fn connections_that_the_server_ends_are_made_anew() {
    let postgres = PostgresServer::start();
    let (house, _server, ada) = house_on(&postgres.url()).await;
    crowd_during(&ada, async {
        let others = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert!(!house.reads(others).await.is_empty());
    })
    .await;
}

/// Logs in at the job board, and gives the cookie by which it knows whoever looks.
async fn enters_the_board(server: &Server, login: &str, password: &str) -> String {
    let http = reqwest::Client::builder().redirect(Policy::none());
    let answer = http
        .build()
        .unwrap()
        .post(server.url("/jobs/log-in"))
        .header("origin", "http://localhost:8000")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("login={login}&password={password}&code="))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_job_board_is_back_after_a_look_that_was_never_answered() {
    let postgres = PostgresServer::start();
    let proxy = Proxy::start(postgres.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/muster", proxy.port());
    let house = House::on(Arc::new(TestDatabase::elsewhere(&postgres.url())))
        .with("PUBLIC_URL", "http://localhost:8000")
        .with("WORKER", "off")
        // The board's connection is one of those around a pooler: it alone can go silent.
        .with("DATABASE_DIRECT_URL", &url);
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let cookie = enters_the_board(&server, "ada", PASSWORD).await;
    let looks = async || {
        let tasks = server.url("/jobs/api/v1/queues/muster/tasks?status=Pending");
        let request = server.http().get(tasks).header("cookie", &cookie);
        request.send().await.unwrap().status()
    };
    assert_eq!(looks().await, 200);

    // A look that waits while its connection dies.
    let mut holder = PgConnection::connect(&postgres.url()).await.unwrap();
    for statement in ["BEGIN", "LOCK TABLE apalis.jobs IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(statement).execute(&mut holder).await.unwrap();
    }
    let goes_silent = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.swallows_everything();
    };
    let (status, ()) = tokio::join!(looks(), goes_silent);
    assert_eq!(status, 503);
    sqlx::query("ROLLBACK").execute(&mut holder).await.unwrap();
    proxy.passes_again();

    let began = Instant::now();
    while looks().await != 200 {
        let is_late = began.elapsed() > SOON * 2;
        assert!(!is_late, "the board is not back: {}", server.log());
    }
    println!("the board is back after {:?}", began.elapsed());
}

#[tokio::test]
async fn whichever_statement_is_the_last_a_sign_up_has_its_mail_or_did_not_happen() {
    let postgres = PostgresServer::start();
    let proxy = Proxy::start(postgres.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/muster", proxy.port());
    let house = House::on(Arc::new(TestDatabase::elsewhere(&url)))
        .with("WORKER", "off")
        // What is looked into from aside goes around the proxy.
        .beside(&postgres.url());
    let server = house.serves().await;
    let mut acknowledged = Vec::new();
    let mut cut = 0;
    for packets in 0..60 {
        proxy.cuts_after(Some(packets));
        let nico = server.stranger(&format!("nico-{packets}"));
        let answer = nico.tries_to_sign_up(json!({})).await;
        proxy.cuts_after(None);
        if answer.code().is_none() {
            acknowledged.push(nico.email.clone());
        } else {
            assert_eq!(
                answer.code().as_deref(),
                Some("UNAVAILABLE"),
                "{}",
                answer.text()
            );
            cut += 1;
        }
    }
    assert!(cut > 5 && acknowledged.len() > 5, "{cut} were cut off");
    let stored = house.reads("SELECT email FROM users ORDER BY email").await;
    let mails = "SELECT address FROM deliveries WHERE kind = 'welcome' ORDER BY address";
    assert_eq!(house.reads(mails).await, stored);
    let jobs = house.reads("SELECT id FROM apalis.jobs").await;
    assert_eq!(jobs.len(), stored.len());
    let approvals = house.reads("SELECT decision FROM approvals").await;
    assert_eq!(approvals.len(), stored.len());
    for email in acknowledged {
        assert!(stored.contains(&email), "{email} was lost");
    }
}

#[tokio::test]
async fn connections_that_died_at_rest_hold_up_one_request_at_most() {
    let postgres = PostgresServer::start();
    let proxy = Proxy::start(postgres.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/muster", proxy.port());
    let (_house, _server, ada) = house_on(&url).await;
    let mut crowd = JoinSet::new();
    for _ in 0..8 {
        let ada = ada.clone();
        crowd.spawn(async move { ada.asks(VIEWER, json!({})).await.succeeds() });
    }
    while let Some(done) = crowd.join_next().await {
        done.unwrap();
    }
    // Long enough that they are tried before they are used.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    proxy.forgets_everybody();
    let began = Instant::now();
    let mut told = Vec::new();
    for _ in 0..10 {
        told.push(ada.asks(VIEWER, json!({})).await.code());
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let failed = told.iter().flatten().count();
    assert!(failed <= 1, "{told:?}");
}

#[tokio::test]
async fn a_worker_outlives_a_database_that_is_long_away() {
    let mut postgres = PostgresServer::start();
    let (house, server, _) = house_on(&postgres.url()).await;
    // apalis itself gives up after six seconds.
    postgres.stops();
    tokio::time::sleep(Duration::from_secs(at_length(120, 15))).await;
    postgres.starts_again();
    let nico = server.stranger("nico");
    let began = Instant::now();
    while nico.tries_to_sign_up(json!({})).await.code().is_some() {
        assert!(began.elapsed() < SOON, "no sign-up is possible");
    }
    assert_eq!(house.waits_for_mails(1).await[0].kind, "welcome");
    println!("mail after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(30));
}
