//! An authenticator app besides the password, and recovery codes for whoever has
//! lost it.

use chrono::TimeDelta;
use muster::event::Event;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, Answer, Authenticator, CONFIRM_SECOND_FACTOR, DISABLE_SECOND_FACTOR, PASSWORD,
    Person, REGENERATE_RECOVERY_CODES, RESET_SECOND_FACTOR, START_SECOND_FACTOR, TestApp,
};

const STEP: TimeDelta = TimeDelta::seconds(30);

async fn starts(person: &Person, password: &str) -> Answer {
    let input = json!({ "input": { "currentPassword": password } });
    person.asks(START_SECOND_FACTOR, input).await
}

async fn confirms(person: &Person, code: &str) -> Answer {
    let input = json!({ "input": { "code": code } });
    person.asks(CONFIRM_SECOND_FACTOR, input).await
}

async fn disables(person: &Person, password: &str, code: &str) -> Answer {
    let input = json!({ "currentPassword": password, "code": code });
    person
        .asks(DISABLE_SECOND_FACTOR, json!({ "input": input }))
        .await
}

async fn regenerates(person: &Person, password: &str, code: &str) -> Answer {
    let input = json!({ "currentPassword": password, "code": code });
    person
        .asks(REGENERATE_RECOVERY_CODES, json!({ "input": input }))
        .await
}

async fn resets(admin: &Person, user: &Person) -> Answer {
    let input = json!({ "input": { "userId": user.id() } });
    admin.asks(RESET_SECOND_FACTOR, input).await
}

/// What this person sees of that one's second factor.
async fn seen(by: &Person, of: &Person) -> Value {
    let query = "query ($id: ID!) { user(id: $id) { secondFactor { enabled enabledAt recoveryCodesLeft required } } }";
    let answer = by.sends(query, json!({ "id": of.id() })).await;
    answer.succeeds().data("user.secondFactor")
}

#[tokio::test]
async fn logging_in_takes_a_code_from_the_first_one_on() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let phone = nico.on_another_device();
    phone.logs_in().await.succeeds();

    let authenticator = Authenticator::of(&nico, &app.clock).await;
    assert_eq!(authenticator.secret.len(), 32, "160 bits in base32");
    // Nothing has changed so far.
    nico.on_another_device().logs_in().await.succeeds();
    let answer = confirms(&nico, &authenticator.code()).await.succeeds();
    assert_eq!(
        answer.data("confirmSecondFactor.user.secondFactor"),
        json!({ "enabled": true, "enabledAt": app.in_(TimeDelta::zero()), "recoveryCodesLeft": 10, "required": false })
    );

    // What the password alone has opened is closed, but for the session at hand.
    assert!(nico.is_signed_in().await);
    assert!(!phone.is_signed_in().await);
    for nothing in [None, Some(""), Some(" ")] {
        let answer = match nothing {
            None => phone.logs_in().await,
            Some(code) => phone.logs_in_with(code).await,
        };
        answer.refused_for(&["SECOND_FACTOR_REQUIRED"]);
    }
    assert!(!phone.is_signed_in().await);
    app.clock.advance(STEP);
    phone.logs_in_with(&authenticator.code()).await.succeeds();
    assert!(phone.is_signed_in().await);
    app.runs_all_jobs().await;
    let mail = nico.inbox().latest("second-factor-changed");
    assert_eq!(mail.subject, "Your Muster account has a second factor now");
}

#[tokio::test]
async fn a_code_is_good_once_and_no_earlier_one_after_it() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    let refused = async |code: &str| {
        let answer = nico.on_another_device().logs_in_with(code).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
    };
    // The one that it was confirmed by.
    refused(&authenticator.code()).await;
    app.clock.advance(STEP);
    let earlier = authenticator.code();
    let later = authenticator.code_in(STEP);
    nico.logs_in_with(&later).await.succeeds();
    for code in [&later, &earlier] {
        refused(code).await;
    }
    app.clock.advance(STEP * 2);
    let last = authenticator.code();
    nico.logs_in_with(&last).await.succeeds();
    app.runs_all_jobs().await;
    // Also when the server's clock is set back: what was used stays used.
    app.clock.advance(-STEP * 4);
    for code in [&last, &authenticator.code()] {
        refused(code).await;
    }
}

