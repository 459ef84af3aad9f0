//! The job board changes nothing, whoever asks it to and by whatever way, and no page of
//! another origin reads it.

use muster::store::JobPool;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::support::browser::{Browser, TASKS, with_form};
use crate::support::{PASSWORD, REFRESH_SESSION, TestApp, VIEWER};

#[tokio::test]
async fn the_connections_of_the_board_cannot_write() {
    let app = TestApp::start().await;
    app.stranger("nico").signs_up().await;
    let pool = app.cx.db.job_board_pool().unwrap();
    let looked = match &pool {
        JobPool::Sqlite(pool) => {
            let jobs = sqlx::query("SELECT id FROM Jobs").fetch_all(pool).await;
            jobs.unwrap().len()
        }
        JobPool::Postgres(pool) => {
            let jobs = sqlx::query("SELECT id FROM apalis.jobs").fetch_all(pool);
            jobs.await.unwrap().len()
        }
    };
    assert_eq!(looked, 1);
    for statement in [
        "DELETE FROM",
        "UPDATE {} SET status = 'Done', attempts = 1 WHERE status IS NOT NULL --",
        "INSERT INTO {} SELECT * FROM",
    ] {
        let told = match &pool {
            JobPool::Sqlite(pool) => {
                let statement = format!("{} Jobs", statement.replace("{}", "Jobs"));
                let done = sqlx::query(sqlx::AssertSqlSafe(statement));
                done.execute(pool).await.unwrap_err().to_string()
            }
            JobPool::Postgres(pool) => {
                let statement = format!("{} apalis.jobs", statement.replace("{}", "apalis.jobs"));
                let done = sqlx::query(sqlx::AssertSqlSafe(statement));
                done.execute(pool).await.unwrap_err().to_string()
            }
        };
        assert!(
            told.contains("readonly") || told.contains("read-only"),
            "{statement}: {told}"
        );
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn the_pass_is_good_for_the_board_alone_and_nothing_else_is_a_pass() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let pass = browser.cookie.clone().unwrap();
    let stranger = app.stranger("eve").with_access_token(&pass);
    stranger
        .asks(VIEWER, json!({}))
        .await
        .fails_with("UNAUTHENTICATED");
    let input = json!({ "input": { "refreshToken": pass } });
    let answer = stranger.asks(REFRESH_SESSION, input).await;
    answer.refused_with("INVALID_TOKEN");

    let tokens = ada.tokens();
    let mut spoiled = pass.clone();
    spoiled.replace_range(..1, if pass.starts_with('A') { "B" } else { "A" });
    for other in [tokens.access.unwrap(), tokens.refresh.unwrap(), spoiled] {
        browser.cookie = Some(other);
        assert!(browser.is_out().await);
    }
    // Nor does an access token open it.
    browser.cookie = None;
    let request = browser.request(Method::GET, TASKS);
    let page = browser
        .sends(request.bearer_auth(ada.tokens().access.unwrap()))
        .await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_page_of_another_origin_changes_anything_or_reads_what_is_there() {
    let app = TestApp::start_with(&[("CORS_ORIGINS", "https://app.example.com")]).await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let form = [("login", "ada"), ("password", PASSWORD)];
    let from_elsewhere: [&[(&str, &str)]; 8] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "https://app.example.com")],
        &[("origin", "http://muster.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[
            ("origin", "https://muster.example"),
            ("sec-fetch-site", "same-site"),
        ],
        // Browsers say where a form is from; what says nothing may be one that is too old to.
        &[],
    ];
    for headers in from_elsewhere {
        let with_headers = |mut request: RequestBuilder| {
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request
        };
        for (method, path) in [
            (Method::POST, "/jobs/log-in"),
            (Method::POST, "/jobs/log-out"),
            (Method::PUT, TASKS),
            (Method::POST, TASKS),
            (Method::DELETE, TASKS),
            (Method::PATCH, "/jobs/api/v1/queues"),
        ] {
            let request = with_headers(browser.request(method.clone(), path));
            let page = browser.sends(with_form(request, &form)).await;
            assert_eq!(
                page.status,
                StatusCode::FORBIDDEN,
                "{method} {path} {headers:?}"
            );
            assert_eq!(page.header("set-cookie"), "");
        }
        if !headers.is_empty() {
            let request = with_headers(browser.request(Method::GET, TASKS));
            let page = browser.sends(request).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
        }
    }
    assert!(browser.opens("/jobs").await.is_board());
}

#[tokio::test]
async fn an_admin_puts_nothing_into_the_queue_either() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let jobs = browser.tasks().await;
    let job = json!({ "job": "deliver", "delivery_id": "delivery_01m7z9yb9ee698cr38aw1z8kd0" });
    for (method, path) in [
        (Method::PUT, TASKS),
        (Method::POST, TASKS),
        (Method::DELETE, TASKS),
        (Method::PUT, "/jobs/api/v1/queues/other/tasks"),
    ] {
        let request = browser
            .request(method.clone(), path)
            .header("origin", "https://muster.example")
            .json(&job);
        let page = browser.sends(request).await;
        assert_eq!(
            page.status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}"
        );
        assert_eq!(page.header("allow"), "GET, HEAD");
    }
    assert_eq!(browser.tasks().await, jobs);
}

#[tokio::test]
async fn what_is_asked_of_the_queue_is_kept_in_bounds() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    for query in [
        "page=0",
        "page=-1",
        "page_size=0",
        "page_size=101",
        "page=4294967295",
        "page=x",
    ] {
        let page = browser.opens(&format!("{TASKS}?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let page = browser
        .opens(&format!("{TASKS}?page=2&page_size=100"))
        .await;
    assert_eq!(page.json(), json!([]));
    for path in [
        "/jobs/api/v1/events",
        "/jobs/api/v1/queues/other/tasks",
        "/jobs/api/v2",
    ] {
        let page = browser.opens(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn nobody_keeps_or_frames_a_page_and_all_that_it_loads_is_here() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    let form = browser.opens("/jobs").await;
    browser.logs_in(&ada).await;
    let board = browser.opens("/jobs").await;
    for page in [&form, &board] {
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        assert!(!policy.contains("http") && !policy.contains('*'));
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
        // So that a browser says where the form is from.
        assert_eq!(page.header("referrer-policy"), "same-origin");
    }
    assert!(!form.text.contains("<script"));
    let tasks = browser.opens(TASKS).await;
    assert_eq!(tasks.header("cache-control"), "no-store");

    for page in [&form, &board] {
        let loads = page.text.split(['"', '\'']);
        let paths = loads.filter(|part| part.starts_with('/') && part.contains('.'));
        for path in paths {
            assert_eq!(browser.opens(path).await.status, StatusCode::OK, "{path}");
        }
        assert!(!page.text.contains("://"), "{}", page.text);
    }
    for (path, content_type) in [
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.wasm", "application/wasm"),
        ("app.css", "text/css; charset=utf-8"),
        ("board.js", "text/javascript; charset=utf-8"),
        ("board.css", "text/css; charset=utf-8"),
    ] {
        let request = browser.request(Method::HEAD, &format!("/jobs/assets/{path}"));
        let file = browser.sends(request).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert_eq!(file.header("content-type"), content_type);
        assert_eq!(file.header("cache-control"), "no-cache");
    }
}
