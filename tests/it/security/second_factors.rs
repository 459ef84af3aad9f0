//! A second factor holds against whoever has the password, the database, or
//! somebody else's phone.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::program::House;
use crate::support::{
    Authenticator, DISABLE_SECOND_FACTOR, PASSWORD, Person, REGENERATE_RECOVERY_CODES, TestApp,
    UPDATE_USER,
};

const STEP: TimeDelta = TimeDelta::seconds(30);
/// What every test signs by, and what comes after it.
const OLD: &str = "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4";
const NEW: &str = "9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG_f";

async fn is_refused(person: &Person, code: &str) {
    let answer = person.on_another_device().logs_in_with(code).await;
    answer.refused_for(&["input.code INVALID_CODE"]);
}

#[tokio::test]
async fn only_the_right_password_of_an_open_account_learns_of_a_second_factor() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    app.clock.advance(STEP);
    let guesser = nico.on_another_device().with_password("not this one");
    for answer in [
        guesser.logs_in().await,
        guesser.logs_in_with(&authenticator.code()).await,
        guesser.logs_in_with(&authenticator.recovery_codes[0]).await,
    ] {
        answer.refused_for(&["INVALID_CREDENTIALS"]);
    }
    let input = json!({ "userId": nico.id(), "active": false });
    ada.asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();
    let answer = nico.logs_in_with(&authenticator.code()).await;
    answer.refused_for(&["DEACTIVATED"]);
    // None of these used a code up.
    let input = json!({ "userId": nico.id(), "active": true });
    ada.asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();
    nico.logs_in_with(&authenticator.code()).await.succeeds();
    nico.logs_in_with(&authenticator.recovery_codes[0])
        .await
        .succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn one_persons_codes_do_not_open_anothers_account() {
    let app = TestApp::start().await;
    let (eve, zoe) = (app.employee("eve").await, app.employee("zoe").await);
    let of_eve = Authenticator::set_up(&eve, &app.clock).await;
    let of_zoe = Authenticator::set_up(&zoe, &app.clock).await;
    app.clock.advance(STEP);
    is_refused(&zoe, &of_eve.code()).await;
    is_refused(&zoe, &of_eve.recovery_codes[0]).await;
    for operation in [DISABLE_SECOND_FACTOR, REGENERATE_RECOVERY_CODES] {
        let input = json!({ "currentPassword": PASSWORD, "code": of_eve.recovery_codes[0] });
        let answer = zoe.asks(operation, json!({ "input": input })).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
    }
    // They are as good as before where they belong.
    eve.logs_in_with(&of_eve.recovery_codes[0]).await.succeeds();
    zoe.logs_in_with(&of_zoe.code()).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_secret_that_is_copied_to_another_row_does_not_decrypt() {
    let app = TestApp::start().await;
    let (eve, zoe) = (app.employee("eve").await, app.employee("zoe").await);
    let of_eve = Authenticator::set_up(&eve, &app.clock).await;
    let of_zoe = Authenticator::set_up(&zoe, &app.clock).await;
    app.sql(
        "UPDATE second_factors SET secret = (SELECT secret FROM second_factors JOIN users \
         ON users.id = user_id WHERE username = 'eve') \
         WHERE user_id = (SELECT id FROM users WHERE username = 'zoe')",
    )
    .await;
    app.clock.advance(STEP);
    is_refused(&zoe, &of_eve.code()).await;
    is_refused(&zoe, &of_zoe.code()).await;
    // The way back in for whom it happened to.
    zoe.logs_in_with(&of_zoe.recovery_codes[0]).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn the_database_holds_neither_secrets_nor_codes_in_clear() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let authenticator = Authenticator::set_up(&eve, &app.clock).await;
    eve.logs_in_with(&authenticator.recovery_codes[0])
        .await
        .succeeds();
    app.runs_all_jobs().await;
    let bytes = app.database().everything().await;
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(b"second-factor-changed"), "nothing was read");
    let secret = base32::Alphabet::Rfc4648 { padding: false };
    let secret = base32::decode(secret, &authenticator.secret).unwrap();
    assert!(!holds(&secret));
    assert!(!holds(authenticator.secret.as_bytes()));
    for code in &authenticator.recovery_codes {
        assert!(!holds(code.as_bytes()) && !holds(code.replace('-', "").as_bytes()));
    }
}

#[tokio::test]
async fn the_log_holds_neither_secrets_nor_codes() {
    let house = House::new().with("LOG", "debug");
    let server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    let authenticator = Authenticator::set_up(&ada, &muster::clock::Clock::system()).await;
    let code = authenticator.code_in(STEP);
    ada.logs_in_with(&code).await.succeeds();
    ada.logs_in_with(&code).await.refused_with("INVALID_CODE");
    let recovery_code = &authenticator.recovery_codes[0];
    ada.logs_in_with(recovery_code).await.succeeds();
    let log = server.log();
    assert!(log.contains("a recovery code was used"), "{log}");
    for secret in [&authenticator.secret, recovery_code, &code] {
        assert!(!log.contains(secret.as_str()), "{secret} is in {log}");
    }
}

#[tokio::test]
async fn a_change_of_the_signing_secret_loses_nobodys_second_factor() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let authenticator = Authenticator::set_up(&eve, &app.clock).await;
    app.runs_all_jobs().await;
    let keys = "SELECT DISTINCT key_id FROM second_factors";
    let old_keys = app.database().reads(keys).await;

    // Both are listed: what the old one encrypted is read, and encrypted anew.
    let rotated = [("JWT_SECRET", NEW), ("JWT_PREVIOUS_SECRETS", OLD)];
    let between = app.restarts_with(&rotated).await;
    app.clock.advance(STEP);
    let here = eve.at(&between);
    here.logs_in_with(&authenticator.code()).await.succeeds();
    between.encrypts_anew().await;
    let new_keys = app.database().reads(keys).await;
    assert_eq!(new_keys.len(), 1);
    assert_ne!(new_keys, old_keys);

    // The old one is forgotten.
    let after = app.restarts_with(&[("JWT_SECRET", NEW)]).await;
    app.clock.advance(STEP);
    let here = eve.at(&after);
    here.logs_in_with(&authenticator.code()).await.succeeds();
    // A process that was not restarted yet reads only what it has a secret for.
    app.clock.advance(STEP);
    is_refused(&eve, &authenticator.code()).await;
}

#[tokio::test]
async fn without_the_signing_secret_recovery_codes_are_the_way_back() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let authenticator = Authenticator::set_up(&eve, &app.clock).await;
    app.runs_all_jobs().await;
    let after = app.restarts_with(&[("JWT_SECRET", NEW)]).await;
    after.encrypts_anew().await;
    app.clock.advance(STEP);
    let here = eve.at(&after);
    is_refused(&here, &authenticator.code()).await;
    let [first, second, ..] = authenticator.recovery_codes.as_slice() else {
        panic!("no codes");
    };
    here.logs_in_with(first).await.succeeds();
    let input = json!({ "currentPassword": PASSWORD, "code": second });
    here.asks(DISABLE_SECOND_FACTOR, json!({ "input": input }))
        .await
        .succeeds();
    let new = Authenticator::set_up(&here, &app.clock).await;
    app.clock.advance(STEP);
    here.logs_in_with(&new.code()).await.succeeds();
    after.runs_all_jobs().await;
}
