//! Guessing at one account, from however many places: it gets slower and slower,
//! it tells nothing of whether there is such an account, and it does not keep the
//! owner out.

use chrono::TimeDelta;
use muster::limit::{Limit, Subject};
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, Answer, Authenticator, CHANGE_PASSWORD, CONFIRM_SECOND_FACTOR,
    DISABLE_SECOND_FACTOR, LOG_IN, PASSWORD, Person, SERVER, TestApp, UPDATE_USER, VIEWER,
};

async fn start() -> TestApp {
    let settings = &[("RATE_LIMIT", "on"), ("TRUSTED_PROXIES", "127.0.0.1/32")];
    TestApp::start_with(settings).await
}

/// An attacker who is never twice at the same place.
struct Botnet {
    eve: Person,
    number: u32,
}

impl Botnet {
    fn of(app: &TestApp) -> Self {
        Self {
            eve: app.stranger("eve"),
            number: 0,
        }
    }

    async fn guesses_at(&mut self, login: &str) -> Answer {
        self.number += 1;
        let address = format!("2001:db8:{:x}:1::1", self.number);
        let input = json!({ "login": login, "password": "a wrong guess" });
        let bot = self.eve.at_address(&address);
        bot.asks(LOG_IN, json!({ "input": input })).await
    }

    /// Until there is a pause.
    async fn spoils(&mut self, login: &str) {
        while self.guesses_at(login).await.code().is_none() {}
    }
}

#[tokio::test]
async fn pauses_grow_and_known_and_unknown_accounts_behave_alike() {
    let app = start().await;
    app.admin("ada").await;
    let mut botnet = Botnet::of(&app);
    let mut pauses = Vec::new();
    let mut guesses = 0;
    while pauses.last() != Some(&86_400) {
        let mut seen = Vec::new();
        for login in ["ada", "nobody"] {
            let before = app.statements();
            let answer = botnet.guesses_at(login).await;
            let statements = app.statements() - before;
            // Everything that an attacker sees, the request's own number apart.
            seen.push((answer.http_status(), answer.text().to_owned(), statements));
            if login == "nobody" {
                assert_eq!(seen[0], seen[1]);
                match answer.wait() {
                    Some(seconds) => {
                        pauses.push(seconds);
                        app.clock.advance(TimeDelta::seconds(seconds));
                    }
                    None => guesses += 1,
                }
            }
        }
    }
    assert_eq!(guesses, 50);
    let growing = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
    assert_eq!(pauses[..10], growing);
    assert_eq!(pauses[10..40], [900; 30]);
    assert_eq!(pauses[40..], [86_400]);
    // After the day it begins anew.
    assert_eq!(botnet.guesses_at("ada").await.wait(), None);
}

