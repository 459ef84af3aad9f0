//! How long an answer takes tells nobody who is here. What the machine does beside
//! falls on both sides alike, since they take turns; and whether what differs is
//! chance is decided by a test that says how often it errs.

use std::cmp::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use muster::generator::Generator;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::support::{LOG_IN, Operation, Person, REQUEST_PASSWORD_RESET, TestApp, UPDATE_USER};

/// Who asks at the same time, each at a moment of their own within every period: an answer takes 50 ms,
/// and nearly all of that it waits.
const ASKERS: u32 = 4;
const PERIOD: Duration = Duration::from_millis(60);
/// Samples of a round of each side.
const SAMPLES: u32 = 100;
const ROUNDS_MAX: usize = 40;

/// One side of a comparison: what is asked.
struct Side(Operation, Value);

fn log_in(login: &str, password: &str) -> Side {
    let input = json!({ "login": login, "password": password });
    Side(LOG_IN, json!({ "input": input }))
}

fn reset(email: &str) -> Side {
    let input = json!({ "input": { "email": email } });
    Side(REQUEST_PASSWORD_RESET, input)
}

async fn took(asker: &Person, side: &Side) -> f64 {
    let began = Instant::now();
    asker.asks(side.0, side.1.clone()).await.without_errors();
    began.elapsed().as_secs_f64()
}

/// The chance that one of the first takes longer than one of the second: the area under the curve
/// of the test that tells them apart by time (Mann and Whitney).
fn area(first: &[f64], second: &[f64]) -> f64 {
    let mut area = 0.0;
    for one in first {
        for other in second {
            area += match one.total_cmp(other) {
                Ordering::Greater => 1.0,
                Ordering::Equal => 0.5,
                Ordering::Less => 0.0,
            };
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "there are hundreds")]
    let pairs = (first.len() * second.len()) as f64;
    area / pairs
}

/// Samples of both sides by one asker, whose turn comes this late in each period.
async fn samples(asker: &Person, sides: [&Side; 2], late: Duration) -> [Vec<f64>; 2] {
    let mut turns = interval_at(Instant::now() + late, PERIOD);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut samples = [Vec::new(), Vec::new()];
    for turn in 0..SAMPLES / ASKERS {
        // Each side begins as often as it comes second.
        let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
        for side in order {
            turns.tick().await;
            samples[side].push(took(asker, sides[side]).await);
        }
    }
    samples
}

async fn round(asker: &Person, one: &Side, other: &Side) -> f64 {
    let askers = (0..ASKERS).map(|number| samples(asker, [one, other], PERIOD * number / ASKERS));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for [of_one, of_other] in join_all(askers).await {
        first.extend(of_one);
        second.extend(of_other);
    }
    area(&first, &second)
}

/// What the rounds so far say, by the sequential test of Wald: the logarithms of how much likelier
/// they are if one side is slower by `SLOWER`, and if the other is, than if neither is.
#[derive(Default)]
struct Evidence {
    one: f64,
    other: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Same,
    Different,
}

/// The area that shall not be overlooked, from one half.
const SLOWER: f64 = 0.08;
/// How often it is, of those that are that large.
const OVERLOOKED: f64 = 0.01;
/// How often a side is found slower that is not.
const INVENTED: f64 = 0.000_1;

impl Evidence {
    /// None while it may still be either.
    fn hear(&mut self, area: f64) -> Option<Finding> {
        // Of the area of two equal sides (Mann and Whitney).
        let n = f64::from(SAMPLES);
        let variance = (2.0 * n + 1.0) / (12.0 * n * n);
        let difference = area - 0.5;
        for (evidence, difference) in [(&mut self.one, difference), (&mut self.other, -difference)]
        {
            *evidence += SLOWER * (difference - SLOWER / 2.0) / variance;
        }
        if self.one.max(self.other) >= -INVENTED.ln() {
            Some(Finding::Different)
        } else if self.one.max(self.other) <= OVERLOOKED.ln() {
            Some(Finding::Same)
        } else {
            None
        }
    }
}

/// Rounds are added until there is no doubt.
async fn cannot_be_told_apart(asker: &Person, one: &Side, other: &Side) {
    took(asker, one).await;
    took(asker, other).await;
    let mut evidence = Evidence::default();
    let mut areas = Vec::new();
    let finding = loop {
        let area = round(asker, one, other).await;
        areas.push(area);
        let finding = evidence.hear(area);
        if finding.is_some() || areas.len() == ROUNDS_MAX {
            break finding;
        }
    };
    // Some of what is asked is long.
    let shown = |side: &Side| side.1.to_string().chars().take(80).collect::<String>();
    println!("{} and {}: {areas:.3?}", shown(one), shown(other));
    assert_eq!(finding, Some(Finding::Same), "{areas:.3?}");
}

async fn app() -> (TestApp, Person) {
    let app = TestApp::start_with(&[("RATE_LIMIT", "off")]).await;
    app.employee("known").await;
    let asker = app.stranger("asker");
    (app, asker)
}

