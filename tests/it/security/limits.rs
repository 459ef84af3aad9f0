//! Nobody may do too much of anything: each limit at its number, at one more, and
//! after a while. The clock is the test's own, so what passes at once passes at
//! one and the same moment.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Answer, CHANGE_PASSWORD, CREATE_API_TOKEN, LOG_IN, PASSWORD, Person, REQUEST_PASSWORD_RESET,
    SERVER, TestApp, VIEWER,
};

/// Who asks comes from wherever they say: the test is the proxy.
const BEHIND_A_PROXY: &[(&str, &str)] =
    &[("RATE_LIMIT", "on"), ("TRUSTED_PROXIES", "127.0.0.1/32")];

async fn start() -> TestApp {
    TestApp::start_with(BEHIND_A_PROXY).await
}

#[track_caller]
fn is_limited(answer: Answer, seconds: u64) {
    let answer = answer.fails_with("RATE_LIMITED");
    assert_eq!(answer.errors()[0]["extensions"]["retryAfter"], seconds);
    assert_eq!(answer.http_status(), 429);
    let header = answer.header("retry-after").unwrap();
    assert_eq!(header, seconds.to_string());
}

/// The number passes at once, one more does not, and after `seconds` one more does.
async fn holds<F: Future<Output = Answer>>(
    app: &TestApp,
    number: usize,
    seconds: u64,
    asks: impl Fn(usize) -> F,
) {
    for turn in 0..number {
        let code = asks(turn).await.code();
        assert_eq!(code, None, "{turn} of {number}");
    }
    is_limited(asks(number).await, seconds);
    app.clock.advance(TimeDelta::seconds(1));
    let left = seconds - 1;
    if left > 0 {
        is_limited(asks(number).await, left);
    }
    app.clock
        .advance(TimeDelta::seconds(left.try_into().unwrap()));
    assert_eq!(asks(number).await.code(), None, "after {seconds} seconds");
    is_limited(asks(number).await, seconds);
}

async fn tries_to_log_in(person: &Person, login: &str, password: &str) -> Answer {
    let input = json!({ "login": login, "password": password });
    person.asks(LOG_IN, json!({ "input": input })).await
}

async fn asks_for_reset(person: &Person, email: &str) -> Answer {
    let input = json!({ "input": { "email": email } });
    person.asks(REQUEST_PASSWORD_RESET, input).await
}

#[tokio::test]
async fn five_log_ins_a_minute_for_each_account_and_source() {
    let app = start().await;
    app.admin("ada").await;
    let ada = app.stranger("ada").at_address("203.0.113.7");
    holds(&app, 5, 12, |_| ada.logs_in()).await;
    // Elsewhere nobody is held up by that, and neither is anybody else here.
    let elsewhere = ada.at_address("203.0.113.8");
    elsewhere.logs_in().await.succeeds();
    tries_to_log_in(&ada, "abe", PASSWORD)
        .await
        .refused_with("INVALID_CREDENTIALS");
    // The name is the same however it is typed.
    is_limited(ada.logs_in_as(" ADA ").await, 12);
}

#[tokio::test]
async fn thirty_log_ins_a_minute_for_each_source() {
    let app = start().await;
    let eve = app.stranger("eve").at_address("203.0.113.7");
    holds(&app, 30, 2, |turn| {
        let eve = eve.clone();
        async move { tries_to_log_in(&eve, &format!("name-{turn}"), "wrong").await }
    })
    .await;
    let elsewhere = eve.at_address("203.0.113.8");
    let answer = tries_to_log_in(&elsewhere, "name", "wrong").await;
    answer.refused_with("INVALID_CREDENTIALS");
}

#[tokio::test]
async fn thirty_refreshes_a_minute_for_each_source() {
    let app = start().await;
    let ada = app.admin("ada").await.at_address("203.0.113.7");
    holds(&app, 30, 2, |_| ada.refreshes()).await;
    ada.at_address("203.0.113.8").refreshes().await.succeeds();
}

#[tokio::test]
async fn ten_sign_ups_an_hour_for_each_source() {
    let app = start().await;
    let eve = app.stranger("eve").at_address("203.0.113.7");
    // Forms with mistakes count, too: they tell which names are taken.
    let form = json!({ "username": "" });
    holds(&app, 10, 360, |_| eve.tries_to_sign_up(form.clone())).await;
    eve.at_address("203.0.113.8").signs_up().await;
    app.leaves_jobs();
}

