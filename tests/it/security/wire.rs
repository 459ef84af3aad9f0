//! What no well-made client sends, on bare sockets: it is refused or cut off, and
//! takes no place from others.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::TestApp;

/// Longer than any limit on the wire.
const PATIENCE: Duration = Duration::from_secs(30);
const QUERY: &str = r#"{"query":"{ __typename }"}"#;
const ANSWER: &str = r#"{"data":{"__typename":"Query"}}"#;

struct Wire(TcpStream);

impl Wire {
    async fn to(app: &TestApp) -> Self {
        let address = app.url("").replace("http://", "");
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// What cannot be sent any more, since the server closed, is no fault of the test.
    async fn sends(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap_or_default();
    }

    /// All that comes until the server closes.
    async fn hears(&mut self) -> String {
        self.sends_and_hears("").await
    }

    /// The same, for more than may be taken before there is an answer.
    async fn sends_and_hears(&mut self, text: &str) -> String {
        let (mut reading, mut writing) = self.0.split();
        let send = async { writing.write_all(text.as_bytes()).await.unwrap_or_default() };
        let hear = async {
            let mut bytes = Vec::new();
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = reading.read(&mut buffer).await {
                bytes.extend_from_slice(&buffer[..count]);
            }
            bytes
        };
        let both = timeout(PATIENCE, async { tokio::join!(send, hear) });
        let ((), bytes) = both.await.expect("it stays open");
        String::from_utf8(bytes).unwrap()
    }

    /// All that comes until this was heard.
    async fn hears_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let mut buffer = [0; 4_096];
        while !text.contains(end) {
            let read = timeout(PATIENCE, self.0.read(&mut buffer)).await;
            let count = read.expect("silence").unwrap();
            assert!(count > 0, "it closed after {text:?}");
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        text
    }
}

fn head(headers: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: muster.example\r\nContent-Type: application/json\r\n{headers}\r\n"
    )
}

fn request(query: &str) -> String {
    head(&format!("Content-Length: {}\r\n", query.len())) + query
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

#[tokio::test]
async fn a_request_that_says_twice_how_long_it_is_is_refused_and_nothing_after_it_is_read() {
    let app = TestApp::start().await;
    let hidden = request(QUERY);
    let chunks = format!("{:x}\r\n{QUERY}\r\n0\r\n\r\n", QUERY.len());
    for headers in [
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
            chunks.len()
        ),
        format!(
            "Transfer-Encoding: chunked\r\nContent-Length: {}\r\n",
            chunks.len()
        ),
        "Content-Length: 4\r\ntransfer-encoding: Chunked\r\n".to_owned(),
    ] {
        let mut wire = Wire::to(&app).await;
        wire.sends(&format!("{}{chunks}{hidden}", head(&headers)))
            .await;
        let heard = wire.hears().await;
        assert_eq!(status(&heard), "400", "{headers}: {heard}");
        assert_eq!(heard.matches("HTTP/1.1").count(), 1, "{heard}");
        assert!(!heard.contains("__typename"), "{heard}");
        assert!(heard.contains("x-content-type-options"), "{heard}");
    }
}

#[tokio::test]
async fn lengths_and_codings_that_make_no_sense_are_refused() {
    let app = TestApp::start().await;
    for headers in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +4\r\n",
        "Content-Length : 4\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding\u{b}: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
    ] {
        let mut wire = Wire::to(&app).await;
        wire.sends(&format!("{}{}", head(headers), request(QUERY)))
            .await;
        let heard = wire.hears().await;
        assert!(
            ["400", "413"].contains(&status(&heard)),
            "{headers}: {heard}"
        );
        assert!(!heard.contains("__typename"), "{headers}: {heard}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_answered_and_is_the_last_of_its_connection() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    let chunks = format!("{:x}\r\n{QUERY}\r\n0\r\n\r\n", QUERY.len());
    let first = head("Transfer-Encoding: chunked\r\n") + &chunks;
    wire.sends(&(first + &request(QUERY))).await;
    let heard = wire.hears().await;
    assert_eq!(heard.matches(ANSWER).count(), 1, "{heard}");
    assert!(heard.contains("connection: close"), "{heard}");
}

#[tokio::test]
async fn requests_that_follow_each_other_on_a_connection_are_each_answered() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    wire.sends(&request(QUERY).repeat(3)).await;
    wire.sends(&request(QUERY).replace("POST", "TRACE")).await;
    let heard = wire.hears_until("405").await;
    assert_eq!(heard.matches(ANSWER).count(), 3, "{heard}");
}