#[tokio::test]
async fn a_phone_whose_clock_is_half_a_minute_off_still_works() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    app.clock.advance(TimeDelta::minutes(10));
    for (off, good) in [(-2, false), (2, false), (-1, true), (0, true), (1, true)] {
        let answer = nico.logs_in_with(&authenticator.code_in(STEP * off)).await;
        assert_eq!(answer.user_errors().is_empty(), good, "{off} steps");
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn codes_are_typed_with_spaces_and_in_either_case() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    app.clock.advance(STEP);
    let code = authenticator.code();
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    nico.logs_in_with(&spaced).await.succeeds();
    let [first, second, ..] = authenticator.recovery_codes.as_slice() else {
        panic!("no codes");
    };
    let first = first.replace('-', " ").to_lowercase();
    nico.logs_in_with(&first).await.succeeds();
    nico.logs_in_with(&second.replace('-', "")).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_app_once_and_is_told() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    assert_eq!(authenticator.recovery_codes.len(), 10);
    for (number, code) in authenticator.recovery_codes.iter().enumerate() {
        let mut events = app.cx.events.subscribe();
        nico.logs_in_with(code).await.succeeds();
        // The mail that tells of it need not wait for anybody to look.
        assert_eq!(events.try_recv(), Ok(Event::JobsDue));
        let again = nico.on_another_device().logs_in_with(code).await;
        again.refused_for(&["input.code INVALID_CODE"]);
        let left = seen(&nico, &nico).await["recoveryCodesLeft"].clone();
        assert_eq!(left, 9 - number);
    }
    app.runs_all_jobs().await;
    assert_eq!(nico.inbox().count("second-factor-changed"), 11);
    let last = nico
        .inbox()
        .all()
        .iter()
        .find(|mail| mail.text.contains("the last one"))
        .cloned();
    assert_eq!(
        last.unwrap().subject,
        "A recovery code of your Muster account was used"
    );

    let filter = json!({ "filter": { "userId": nico.id(), "kind": ["RECOVERY_CODE_USED", "SECOND_FACTOR_FAILED"] } });
    let answer = ada.asks(ACCOUNT_EVENTS, filter).await.succeeds();
    assert_eq!(answer.data("accountEvents.totalCount"), 20);
    // The app goes on.
    app.clock.advance(STEP);
    nico.logs_in_with(&authenticator.code()).await.succeeds();
}

#[tokio::test]
async fn new_recovery_codes_make_the_earlier_ones_void() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    let used = &authenticator.recovery_codes[0];
    let answer = regenerates(&nico, "not this one", used).await;
    answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
    let answer = regenerates(&nico, PASSWORD, "000 000").await;
    answer.refused_for(&["input.code INVALID_CODE"]);
    let answer = regenerates(&nico, PASSWORD, used).await.succeeds();
    let new = answer.data("regenerateRecoveryCodes.recoveryCodes");
    assert_eq!(
        answer.data("regenerateRecoveryCodes.user.secondFactor.recoveryCodesLeft"),
        10
    );
    for code in &authenticator.recovery_codes {
        let answer = nico.on_another_device().logs_in_with(code).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
    }
    nico.logs_in_with(new[0].as_str().unwrap()).await.succeeds();
    app.runs_all_jobs().await;
    let mails = nico.inbox();
    let told = |subject: &str| mails.all().iter().any(|mail| mail.subject == subject);
    assert!(told("Your Muster account has new recovery codes"));
}