#[tokio::test]
async fn strangers_do_not_lock_the_owner_out() {
    let app = start().await;
    let ada = app.admin("ada").await.at_address("203.0.113.7");
    ada.logs_in().await.succeeds();
    let mut botnet = Botnet::of(&app);
    for _ in 0..12 {
        botnet.spoils("ada").await;
        botnet.spoils("ada@example.com").await;
        app.clock.advance(TimeDelta::minutes(9));
        botnet.spoils("ada").await;
        botnet.spoils("ada@example.com").await;
        // What is open stays open.
        ada.asks(VIEWER, json!({})).await.succeeds();
        ada.refreshes().await.succeeds();
        // Where the account is at home, its password opens it; that costs the strangers nothing
        // but their pauses, so they go on.
        ada.on_another_device().logs_in().await.succeeds();
    }
    botnet.spoils("ada").await;
    // A source that the account does not know waits like any stranger, the right password or not.
    let new_place = ada.on_another_device().at_address("203.0.113.99");
    assert!(new_place.logs_in().await.wait().is_some());
    // Until the owner shows by mail who they are.
    new_place.forgets_password().await;
    app.runs_all_jobs().await;
    let token = ada.inbox().last().reset_token();
    let new_password = "quiet Harbour 91 lanterns";
    let answer = new_place.tries_to_reset(&token, new_password).await;
    answer.succeeds();
    let new_place = new_place.with_password(new_password);
    new_place.logs_in().await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_known_source_is_held_to_its_own_failures() {
    let app = start().await;
    let ada = app.admin("ada").await.at_address("203.0.113.7");
    ada.logs_in().await.succeeds();
    let mut botnet = Botnet::of(&app);
    botnet.spoils("ada").await;
    // Whoever guesses there gets no more guesses than elsewhere.
    let here = ada.on_another_device().with_password("a wrong guess");
    for _ in 0..3 {
        here.logs_in().await.refused_with("INVALID_CREDENTIALS");
    }
    app.clock.advance(TimeDelta::minutes(1));
    botnet.spoils("ada").await;
    here.logs_in().await.refused_with("INVALID_CREDENTIALS");
    here.logs_in().await.refused_with("INVALID_CREDENTIALS");
    assert_eq!(here.logs_in().await.wait(), Some(1));
    app.clock.advance(TimeDelta::seconds(1));
    botnet.spoils("ada").await;
    here.logs_in().await.refused_with("INVALID_CREDENTIALS");
    assert_eq!(here.logs_in().await.wait(), Some(2));
    // A session that has ended makes no place known.
    app.clock.advance(TimeDelta::days(100));
    botnet.spoils("ada").await;
    assert!(ada.on_another_device().logs_in().await.wait().is_some());
}

#[tokio::test]
async fn a_right_password_forgets_the_wrong_ones() {
    let app = start().await;
    app.admin("ada").await;
    let mut botnet = Botnet::of(&app);
    let ada = app.stranger("ada").at_address("203.0.113.7");
    for _ in 0..3 {
        for login in ["ada", "ada@example.com"] {
            for _ in 0..9 {
                assert_eq!(botnet.guesses_at(login).await.wait(), None);
            }
        }
        // By either name.
        ada.logs_in().await.succeeds();
    }
    // Somebody who waits for a decision has shown who they are as well.
    let nico = app.stranger("nico").at_address("203.0.113.8");
    nico.signs_up().await;
    app.leaves_jobs();
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(botnet.guesses_at("nico").await.wait(), None);
        }
        nico.logs_in().await.refused_with("NOT_APPROVED");
    }
}

#[tokio::test]
async fn the_mass_of_all_log_ins_is_bounded_and_does_not_keep_people_at_home_out() {
    let app = start().await;
    let ada = app.admin("ada").await.at_address("203.0.113.7");
    ada.logs_in().await.succeeds();
    let all = [(Limit::LogInByStrangers, Subject::Everybody)];
    while app.cx.limiter.take(all).await.is_ok() {}
    let elsewhere = ada.on_another_device().at_address("203.0.113.99");
    assert_eq!(elsewhere.logs_in().await.wait(), Some(1));
    ada.logs_in().await.succeeds();
    elsewhere.asks(SERVER, json!({})).await.succeeds();
    app.clock.advance(TimeDelta::milliseconds(50));
    elsewhere.logs_in().await.succeeds();
}

#[tokio::test]
async fn an_outage_is_no_wrong_guess() {
    let app = start().await;
    app.admin("ada").await;
    let all = [(Limit::LogInByStrangers, Subject::Everybody)];
    while app.cx.limiter.take(all).await.is_ok() {}
    // Now it matters where the account is at home, and that cannot be read.
    app.executes("ALTER TABLE sessions RENAME TO elsewhere")
        .await;
    let mut botnet = Botnet::of(&app);
    for _ in 0..20 {
        let code = botnet.guesses_at("ada").await.code();
        assert!(code.is_some_and(|code| code != "RATE_LIMITED"));
    }
    app.executes("ALTER TABLE elsewhere RENAME TO sessions")
        .await;
    app.clock.advance(TimeDelta::milliseconds(50));
    let answer = botnet.guesses_at("ada").await;
    answer.refused_with("INVALID_CREDENTIALS");
}

