//! Whatever is told of people's secrets to the log, to metrics and in errors:
//! nothing, however much the operator asks for.

mod other_doors;

use serde_json::{Value, json};

use crate::support::program::{House, Server};
use crate::support::{CHANGE_PASSWORD, PASSWORD, Person, UPDATE_PROFILE, database};

const NEW: &str = "copper Kite 93 lantern";
const NEWEST: &str = "hollow Drum 17 spruce";
const WRONG: &str = "violet Tram 48 garden";
const ADDRESS: &str = "canary@hidden.example";

async fn house() -> House {
    House::of_this_run()
        .await
        .with("LOG", "trace")
        .with("LOG_FORMAT", "json")
}

/// All that a person goes through; what came of it that lets somebody in, and all that was answered.
async fn story(house: &House, server: &Server, ada: &Person) -> (Vec<String>, Vec<String>) {
    let nico = server.stranger("nico").with_email(ADDRESS);
    let mut secrets = Vec::new();
    let keep = |secrets: &mut Vec<String>, person: &Person| {
        let tokens = person.tokens();
        secrets.extend(tokens.access.into_iter().chain(tokens.refresh));
    };
    let mut answers = vec![
        nico.tries_to_sign_up(json!({ "password": "password" }))
            .await,
        nico.tries_to_sign_up(json!({ "password": format!("{NEW}{}", "x".repeat(128)) }))
            .await,
    ];
    let user = nico.signs_up().await;
    answers.push(nico.tries_to_sign_up(json!({ "username": "other" })).await);
    answers.push(nico.logs_in().await);
    ada.approves(&user).await;
    answers.push(nico.with_password(WRONG).logs_in().await);
    nico.logs_in_as(ADDRESS).await.succeeds();
    keep(&mut secrets, &nico);
    let before = nico.tokens();
    nico.refreshes().await.succeeds();
    keep(&mut secrets, &nico);
    let again = nico.on_another_device();
    again.keeps(before);
    answers.push(again.refreshes().await);
    again.forgets_password().await;
    let mails = house.waits_for_mails(3).await;
    let mail = mails.iter().find(|mail| mail.kind == "password-reset");
    let token = mail.unwrap().reset_token();
    answers.push(again.tries_to_reset(&token, "short").await);
    again.tries_to_reset(&token, NEW).await.succeeds();
    answers.push(again.tries_to_reset(&token, NEWEST).await);
    secrets.push(token);
    let nico = nico.with_password(NEW);
    nico.logs_in().await.succeeds();
    keep(&mut secrets, &nico);
    let input = json!({ "currentPassword": WRONG, "newPassword": NEWEST });
    answers.push(nico.asks(CHANGE_PASSWORD, json!({ "input": input })).await);
    let input = json!({ "currentPassword": NEW, "newPassword": NEWEST });
    nico.asks(CHANGE_PASSWORD, json!({ "input": input }))
        .await
        .succeeds();
    let input = json!({ "firstName": "Nico" });
    nico.asks(UPDATE_PROFILE, json!({ "input": input }))
        .await
        .succeeds();
    answers.extend(misunderstandings(&nico).await);
    house.waits_for_mails(5).await;
    let answers = answers.iter().map(|answer| answer.text().to_owned());
    (secrets, answers.collect())
}

/// Secrets in places where they do not belong.
async fn misunderstandings(nico: &Person) -> Vec<crate::support::Answer> {
    let mut answers = Vec::new();
    for query in [
        format!(
            "mutation {{ logIn(input: {{ login: \"nico\", password: [\"{NEWEST}\"] }}) {{ accessToken }} }}"
        ),
        format!(
            "mutation {{ logIn(input: {{ login: \"nico\", pasword: \"{NEWEST}\" }}) {{ accessToken }} }}"
        ),
        format!("mutation {{ logIn(input: \"{NEWEST}\") {{ accessToken }} }}"),
        format!(
            "mutation {{ logIn(input: {{ login: \"nico\", password: \"{NEWEST} }}) {{ accessToken }} }}"
        ),
    ] {
        answers.push(nico.sends(&query, json!({})).await);
    }
    let query = "mutation ($input: LogInInput!) { logIn(input: $input) { accessToken } }";
    for input in [
        json!(NEWEST),
        json!({ "login": "nico", "password": { "text": NEWEST } }),
        json!({ "login": "nico", "pasword": NEWEST }),
        json!([{ "login": "nico", "password": NEWEST }, 7]),
    ] {
        answers.push(nico.sends(query, json!({ "input": input })).await);
    }
    answers.push(nico.posts(format!("{{\"query\":\"{NEWEST}")).await);
    answers
}

/// Whether a line tells a secret. A code of six digits is one only where it stands by itself: there
/// are many digits in the times that lines begin with.
fn tells(line: &str, secret: &str) -> bool {
    if secret.len() == 6 {
        let mut words = line.split(|character: char| !character.is_ascii_alphanumeric());
        words.any(|word| word == secret)
    } else {
        line.contains(secret)
    }
}

