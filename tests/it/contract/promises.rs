//! `docs/security.md` names the tests that attack each promise. A promise whose
//! test is gone is a claim.

use crate::support::repository::{read, root};

/// Of the list of requirements, and besides it.
const PROMISES: u32 = 66;
const PROMISES_BESIDES: u32 = 8;

struct Promise {
    number: String,
    /// What stands between backticks in the column of tests.
    tests: Vec<String>,
    trade_off: String,
}

fn promises() -> Vec<Promise> {
    let document = read("docs/security.md");
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, _, tests, trade_off, ""] = cells[..] else {
            return None;
        };
        let tests = tests.split('`').skip(1).step_by(2);
        Some(Promise {
            number: Some(number)
                .filter(|number| number.ends_with(|digit: char| digit.is_ascii_digit()))?
                .to_owned(),
            tests: tests.map(str::to_owned).collect(),
            trade_off: trade_off.to_owned(),
        })
    });
    rows.collect()
}

/// Whether the file is there, and has a test of this name.
fn exists(test: &str) -> bool {
    let (path, name) = test.split_once("::").unwrap_or((test, ""));
    if !root().join(path).is_file() {
        return false;
    }
    let source = read(path);
    let mut lines = source.lines();
    name.is_empty()
        || lines.any(|line| {
            let line = line.trim_start().trim_start_matches("async ");
            let rest = line.strip_prefix("fn ");
            rest.is_some_and(|rest| rest.starts_with(&format!("{name}()")))
        })
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let promises = promises();
    let tests: Vec<&String> = promises.iter().flat_map(|promise| &promise.tests).collect();
    assert!(tests.len() > 100, "{} tests were found", tests.len());
    let missing: Vec<_> = tests.iter().filter(|test| !exists(test)).collect();
    assert!(missing.is_empty(), "not there: {missing:#?}");
}

#[test]
fn every_promise_is_attacked_or_says_why_it_is_not() {
    let promises = promises();
    let numbers: Vec<&str> = promises.iter().map(|p| p.number.as_str()).collect();
    let listed = (1..=PROMISES).map(|number| number.to_string());
    let besides = (1..=PROMISES_BESIDES).map(|number| format!("B{number}"));
    assert_eq!(numbers, listed.chain(besides).collect::<Vec<_>>());
    for promise in promises {
        let is_held = !promise.tests.is_empty() || !promise.trade_off.is_empty();
        assert!(is_held, "{}", promise.number);
    }
}
