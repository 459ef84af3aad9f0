use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4";
const OTHER: &str = "9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG_f";

fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

fn signer(secrets: &[&str]) -> Signer {
    let secrets: Vec<Secret> = secrets.iter().map(|text| secret(text)).collect();
    Signer::new(
        &secrets.iter().collect::<Vec<_>>(),
        &"https://muster.example".parse().unwrap(),
    )
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_600_000 + seconds, 0).unwrap()
}

fn token() -> String {
    let id = Uuid::from_u128(1);
    let token = signer(&[SECRET]).issue(UserId(id), SessionId(id), id, at(0), at(900));
    token.unwrap().text
}

fn payload() -> Value {
    let id = Uuid::from_u128(1);
    json!({
        "iss": "https://muster.example", "aud": "muster",
        "sub": UserId(id), "sid": SessionId(id), "jti": id,
        "iat": at(0).timestamp(), "nbf": at(0).timestamp(), "exp": at(900).timestamp(),
    })
}

fn forge(header: &Header, payload: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(header, payload, &key).unwrap()
}

#[test]
fn a_token_of_ours_is_good_for_its_time() {
    let signer = signer(&[SECRET]);
    for (seconds, good) in [
        (-6, false),
        (-5, true),
        (0, true),
        (899, true),
        (900, false),
    ] {
        assert_eq!(
            signer.verify(&token(), at(seconds)).is_some(),
            good,
            "{seconds}"
        );
    }
}

#[test]
fn a_token_of_an_earlier_secret_is_good_as_long_as_that_secret_is_listed() {
    assert!(signer(&[OTHER, SECRET]).verify(&token(), at(1)).is_some());
    assert!(signer(&[OTHER]).verify(&token(), at(1)).is_none());
}

#[test]
fn other_algorithms_and_types_are_refused_though_the_key_is_right() {
    let signer = signer(&[SECRET]);
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let mut header = signer.header.clone();
        header.alg = algorithm;
        assert!(
            signer
                .verify(&forge(&header, &payload(), SECRET), at(1))
                .is_none()
        );
    }
    let mut header = signer.header.clone();
    header.typ = Some("JWT".into());
    assert!(
        signer
            .verify(&forge(&header, &payload(), SECRET), at(1))
            .is_none()
    );
    assert!(
        signer
            .verify(&forge(&signer.header, &payload(), SECRET), at(1))
            .is_some()
    );
}

#[test]
fn a_token_of_four_kibibytes_is_read_and_a_longer_one_is_not() {
    let signer = signer(&[SECRET]);
    let padded = |length: usize| {
        let mut payload = payload();
        payload["pad"] = json!("x".repeat(length));
        forge(&signer.header, &payload, SECRET)
    };
    let longest = (2_000..4_096)
        .map(padded)
        .find(|text| text.len() == LENGTH_MAX);
    assert!(signer.verify(&longest.unwrap(), at(1)).is_some());
    let longer = (2_000..4_096)
        .map(padded)
        .find(|text| text.len() > LENGTH_MAX);
    assert!(signer.verify(&longer.unwrap(), at(1)).is_none());
}

#[test]
fn a_token_without_signature_is_refused() {
    let kid = key_id(&secret(SECRET));
    for alg in ["none", "None", "HS256", "RS256", "ES256"] {
        let header = json!({ "alg": alg, "typ": TYPE, "kid": kid }).to_string();
        let text = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload().to_string())
        );
        assert!(signer(&[SECRET]).verify(&text, at(1)).is_none(), "{alg}");
    }
}

#[test]
fn a_header_that_names_another_algorithm_is_refused_though_the_signature_is_right() {
    let kid = key_id(&secret(SECRET));
    for (alg, good) in [
        ("HS256", true),
        ("none", false),
        ("RS256", false),
        ("HS384", false),
    ] {
        let header = json!({ "alg": alg, "typ": TYPE, "kid": kid }).to_string();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload().to_string())
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        let verified = signer(&[SECRET]).verify(&format!("{signed}.{signature}"), at(1));
        assert_eq!(verified.is_some(), good, "{alg}");
    }
}

#[test]
fn a_header_that_brings_its_own_key_is_refused() {
    let signer = signer(&[SECRET]);
    let ours = || signer.header.clone();
    let key = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(OTHER) });
    let elsewhere = || Some("https://evil.example/key".to_owned());
    let headers = [
        (
            "jku",
            Header {
                jku: elsewhere(),
                ..ours()
            },
        ),
        (
            "jwk",
            Header {
                jwk: serde_json::from_value(key).unwrap(),
                ..ours()
            },
        ),
        (
            "x5u",
            Header {
                x5u: elsewhere(),
                ..ours()
            },
        ),
        (
            "x5c",
            Header {
                x5c: Some(vec!["MIIB".into()]),
                ..ours()
            },
        ),
        (
            "crit",
            Header {
                crit: Some(vec!["exp".into()]),
                ..ours()
            },
        ),
        (
            "no kid",
            Header {
                kid: None,
                ..ours()
            },
        ),
        (
            "another kid",
            Header {
                kid: Some("00000000".into()),
                ..ours()
            },
        ),
    ];
    assert!(headers.iter().all(|(_, header)| *header != ours()));
    for (name, header) in headers {
        let text = forge(&header, &payload(), SECRET);
        assert!(signer.verify(&text, at(1)).is_none(), "{name}");
    }
}

#[test]
fn every_claim_is_required_and_checked() {
    let signer = signer(&[SECRET]);
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        let mut payload = payload();
        payload.as_object_mut().unwrap().remove(claim);
        let text = forge(&signer.header, &payload, SECRET);
        assert!(signer.verify(&text, at(1)).is_none(), "without {claim}");
    }
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("other")),
        ("sub", json!("admin")),
        ("sid", json!(1)),
        ("aud", json!(["muster", "other"])),
        // A second too early, beyond the leeway, or too late.
        ("nbf", json!(at(7).timestamp())),
        ("iat", json!(at(7).timestamp())),
        ("exp", json!(at(1).timestamp())),
        ("exp", json!("never")),
        ("exp", json!(i64::MIN)),
    ] {
        let mut payload = payload();
        payload[claim] = value;
        let text = forge(&signer.header, &payload, SECRET);
        assert!(signer.verify(&text, at(1)).is_none(), "wrong {claim}");
    }
}

#[test]
fn a_changed_or_oddly_cut_token_is_refused() {
    let signer = signer(&[SECRET]);
    let token = token();
    let mut parts: Vec<&str> = token.split('.').collect();
    // All in order, but for somebody else.
    let mut other = payload();
    other["sub"] = json!(UserId(Uuid::from_u128(2)));
    let other = URL_SAFE_NO_PAD.encode(other.to_string());
    parts[1] = &other;
    for text in [
        parts.join("."),
        format!("{token}.x"),
        format!("{token}."),
        token[..token.len() - 1].to_owned(),
        String::new(),
    ] {
        assert!(signer.verify(&text, at(1)).is_none(), "{text}");
    }
}

#[test]
fn an_overlong_token_is_refused_though_it_is_signed() {
    let signer = signer(&[SECRET]);
    for (length, good) in [(1_000, true), (LENGTH_MAX, false)] {
        let mut payload = payload();
        payload["padding"] = json!("x".repeat(length));
        let text = forge(&signer.header, &payload, SECRET);
        assert_eq!(signer.verify(&text, at(1)).is_some(), good);
    }
}