#[tokio::test]
async fn whoever_found_an_open_session_cannot_guess_its_password() {
    let app = start().await;
    let ada = app.admin("ada").await;
    let guess = async |current: &str, new: &str| {
        let input = json!({ "currentPassword": current, "newPassword": new });
        ada.asks(CHANGE_PASSWORD, json!({ "input": input })).await
    };
    for _ in 0..5 {
        let answer = guess("a wrong guess", "quiet Harbour 91 lanterns").await;
        answer.refused_with("INVALID_CREDENTIALS");
    }
    let answer = guess(PASSWORD, "quiet Harbour 91 lanterns").await;
    assert_eq!(answer.wait(), Some(1));
    app.clock.advance(TimeDelta::seconds(1));
    let answer = guess("a wrong guess", "quiet Harbour 91 lanterns").await;
    answer.refused_with("INVALID_CREDENTIALS");
    let answer = guess("a wrong guess", "quiet Harbour 91 lanterns").await;
    assert_eq!(answer.wait(), Some(2));
    app.clock.advance(TimeDelta::minutes(1));
    let answer = guess(PASSWORD, "quiet Harbour 91 lanterns").await;
    answer.succeeds();
    app.leaves_jobs();
}

#[tokio::test]
async fn whoever_found_an_admins_session_cannot_guess_the_password_by_their_address() {
    let app = start().await;
    let ada = app.admin("ada").await;
    let update = async |changes: Value| {
        let mut input = changes;
        input["userId"] = json!(ada.id());
        ada.asks(UPDATE_USER, json!({ "input": input })).await
    };
    let guess = json!({ "email": "thief@example.com", "currentPassword": "a wrong guess" });
    for _ in 0..4 {
        let answer = update(guess.clone()).await;
        answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
    }
    // What needs no password proves none, and makes nothing be forgotten.
    let harmless = json!({ "firstName": "Ada", "currentPassword": "a wrong guess" });
    update(harmless).await.succeeds();
    update(guess.clone())
        .await
        .refused_with("INVALID_CREDENTIALS");
    assert_eq!(update(guess).await.wait(), Some(1));
    app.leaves_jobs();
}

#[tokio::test]
async fn whoever_has_the_password_cannot_guess_the_code() {
    let app = start().await;
    let ada = app.admin("ada").await;
    Authenticator::set_up(&ada, &app.clock).await;
    let thief = ada.on_another_device();
    // From ever new places.
    let mut place = 0;
    let mut guess = async |code: Option<&str>| {
        place += 1;
        let thief = thief.at_address(&format!("203.0.113.{place}"));
        match code {
            Some(code) => thief.logs_in_with(code).await,
            None => thief.logs_in().await,
        }
    };
    for _ in 0..10 {
        let answer = guess(Some("000000")).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
        // The password is half of what it takes, and makes nothing be forgotten.
        guess(None).await.refused_with("SECOND_FACTOR_REQUIRED");
    }
    assert_eq!(guess(Some("000000")).await.wait(), Some(1));
    // What was left blank is no guess, and is asked for as if it were not there.
    let blank = guess(Some(" ")).await;
    blank.refused_with("SECOND_FACTOR_REQUIRED");
    // Nor is anything forgotten in a session that was found open, or by a new password.
    let stolen = ada.at_address("203.0.113.200");
    let wrong_code =
        |password: &str| json!({ "input": { "currentPassword": password, "code": "000000" } });
    let answer = stolen
        .asks(DISABLE_SECOND_FACTOR, wrong_code(PASSWORD))
        .await;
    assert_eq!(answer.wait(), Some(1));
    let new_password = "quiet Harbour 91 lanterns";
    let input = json!({ "currentPassword": PASSWORD, "newPassword": new_password });
    let answer = stolen
        .asks(CHANGE_PASSWORD, json!({ "input": input }))
        .await;
    answer.succeeds();
    let answer = stolen
        .asks(DISABLE_SECOND_FACTOR, wrong_code(new_password))
        .await;
    assert_eq!(answer.wait(), Some(1));
    app.leaves_jobs();
}

