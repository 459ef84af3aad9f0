//! What those who run Muster see of it: figures for Prometheus, traces for
//! OpenTelemetry, and in neither anything about a person.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::program::House;
use crate::support::{PASSWORD, STATS, TASKS, TestApp, USERS, VIEWER};

async fn metrics(app: &TestApp) -> String {
    let answer = app.http().get(app.url("/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn requests_are_counted_by_operation_role_and_outcome() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.employee("eve").await;
    ada.asks(TASKS, json!({})).await.succeeds();
    ada.asks(TASKS, json!({})).await.succeeds();
    eve.asks(USERS, json!({})).await.fails_with("FORBIDDEN");
    let nico = app.stranger("nico");
    nico.asks(VIEWER, json!({})).await;
    nico.tries_to_sign_up(json!({ "username": "" })).await;
    // What is no request for an operation is counted, too.
    nico.posts("{").await;
    let url = app.url("/graphql?query=mutation{logOut{loggedOut}}");
    app.http().get(url).send().await.unwrap();
    let url = app.url("/graphql?query={__typename}");
    let asked = app.http().get(url).header("accept", "text/html");
    asked.send().await.unwrap();
    let text = metrics(&app).await;
    for line in [
        "muster_requests_total{operation=\"Tasks\",role=\"ADMIN\",outcome=\"ok\"} 2",
        "muster_requests_total{operation=\"Users\",role=\"EMPLOYEE\",outcome=\"FORBIDDEN\"} 1",
        "muster_requests_total{operation=\"Viewer\",role=\"NONE\",outcome=\"ok\"} 1",
        "muster_requests_total{operation=\"SignUp\",role=\"NONE\",outcome=\"user_errors\"} 1",
        "muster_requests_total{operation=\"unnamed\",role=\"NONE\",outcome=\"BAD_USER_INPUT\"} 3",
        "muster_request_seconds_count{operation=\"Tasks\"} 2",
        // The look at the session, the page, its people and the total.
        "muster_request_statements_count{operation=\"Tasks\"} 2",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}

#[tokio::test]
async fn waiting_mails_and_cached_figures_are_shown() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.stranger("nico").signs_up().await;
    let text = metrics(&app).await;
    assert!(
        text.contains("muster_deliveries{state=\"DUE\"} 1"),
        "{text}"
    );
    assert!(text.contains("muster_jobs{state=\"Pending\"} 1"), "{text}");
    app.clock.advance(chrono::TimeDelta::seconds(90));
    let text = metrics(&app).await;
    assert!(text.contains("muster_oldest_due_seconds 90"), "{text}");

    app.runs_all_jobs().await;
    ada.asks(STATS, json!({})).await.succeeds();
    ada.asks(STATS, json!({})).await.succeeds();
    let text = metrics(&app).await;
    for line in [
        "muster_oldest_due_seconds 0",
        "muster_mails_total{kind=\"welcome\",outcome=\"sent\"} 1",
        "muster_cache_lookups_total{cache=\"stats\",outcome=\"miss\"} 1",
        "muster_cache_lookups_total{cache=\"stats\",outcome=\"local\"} 1",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    assert!(!text.contains("muster_deliveries{"), "{text}");
}

#[tokio::test]
async fn figures_are_for_whoever_shows_the_token_or_is_on_this_machine() {
    let app = TestApp::start().await;
    let from_here = app.http().get(app.url("/metrics"));
    assert_eq!(from_here.send().await.unwrap().status(), 200);
    let through_a_proxy = app
        .http()
        .get(app.url("/metrics"))
        .header("X-Forwarded-For", "203.0.113.7");
    assert_eq!(through_a_proxy.send().await.unwrap().status(), 404);

    let app = TestApp::start_with(&[("METRICS_TOKEN", "0123456789abcdef")]).await;
    let ask = || app.http().get(app.url("/metrics"));
    assert_eq!(ask().send().await.unwrap().status(), 404);
    let wrong = ask().bearer_auth("0123456789abcdeF");
    assert_eq!(wrong.send().await.unwrap().status(), 404);
    let right = ask().bearer_auth("0123456789abcdef");
    assert_eq!(right.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn nothing_about_people_is_in_the_figures() {
    let app = TestApp::start().await;
    let eve = app.employee("eve-personally").await;
    let named = "query ($s: String) { tasks(filter: { search: $s }) { nodes { id } } }";
    eve.sends(named, json!({ "s": "canary-search" })).await;
    eve.logs_out().await;
    eve.with_password("canary-password").logs_in().await;
    let text = metrics(&app).await;
    for secret in ["eve", "canary", "example.com", eve.id()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// Takes what is sent to it, and answers 200 to everything.
async fn collector() -> (String, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(stream, sender.clone()));
        }
    });
    (url, receiver)
}

async fn take(mut stream: TcpStream, sender: tokio::sync::mpsc::UnboundedSender<Vec<u8>>) {
    let mut all = Vec::new();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        all.extend_from_slice(&bytes[..length]);
        let Some(head) = all.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&all[..head]).to_lowercase();
        let length = text.split("content-length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if all.len() >= head + 4 + length {
            sender.send(all.split_off(0)).unwrap_or_default();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap_or_default();
        }
    }
}

#[tokio::test]
async fn a_callers_trace_goes_on_down_to_the_sql_without_its_values() {
    let (endpoint, mut received) = collector().await;
    let house = House::of_this_run()
        .await
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .with("LOG", "info")
        .with("LOG_FORMAT", "json");
    let mut server = house.serves().await;
    house.creates_admin("ada", PASSWORD).await.succeeds();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let body = json!({
        "query": "mutation LogIn($i: LogInInput!) { logIn(input: $i) { accessToken } }",
        "variables": { "i": { "login": "ada@example.com", "password": PASSWORD } },
    });
    let asked = server
        .http()
        .post(server.url("/graphql"))
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("X-Request-Id", "request-of-ada")
        .json(&body);
    assert_eq!(asked.send().await.unwrap().status(), 200);
    // What has not been sent yet is sent at the end.
    server.is_told_to_stop();
    assert_eq!(server.ends().await, Some(0));

    let mut spans = Vec::new();
    while let Ok(Some(sent)) =
        tokio::time::timeout(std::time::Duration::from_millis(200), received.recv()).await
    {
        spans.extend(sent);
    }
    let has = |bytes: &[u8]| spans.windows(bytes.len()).any(|window| window == bytes);
    let id: Vec<u8> = (0..16)
        .map(|place| u8::from_str_radix(&trace[place * 2..place * 2 + 2], 16).unwrap())
        .collect();
    assert!(
        has(&id),
        "the caller's trace is not among {} bytes",
        spans.len()
    );
    for part in [
        "POST /v1/traces",
        "muster",
        "operation",
        "LogIn",
        "sql",
        "SELECT",
    ] {
        assert!(has(part.as_bytes()), "no {part}");
    }
    for secret in ["ada@example.com", PASSWORD, "127.0.0.1"] {
        let secret = secret.as_bytes();
        let head = format!("host: {}", endpoint.trim_start_matches("http://"));
        let body = String::from_utf8_lossy(&spans).replace(&head, "");
        assert!(!body.contains(std::str::from_utf8(secret).unwrap()));
    }

    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("answered") && line.contains("request-of-ada"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(line["span"]["trace_id"], trace, "{line}");
    assert!(!log.contains("ada@example.com") && !log.contains(PASSWORD));
}