#[tokio::test]
async fn disabling_takes_the_password_and_a_code() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    disables(&nico, PASSWORD, "123456")
        .await
        .refused_for(&["NOT_ALLOWED"]);
    regenerates(&nico, PASSWORD, "123456")
        .await
        .refused_for(&["NOT_ALLOWED"]);
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    app.clock.advance(STEP);
    let code = authenticator.code();
    let answer = disables(&nico, "not this one", &code).await;
    answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
    let answer = disables(&nico, PASSWORD, &authenticator.code_in(STEP * 5)).await;
    answer.refused_for(&["input.code INVALID_CODE"]);
    let answer = disables(&nico, PASSWORD, &code).await.succeeds();
    assert_eq!(
        answer.data("disableSecondFactor.user.secondFactor.enabled"),
        false
    );
    nico.logs_in().await.succeeds();
    // A code that nobody asked for does no harm.
    nico.logs_in_with("000000").await.succeeds();
    app.runs_all_jobs().await;
    let mails = nico.inbox();
    let told = |subject: &str| mails.all().iter().any(|mail| mail.subject == subject);
    assert!(told("Your Muster account has no second factor any more"));

    // Neither the old secret nor the old recovery codes come back with a new one.
    let new = Authenticator::set_up(&nico, &app.clock).await;
    app.clock.advance(STEP);
    for code in [&authenticator.code(), &authenticator.recovery_codes[0]] {
        let answer = nico.on_another_device().logs_in_with(code).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
    }
    nico.logs_in_with(&new.code()).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn setting_up_takes_the_password_and_a_code_of_the_last_secret_in_time() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let answer = starts(&nico, "not this one").await;
    answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
    // There is nothing that a code could be of.
    let answer = confirms(&nico, "123456").await;
    answer.refused_for(&["NOT_ALLOWED"]);

    let first = Authenticator::of(&nico, &app.clock).await;
    let second = Authenticator::of(&nico, &app.clock).await;
    assert_ne!(first.secret, second.secret);
    for code in [&first.code(), "", "recovery", &second.code_in(STEP * 3)] {
        let answer = confirms(&nico, code).await;
        answer.refused_for(&["input.code INVALID_CODE"]);
    }
    app.clock.advance(TimeDelta::minutes(15));
    nico.refreshes().await.succeeds();
    let answer = confirms(&nico, &second.code()).await;
    answer.refused_for(&["NOT_ALLOWED"]);

    let third = Authenticator::of(&nico, &app.clock).await;
    app.clock
        .advance(TimeDelta::minutes(15) - TimeDelta::milliseconds(1));
    confirms(&nico, &third.code()).await.succeeds();
    for answer in [
        starts(&nico, PASSWORD).await,
        confirms(&nico, &third.code_in(STEP)).await,
    ] {
        answer.refused_for(&["NOT_ALLOWED"]);
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_secret_that_was_never_confirmed_is_cleared_away() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    Authenticator::of(&nico, &app.clock).await;
    Authenticator::set_up(&olga, &app.clock).await;
    app.clock
        .advance(TimeDelta::minutes(15) + TimeDelta::milliseconds(1));
    app.clears_away().await;
    let left = "SELECT key_id FROM second_factors WHERE enabled_at IS NULL";
    assert_eq!(app.database().reads(left).await, [] as [&str; 0]);
    olga.refreshes().await.succeeds();
    assert_eq!(seen(&olga, &olga).await["enabled"], true);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn an_admin_helps_somebody_who_has_lost_phone_and_codes() {
    let app = TestApp::start().await;
    let (ada, abe) = (app.admin("ada").await, app.admin("abe").await);
    let (mia, nico) = (app.manager("mia").await, app.employee("nico").await);
    resets(&ada, &nico)
        .await
        .refused_for(&["input.userId NOT_ALLOWED"]);
    Authenticator::set_up(&nico, &app.clock).await;
    resets(&mia, &nico).await.fails_with("FORBIDDEN");
    let answer = resets(&ada, &nico).await.succeeds();
    assert_eq!(
        answer.data("resetSecondFactor.user.secondFactor.enabled"),
        false
    );
    assert!(!nico.is_signed_in().await);
    nico.refreshes().await.refused_with("INVALID_TOKEN");
    nico.logs_in().await.succeeds();
    app.runs_all_jobs().await;
    let mail = nico.inbox().all().last().cloned().unwrap();
    assert_eq!(mail.kind, "second-factor-changed");

    // Not one's own, and not another admin's: they are made something less first.
    Authenticator::set_up(&ada, &app.clock).await;
    for admin in [&ada, &abe] {
        resets(admin, &ada)
            .await
            .refused_for(&["input.userId NOT_ALLOWED"]);
    }
    let input = json!({ "input": { "userId": ada.id(), "role": "MANAGER" } });
    abe.asks(crate::support::SET_USER_ROLE, input)
        .await
        .succeeds();
    resets(&abe, &ada).await.succeeds();
    ada.logs_in().await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_new_password_by_mail_leaves_the_second_factor() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let authenticator = Authenticator::set_up(&nico, &app.clock).await;
    nico.forgets_password().await;
    app.runs_all_jobs().await;
    let token = nico.inbox().latest("password-reset").reset_token();
    let new = "copper Kite 93 lantern";
    nico.tries_to_reset(&token, new).await.succeeds();
    let nico = nico.with_password(new);
    nico.logs_in()
        .await
        .refused_for(&["SECOND_FACTOR_REQUIRED"]);
    app.clock.advance(STEP);
    nico.logs_in_with(&authenticator.code()).await.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_second_factor_is_shown_to_its_owner_and_to_admins() {
    let app = TestApp::start().await;
    let (ada, mia) = (app.admin("ada").await, app.manager("mia").await);
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    Authenticator::set_up(&nico, &app.clock).await;
    for reader in [&nico, &ada] {
        assert_eq!(
            seen(reader, &nico).await,
            json!({ "enabled": true, "enabledAt": app.in_(TimeDelta::zero()), "recoveryCodesLeft": 10, "required": false })
        );
    }
    for reader in [&olga, &mia] {
        assert_eq!(seen(reader, &nico).await, Value::Null);
    }
    assert_eq!(
        seen(&olga, &olga).await,
        json!({ "enabled": false, "enabledAt": null, "recoveryCodesLeft": 0, "required": false })
    );
    app.runs_all_jobs().await;
}
