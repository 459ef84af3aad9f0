//! What a sign-up form may hold, and what it is told otherwise.

use serde_json::{Value, json};

use crate::support::{TestApp, UPDATE_USER};

#[tokio::test]
async fn a_form_that_is_wrong_is_told_so_field_by_field() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    let long = |length: usize| Value::from("x".repeat(length));
    for (field, value, code) in [
        ("username", json!(""), "BLANK"),
        ("username", json!(" \t "), "BLANK"),
        ("username", json!("n"), "TOO_SHORT"),
        ("username", long(41), "TOO_LONG"),
        ("username", json!("nico smith"), "INVALID"),
        ("username", json!("nico@example.com"), "INVALID"),
        ("username", json!("nicо"), "INVALID"),
        ("username", json!("ni\u{200b}co"), "INVALID"),
        ("username", json!("admin"), "INVALID"),
        ("username", json!("R00t"), "INVALID"),
        ("email", json!(""), "BLANK"),
        ("email", json!("nico"), "INVALID"),
        ("email", json!("nico@"), "INVALID"),
        ("email", json!("nico@localhost"), "INVALID"),
        ("email", json!("a b@example.com"), "INVALID"),
        (
            "email",
            json!("nico@example.com\r\nBcc: eve@example.com"),
            "INVALID",
        ),
        (
            "email",
            json!("nico@example.com, eve@example.com"),
            "INVALID",
        ),
        (
            "email",
            json!(format!("{}@example.com", "x".repeat(243))),
            "TOO_LONG",
        ),
        ("firstName", long(101), "TOO_LONG"),
        ("firstName", json!("Ni\nco"), "INVALID"),
        ("lastName", long(101), "TOO_LONG"),
        ("lastName", json!("o\u{202e}cin"), "INVALID"),
        ("timeZone", json!("Mars/Olympus"), "INVALID"),
    ] {
        let answer = nico.tries_to_sign_up(json!({ field: value })).await;
        answer.refused_for(&[&format!("input.{field} {code}")]);
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let app = TestApp::start().await;
    let form = json!({
        "username": "!",
        "email": "nobody",
        "password": "1",
        "firstName": "x".repeat(101),
        "timeZone": "Nowhere",
        "requestedRole": "ADMIN",
    });
    let answer = app.stranger("nico").tries_to_sign_up(form).await;
    let mut problems = answer.user_errors();
    problems.sort();
    assert_eq!(
        problems,
        [
            "input.email INVALID",
            "input.firstName TOO_LONG",
            "input.password TOO_SHORT",
            "input.requestedRole INVALID",
            "input.timeZone INVALID",
            "input.username INVALID",
        ]
    );
}

#[tokio::test]
async fn a_password_is_judged_by_its_length_and_how_hard_it_is_to_guess() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    for (password, code) in [
        (String::new(), "BLANK"),
        ("gR7!xq2".to_owned(), "TOO_SHORT"),
        ("ä".repeat(7), "TOO_SHORT"),
        ("password123".to_owned(), "WEAK_PASSWORD"),
        ("Qwertz123456".to_owned(), "WEAK_PASSWORD"),
        ("aaaaaaaaaaaaaaaa".to_owned(), "WEAK_PASSWORD"),
        ("nico2026".to_owned(), "WEAK_PASSWORD"),
        ("nico@example.com".to_owned(), "WEAK_PASSWORD"),
        ("muster muster".to_owned(), "WEAK_PASSWORD"),
        ("x9".repeat(64) + "y", "TOO_LONG"),
    ] {
        let answer = nico.tries_to_sign_up(json!({ "password": password })).await;
        let problems = answer.user_errors();
        assert_eq!(problems, [format!("input.password {code}")], "{password:?}");
    }
}

#[tokio::test]
async fn passwords_are_taken_as_typed_of_any_characters() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let long: String = (0..64_u32)
        .map(|number| char::from_u32(0x4e00 + number * 37).unwrap())
        .collect();
    for (name, password) in [
        ("spaces", "  grüne Wolken, 7 Türen  "),
        ("emoji", "🦑🪗 lorry 🧿 quilt 🫖"),
        ("long", &long.repeat(2)),
    ] {
        let person = app.stranger(name).with_password(password);
        let id = person.signs_up().await;
        ada.approves(&id).await;
        person.logs_in().await.succeeds();
        let trimmed = person.with_password(password.trim()).on_another_device();
        let cut: String = password.chars().take(20).collect();
        let cut = person.with_password(&cut).on_another_device();
        if password.trim() != password {
            trimmed.logs_in().await.refused_with("INVALID_CREDENTIALS");
        }
        if name == "long" {
            cut.logs_in().await.refused_with("INVALID_CREDENTIALS");
        }
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_password_can_be_typed_in_either_unicode_form() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let nico = app
        .stranger("nico")
        .with_password("cafe\u{301} 9 bridges tonight");
    let id = nico.signs_up().await;
    ada.approves(&id).await;
    app.runs_all_jobs().await;
    let composed = nico.with_password("caf\u{e9} 9 bridges tonight");
    composed.logs_in().await.succeeds();
}

#[tokio::test]
async fn the_least_length_is_a_setting() {
    let app = TestApp::start_with(&[("PASSWORD_MIN_LENGTH", "15")]).await;
    let nico = app.stranger("nico");
    let answer = nico
        .sends("{ server { passwordMinLength } }", json!({}))
        .await;
    assert_eq!(answer.data("server.passwordMinLength"), 15);
    nico.tries_to_sign_up(json!({ "password": "gR7!xq2 plum fo" }))
        .await
        .succeeds();
    let olga = app.stranger("olga");
    olga.tries_to_sign_up(json!({ "password": "gR7!xq2 plum f" }))
        .await
        .refused_for(&["input.password TOO_SHORT"]);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn where_domains_are_listed_other_addresses_are_refused() {
    let settings = [("SIGN_UP_DOMAINS", "example.com, bücher.example")];
    let app = TestApp::start_with(&settings).await;
    for (name, email) in [
        ("nico", "nico@EXAMPLE.com"),
        ("olga", "olga@xn--bcher-kva.example"),
        ("pia", "pia@BÜCHER.example"),
    ] {
        app.stranger(name).with_email(email).signs_up().await;
    }
    for email in [
        "eve@evil.example",
        "eve@mail.example.com",
        "eve@example.com.evil.example",
        "eve@notexample.com",
    ] {
        let eve = app.stranger("eve").with_email(email);
        let answer = eve.tries_to_sign_up(json!({})).await;
        let message = answer.words("signUp.userErrors.0.message");
        answer.refused_for(&["input.email NOT_ALLOWED"]);
        assert!(
            message.contains("example.com or bücher.example"),
            "{message}"
        );
    }
    // What is wrong with an address is told first.
    let eve = app.stranger("eve").with_email("eve");
    let answer = eve.tries_to_sign_up(json!({})).await;
    answer.refused_for(&["input.email INVALID"]);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn admins_may_give_people_addresses_of_any_domain() {
    let app = TestApp::start_with(&[("SIGN_UP_DOMAINS", "example.com")]).await;
    let (ada, nico) = (app.admin("ada").await, app.employee("nico").await);
    let input = json!({ "input": { "userId": nico.id(), "email": "nico@elsewhere.example" } });
    ada.asks(UPDATE_USER, input).await.succeeds();
    app.runs_all_jobs().await;
}