#[tokio::test]
async fn who_is_unknown_is_refused_as_slowly_as_who_has_a_wrong_password() {
    let (_app, asker) = app().await;
    let (known, unknown) = (log_in("known", "wrong"), log_in("nobody", "wrong"));
    cannot_be_told_apart(&asker, &known, &unknown).await;
}

#[tokio::test]
async fn a_password_is_refused_as_slowly_however_long_it_is() {
    let (_app, asker) = app().await;
    let long = "x".repeat(10_000);
    let (known, unknown) = (log_in("known", &long), log_in("nobody", &long));
    cannot_be_told_apart(&asker, &known, &unknown).await;
}

#[tokio::test]
async fn who_waits_or_has_left_is_refused_as_slowly_as_who_was_never_here() {
    let (app, asker) = app().await;
    app.stranger("pending").signs_up().await;
    let gone = app.employee("gone").await;
    let input = json!({ "userId": gone.id(), "active": false });
    let ada = app.admin("ada").await;
    ada.asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();
    app.runs_all_jobs().await;
    let unknown = log_in("nobody", "wrong");
    for login in ["pending", "gone"] {
        cannot_be_told_apart(&asker, &log_in(login, "wrong"), &unknown).await;
    }
}

/// How long a stranger waits for being told to wait, each time at another place.
async fn took_to_be_held_up(app: &TestApp, number: usize, login: &str) -> f64 {
    let eve = app
        .stranger("eve")
        .at_address(&format!("2001:db8:{number:x}:1::1"));
    let Side(operation, variables) = log_in(login, "a wrong guess");
    let began = Instant::now();
    let answer = eve.asks(operation, variables).await;
    assert!(answer.wait().is_some());
    began.elapsed().as_secs_f64()
}

#[tokio::test]
async fn a_stranger_at_a_paused_account_is_refused_as_slowly_as_at_none() {
    let settings = &[("RATE_LIMIT", "on"), ("TRUSTED_PROXIES", "127.0.0.1/32")];
    let app = TestApp::start_with(settings).await;
    let known = app.employee("known").await;
    // An account that is at home at as many places as may be.
    for number in 0..49 {
        let home = known.at_address(&format!("2001:db8:{number:x}:2::1"));
        home.on_another_device().logs_in().await.succeeds();
    }
    let mut number = 0;
    for login in ["known", "nobody"] {
        for _ in 0..10 {
            number += 1;
            let eve = app
                .stranger("eve")
                .at_address(&format!("2001:db8:{number:x}:3::1"));
            took(&eve, &log_in(login, "a wrong guess")).await;
        }
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for turn in 0..200 {
        // Each side begins as often as it comes second.
        let mut sides = [("known", &mut first), ("nobody", &mut second)];
        if turn % 2 == 1 {
            sides.reverse();
        }
        for (login, times) in sides {
            number += 1;
            times.push(took_to_be_held_up(&app, number, login).await);
        }
    }
    // Chance alone, with so many samples, stays within this in all but one run of a thousand.
    let area = area(&first, &second);
    println!("{area:.3}");
    assert!((0.4..=0.6).contains(&area), "{area:.3}");
}

#[tokio::test]
async fn a_link_is_promised_as_slowly_whether_or_not_there_is_anybody_to_mail() {
    let (app, asker) = app().await;
    app.leaves_jobs();
    let (known, unknown) = (reset("known@example.com"), reset("nobody@example.com"));
    cannot_be_told_apart(&asker, &known, &unknown).await;
}

/// What is found of two sides whose times are chance, but for this difference.
fn found(generator: &Generator, difference: f64) -> Option<Finding> {
    let chance = |late: f64| {
        let [high, low, ..] = generator.bytes::<4>().map(f64::from);
        late + (high * 256.0 + low) / 65_536.0
    };
    let mut evidence = Evidence::default();
    (0..ROUNDS_MAX).find_map(|_| {
        let first: Vec<f64> = (0..SAMPLES).map(|_| chance(difference)).collect();
        let second: Vec<f64> = (0..SAMPLES).map(|_| chance(0.0)).collect();
        evidence.hear(area(&first, &second))
    })
}

#[test]
fn a_difference_is_overlooked_once_in_a_hundred_times() {
    let generator = Generator::seeded(1);
    let count = |difference: f64, wanted: Finding| {
        let findings = (0..300).map(|_| found(&generator, difference));
        findings.filter(|finding| *finding == Some(wanted)).count()
    };
    // Of times that are spread evenly, with so much between them, the area is 0.58.
    let slower = 1.0 - (2.0 * (0.5 - SLOWER)).sqrt();
    for difference in [slower, -slower] {
        let overlooked = count(difference, Finding::Same);
        assert!(overlooked <= 6, "{overlooked} of 300");
    }
    let right = count(0.0, Finding::Same);
    assert!(right >= 299, "{right} of 300");
}