#[tokio::test]
async fn guesses_at_the_code_do_not_lock_the_owner_out() {
    let app = start().await;
    let ada = app.admin("ada").await.at_address("203.0.113.7");
    ada.logs_in().await.succeeds();
    let phone = Authenticator::set_up(&ada, &app.clock).await;
    let thief = ada.on_another_device();
    let mut place = 0;
    let mut spoils = async || loop {
        place += 1;
        let thief = thief.at_address(&format!("2001:db8:{place:x}:1::1"));
        let answer = thief.logs_in_with("000000").await;
        if answer.code().is_some() {
            assert!(answer.wait().is_some());
            break;
        }
        answer.refused_for(&["input.code INVALID_CODE"]);
    };
    for _ in 0..5 {
        app.clock.advance(TimeDelta::minutes(15));
        spoils().await;
        // Where the account is at home, the app opens it, and is held to the owner's own mistakes.
        let at_home = ada.on_another_device();
        let answer = at_home.logs_in_with("000000").await;
        answer.refused_for(&["input.code INVALID_CODE"]);
        at_home.logs_in_with(&phone.code()).await.succeeds();
        // At a new place the app has to wait, and a recovery code has not.
        spoils().await;
        let new_place = ada.on_another_device().at_address("198.51.100.1");
        assert!(new_place.logs_in_with(&phone.code()).await.wait().is_some());
    }
    let new_place = ada.on_another_device().at_address("198.51.100.2");
    let code = &phone.recovery_codes[0];
    new_place.logs_in_with(code).await.succeeds();
    app.leaves_jobs();
}

#[tokio::test]
async fn whoever_found_an_open_session_keeps_nobody_from_logging_in_by_wrong_codes() {
    let app = start().await;
    let nico = app.employee("nico").await;
    // As long as nothing waits to be confirmed, nothing is guessed at.
    let confirm = json!({ "input": { "code": "000000" } });
    for _ in 0..8 {
        let answer = nico.asks(CONFIRM_SECOND_FACTOR, confirm.clone()).await;
        answer.refused_for(&["NOT_ALLOWED"]);
    }
    Authenticator::of(&nico, &app.clock).await;
    app.clock.advance(TimeDelta::minutes(1));
    for guesses in 1..=12 {
        let answer = nico.asks(CONFIRM_SECOND_FACTOR, confirm.clone()).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
        if guesses >= 5 {
            let answer = nico.asks(CONFIRM_SECOND_FACTOR, confirm.clone()).await;
            assert_eq!(answer.wait(), Some(1 << (guesses - 5)));
            app.clock.advance(TimeDelta::seconds(1 << (guesses - 5)));
            // What may be tried at all has filled up again.
            app.clock.advance(TimeDelta::minutes(1));
        }
    }
    let elsewhere = nico.on_another_device().at_address("203.0.113.99");
    for code in ["", "123456"] {
        elsewhere.logs_in_with(code).await.succeeds();
    }
}

#[tokio::test]
async fn whoever_reads_the_mail_cannot_guess_the_code() {
    let app = start().await;
    let ada = app.admin("ada").await;
    Authenticator::set_up(&ada, &app.clock).await;
    app.runs_all_jobs().await;
    let mut wrong = 0;
    for round in 0..3 {
        let password = format!("quiet Harbour 9{round} lanterns");
        ada.forgets_password().await;
        app.runs_all_jobs().await;
        let token = ada.inbox().latest("password-reset").reset_token();
        ada.tries_to_reset(&token, &password).await.succeeds();
        app.runs_all_jobs().await;
        let thief = ada.with_password(&password);
        loop {
            let place = format!("2001:db8:{wrong:x}:{round}::1");
            let answer = thief.at_address(&place).logs_in_with("000000").await;
            if answer.code().is_some() {
                assert!(answer.wait().is_some());
                break;
            }
            answer.refused_for(&["input.code INVALID_CODE"]);
            wrong += 1;
        }
    }
    // Each new password brought no new guesses.
    assert_eq!(wrong, 10);
}

#[tokio::test]
async fn whoever_has_the_password_cannot_fill_the_history_with_missing_codes() {
    let app = start().await;
    let ada = app.admin("ada").await;
    Authenticator::set_up(&ada, &app.clock).await;
    let thief = ada.on_another_device();
    let mut place = 0;
    let mut tries = async |count: u32| {
        for _ in 0..count {
            place += 1;
            let thief = thief.at_address(&format!("2001:db8:{place:x}:1::1"));
            thief.logs_in().await.refused_with("SECOND_FACTOR_REQUIRED");
        }
    };
    let told = async || {
        let input = json!({ "filter": { "kind": ["SECOND_FACTOR_ASKED"] } });
        let answer = ada.asks(ACCOUNT_EVENTS, input).await.succeeds();
        answer.data("accountEvents.totalCount")
    };
    tries(62).await;
    assert_eq!(told().await, 60);
    app.clock.advance(TimeDelta::minutes(1));
    tries(2).await;
    assert_eq!(told().await, 61);
    app.leaves_jobs();
}