#[tokio::test]
async fn three_mails_an_hour_for_each_address_known_or_not() {
    let app = start().await;
    let ada = app.admin("ada").await;
    for email in [ada.email.as_str(), "nobody@example.com"] {
        let spellings = [email.to_owned(), format!(" {}", email.to_uppercase())];
        holds(&app, 3, 1_200, |turn| {
            // From wherever it is asked.
            let asker = ada.at_address(&format!("203.0.113.{turn}"));
            let email = spellings[turn % 2].clone();
            async move { asks_for_reset(&asker, &email).await }
        })
        .await;
    }
    app.leaves_jobs();
}

#[tokio::test]
async fn twenty_mails_an_hour_for_each_source() {
    let app = start().await;
    let eve = app.stranger("eve").at_address("203.0.113.7");
    holds(&app, 20, 180, |turn| {
        let eve = eve.clone();
        async move { asks_for_reset(&eve, &format!("name-{turn}@example.com")).await }
    })
    .await;
    app.leaves_jobs();
}

#[tokio::test]
async fn ten_new_passwords_a_minute_for_each_link_holder_and_each_user() {
    let app = start().await;
    let ada = app.admin("ada").await;
    let here = ada.at_address("203.0.113.7");
    holds(&app, 10, 6, |_| here.tries_to_reset("no token", PASSWORD)).await;
    let input = json!({ "currentPassword": PASSWORD, "newPassword": "short" });
    holds(&app, 10, 6, |turn| {
        let here = ada.at_address(&format!("203.0.113.{turn}"));
        let input = json!({ "input": input });
        async move { here.asks(CHANGE_PASSWORD, input).await }
    })
    .await;
}

#[tokio::test]
async fn six_hundred_requests_a_minute_for_each_user() {
    let app = start().await;
    let ada = app.admin("ada").await;
    let abe = app.admin("abe").await;
    for turn in 0..600 {
        // From wherever they come.
        let here = ada.at_address(&format!("203.0.113.{}", turn % 250));
        here.asks(VIEWER, json!({})).await.succeeds();
    }
    is_limited(ada.asks(VIEWER, json!({})).await, 1);
    // Others at the same place have their own, and so have those who are not signed in.
    abe.asks(VIEWER, json!({})).await.succeeds();
    let anonymous = ada.on_another_device();
    anonymous.asks(SERVER, json!({})).await.succeeds();
    app.clock.advance(TimeDelta::milliseconds(100));
    ada.asks(VIEWER, json!({})).await.succeeds();
    is_limited(ada.asks(VIEWER, json!({})).await, 1);
}

#[tokio::test]
async fn scripts_leave_their_owner_half_of_the_requests() {
    let app = start().await;
    let ada = app.admin("ada").await;
    let mut scripts = Vec::new();
    for name in ["one", "other"] {
        let input = json!({ "name": name, "access": "READ", "currentPassword": PASSWORD });
        let answer = ada.asks(CREATE_API_TOKEN, json!({ "input": input })).await;
        let token = answer.succeeds().words("createApiToken.token");
        scripts.push(ada.with_access_token(&token));
    }
    app.clock.advance(TimeDelta::minutes(1));
    for turn in 0..300 {
        let script = &scripts[turn % 2];
        script.asks(VIEWER, json!({})).await.succeeds();
    }
    for _ in 0..10 {
        for script in &scripts {
            is_limited(script.asks(VIEWER, json!({})).await, 1);
        }
    }
    // What was refused took nothing from the owner, who has the rest, and what is left in all.
    for _ in 0..300 {
        ada.asks(VIEWER, json!({})).await.succeeds();
    }
    is_limited(ada.asks(VIEWER, json!({})).await, 1);
    app.clock.advance(TimeDelta::milliseconds(200));
    for asker in [&scripts[0], &ada] {
        asker.asks(VIEWER, json!({})).await.succeeds();
        is_limited(scripts[0].asks(VIEWER, json!({})).await, 1);
    }
    is_limited(ada.asks(VIEWER, json!({})).await, 1);
    app.leaves_jobs();
}

