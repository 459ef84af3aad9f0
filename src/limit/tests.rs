//! The limiter of one process alone, by a clock that is moved. What Redis adds is
//! tested with a real one, in `tests/it/faults/redis.rs` and `tests/it/security/guessing.rs`.

use std::net::IpAddr;

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;

struct Trial {
    clock: Clock,
    metrics: Metrics,
    limiter: Limiter,
}

fn trial() -> Trial {
    let clock = Clock::fake("2026-01-05T12:00:00Z".parse().unwrap());
    let metrics = Metrics::default();
    let secret = Secret::new("qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4".into());
    Trial {
        limiter: Limiter::new(&secret, clock.clone(), None, metrics.clone()),
        metrics,
        clock,
    }
}

fn source(last: u8) -> Source {
    Source::of(Some(IpAddr::from([203, 0, 113, last])))
}

#[tokio::test]
async fn so_many_tries_pass_and_the_next_one_when_the_clock_has_gone_on() {
    let Trial { clock, limiter, .. } = trial();
    let try_once = || limiter.take([(Limit::LogInByAccount, Subject::Name("kate"))]);
    for _ in 0..5 {
        try_once().await.unwrap();
    }
    let refused = try_once().await.unwrap_err();
    assert_eq!(refused.limit, Limit::LogInByAccount);
    assert_eq!(refused.wait, Duration::from_secs(12));
    clock.advance(TimeDelta::milliseconds(11_999));
    assert!(try_once().await.is_err());
    clock.advance(TimeDelta::milliseconds(1));
    assert!(try_once().await.is_ok());
}

#[tokio::test]
async fn whoever_is_refused_is_told_how_long_to_wait_and_the_operator_which_limit_it_was() {
    let trial = trial();
    let refused = Refused {
        limit: Limit::SignUp,
        wait: Duration::from_mins(6),
    };
    let told = trial.limiter.refuse(refused);
    let Error::RateLimited { retry_after } = told else {
        panic!("{told:?}");
    };
    assert_eq!(retry_after, refused.wait);
    let metrics = trial.metrics.text();
    assert!(
        metrics.contains(r#"muster_rate_limited_total{limit="sign_up"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn tries_count_for_their_own_subject_and_limit_only() {
    let (one, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
    let subjects = [
        Subject::Everybody,
        Subject::Source(source(1)),
        Subject::Source(source(2)),
        Subject::Source(Source::of(None)),
        Subject::User(one),
        Subject::User(other),
        Subject::CodeOf(one),
        Subject::CodeOf(other),
        Subject::CodeFrom(one, source(1)),
        Subject::CodeFrom(one, source(2)),
        Subject::CodeFrom(other, source(1)),
        Subject::NewCodeOf(one),
        Subject::NewCodeOf(other),
        Subject::Name("kate"),
        Subject::Name("liam"),
        Subject::NameFrom("kate", source(1)),
        Subject::NameFrom("kate", source(2)),
        Subject::NameFrom("liam", source(1)),
    ];
    let limiter = trial().limiter;
    for limit in [Limit::ResetPassword, Limit::ConfirmEmail] {
        for subject in subjects {
            for _ in 0..10 {
                let taken = limiter.take([(limit, subject)]).await;
                taken.unwrap_or_else(|refused| panic!("{subject:?}: {refused:?}"));
            }
            assert!(limiter.take([(limit, subject)]).await.is_err());
        }
    }
}

#[tokio::test]
async fn guesses_in_a_row_make_one_wait_until_they_are_taken_back_or_forgotten() {
    let Trial { clock, limiter, .. } = trial();
    let guess = limiter.guess(
        Subject::NameFrom("kate", source(1)),
        Some(Subject::Name("kate")),
    );
    for _ in 0..5 {
        limiter.start(&guess, false).await.unwrap();
    }
    let paused = limiter.start(&guess, false).await.unwrap_err();
    assert_eq!(paused, Paused::here(Duration::from_secs(1)));
    assert!(!paused.is_for_strangers());
    clock.advance(TimeDelta::seconds(1));
    // Nobody came to judge this one, so the one after it need not wait for it.
    limiter.start(&guess, false).await.unwrap();
    limiter.take_back(&guess).await;
    limiter.start(&guess, false).await.unwrap();
    let paused = limiter.start(&guess, false).await.unwrap_err();
    assert_eq!(paused, Paused::here(Duration::from_secs(2)));
    limiter.forget(&[guess]).await;
    limiter.start(&guess, false).await.unwrap();
}

#[tokio::test]
async fn guesses_from_everywhere_at_one_account_pause_strangers_and_no_other_account() {
    let limiter = trial().limiter;
    let at = |name: &'static str, last| {
        limiter.guess(
            Subject::NameFrom(name, source(last)),
            Some(Subject::Name(name)),
        )
    };
    for last in 0..10 {
        limiter.start(&at("kate", last), false).await.unwrap();
    }
    let paused = limiter.start(&at("kate", 77), false).await.unwrap_err();
    assert_eq!(paused, Paused::everywhere(Duration::from_secs(1)));
    assert!(paused.is_for_strangers());
    limiter.start(&at("kate", 77), true).await.unwrap();
    limiter.start(&at("liam", 77), false).await.unwrap();
    // The owner's code is not what strangers guess at with her name.
    let code = limiter.guess(Subject::CodeOf(UserId(Uuid::from_u128(1))), None);
    for _ in 0..5 {
        limiter.start(&code, false).await.unwrap();
    }
    assert!(limiter.start(&code, false).await.is_err());
}

#[tokio::test]
async fn a_limiter_that_is_off_allows_everything() {
    let limiter = Limiter::off();
    let guess = limiter.guess(Subject::Everybody, None);
    for _ in 0..10_000 {
        let taken = limiter.take([(Limit::SignUp, Subject::Everybody)]).await;
        assert!(taken.is_ok());
        assert!(limiter.start(&guess, false).await.is_ok());
    }
}
