//! Admins look at the queue in a browser, at `/jobs`: they log in there by a form,
//! see what waits and what was done, and can change nothing.

use chrono::TimeDelta;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT_EVENTS, Authenticator, CHANGE_PASSWORD, PASSWORD, Person, REFRESH_SESSION,
    REVOKE_SESSION, REVOKE_USER_SESSIONS, SESSIONS, SET_USER_ROLE, TestApp, UPDATE_USER, VIEWER,
};

const COOKIE: &str = "__Secure-muster_job_board";
const TASKS: &str = "/jobs/api/v1/queues/muster/tasks";
const STATUSES: [&str; 6] = ["Pending", "Queued", "Running", "Done", "Failed", "Killed"];

/// A browser at the board: it keeps the one cookie, and says where a request is from.
struct Browser<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    cookie: Option<String>,
}

struct Page {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn is_form(&self) -> bool {
        self.text.contains("action=\"/jobs/log-in\"")
    }

    /// What the form says is wrong.
    fn notice(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("role=\"alert\">")?;
        rest.split_once("</p>").map(|(notice, _)| notice)
    }

    fn is_board(&self) -> bool {
        self.status == StatusCode::OK && self.text.contains("/jobs/assets/board.js")
    }

    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }
}

impl<'a> Browser<'a> {
    fn new(app: &'a TestApp) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none());
        Self {
            app,
            http: http.build().unwrap(),
            cookie: None,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, self.app.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("theme=dark; {COOKIE}={cookie}"));
        }
        request
    }

    async fn sends(&mut self, request: RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(set_cookie) = headers.get("set-cookie") {
            let (pair, attributes) = set_cookie.to_str().unwrap().split_once("; ").unwrap();
            let value = pair.strip_prefix(&format!("{COOKIE}=")).unwrap();
            self.cookie = Some(value.to_owned()).filter(|_| !attributes.contains("Max-Age=0"));
        }
        let text = response.text().await.unwrap();
        Page {
            status,
            headers,
            text,
        }
    }

    async fn opens(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.sends(request).await
    }

    async fn submits(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .request(Method::POST, path)
            .header("origin", "https://muster.example")
            .header("sec-fetch-site", "same-origin");
        self.sends(with_form(request, fields)).await
    }

    async fn tries_to_log_in(&mut self, login: &str, password: &str) -> Page {
        let fields = [("login", login), ("password", password), ("code", "")];
        self.submits("/jobs/log-in", &fields).await
    }

    async fn logs_in(&mut self, person: &Person) -> Page {
        let page = self
            .tries_to_log_in(&person.username, &person.password)
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        assert_eq!(page.header("location"), "/jobs");
        assert!(self.opens("/jobs").await.is_board());
        page
    }

    /// All that there is in the queue, whatever became of it.
    async fn tasks(&mut self) -> Vec<Value> {
        let mut tasks = Vec::new();
        for status in STATUSES {
            let page = self.opens(&format!("{TASKS}?status={status}")).await;
            tasks.extend(page.json().as_array().unwrap().clone());
        }
        tasks
    }

    /// The board is not there any more, whichever way it is asked.
    async fn is_out(&mut self) -> bool {
        let page = self.opens("/jobs").await;
        let tasks = self.opens(TASKS).await;
        assert_eq!(page.is_board(), tasks.status == StatusCode::OK);
        page.is_form() && tasks.status == StatusCode::UNAUTHORIZED
    }
}

fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.extend_pairs(fields).finish())
}

