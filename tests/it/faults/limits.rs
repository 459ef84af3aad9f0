//! Two servers hold a limit together by Redis, and each by itself without it. Real
//! time passes here, so what it refills is reckoned with.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use muster::clock::Clock;
use muster::config::Secret;
use muster::limit::{Limiter, Source, Subject};
use muster::metrics::Metrics;
use muster::redis::Redis;
use serde_json::json;

use crate::support::program::{House, Server};
use crate::support::servers::RedisServer;
use crate::support::{Answer, CHANGE_PASSWORD, LOG_IN, PASSWORD, Person, TestDatabase};

struct Scene {
    _house: House,
    servers: [Server; 2],
}

async fn scene(redis: &RedisServer) -> Scene {
    let house = House::on(Arc::new(TestDatabase::empty_on_postgres().await))
        .with("REDIS_URL", &redis.url())
        .with("RATE_LIMIT", "on")
        .with("TRUSTED_PROXIES", "127.0.0.1/32");
    let servers = [house.serves().await, house.serves().await];
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let scene = Scene {
        _house: house,
        servers,
    };
    scene.waits_until_both_ask(redis).await;
    scene
}

impl Scene {
    /// A process that has found Redis to take too long does not ask it again for a while.
    async fn waits_until_both_ask(&self, redis: &RedisServer) {
        let began = Instant::now();
        for (place, server) in self.servers.iter().enumerate() {
            for number in 0.. {
                assert!(
                    began.elapsed() < Duration::from_secs(30),
                    "{}",
                    server.log()
                );
                let keys = redis.says(&["KEYS", "*"]);
                let probe = server.stranger("probe");
                let probe = probe.at_address(&format!("198.51.{place}.{number}"));
                probe.tries_to_sign_up(json!({ "username": "" })).await;
                let is_new = |key: &String| !keys.contains(key);
                if redis.says(&["KEYS", "*"]).iter().any(is_new) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    fn ada_at(&self, server: usize, address: &str) -> Person {
        let ada = self.servers[server].stranger("ada");
        ada.at_address(address)
    }

    /// A wrong guess at ada's password, from a place of its own.
    async fn guess(&self, server: usize, number: usize) -> Answer {
        let bot = self.ada_at(server, &format!("2001:db8:{number:x}::1"));
        let input = json!({ "login": "ada", "password": "a wrong guess" });
        bot.asks(LOG_IN, json!({ "input": input })).await
    }

    /// No guess passes at any of these servers until one of them has told Redis of so many.
    async fn hold_guesses_up_until_redis_knows(
        &self,
        redis: &RedisServer,
        servers: &[usize],
        count: u64,
    ) {
        for number in 1_000.. {
            for server in servers {
                let answer = self.guess(*server, 10 * number + server).await;
                assert!(answer.wait().is_some(), "{}", self.servers[*server].log());
            }
            if failures_in(redis).is_some_and(|known| known >= count) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn complaints(&self) -> usize {
        let logs = self.servers.each_ref().map(Server::log);
        logs.map(|log| log.matches("Redis is away").count())
            .iter()
            .sum()
    }
}

/// The most wrong guesses in a row that Redis knows of.
fn failures_in(redis: &RedisServer) -> Option<u64> {
    let keys = redis.says(&["KEYS", "muster:limit:*"]);
    let pauses = keys
        .iter()
        .filter(|key| redis.says(&["TYPE", key]) == ["hash"]);
    let counts = pauses.filter_map(|key| redis.says(&["HGET", key, "count"])[0].parse().ok());
    counts.max()
}

/// How many log-ins of one account and source time has allowed again.
fn refilled_since(began: Instant) -> usize {
    usize::try_from(began.elapsed().as_secs() / 12).unwrap()
}

/// Without the tokens of those who were quicker.
async fn logs_in_anew(person: &Person) -> Answer {
    person.on_another_device().logs_in().await
}

fn passed(answers: Vec<Answer>) -> usize {
    let (good, limited): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.code().is_none());
    for answer in limited {
        answer.fails_with("RATE_LIMITED");
    }
    good.len()
}

#[tokio::test]
async fn two_servers_share_a_limit_exactly() {
    let redis = RedisServer::start();
    let scene = scene(&redis).await;
    for turn in 0..5 {
        let complaints = scene.complaints();
        let began = Instant::now();
        let people = [0, 1].map(|server| scene.ada_at(server, &format!("203.0.113.{turn}")));
        let attempts = (0..50).flat_map(|_| people.iter().map(logs_in_anew));
        let passed = passed(join_all(attempts).await);
        let refilled = refilled_since(began);
        // On a busy machine, a server may have found that Redis takes too long.
        if scene.complaints() == complaints {
            assert!((5..=5 + refilled).contains(&passed), "{passed}");
            return;
        }
        assert!((5..=2 * (5 + refilled)).contains(&passed), "{passed}");
        scene.waits_until_both_ask(&redis).await;
    }
    panic!("Redis was never fast enough");
}

#[tokio::test]
async fn without_redis_each_server_holds_the_limit_by_itself() {
    let mut redis = RedisServer::start();
    let scene = scene(&redis).await;
    let people = [0, 1].map(|server| scene.ada_at(server, "203.0.113.7"));
    let began = Instant::now();
    let mut sum = 0;
    for turn in [0, 0, 0, 1, 1, 0, 1] {
        sum += passed(vec![people[turn].logs_in().await]);
    }
    redis.dies();
    let attempts = (0..100).flat_map(|_| people.iter().map(logs_in_anew));
    sum += passed(join_all(attempts).await);
    // What each let pass before counts there, too.
    let most = 2 * (5 + refilled_since(began));
    assert!((8..=most).contains(&sum), "{sum} of {most}");
    for person in &people {
        let elsewhere = person.at_address("203.0.113.8");
        elsewhere.logs_in().await.succeeds();
    }
}

/// What somebody who guesses at both servers has seen, and what the owner has.
struct Seen {
    guesses: usize,
    /// So many at most, as time passed.
    most: usize,
    before: [Option<String>; 2],
    after: [Option<String>; 2],
}

async fn guesses_at_both(scene: &Scene) -> Seen {
    let home = [0, 1].map(|server| scene.ada_at(server, "203.0.113.7"));
    home[0].logs_in().await.succeeds();
    let began = Instant::now();
    let mut guesses = 0;
    for number in 0..40 {
        guesses += passed(vec![scene.guess(number % 2, number).await]);
    }
    // Ten are free; the next ones take 1, 2, 4, … seconds.
    let most = 10 + usize::try_from((began.elapsed().as_secs() + 1).ilog2()).unwrap() + 1;
    let codes = async || {
        let [one, other] = [0, 1].map(|server| scene.ada_at(server, "203.0.113.99"));
        [one.logs_in().await.code(), other.logs_in().await.code()]
    };
    let before = codes().await;
    home[1].on_another_device().logs_in().await.succeeds();
    let after = codes().await;
    Seen {
        guesses,
        most,
        before,
        after,
    }
}

#[tokio::test]
async fn guesses_at_one_server_hold_up_the_other_and_so_does_their_end() {
    for _ in 0..5 {
        let redis = RedisServer::start();
        let scene = scene(&redis).await;
        let complaints = scene.complaints();
        let seen = guesses_at_both(&scene).await;
        // On a busy machine, a server may have found that Redis takes too long.
        if scene.complaints() == complaints {
            let Seen { guesses, most, .. } = seen;
            assert!((10..=most).contains(&guesses), "{guesses} of {most}");
            assert_eq!(seen.before, [(); 2].map(|()| Some("RATE_LIMITED".into())));
            // Each server knows where the account is at home, and what one forgives the other does.
            assert_eq!(seen.after, [None, None]);
            return;
        }
        assert!(seen.guesses <= 2 * seen.most, "{}", seen.guesses);
    }
    panic!("Redis was never fast enough");
}

/// Asks, and waits as it is told to, until it is told to wait for so many seconds.
async fn until_it_waits_for(seconds: u64, asks: impl AsyncFn(usize) -> Answer) {
    for number in 0..20 {
        let answer = asks(number).await;
        let wait = answer.wait().map(i64::unsigned_abs).unwrap_or_default();
        if wait >= seconds {
            return;
        }
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
    panic!("it never had to wait for {seconds} s");
}

/// Plays until Redis was asked throughout: on a busy machine, a server may find that it takes too long.
async fn undisturbed<T>(play: impl AsyncFn(&Scene, &RedisServer) -> T) -> T {
    for _ in 0..5 {
        let redis = RedisServer::start();
        let scene = scene(&redis).await;
        let complaints = scene.complaints();
        let seen = play(&scene, &redis).await;
        if scene.complaints() == complaints {
            return seen;
        }
    }
    panic!("Redis was never fast enough");
}

/// The admin, with the same session at both servers.
async fn ada_at_both(scene: &Scene) -> [Person; 2] {
    let ada = scene.ada_at(0, "203.0.113.7");
    ada.logs_in().await.succeeds();
    let token = ada.tokens().access.unwrap();
    let other = scene.ada_at(1, "203.0.113.7").with_access_token(&token);
    [ada, other]
}

async fn changes_password(person: &Person, from: &str, to: &str) -> Answer {
    let input = json!({ "currentPassword": from, "newPassword": to });
    person
        .asks(CHANGE_PASSWORD, json!({ "input": input }))
        .await
}

#[tokio::test]
async fn a_server_that_saw_none_of_a_sessions_guesses_holds_them_up() {
    let wait = undisturbed(async |scene, _| {
        let [one, other] = ada_at_both(scene).await;
        let guesses =
            |person| changes_password(person, "a wrong guess", "quiet Harbour 91 lanterns");
        until_it_waits_for(8, async |_| guesses(&one).await).await;
        guesses(&other).await.wait()
    });
    assert!(wait.await.is_some());
}

#[tokio::test]
async fn a_server_that_saw_none_of_the_strangers_guesses_holds_them_up() {
    let wait = undisturbed(async |scene, _| {
        until_it_waits_for(8, async |number| scene.guess(0, number).await).await;
        scene.guess(1, 99).await.wait()
    });
    assert!(wait.await.is_some());
}

#[tokio::test]
async fn a_pause_outlasts_what_redis_had() {
    let waits = undisturbed(async |scene, redis| {
        until_it_waits_for(8, async |number| scene.guess(0, number).await).await;
        // As it may be by whoever fills it.
        redis.is_told(&["FLUSHALL"]);
        // The one that saw the guesses holds them up, and the other one learns of them by Redis.
        [
            scene.guess(0, 98).await.wait(),
            scene.guess(1, 99).await.wait(),
        ]
    });
    assert!(waits.await.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_pause_outlasts_a_redis_that_starts_anew() {
    for _ in 0..5 {
        let mut redis = RedisServer::start();
        let scene = scene(&redis).await;
        let complaints = scene.complaints();
        until_it_waits_for(16, async |number| scene.guess(0, number).await).await;
        // Who was told to wait there waits there as well, with Redis or without.
        let wait = scene.guess(1, 99).await.wait();
        // On a busy machine, a server may have found that Redis takes too long.
        if scene.complaints() > complaints {
            continue;
        }
        assert!(wait.is_some());
        redis.dies();
        redis.starts_again();
        let both = &[0, 1];
        scene
            .hold_guesses_up_until_redis_knows(&redis, both, 10)
            .await;
        for server in both {
            assert!(scene.guess(*server, 90 + server).await.wait().is_some());
        }
        return;
    }
    panic!("Redis was never fast enough");
}

#[tokio::test]
async fn what_was_counted_while_redis_was_away_counts_when_it_is_back() {
    let redis = RedisServer::start();
    let scene = scene(&redis).await;
    for number in 100..103 {
        assert_eq!(scene.guess(0, number).await.wait(), None);
    }
    redis.is_paused();
    until_it_waits_for(16, async |number| scene.guess(0, number).await).await;
    redis.goes_on();
    scene
        .hold_guesses_up_until_redis_knows(&redis, &[0], 10)
        .await;
    assert!(scene.guess(0, 99).await.wait().is_some());
}

#[tokio::test]
async fn a_redis_that_is_full_lets_nobody_through_and_everybody_be_forgiven() {
    let waits = undisturbed(async |scene, redis| {
        let home = [0, 1].map(|server| scene.ada_at(server, "203.0.113.7"));
        home[0].logs_in().await.succeeds();
        until_it_waits_for(8, async |number| scene.guess(0, number).await).await;
        redis.is_told(&["CONFIG", "SET", "maxmemory", "1"]);
        let before = scene.guess(1, 98).await.wait();
        logs_in_anew(&home[0]).await.succeeds();
        redis.is_told(&["CONFIG", "SET", "maxmemory", "0"]);
        (before, scene.guess(1, 99).await.wait())
    });
    let (before, after) = waits.await;
    assert!(before.is_some() && after.is_none(), "{before:?} {after:?}");
}

#[tokio::test]
async fn what_was_forgiven_at_one_server_and_what_was_no_guess_holds_up_nobody_at_the_other() {
    let answers = undisturbed(async |scene, _| {
        let [one, other] = ada_at_both(scene).await;
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers
                .push(changes_password(&one, "a wrong guess", "quiet Harbour 91 lanterns").await);
        }
        // The password is right, and the new one is not: that was no wrong guess.
        for _ in 0..2 {
            answers.push(changes_password(&other, PASSWORD, "short").await);
        }
        let renamed = "amber Canal 57 windmills";
        answers.push(changes_password(&other, PASSWORD, renamed).await);
        for _ in 0..3 {
            answers
                .push(changes_password(&one, "a wrong guess", "quiet Harbour 91 lanterns").await);
        }
        answers
    });
    for answer in answers.await {
        assert_eq!(answer.wait(), None);
    }
}

#[tokio::test]
async fn what_redis_keeps_names_nobody_and_fades() {
    let redis = RedisServer::start();
    let scene = scene(&redis).await;
    let ada = scene.ada_at(0, "203.0.113.7");
    ada.with_password("wrong").logs_in().await;
    ada.logs_in().await.succeeds();
    ada.with_password("wrong").logs_in().await;
    let keys = redis.says(&["KEYS", "*"]);
    assert!(keys.len() > 3, "{keys:?}");
    for key in &keys {
        assert!(!key.contains("ada") && !key.contains("203.0.113"), "{key}");
        let kept = match redis.says(&["TYPE", key])[0].as_str() {
            "hash" => redis.says(&["HGETALL", key]).join(" "),
            _ => redis.says(&["GET", key]).join(" "),
        };
        assert!(
            !kept.contains("ada") && !kept.contains('.'),
            "{key}: {kept}"
        );
        let life: i64 = redis.says(&["TTL", key])[0].parse().unwrap();
        // -2 when it has gone meanwhile.
        let fades = life == -2 || (0..=86_400).contains(&life);
        assert!(fades, "{key} lives for {life}");
    }
    // Scripts that Redis has forgotten are sent again.
    redis.is_told(&["SCRIPT", "FLUSH"]);
    redis.is_told(&["FLUSHALL"]);
    ada.logs_in().await.succeeds();
    assert!(!redis.says(&["KEYS", "muster:limit:*"]).is_empty());
}

/// As of two processes that share this Redis.
fn limiters(redis: &RedisServer) -> [Limiter; 2] {
    [(); 2].map(|()| {
        let metrics = Metrics::default();
        let redis = Redis::new(&redis.url(), metrics.clone()).unwrap();
        let secret = Secret::new("what both processes have in common".into());
        Limiter::new(&secret, Clock::system(), Some(redis), metrics)
    })
}

#[tokio::test]
async fn guesses_that_two_processes_take_back_leave_nothing() {
    let redis = RedisServer::start();
    let [one, other] = limiters(&redis);
    let account = Subject::Name("ada");
    let of = |limiter: &Limiter, number: u128| {
        let source = Source::of(Some(Ipv6Addr::from_bits(number << 64).into()));
        limiter.guess(Subject::NameFrom("ada", source), Some(account))
    };
    // Until both have found Redis.
    let began = Instant::now();
    while redis.says(&["KEYS", "*"]).len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(30));
        for (number, limiter) in [(1, &one), (2, &other)] {
            let guess = of(limiter, number);
            limiter.start(&guess, true).await.unwrap();
            limiter.take_back(&guess).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Each begins before the other one has ended, in either order.
    for round in 0..20 {
        let turns = [(3, &one), (4, &other)];
        let guesses = turns.map(|(number, limiter)| (limiter, of(limiter, 2 * round + number)));
        for (limiter, guess) in &guesses {
            limiter.start(guess, false).await.unwrap();
        }
        let (first, second) = (
            &guesses[round as usize % 2],
            &guesses[(round as usize + 1) % 2],
        );
        for (limiter, guess) in [first, second] {
            limiter.take_back(guess).await;
        }
    }
}
