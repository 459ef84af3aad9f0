//! How long an answer takes tells nobody who is here. What the machine does beside
//! falls on both sides alike, since they take turns; and chance is given more
//! rounds, while a difference stays one.

use std::cmp::Ordering;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{LOG_IN, Operation, Person, REQUEST_PASSWORD_RESET, TestApp, UPDATE_USER};

/// Samples of a round, half of them of each side.
const SAMPLES: usize = 200;
const ROUNDS_MAX: usize = 8;
/// How often a guess by time alone may be right; one half is chance.
const BOUNDS: std::ops::RangeInclusive<f64> = 0.45..=0.55;

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

async fn round(asker: &Person, one: &Side, other: &Side) -> f64 {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for turn in 0..SAMPLES / 2 {
        // Each side begins as often as it comes second.
        if turn % 2 == 0 {
            first.push(took(asker, one).await);
            second.push(took(asker, other).await);
        } else {
            second.push(took(asker, other).await);
            first.push(took(asker, one).await);
        }
    }
    area(&first, &second)
}

/// Rounds are added until their mean is within bounds.
async fn cannot_be_told_apart(asker: &Person, one: &Side, other: &Side) {
    took(asker, one).await;
    took(asker, other).await;
    let mut sum = 0.0;
    let mut areas = Vec::new();
    for count in 1_u8.. {
        let area = round(asker, one, other).await;
        areas.push(area);
        sum += area;
        if BOUNDS.contains(&(sum / f64::from(count))) {
            println!("{} and {}: {areas:.3?}", one.1, other.1);
            return;
        }
        let goes_on = usize::from(count) < ROUNDS_MAX;
        assert!(goes_on, "{} and {}: {areas:.3?}", one.1, other.1);
    }
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

#[tokio::test]
async fn a_link_is_promised_as_slowly_whether_or_not_there_is_anybody_to_mail() {
    let (app, asker) = app().await;
    app.leaves_jobs();
    let (known, unknown) = (reset("known@example.com"), reset("nobody@example.com"));
    cannot_be_told_apart(&asker, &known, &unknown).await;
}

#[test]
fn what_is_slower_is_told_apart() {
    let fast: Vec<f64> = (0..100).map(f64::from).collect();
    let slow: Vec<f64> = fast.iter().map(|time| time + 40.0).collect();
    let (same, differs) = (area(&fast, &fast), area(&slow, &fast));
    assert!(BOUNDS.contains(&same) && differs > 0.8, "{same} {differs}");
}
