//! Passwords: what everybody has is taken at no door, nothing is cut, and hashes
//! get stronger by themselves.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::program::House;
use crate::support::{CHANGE_PASSWORD, PASSWORD, Person, TestApp, UPDATE_USER};

/// Common, though they do not look it: only the list knows them.
const COMMON: [&str; 3] = ["sosnowiec", "LipGloss1", "gfhfkktkm"];

async fn changes_password(person: &Person, new: &str) -> crate::support::Answer {
    let input = json!({ "currentPassword": PASSWORD, "newPassword": new });
    let input = json!({ "input": input });
    person.asks(CHANGE_PASSWORD, input).await
}

#[tokio::test]
async fn what_many_people_have_is_refused_at_every_door() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let nico = app.stranger("nico");
    eve.forgets_password().await;
    app.runs_all_jobs().await;
    let token = eve.inbox().last().reset_token();
    for password in COMMON {
        let answer = nico.tries_to_sign_up(json!({ "password": password })).await;
        answer.refused_for(&["input.password WEAK_PASSWORD"]);
        let answer = changes_password(&eve, password).await;
        answer.refused_for(&["input.newPassword WEAK_PASSWORD"]);
        let answer = eve.tries_to_reset(&token, password).await;
        answer.refused_for(&["input.newPassword WEAK_PASSWORD"]);
    }
    // Nothing was used up or changed by all that.
    eve.logs_in().await.succeeds();
    let answer = eve.tries_to_reset(&token, "copper Kite 93 lantern").await;
    answer.succeeds();
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn what_many_people_have_is_refused_on_the_command_line_too() {
    let house = House::of_this_run().await;
    for password in [COMMON[0], "password", "short", &"x9".repeat(65)] {
        let outcome = house.creates_admin("ada", password).await;
        assert_eq!(outcome.status, Some(1), "{password}: {outcome:?}");
    }
    house.creates_admin("ada", PASSWORD).await.succeeds();
}

#[tokio::test]
async fn a_password_counts_to_its_last_character() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    // 128 characters of four bytes each; some hashes stop at byte 72, or at a NUL.
    let long: String = (0..127_u32)
        .map(|number| char::from_u32(0x2_0000 + number * 37).unwrap())
        .collect();
    let new = format!("{long}a");
    changes_password(&eve, &new).await.succeeds();
    eve.with_password(&new).logs_in().await.succeeds();
    for wrong in [long.clone(), format!("{long}b"), format!("{new}a")] {
        let answer = eve.with_password(&wrong).logs_in().await;
        answer.refused_with("INVALID_CREDENTIALS");
    }
    let answer = changes_password(&eve.with_password(&new), &format!("{new}a")).await;
    answer.refused_for(&["input.currentPassword INVALID_CREDENTIALS"]);
    let eve = app.employee("gus").await;
    changes_password(&eve, "tundra\0velvet orbit")
        .await
        .succeeds();
    let answer = eve.with_password("tundra").logs_in().await;
    answer.refused_with("INVALID_CREDENTIALS");
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn no_kind_of_character_is_asked_for() {
    let app = TestApp::start().await;
    for (name, password) in [
        ("anna", "velvet orbit cactus lantern"),
        ("bert", "VELVETORBITCACTUSLANTERN"),
        ("dora", "🦀🌵🏮🪐🎻🧭🪁🦉🦀🌵🏮🪐🎻"),
        ("emil", "    tundra    gravel    "),
    ] {
        let answer = app
            .stranger(name)
            .tries_to_sign_up(json!({ "password": password }))
            .await;
        assert_eq!(answer.user_errors(), Vec::<String>::new(), "{password}");
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_hash_of_weaker_times_is_renewed_once_by_whoever_logs_in() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let params = Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let weak = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let set = format!("UPDATE users SET password_hash = '{weak}' WHERE username = 'eve'");
    assert_eq!(app.executes(set).await, 1);
    let stored = async || {
        let query = "SELECT password_hash FROM users WHERE username = 'eve'";
        app.database().reads(query).await.remove(0)
    };

    // A wrong password renews nothing.
    let answer = eve.with_password("violet Tram 48 garden").logs_in().await;
    answer.refused_with("INVALID_CREDENTIALS");
    assert_eq!(stored().await, weak);

    // All of those who come at once get in, whoever of them renews it.
    let devices: Vec<Person> = (0..6).map(|_| eve.on_another_device()).collect();
    for answer in join_all(devices.iter().map(Person::logs_in)).await {
        answer.succeeds();
    }
    let renewed = stored().await;
    assert!(
        renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{renewed}"
    );
    eve.logs_in().await.succeeds();
    assert_eq!(stored().await, renewed);
}

/// Of an admin, who may change addresses, their own among them.
#[tokio::test]
async fn whoever_found_an_open_session_cannot_have_the_password_reset_elsewhere() {
    let app = TestApp::start().await;
    let (ada, thief) = (app.admin("ada").await, app.stranger("thief"));
    let stolen = ada.with_access_token(&ada.tokens().access.unwrap());
    for (password, problem) in [
        (json!(null), "input.currentPassword BLANK"),
        (json!(""), "input.currentPassword INVALID_CREDENTIALS"),
        (
            json!("a wrong guess"),
            "input.currentPassword INVALID_CREDENTIALS",
        ),
    ] {
        // Their own address in another spelling may be another mailbox, too.
        for email in [&thief.email, "ADA@example.com"] {
            let input = json!({ "userId": ada.id(), "email": email, "currentPassword": password });
            let answer = stolen.asks(UPDATE_USER, json!({ "input": input })).await;
            answer.refused_for(&[problem]);
        }
    }
    thief.forgets_password().await;
    app.runs_all_jobs().await;
    assert_eq!(thief.inbox().all().len(), 0);

    let input =
        json!({ "userId": ada.id(), "email": "ada@new.example", "currentPassword": PASSWORD });
    ada.asks(UPDATE_USER, json!({ "input": input }))
        .await
        .succeeds();
    let ada = ada.with_email("ada@new.example");
    ada.forgets_password().await;
    app.runs_all_jobs().await;
    assert_eq!(ada.inbox().count("password-reset"), 1);
}