/// What is written down about mails and jobs.
async fn rows(house: &House) -> Vec<String> {
    let deliveries = "SELECT CAST(params AS TEXT) || COALESCE(last_answer, '') FROM deliveries";
    let jobs = if database::on_postgres() {
        "SELECT convert_from(job, 'UTF8') || COALESCE(CAST(last_result AS TEXT), '') FROM apalis.jobs"
    } else {
        "SELECT CAST(job AS TEXT) || COALESCE(last_result, '') FROM Jobs"
    };
    let (mut rows, jobs) = (house.reads(deliveries).await, house.reads(jobs).await);
    assert!(rows.len() >= 8 && jobs.len() >= 8, "{rows:?} {jobs:?}");
    rows.extend(jobs);
    rows
}

#[tokio::test]
async fn the_most_talkative_log_tells_no_secret() {
    let house = house().await;
    let server = house.serves_with(&[("INTROSPECTION", "off")]).await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let ada = server.stranger("ada");
    ada.logs_in().await.succeeds();
    let (mut secrets, answers) = story(&house, &server, &ada).await;
    assert_eq!(secrets.len(), 7);
    let other = other_doors::story(&house, &server, &ada).await;
    // Four tokens, three cookies, and a second factor with its twelve codes, each in two spellings.
    assert_eq!(other.secrets.len(), 4 + 3 + 1 + 24);
    for answer in &other.refusals {
        for secret in other.secrets.iter().map(String::as_str).chain([PASSWORD]) {
            assert!(!tells(answer, secret), "{secret}: {answer}");
        }
    }
    secrets.extend(other.secrets);
    secrets.extend([PASSWORD, NEW, NEWEST, WRONG, ADDRESS].map(str::to_owned));
    secrets.extend(["#token=", "$argon2", "earer ey", "ada@example.com"].map(str::to_owned));
    secrets.extend(["otpauth:", "earer muster_", "olga@example.com"].map(str::to_owned));
    // Parts of a token would do, too.
    let parts = secrets.clone();
    let parts = parts.iter().flat_map(|secret| secret.split('.'));
    secrets.extend(
        parts
            .filter(|part| part.len() >= 40 && !part.starts_with("eyJ0eXAi"))
            .map(str::to_owned),
    );

    let metrics = server.http().get(server.url("/metrics")).send().await;
    let metrics = metrics.unwrap().text().await.unwrap();
    assert!(metrics.contains("muster_"), "{metrics}");
    let log = server.log();
    for told in [
        "somebody logged in",
        "a log-in was refused",
        "an API token was made",
    ] {
        assert!(log.contains(told), "{told}");
    }
    for (place, text) in [
        ("log", &log),
        ("metrics", &metrics),
        ("rows", &rows(&house).await.join("\n")),
    ] {
        for secret in &secrets {
            let line = text.lines().find(|line| tells(line, secret));
            assert_eq!(line, None, "{secret} is in the {place}");
        }
    }
    for answer in answers {
        for secret in [PASSWORD, NEW, NEWEST, WRONG, ADDRESS] {
            assert!(!answer.contains(secret), "{answer}");
        }
    }
}

#[test]
fn a_code_is_told_by_itself_and_not_within_other_digits() {
    for (line, is_told) in [
        (r#"{"code":"123456"}"#, true),
        ("the code 123456.", true),
        ("2026-11-21T21:42:40.123456Z", false),
        ("job_1123456", false),
    ] {
        assert_eq!(tells(line, "123456"), is_told, "{line}");
    }
    assert!(tells("xABCDEFGx", "ABCDEFG"));
}

#[tokio::test]
async fn what_people_write_makes_no_lines_of_its_own_in_the_log() {
    const FORGED: &str = "x\r\n\u{2028}2026-01-05T09:00:00Z  INFO muster: forged\u{1b}[31m";
    for format in ["json", "text"] {
        let house = house().await.with("LOG_FORMAT", format);
        let server = house.serves().await;
        let nico = server.stranger("nico");
        nico.tries_to_sign_up(json!({ "username": FORGED, "firstName": FORGED }))
            .await;
        nico.logs_in_as(FORGED).await;
        nico.with_access_token("x.forged.y").is_signed_in().await;
        let body = json!({ "query": "query A { __typename }", "operationName": FORGED });
        nico.posts(body.to_string()).await;
        let request = server
            .http()
            .get(server.url("/a%0d%0aforged/%1b[31m"))
            .header("x-request-id", "forged id")
            .header("user-agent", "forged\tagent \u{e9}");
        request.send().await.unwrap();
        let log = server.log();
        assert!(log.contains("a log-in was refused"), "{log}");
        for line in log.lines() {
            let is_whole = if format == "json" {
                serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())
            } else {
                line.starts_with("20") && !line.contains('\u{1b}') && !line.contains('\u{2028}')
            };
            assert!(is_whole, "{line:?}");
            assert!(!line.contains("INFO muster: forged"), "{line:?}");
        }
    }
}