#[tokio::test]
async fn what_is_too_large_is_told_by_its_status() {
    let app = TestApp::start().await;
    let many = "X-Many: y\r\n".repeat(101);
    let huge = format!("X-Huge: {}\r\n", "y".repeat(1_048_576));
    let path = "x".repeat(70_000);
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    for (text, expected) in [
        (head(&many), "431"),
        (head(&huge), "431"),
        (
            format!("GET /{path} HTTP/1.1\r\nHost: muster.example\r\n\r\n"),
            "414",
        ),
        (head("Content-Length: 262145\r\n"), "413"),
        (
            head("Transfer-Encoding: chunked\r\n") + &chunk.repeat(5),
            "413",
        ),
    ] {
        let mut wire = Wire::to(&app).await;
        let heard = wire.sends_and_hears(&text).await;
        assert_eq!(status(&heard), expected, "{}: {heard}", &text[..60]);
    }
    // The server lives on.
    let answer = app
        .stranger("nico")
        .sends("{ __typename }", json!({}))
        .await;
    assert_eq!(answer.text(), ANSWER);
}

#[tokio::test]
async fn whoever_dawdles_is_cut_off() {
    let app = TestApp::start().await;
    let whole = request(QUERY);
    let dawdles = async |text: &str| {
        let mut wire = Wire::to(&app).await;
        wire.sends(text).await;
        let began = Instant::now();
        let heard = wire.hears().await;
        (heard, began.elapsed().as_secs())
    };
    let (in_head, in_body) =
        tokio::join!(dawdles(&whole[..40]), dawdles(&whole[..whole.len() - 5]));
    assert_eq!(in_head.0, "");
    assert_eq!(status(&in_body.0), "408", "{}", in_body.0);
    for seconds in [in_head.1, in_body.1] {
        assert!((9..20).contains(&seconds), "{seconds} s");
    }
}

#[tokio::test]
async fn a_crowd_of_idle_connections_keeps_nobody_out() {
    let app = TestApp::start_with(&[("CONNECTIONS", "10")]).await;
    let mut crowd = Vec::new();
    for number in 0..40 {
        let mut wire = Wire::to(&app).await;
        if number % 2 == 0 {
            wire.sends("POST /graphql HTTP/1.1\r\nX-Slow: ").await;
        }
        crowd.push(wire);
        if number % 10 == 9 {
            let began = Instant::now();
            let mut honest = Wire::to(&app).await;
            honest.sends(&request(QUERY)).await;
            honest.hears_until(ANSWER).await;
            assert!(began.elapsed() < Duration::from_secs(5));
        }
    }
    // Those who waited longest have left.
    assert_eq!(crowd[0].hears().await, "");
    assert_eq!(crowd[1].hears().await, "");
}

/// A token that nobody has, and that looks as if somebody had.
fn invented(number: usize) -> String {
    format!("Authorization: Bearer muster_{number:042}A\r\n")
}

/// The head of a request whose body does not come, but for its beginning.
fn half(headers: &str) -> String {
    head(&format!("{headers}Content-Length: 100\r\n")) + "{"
}