#[tokio::test]
async fn three_hundred_requests_a_minute_for_each_source_of_nobody_in_particular() {
    let app = start().await;
    let ada = app.admin("ada").await;
    let revoked = ada.on_another_device();
    revoked.logs_in().await.succeeds();
    let token = revoked.tokens().access.unwrap();
    revoked.logs_out().await;
    let nobody = app.stranger("nobody").at_address("203.0.113.7");
    // Whoever sends a token that is not good is nobody in particular.
    let forger = ada.with_access_token("no.good.token");
    let forger = forger.at_address("203.0.113.7");
    let revoked = ada.with_access_token(&token).at_address("203.0.113.7");
    for turn in 0..300 {
        let asker = [&nobody, &forger, &revoked][turn % 3];
        asker.asks(SERVER, json!({})).await.succeeds();
    }
    let before = app.statements();
    for asker in [&nobody, &forger] {
        is_limited(asker.asks(SERVER, json!({})).await, 1);
        // Not even what is no GraphQL at all gets further.
        is_limited(asker.posts("{").await, 1);
    }
    assert_eq!(
        app.statements(),
        before,
        "nobody's flood costs no statement"
    );
    is_limited(revoked.asks(SERVER, json!({})).await, 1);
    // Nor does it help to look like somebody with what cannot be read.
    let scripted = ada.with_access_token(&format!("muster_{}", "A".repeat(43)));
    for asker in [&revoked, &scripted.at_address("203.0.113.7")] {
        is_limited(asker.posts("{").await, 1);
    }
    // Who is signed in is not held up by what strangers do at the same place.
    let ada = ada.at_address("203.0.113.7");
    ada.asks(VIEWER, json!({})).await.succeeds();
    let elsewhere = nobody.at_address("203.0.113.8");
    elsewhere.asks(SERVER, json!({})).await.succeeds();
    app.clock.advance(TimeDelta::milliseconds(200));
    nobody.asks(SERVER, json!({})).await.succeeds();
    is_limited(nobody.asks(SERVER, json!({})).await, 1);
}

#[tokio::test]
async fn a_host_has_one_count_for_all_its_addresses_of_ipv6() {
    let app = start().await;
    let ada = app.admin("ada").await.on_another_device();
    for turn in 0..5 {
        let here = ada.at_address(&format!("2001:db8:0:1:{turn}::{turn}"));
        here.logs_in().await.succeeds();
    }
    let here = ada.at_address("2001:db8:0:1:ffff::1");
    is_limited(here.logs_in().await, 12);
    let next_door = ada.at_address("2001:db8:0:2::1");
    next_door.logs_in().await.succeeds();
}

#[tokio::test]
async fn what_a_client_writes_about_its_address_gains_nothing() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    // One is used up by logging in here.
    let ada = app.admin("ada").await.on_another_device();
    for turn in 0..4 {
        let spoofed = ada.at_address(&format!("203.0.113.{turn}"));
        spoofed.logs_in().await.succeeds();
    }
    is_limited(ada.at_address("203.0.113.9").logs_in().await, 12);
    let app = start().await;
    let ada = app.admin("ada").await.on_another_device();
    for turn in 0..5 {
        // What the client wrote is to the left of what the proxy saw.
        let spoofed = ada.at_address(&format!("198.51.100.{turn}, 203.0.113.7"));
        spoofed.logs_in().await.succeeds();
    }
    let spoofed = ada.at_address("198.51.100.9, 203.0.113.7");
    is_limited(spoofed.logs_in().await, 12);
}

#[tokio::test]
async fn five_hundred_at_once_are_five() {
    let app = start().await;
    let ada = app.admin("ada").await.on_another_device();
    let here = ada.at_address("203.0.113.7");
    // Each without the tokens of those who were quicker.
    let attempts = (0..500).map(|_| async { here.on_another_device().logs_in().await });
    let answers = join_all(attempts).await;
    let (good, limited): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.code().is_none());
    assert_eq!(good.len(), 5);
    for answer in limited {
        answer.fails_with("RATE_LIMITED");
    }
}

