//! GraphQL over HTTP: what is malformed gets a GraphQL error with a code and the
//! right status, and nothing of what it was parsed with.

use serde_json::{Value, json};
use url::Url;

use crate::support::{Answer, Person, TestApp};

/// The one error, as status, code and text.
fn error(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.errors().len(), 1, "{}", answer.text());
    let message = answer.errors()[0]["message"].as_str().unwrap().to_owned();
    (answer.http_status(), answer.code().unwrap(), message)
}

async fn refused(person: &Person, body: &str) -> (u16, String) {
    let answer = person.posts(body.to_owned()).await;
    let (status, code, message) = error(&answer);
    for leak in ["serde", "async_graphql", "line 1 column", "Error {", "src/"] {
        assert!(!message.contains(leak), "{message}");
    }
    // Nothing was executed, so there is no data, not even null.
    assert!(!answer.text().contains(r#""data""#), "{}", answer.text());
    (status, code)
}

#[tokio::test]
async fn what_is_malformed_is_told_by_code_and_status() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    for (body, status, code) in [
        ("{", 400, "BAD_USER_INPUT"),
        ("", 400, "BAD_USER_INPUT"),
        ("[]", 400, "BAD_USER_INPUT"),
        (r#"[{"query":"{ __typename }"}]"#, 400, "BAD_USER_INPUT"),
        (r#"{"variables":{}}"#, 400, "BAD_USER_INPUT"),
        (r#"{"query":"{"}"#, 400, "GRAPHQL_PARSE_FAILED"),
        (
            r#"{"query":"{ nothing }"}"#,
            400,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query":"mutation { signUp(input: { name: 1 }) { user { id } } }"}"#,
            400,
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        let found = refused(&nico, body).await;
        assert_eq!(found, (status, code.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn an_operation_that_is_not_in_the_document_is_refused() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    let two = "query A { __typename } query B { __typename }";
    for body in [
        json!({ "query": two, "operationName": "C" }),
        json!({ "query": two }),
    ] {
        let (status, code) = refused(&nico, &body.to_string()).await;
        assert_eq!(status, 400);
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()));
    }
    let body = json!({ "query": two, "operationName": "B" });
    let answer = nico.posts(body.to_string()).await;
    assert_eq!(answer.text(), r#"{"data":{"__typename":"Query"}}"#);
}

/// Nobody reads thousands of errors, and to write them takes longer than anything else.
#[tokio::test]
async fn whatever_is_wrong_with_a_document_is_told_in_a_handful_of_errors() {
    let app = TestApp::start().await;
    let (nico, eve) = (app.stranger("nico"), app.employee("eve").await);
    let many = |count: usize, text: fn(usize) -> String| {
        let texts: Vec<String> = (0..count).map(text).collect();
        texts.join(" ")
    };
    let unknown = |count| many(count, |i| format!("f{i}"));
    let fields = |count| format!("viewer {{ {} }}", unknown(count));
    let arguments = many(900, |i| format!("x{i}: 1"));
    for (person, query, least) in [
        (&nico, format!("{{ {} }}", fields(900)), 900),
        (&eve, format!("{{ {} }}", fields(9_000)), 9_000),
        (&nico, format!("{{ viewer({arguments}) {{ id }} }}"), 900),
    ] {
        let answer = person.sends(&query, json!({})).await;
        let answer = answer.fails_with("GRAPHQL_VALIDATION_FAILED");
        assert_eq!(answer.errors().len(), 20);
        let last = format!("There are {} more errors.", least - 19);
        assert_eq!(answer.errors()[19]["message"], last);
        assert!(answer.text().len() < 8_192, "{} bytes", answer.text().len());
    }
}

/// The limits are those of the operation that runs, so what does not run is not looked at either.
#[tokio::test]
async fn of_several_operations_the_one_that_runs_is_validated() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    let others = |count: usize| {
        let unknown = "x y z ".repeat(60);
        let operation = |i| format!("query Q{i} {{ viewer {{ {unknown} }} }}");
        let operations: Vec<String> = (0..count).map(operation).collect();
        operations.join(" ")
    };
    let asks = async |name: &str, count: usize| {
        let query = format!("query A {{ __typename ...F }} {}", others(count))
            + "fragment F on Query { __typename } query B { ...G } fragment G on Nothing { x }";
        let body = json!({ "query": query, "operationName": name });
        nico.posts(body.to_string()).await
    };
    let answer = asks("A", 45).await;
    assert_eq!(answer.text(), r#"{"data":{"__typename":"Query"}}"#);
    let wrong = asks("B", 0).await.fails_with("GRAPHQL_VALIDATION_FAILED");
    assert!(wrong.text().contains("Nothing"), "{}", wrong.text());
    let body = json!({ "query": others(51), "operationName": "Q0" });
    let answer = nico.posts(body.to_string()).await;
    let answer = answer.fails_with("QUERY_TOO_COMPLEX");
    assert_eq!(
        answer.errors()[0]["message"],
        "The document has 51 operations, and 50 is the limit."
    );
    // A fragment that none of them uses is a mistake in any document.
    let answer = nico
        .sends(
            "{ __typename } fragment F on Query { __typename }",
            json!({}),
        )
        .await
        .fails_with("GRAPHQL_VALIDATION_FAILED");
    assert_eq!(answer.errors().len(), 1);
}

#[tokio::test]
async fn variables_of_the_wrong_type_are_refused() {
    let app = TestApp::start().await;
    let eve = app.employee("eve").await;
    let query = "query ($id: ID!, $first: Int) { task(id: $id) { id } viewer { tasks(first: $first) { totalCount } } }";
    for variables in [
        json!({}),
        json!({ "id": null }),
        json!({ "id": ["a"] }),
        json!({ "id": "a", "first": "two" }),
        json!({ "id": "a", "first": 1.5 }),
    ] {
        let body = json!({ "query": query, "variables": variables });
        let (status, code) = refused(&eve, &body.to_string()).await;
        assert_eq!(status, 400, "{variables}");
        assert!(
            ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()),
            "{code} for {variables}"
        );
    }
}

#[tokio::test]
async fn instants_without_a_zone_are_refused() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    let query = "mutation ($deadline: DateTime) { createTask(input: { title: \"x\", deadline: $deadline }) { task { deadline } } }";
    for deadline in [
        "2026-01-05T09:00:00",
        "2026-01-05",
        "tomorrow",
        "10000-01-01T00:00:00Z",
    ] {
        let answer = mia.sends(query, json!({ "deadline": deadline })).await;
        let code = answer.code().unwrap();
        assert!(
            ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()),
            "{code} for {deadline}"
        );
    }
    let answer = mia
        .sends(
            query,
            json!({ "deadline": "2026-01-05T15:00:00.1239+06:00" }),
        )
        .await;
    assert_eq!(
        answer.data("createTask.task.deadline"),
        "2026-01-05T09:00:00.123Z"
    );
}

#[tokio::test]
async fn get_runs_queries_and_nothing_else() {
    let app = TestApp::start().await;
    let get = async |query: &str| {
        let url = Url::parse_with_params(&app.url("/graphql"), [("query", query)]).unwrap();
        let response = app.http().get(url).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    };
    let (status, text) = get("{ __typename }").await;
    assert_eq!(
        (status, text.as_str()),
        (200, r#"{"data":{"__typename":"Query"}}"#)
    );
    let (status, text) =
        get("mutation { requestPasswordReset(input: {email: \"a@example.com\"}) { accepted } }")
            .await;
    assert_eq!(status, 405);
    assert!(!text.contains("accepted"), "{text}");
    assert_eq!(app.runs_all_jobs().await, 0);
}

#[tokio::test]
async fn a_body_that_is_no_json_by_its_type_is_not_read() {
    let app = TestApp::start().await;
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let request = app
            .http()
            .post(app.url("/graphql"))
            .header("content-type", media_type)
            .body(r#"{"query":"{ __typename }"}"#);
        assert_eq!(request.send().await.unwrap().status(), 415, "{media_type}");
    }
}

#[tokio::test]
async fn bodies_end_at_256_kib() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico");
    let body = |length: usize| {
        let frame = r#"{"query":"{ __typename }","extensions":{"padding":""}}"#.len();
        let padding = "x".repeat(length - frame);
        format!(r#"{{"query":"{{ __typename }}","extensions":{{"padding":"{padding}"}}}}"#)
    };
    assert_eq!(nico.posts(body(256 * 1024)).await.http_status(), 200);
    assert_eq!(nico.posts(body(256 * 1024 + 1)).await.http_status(), 413);
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_by_the_status_when_nothing_else_is_answered() {
    let app = TestApp::start().await;
    let nico = app.stranger("nico").with_access_token("garbled");
    let alone = nico.sends("{ viewer { id } }", json!({})).await;
    assert_eq!(alone.fails_with("UNAUTHENTICATED").http_status(), 401);
    let nested = nico.sends("{ dashboard { message } }", json!({})).await;
    assert_eq!(nested.fails_with("UNAUTHENTICATED").http_status(), 401);
    let both = nico
        .sends("{ viewer { id } server { signUpOpen } }", json!({}))
        .await;
    assert_eq!(both.data("server.signUpOpen"), true);
    assert_eq!(both.fails_with("UNAUTHENTICATED").http_status(), 200);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_careful_headers() {
    let app = TestApp::start().await;
    let answer = app
        .stranger("nico")
        .sends("{ __typename }", json!({}))
        .await;
    assert!(
        answer
            .header("x-request-id")
            .is_some_and(|id| !id.is_empty())
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("server"), None);
    assert!(answer.header("strict-transport-security").is_some());
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
}

#[tokio::test]
async fn a_fault_of_ours_shows_a_request_id_and_no_detail() {
    let app = TestApp::start().await;
    let mia = app.manager("mia").await;
    app.leaves_jobs();
    // Somebody broke the database.
    app.executes("ALTER TABLE tasks RENAME TO lost").await;
    let answer = mia.sends("{ tasks { nodes { id } } }", json!({})).await;
    let answer = answer.fails_with("INTERNAL_SERVER_ERROR");
    let error: &Value = &answer.errors()[0];
    let id = error["extensions"]["requestId"].as_str().unwrap();
    assert_eq!(Some(id), answer.header("x-request-id"));
    for leak in ["tasks", "table", "SQL", "sql"] {
        assert!(
            !error["message"].as_str().unwrap().contains(leak),
            "{error}"
        );
    }
    // The server lives on.
    let answer = mia.sends("{ viewer { username } }", json!({})).await;
    assert_eq!(answer.succeeds().data("viewer.username"), "mia");
}

#[tokio::test]
async fn probes_are_answered() {
    let app = TestApp::start().await;
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/nowhere", 404)] {
        let response = app.http().get(app.url(path)).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    app.executes("DELETE FROM seaql_migrations").await;
    let response = app.http().get(app.url("/readyz")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let response = app.http().get(app.url("/healthz")).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn front_ends_of_the_listed_origins_and_no_others_may_ask() {
    let listed = "https://app.example";
    for (setting, origin, allowed, credentials) in [
        (listed, listed, Some(listed), Some("true")),
        (listed, "https://app.example.evil", None, None),
        (listed, "null", None, None),
        ("*", "https://anyone.example", Some("*"), None),
        ("", listed, None, None),
    ] {
        let app = TestApp::start_with(&[("CORS_ORIGINS", setting)]).await;
        let request = app
            .http()
            .request(reqwest::Method::OPTIONS, app.url("/graphql"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "content-type,authorization",
            );
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap());
        let case = format!("{origin} where {setting} is listed");
        assert_eq!(header("access-control-allow-origin"), allowed, "{case}");
        let found = header("access-control-allow-credentials").filter(|_| allowed.is_some());
        assert_eq!(found, credentials, "{case}");
    }
}
