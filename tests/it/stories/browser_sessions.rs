//! A browser keeps its refresh token where no script can read it, and no other
//! site can use it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Person, SESSIONS, TestApp};

const COOKIE: &str = "__Host-muster_refresh_token";
const LOG_IN: &str = "mutation ($input: LogInInput!) { logIn(input: $input) { accessToken refreshToken user { username } userErrors { field code } } }";
const REFRESH: &str =
    "mutation { refreshSession(input: {}) { accessToken refreshToken userErrors { field code } } }";
const LOG_OUT: &str = "mutation { logOut { loggedOut } }";

/// A page in a browser: it keeps cookies, and says where it is from.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: Option<String>,
    headers: Vec<(&'static str, String)>,
}

struct Told {
    body: Value,
    set_cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookie: None,
            headers: Vec::new(),
        }
    }

    fn with(&self, name: &'static str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name, value.to_owned()));
        Self {
            app: self.app,
            cookie: self.cookie.clone(),
            headers,
        }
    }

    async fn sends(&mut self, query: &str, variables: Value) -> Told {
        let body = json!({ "query": query, "variables": variables });
        let mut request = self
            .app
            .http()
            .post(self.app.url("/graphql"))
            .header("content-type", "application/json")
            .body(body.to_string());
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("theme=dark; {COOKIE}={cookie}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        let set_cookie = response
            .headers()
            .get("set-cookie")
            .map(|value| value.to_str().unwrap().to_owned());
        if let Some(set_cookie) = &set_cookie {
            let (pair, attributes) = set_cookie.split_once("; ").unwrap();
            let value = pair.strip_prefix(&format!("{COOKIE}=")).unwrap();
            self.cookie = Some(value.to_owned()).filter(|_| !attributes.contains("Max-Age=0"));
        }
        let body = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        Told { body, set_cookie }
    }

    async fn logs_in(&mut self, person: &Person) -> Told {
        let input = json!({
            "login": person.username, "password": person.password, "refreshTokenIn": "COOKIE",
        });
        let told = self.sends(LOG_IN, json!({ "input": input })).await;
        assert_eq!(told.body["data"]["logIn"]["userErrors"], json!([]));
        told
    }

    async fn refreshes(&mut self) -> Told {
        self.sends(REFRESH, json!({})).await
    }
}

impl Told {
    fn access_token(&self) -> &str {
        let data = &self.body["data"];
        data["logIn"]["accessToken"]
            .as_str()
            .or_else(|| data["refreshSession"]["accessToken"].as_str())
            .unwrap_or_else(|| panic!("no access token in {}", self.body))
    }

    #[track_caller]
    fn is_refused(&self) {
        assert_eq!(
            self.body["data"]["refreshSession"]["userErrors"],
            json!([{ "field": ["input", "refreshToken"], "code": "INVALID_TOKEN" }])
        );
    }
}

#[tokio::test]
async fn the_refresh_token_is_in_the_cookie_and_nowhere_else() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    let told = browser.logs_in(&nico).await;
    assert_eq!(told.body["data"]["logIn"]["refreshToken"], Value::Null);
    let token = browser.cookie.clone().unwrap();
    assert!(!told.body.to_string().contains(&token));
    let attributes = "Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Strict";
    assert_eq!(
        told.set_cookie.unwrap(),
        format!("{COOKIE}={token}; {attributes}")
    );
    // Without asking for it, nobody gets one.
    let input = json!({ "login": "nico", "password": nico.password });
    let told = browser.sends(LOG_IN, json!({ "input": input })).await;
    assert_eq!(told.set_cookie, None);
    assert!(told.body["data"]["logIn"]["refreshToken"].is_string());
}

#[tokio::test]
async fn refresh_and_log_out_work_by_the_cookie_alone() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&nico).await;
    let first = browser.cookie.clone();
    app.clock.advance(TimeDelta::minutes(20));
    let told = browser.refreshes().await;
    assert_eq!(
        told.body["data"]["refreshSession"]["refreshToken"],
        Value::Null
    );
    let signed_in = nico.with_access_token(told.access_token());
    assert!(signed_in.is_signed_in().await);
    assert!(browser.cookie.is_some() && browser.cookie != first);

    let told = browser.sends(LOG_OUT, json!({})).await;
    assert_eq!(told.body["data"]["logOut"]["loggedOut"], true);
    assert_eq!(
        told.set_cookie.unwrap(),
        format!("{COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict")
    );
    assert!(!signed_in.is_signed_in().await);
    let told = browser.sends(LOG_OUT, json!({})).await;
    assert_eq!(
        told.body["errors"][0]["extensions"]["code"],
        "UNAUTHENTICATED"
    );
    browser.refreshes().await.is_refused();
}

#[tokio::test]
async fn a_cookie_that_was_used_ends_its_session() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&nico).await;
    let mut thief = browser.with("user-agent", "thief");
    let told = browser.refreshes().await;
    let signed_in = nico.with_access_token(told.access_token());
    app.clock.advance(TimeDelta::seconds(11));
    let told = thief.refreshes().await;
    told.is_refused();
    // By then, another tab may have logged in and have a new one: it is left alone.
    assert_eq!(told.set_cookie, None);
    assert!(!signed_in.is_signed_in().await);
    browser.refreshes().await.is_refused();
}