#[tokio::test]
async fn aliases_fragments_and_several_operations_gain_nothing() {
    let app = start().await;
    app.admin("ada").await;
    let eve = app.stranger("eve").at_address("203.0.113.7");
    let guess = |password: &str| {
        format!("logIn(input: {{ login: \"ada\", password: \"{password}\" }}) {{ accessToken }}")
    };
    let (wrong, right) = (guess("wrong"), guess(PASSWORD));
    for query in [
        format!("mutation {{ a: {wrong} b: {right} }}"),
        format!("mutation {{ a: {wrong} ...F }} fragment F on Mutation {{ {right} }}"),
        format!("mutation {{ a: {wrong} ... on Mutation {{ ... {{ b: {right} }} }} }}"),
        format!(
            "mutation {{ a: {wrong} refreshSession(input: {{ refreshToken: \"x\" }}) {{ accessToken }} }}"
        ),
    ] {
        let answer = eve.sends(&query, json!({})).await;
        let answer = answer.fails_with("QUERY_TOO_COMPLEX");
        assert!(!answer.text().contains("accessToken"), "{}", answer.text());
    }
    // Nothing was tried so far. Of several operations one runs, and each run counts.
    let operations: Vec<String> = (0..6)
        .map(|number| format!("mutation M{number} {{ {right} }}"))
        .collect();
    for number in 0..6 {
        let name = format!("M{number}");
        let body = json!({ "query": operations.join(" "), "operationName": name });
        let answer = eve.posts(body.to_string()).await;
        if number < 5 {
            assert!(answer.data("logIn.accessToken").is_string());
        } else {
            is_limited(answer, 12);
        }
    }
}

#[tokio::test]
async fn whoever_is_refused_is_told_when_to_come_back_in_both_media_types() {
    let app = start().await;
    app.admin("ada").await;
    let ada = app.stranger("ada").at_address("203.0.113.7");
    for _ in 0..5 {
        ada.logs_in().await.succeeds();
    }
    let ada = ada.on_another_device();
    let input = json!({ "login": "ada", "password": PASSWORD });
    let ask = async |query: &str, media_type: &str| {
        let body = json!({ "query": query, "variables": { "input": input } });
        let request = app
            .http()
            .post(app.url("/graphql"))
            .header("accept", media_type)
            .header("x-forwarded-for", "203.0.113.7")
            .json(&body);
        let answer = request.send().await.unwrap();
        let retry_after = answer.headers().get("retry-after").cloned();
        let content_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(content_type.starts_with(media_type), "{content_type}");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (
            status,
            retry_after.map(|it| it.to_str().unwrap().to_owned()),
            body,
        )
    };
    let only = "mutation($input: LogInInput!) { logIn(input: $input) { accessToken } }";
    let with_sibling =
        "mutation($input: LogInInput!) { logIn(input: $input) { accessToken } __typename }";
    for media_type in ["application/json", "application/graphql-response+json"] {
        let (status, retry_after, body) = ask(only, media_type).await;
        assert_eq!((status, retry_after.as_deref()), (429, Some("12")));
        assert_eq!(body["data"]["logIn"], Value::Null);
        assert_eq!(body["errors"][0]["extensions"]["retryAfter"], 12);
        // Something else was answered.
        let (status, retry_after, body) = ask(with_sibling, media_type).await;
        assert_eq!((status, retry_after), (200, None));
        assert_eq!(body["data"]["__typename"], "Mutation");
    }
    // The request as a whole.
    for _ in 0..300 {
        ada.asks(SERVER, json!({})).await;
    }
    for media_type in ["application/json", "application/graphql-response+json"] {
        let (status, retry_after, body) = ask("{ __typename }", media_type).await;
        assert_eq!((status, retry_after.as_deref()), (429, Some("1")));
        assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        assert_eq!(body.get("data"), None);
    }
}

#[tokio::test]
async fn probes_and_metrics_do_not_count_and_refusals_are_counted() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let nobody = app.stranger("nobody");
    let get = async |path: &str| {
        let answer = app.http().get(app.url(path)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
        answer.text().await.unwrap()
    };
    for _ in 0..150 {
        for path in ["/healthz", "/readyz", "/metrics"] {
            get(path).await;
        }
    }
    for _ in 0..300 {
        nobody.asks(SERVER, json!({})).await.succeeds();
    }
    for _ in 0..7 {
        is_limited(nobody.asks(SERVER, json!({})).await, 1);
    }
    get("/healthz").await;
    let metrics = get("/metrics").await;
    let line = "muster_rate_limited_total{limit=\"request_by_source\"} 7";
    assert!(metrics.contains(line), "{metrics}");
    assert!(!metrics.contains("127.0.0.1"));
}

#[tokio::test]
async fn nothing_is_too_often_when_limits_are_off() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for _ in 0..7 {
        ada.logs_in().await.succeeds();
    }
}
