//! Access tokens: ours, of our one algorithm, and of their time; anything else is
//! no token at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Person, TestApp, VIEWER};

async fn is_let_in(person: &Person, token: &str) -> bool {
    person.with_access_token(token).is_signed_in().await
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.employee("eve").await;
    let token = eve.tokens().access.unwrap();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("not three parts");
    };
    assert!(is_let_in(&eve, &token).await);
    let changed = |field: &str, value: Value| {
        let mut claims = decode(claims);
        claims[field] = value;
        encode(&claims)
    };
    let with_algorithm = |algorithm: &str| {
        let mut header = decode(header);
        header["alg"] = algorithm.into();
        encode(&header)
    };
    let eternal = changed("exp", json!(9_999_999_999_i64));
    let other_id = decode(ada.tokens().access.unwrap().split('.').nth(1).unwrap())["sub"].clone();
    for forged in [
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{}", &signature[1..]),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}.{}.{signature}", changed("sub", other_id)),
        format!("{header}.{eternal}.{signature}"),
        format!("{}.{claims}.", with_algorithm("none")),
        format!("{}.{eternal}.", with_algorithm("none")),
        format!("{}.{claims}.{signature}", with_algorithm("HS512")),
        format!("{}.{claims}.{signature}", with_algorithm("RS256")),
        format!("{token}{}", "A".repeat(4_096)),
        token.to_uppercase(),
        String::new(),
        "..".to_owned(),
    ] {
        assert!(!is_let_in(&eve, &forged).await, "{forged}");
    }
}

#[tokio::test]
async fn a_token_says_nothing_about_rights_or_the_person() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let token = ada.tokens().access.unwrap();
    let claims = decode(token.split('.').nth(1).unwrap());
    let mut names: Vec<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["aud", "exp", "iat", "iss", "jti", "nbf", "sid", "sub"]
    );
    let header = decode(token.split('.').next().unwrap());
    assert_eq!(header["alg"], "HS256");
    assert!(!claims.to_string().contains("ada"));
}

#[tokio::test]
async fn a_token_of_another_house_is_refused() {
    let app = TestApp::start().await;
    let other = TestApp::start_with(&[("PUBLIC_URL", "https://other.example")]).await;
    let eve = app.employee("eve").await;
    // The same secret, the same ids, another issuer.
    let twin = other.employee("eve").await;
    let token = twin.tokens().access.unwrap();
    assert!(is_let_in(&twin, &token).await);
    assert!(!is_let_in(&eve, &token).await);
    let stranger = TestApp::start_with(&[("JWT_SECRET", "mB4xW8kQ1vZ6tR3yN9pL5sD2fH7jG0aC")]).await;
    let twin = stranger.employee("eve").await;
    assert!(!is_let_in(&eve, &twin.tokens().access.unwrap()).await);
}

#[tokio::test]
async fn an_earlier_secret_still_verifies_while_it_is_listed() {
    const OLD: &str = "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4";
    const NEW: &str = "mB4xW8kQ1vZ6tR3yN9pL5sD2fH7jG0aC";
    let old = TestApp::start().await;
    let eve = old.employee("eve").await;
    let token = eve.tokens().access.unwrap();
    for (previous, is_good) in [(OLD, true), ("", false)] {
        let settings = [("JWT_SECRET", NEW), ("JWT_PREVIOUS_SECRETS", previous)];
        let renewed = old.restarts_with(&settings).await;
        let eve = renewed.stranger("eve");
        assert_eq!(is_let_in(&eve, &token).await, is_good, "{previous:?}");
    }
}

#[tokio::test]
async fn a_header_that_is_no_bearer_token_is_a_token_that_is_no_good() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let token = eve.tokens().access.unwrap();
    for (header, code) in [
        (format!("Bearer {token}"), None),
        (format!("bearer {token}"), None),
        ("Bearer".to_owned(), Some("UNAUTHENTICATED")),
        (token.clone(), Some("UNAUTHENTICATED")),
        ("Basic ZXZlOnB3".to_owned(), Some("UNAUTHENTICATED")),
    ] {
        let request = app
            .http()
            .post(app.url("/graphql"))
            .header("authorization", &header)
            .header("content-type", "application/json")
            .body(json!({ "query": VIEWER.text }).to_string());
        let body = request.send().await.unwrap().text().await.unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        let found = body.pointer("/errors/0/extensions/code");
        assert_eq!(found.and_then(Value::as_str), code, "{header}");
    }
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let app = TestApp::start_with(&[("ACCESS_TOKEN_TTL", "60s")]).await;
    let eve = app.employee("eve").await;
    app.clock
        .advance(TimeDelta::seconds(60) - TimeDelta::milliseconds(1));
    assert!(eve.is_signed_in().await);
    app.clock.advance(TimeDelta::milliseconds(1));
    assert!(!eve.is_signed_in().await);
}