#[tokio::test]
async fn logging_out_ends_what_the_browser_kept_besides() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    let told = browser.logs_in(&nico).await;
    let kept = nico.with_access_token(told.access_token());
    // An access token of another session, of a log-in that answered in the body.
    let bearer = format!("Bearer {}", nico.tokens().access.unwrap());
    let mut page = browser.with("authorization", &bearer);
    let told = page.sends(LOG_OUT, json!({})).await;
    assert_eq!(told.body["data"]["logOut"]["loggedOut"], true);
    assert!(!nico.is_signed_in().await && !kept.is_signed_in().await);
}

#[tokio::test]
async fn a_used_cookie_logs_its_own_session_out_and_no_other() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&nico).await;
    let mut thief = browser.with("user-agent", "thief");
    let told = browser.refreshes().await;
    let signed_in = nico.with_access_token(told.access_token());
    let everywhere = "mutation { logOut(input: { everywhere: true }) { loggedOut } }";
    let told = thief.sends(everywhere, json!({})).await;
    assert_eq!(told.body["data"]["logOut"]["loggedOut"], true);
    assert!(!signed_in.is_signed_in().await);
    assert!(nico.is_signed_in().await);
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_keep_their_session() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut tab = Browser::new(&app);
    tab.logs_in(&nico).await;
    let mut other = tab.with("user-agent", "the same");
    let (first, second) = tokio::join!(tab.refreshes(), other.refreshes());
    for told in [&first, &second] {
        let signed_in = nico.with_access_token(told.access_token());
        assert!(signed_in.is_signed_in().await);
    }
    assert_eq!(tab.cookie, other.cookie);
    tab.refreshes().await.access_token();
}

#[tokio::test]
async fn a_new_log_in_of_a_browser_ends_the_session_that_it_had() {
    let app = TestApp::start().await;
    let (nico, olga) = (app.employee("nico").await, app.employee("olga").await);
    let mut browser = Browser::new(&app);
    let told = browser.logs_in(&nico).await;
    let before = nico.with_access_token(told.access_token());
    let told = browser.logs_in(&olga).await;
    assert!(!before.is_signed_in().await);
    assert!(
        olga.with_access_token(told.access_token())
            .is_signed_in()
            .await
    );
    // Other devices keep theirs.
    assert!(nico.is_signed_in().await);
}

#[tokio::test]
async fn pages_of_other_origins_cannot_use_the_cookie() {
    let app = TestApp::start_with(&[("CORS_ORIGINS", "https://app.muster.example")]).await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    let told = browser.logs_in(&nico).await;
    let signed_in = nico.with_access_token(told.access_token());
    let kept = browser.cookie.clone();
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://app.muster.example"),
        ("origin", "https://app.muster.example.evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let mut page = browser.with(name, value);
        let told = page.refreshes().await;
        told.is_refused();
        assert_eq!(told.set_cookie, None, "{name}: {value}");
        let told = page.sends(LOG_OUT, json!({})).await;
        assert_eq!(
            told.body["errors"][0]["extensions"]["code"],
            "UNAUTHENTICATED"
        );
        assert!(signed_in.is_signed_in().await, "{name}: {value}");
    }
    let mut page = browser.with("origin", "https://app.muster.example");
    page.refreshes().await.access_token();
    assert!(page.cookie.is_some() && page.cookie != kept);
}

#[tokio::test]
async fn a_page_that_could_not_use_the_cookie_is_told_so_and_gets_no_session() {
    for origins in ["*", "https://app.muster.example"] {
        let app = TestApp::start_with(&[("CORS_ORIGINS", origins)]).await;
        let nico = app.employee("nico").await;
        let browser = Browser::new(&app);
        let log_in = async |name: &'static str, value: &str, password: &str| {
            let input =
                json!({ "login": "nico", "password": password, "refreshTokenIn": "COOKIE" });
            let mut page = browser.with(name, value);
            page.sends(LOG_IN, json!({ "input": input })).await
        };
        for (name, value) in [
            ("origin", "https://elsewhere.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            // Whatever the password is, so that it tells nothing.
            for password in [nico.password.as_str(), "a wrong guess"] {
                let told = log_in(name, value, password).await;
                assert_eq!(
                    told.body["data"]["logIn"]["userErrors"],
                    json!([{ "field": ["input", "refreshTokenIn"], "code": "NOT_ALLOWED" }])
                );
                assert_eq!(told.body["data"]["logIn"]["accessToken"], Value::Null);
                assert_eq!(told.set_cookie, None);
            }
        }
        let sessions = nico.asks(SESSIONS, json!({})).await.succeeds();
        assert_eq!(sessions.each("sessions", "isCurrent").len(), 1);
        // This server's own pages get it, and so does what is no browser.
        let own = app.url("");
        for (name, value) in [("origin", own.as_str()), ("user-agent", "a script")] {
            let told = log_in(name, value, &nico.password).await;
            assert!(told.set_cookie.is_some(), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_token_in_the_body_goes_before_the_cookie() {
    let app = TestApp::start().await;
    let nico = app.employee("nico").await;
    let mut browser = Browser::new(&app);
    browser.logs_in(&nico).await;
    let kept = browser.cookie.clone();
    let query = "mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { accessToken refreshToken userErrors { field code } } }";
    let input = json!({ "refreshToken": nico.tokens().refresh });
    let told = browser.sends(query, json!({ "input": input })).await;
    assert!(told.body["data"]["refreshSession"]["refreshToken"].is_string());
    assert_eq!((told.set_cookie, &browser.cookie), (None, &kept));
    let told = browser
        .sends(query, json!({ "input": { "refreshToken": "wrong" } }))
        .await;
    told.is_refused();
    assert_eq!(told.set_cookie, None);
}