#[tokio::test]
async fn a_crowd_of_half_bodies_keeps_nobody_out() {
    let app = TestApp::start_with(&[("CONNECTIONS", "10")]).await;
    let began = Instant::now();
    let mut crowd = Vec::new();
    for number in 0..40 {
        let mut wire = Wire::to(&app).await;
        let headers = if number % 2 == 0 {
            invented(number)
        } else {
            String::new()
        };
        wire.sends(&half(&headers)).await;
        crowd.push(wire);
        if number % 10 == 9 {
            let mut honest = Wire::to(&app).await;
            honest.sends(&request(QUERY)).await;
            honest.hears_until(ANSWER).await;
        }
    }
    // Nobody was told that the body did not arrive in time: those who waited longest have left.
    for wire in &mut crowd[..20] {
        assert_eq!(wire.hears().await, "");
    }
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[tokio::test]
async fn who_is_answered_again_and_again_keeps_the_place() {
    let app = TestApp::start_with(&[("CONNECTIONS", "10")]).await;
    let mut regular = Wire::to(&app).await;
    let mut crowd = Vec::new();
    for _ in 0..12 {
        regular.sends(&request(QUERY)).await;
        regular.hears_until(ANSWER).await;
        crowd.push(Wire::to(&app).await);
        // A newcomer has a place once it is answered.
        let mut newcomer = Wire::to(&app).await;
        newcomer.sends(&request(QUERY)).await;
        newcomer.hears_until(ANSWER).await;
        crowd.push(newcomer);
    }
    assert_eq!(crowd[0].hears().await, "");
}

#[tokio::test]
async fn an_invented_token_is_counted_before_its_body_has_come() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let nobody = app.stranger("nobody");
    for _ in 0..297 {
        nobody.sends("{ __typename }", json!({})).await.succeeds();
    }
    let before = app.statements();
    let mut crowd = Vec::new();
    for number in 0..3 {
        let mut wire = Wire::to(&app).await;
        wire.sends(&half(&invented(number))).await;
        crowd.push(wire);
    }
    let looked_up = async {
        while app.statements() < before + 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, looked_up).await.expect("not looked up");
    for headers in [invented(3), String::new()] {
        let mut wire = Wire::to(&app).await;
        let began = Instant::now();
        wire.sends(&half(&headers)).await;
        let heard = wire.hears_until("RATE_LIMITED").await;
        assert_eq!(status(&heard), "429", "{heard}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

/// What is left of a body does not come between whoever is refused before it was looked at and their
/// next request.
#[tokio::test]
async fn a_refusal_is_heard_though_there_is_much_left_to_read() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let nobody = app.stranger("nobody");
    for _ in 0..300 {
        nobody.sends("{ __typename }", json!({})).await.succeeds();
    }
    let body = " ".repeat(200 * 1_024);
    let head = head(&format!("Content-Length: {}\r\n", body.len()));
    let mut wire = Wire::to(&app).await;
    for _ in 0..5 {
        wire.sends(&head).await;
        for part in [&body[..100_000], &body[100_000..]] {
            wire.sends(part).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let heard = wire.hears_until("RATE_LIMITED").await;
        assert_eq!(status(&heard), "429", "{heard}");
    }
}

/// The same for what is not wanted whoever asks.
#[tokio::test]
async fn what_is_not_understood_is_answered_though_there_is_much_left_to_read() {
    let app = TestApp::start().await;
    for (header, length, expected) in [
        ("Accept: text/html\r\n", 200 * 1_024, "406"),
        ("", 300 * 1_024, "413"),
    ] {
        let head = head(&format!("{header}Content-Length: {length}\r\n"));
        let body = " ".repeat(length);
        let mut wire = Wire::to(&app).await;
        wire.sends(&head).await;
        for part in [&body[..100_000], &body[100_000..]] {
            wire.sends(part).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let heard = wire.hears_until("BAD_USER_INPUT").await;
        assert_eq!(status(&heard), expected, "{heard}");
    }
}

/// Who asks is looked up before the body comes, and once more when it comes late.
#[tokio::test]
async fn a_session_that_ends_while_a_body_is_on_its_way_is_over() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let body = r#"{"query":"{ viewer { username } }"}"#;
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Length: {}\r\n",
        ada.tokens().access.unwrap(),
        body.len()
    );
    let mut wires = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::to(&app).await;
        wire.sends(&head(&headers)).await;
        wires.push(wire);
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    wires[0].sends(body).await;
    wires[0].hears_until(r#""username":"ada""#).await;
    ada.logs_out().await;
    wires[1].sends(body).await;
    wires[1].hears_until("UNAUTHENTICATED").await;
}

#[tokio::test]
async fn a_request_that_names_no_host_or_two_is_refused() {
    let app = TestApp::start().await;
    for (version, hosts, expected) in [
        ("1.1", "", "400"),
        ("1.1", "Host: a.example\r\nHost: b.example\r\n", "400"),
        ("1.1", "Host: a.example\r\nHost: a.example\r\n", "400"),
        ("1.1", "Host: a.example, b.example\r\n", "400"),
        ("1.1", "Host: a.example:8000\r\n", "200"),
        ("1.0", "", "200"),
        ("1.0", "Host: a.example\r\nHost: b.example\r\n", "400"),
    ] {
        let mut wire = Wire::to(&app).await;
        let text = format!("GET /healthz HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        wire.sends(&text).await;
        let heard = wire.hears().await;
        assert_eq!(status(&heard), expected, "{version} {hosts}: {heard}");
    }
    for (host, expected) in [("A.example", "200"), ("b.example", "400")] {
        let mut wire = Wire::to(&app).await;
        let text = format!(
            "GET http://a.example/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        );
        wire.sends(&text).await;
        let heard = wire.hears().await;
        assert_eq!(status(&heard), expected, "{host}: {heard}");
    }
}