#[tokio::test]
async fn an_admin_logs_in_by_the_form_and_sees_the_jobs_of_the_queue() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.stranger("nico").signs_up().await;
    let mut browser = Browser::new(&app);
    for path in ["/jobs", "/jobs/", "/jobs/queues/muster"] {
        let page = browser.opens(path).await;
        assert!(
            page.status == StatusCode::OK && page.is_form() && page.notice().is_none(),
            "{path}"
        );
    }
    let page = browser.logs_in(&ada).await;
    let cookie = page.header("set-cookie");
    assert!(
        cookie.ends_with("; Max-Age=43200; Path=/jobs; Secure; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    for path in ["/jobs/", "/jobs/queues/muster", "/jobs/tasks/Done"] {
        assert!(browser.opens(path).await.is_board(), "{path}");
    }
    let queues = browser.opens("/jobs/api/v1/queues").await.json();
    assert_eq!(queues[0]["name"], "muster");
    let overview = browser.opens("/jobs/api/v1/overview").await.json();
    assert!(overview.as_array().unwrap().len() > 10);
    let tasks = browser.tasks().await;
    let id = tasks[0]["ctx"]["task_id"].as_str().unwrap();
    let one = browser.opens(&format!("{TASKS}/{id}")).await.json();
    assert_eq!(one["args"]["job"], "deliver");
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_job_holds_ids_and_nothing_about_a_person() {
    let app = TestApp::start().await;
    let ada = app.admin("ada-personally").await;
    let nico = app.stranger("nico-personally");
    nico.signs_up().await;
    nico.forgets_password().await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let tasks = browser.tasks().await;
    assert!(!tasks.is_empty());
    for task in &tasks {
        let args = task["args"].as_object().unwrap();
        let names: Vec<&str> = args.keys().map(String::as_str).collect();
        assert_eq!(names, ["delivery_id", "job"]);
        assert!(
            args["delivery_id"]
                .as_str()
                .unwrap()
                .starts_with("delivery_")
        );
    }
    for path in [
        "queues",
        "overview",
        "workers",
        "tasks",
        "queues/muster/stats",
    ] {
        let page = browser.opens(&format!("/jobs/api/v1/{path}")).await;
        page.json();
        let shown = format!("{}{tasks:?}", page.text);
        for about in ["personally", "example.com", nico.id(), ada.id()] {
            assert!(!shown.contains(about), "{about} in {path}");
        }
    }
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn only_admins_are_let_in_and_whoever_is_not_leaves_no_session() {
    let app = TestApp::start().await;
    app.admin("ada").await;
    let (mia, eve) = (app.manager("mia").await, app.employee("eve").await);
    for person in [&mia, &eve] {
        let before = person.asks(SESSIONS, json!({})).await.succeeds();
        let mut browser = Browser::new(&app);
        let page = browser
            .tries_to_log_in(&person.username, &person.password)
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(page.notice(), Some("Only admins can see the job board."));
        assert!(page.is_form() && browser.cookie.is_none());
        assert!(browser.is_out().await);
        let after = person.asks(SESSIONS, json!({})).await.succeeds();
        assert_eq!(before.each("sessions", "id"), after.each("sessions", "id"));
        let variables = json!({ "first": 1 });
        let events = person.asks(ACCOUNT_EVENTS, variables).await.succeeds();
        assert_eq!(
            events.each("accountEvents.nodes", "kind"),
            ["LOG_IN_REFUSED"]
        );
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_login_get_the_same_words() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut pages = Vec::new();
    for (login, password) in [
        (ada.username.as_str(), "not her password"),
        ("nobody", "not her password"),
        ("nobody", PASSWORD),
        (ada.username.as_str(), ""),
    ] {
        let mut browser = Browser::new(&app);
        let page = browser.tries_to_log_in(login, password).await;
        assert!(page.is_form() && browser.cookie.is_none());
        // What was typed is in it again, but for the password.
        assert!(page.text.contains(&format!("value=\"{login}\"")));
        assert!(!page.text.contains("not her password") && !page.text.contains(PASSWORD));
        let text = page.text.replace(login, "");
        pages.push((page.status, text));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    assert!(
        pages[0]
            .1
            .contains("Username, e-mail address or password is wrong.")
    );
}

#[tokio::test]
async fn guesses_are_held_back_as_at_every_log_in() {
    let app = TestApp::start_with(&[("RATE_LIMIT", "on")]).await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    let mut last = browser.tries_to_log_in("ada", "wrong").await;
    for _ in 0..5 {
        last = browser.tries_to_log_in("ada", "wrong").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(last.header("retry-after"), "12");
    // Rounded up: who came back half a second early would be refused once more.
    app.clock.advance(TimeDelta::milliseconds(1_500));
    let last = browser.tries_to_log_in("ada", "wrong").await;
    assert_eq!(last.header("retry-after"), "11");
    let notice = last.notice().unwrap();
    assert_eq!(notice, "Too many attempts. Try again in 11 seconds.");
    // They are one account's guesses, wherever they are made.
    ada.on_another_device()
        .logs_in()
        .await
        .fails_with("RATE_LIMITED");
}

#[tokio::test]
async fn where_admins_need_a_second_factor_they_need_it_here() {
    let app = TestApp::start_with(&[("ADMIN_SECOND_FACTOR", "required")]).await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    let page = browser.tries_to_log_in("ada", PASSWORD).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.notice().unwrap().contains("second factor"));

    let authenticator = Authenticator::set_up(&ada, &app.clock).await;
    app.clock.advance(TimeDelta::seconds(30));
    let page = browser.tries_to_log_in("ada", PASSWORD).await;
    assert_eq!(
        page.notice(),
        Some("Type the code of your authenticator app, or a recovery code.")
    );
    let code = authenticator.code();
    let fields = [("login", "ada"), ("password", PASSWORD), ("code", &code)];
    let page = browser.submits("/jobs/log-in", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert!(browser.opens("/jobs").await.is_board());
    // Each is good once, here, too.
    let page = Browser::new(&app).submits("/jobs/log-in", &fields).await;
    assert!(page.is_form() && page.notice().is_some());
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn what_ends_a_session_ends_the_one_at_the_board_by_the_next_request() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.admin("ada").await, app.admin("bob").await);
    let mut browser = Browser::new(&app);

    browser.logs_in(&ada).await;
    let pass = browser.cookie.clone();
    let page = browser.submits("/jobs/log-out", &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.cookie, None);
    // Whoever kept the pass has nothing by it.
    browser.cookie = pass;
    assert!(browser.is_out().await);

    browser.logs_in(&ada).await;
    let sessions = ada.asks(SESSIONS, json!({})).await.succeeds();
    let current = sessions.each("sessions", "isCurrent");
    let place = current.iter().position(|is| is == "false").unwrap();
    let id = sessions.words(&format!("sessions.{place}.id"));
    let input = json!({ "input": { "sessionId": id } });
    ada.asks(REVOKE_SESSION, input).await.succeeds();
    assert!(browser.is_out().await);

    browser.logs_in(&ada).await;
    let input = json!({ "input": { "userId": ada.id() } });
    bob.asks(REVOKE_USER_SESSIONS, input).await.succeeds();
    assert!(browser.is_out().await);

    ada.logs_in().await.succeeds();
    browser.logs_in(&ada).await;
    let passwords = json!({ "currentPassword": PASSWORD, "newPassword": "amber Tram 49 gardens" });
    let input = json!({ "input": passwords });
    ada.asks(CHANGE_PASSWORD, input).await.succeeds();
    assert!(browser.is_out().await);

    let ada = ada.with_password("amber Tram 49 gardens");
    browser.logs_in(&ada).await;
    let input = json!({ "input": { "userId": ada.id(), "role": "MANAGER" } });
    bob.asks(SET_USER_ROLE, input).await.succeeds();
    let page = browser.opens("/jobs").await;
    assert!(page.status == StatusCode::FORBIDDEN && page.is_form());
    assert_eq!(page.notice(), Some("Only admins can see the job board."));
    let tasks = browser.opens(TASKS).await;
    assert_eq!(tasks.status, StatusCode::FORBIDDEN);
    let input = json!({ "input": { "userId": ada.id(), "active": false } });
    bob.asks(UPDATE_USER, input).await.succeeds();
    assert!(browser.is_out().await);
    app.runs_all_jobs().await;
}

#[tokio::test]
async fn a_session_at_the_board_lasts_a_working_day_and_one_takes_the_place_of_the_other() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&ada).await;
    let first = browser.cookie.clone();
    app.clock.advance(TimeDelta::hours(1));
    browser.logs_in(&ada).await;
    let second = browser.cookie.clone();
    assert_ne!(first, second);
    browser.cookie = first;
    assert!(browser.is_out().await);
    browser.cookie = second;
    app.clock.advance(TimeDelta::hours(11));
    assert!(browser.opens("/jobs").await.is_board());
    app.clock.advance(TimeDelta::hours(1));
    assert!(browser.is_out().await);
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
