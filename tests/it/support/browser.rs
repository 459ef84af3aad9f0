//! A browser at the job board: it keeps the one cookie, says where a request is from,
//! and shows what came.

use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::{Person, TestApp};

pub const COOKIE: &str = "__Secure-muster_job_board";
pub const TASKS: &str = "/jobs/api/v1/queues/muster/tasks";
pub const STATUSES: [&str; 6] = ["Pending", "Queued", "Running", "Done", "Failed", "Killed"];

pub struct Browser<'a> {
    pub app: &'a TestApp,
    pub http: reqwest::Client,
    pub cookie: Option<String>,
}

pub struct Page {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn is_form(&self) -> bool {
        self.text.contains("action=\"/jobs/log-in\"")
    }

    /// What the form says is wrong.
    pub fn notice(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("role=\"alert\">")?;
        rest.split_once("</p>").map(|(notice, _)| notice)
    }

    pub fn is_board(&self) -> bool {
        self.status == StatusCode::OK && self.text.contains("/jobs/assets/board.js")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none());
        Self {
            app,
            http: http.build().unwrap(),
            cookie: None,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, self.app.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("theme=dark; {COOKIE}={cookie}"));
        }
        request
    }

    pub async fn sends(&mut self, request: RequestBuilder) -> Page {
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

    pub async fn opens(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.sends(request).await
    }

    pub async fn submits(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .request(Method::POST, path)
            .header("origin", "https://muster.example")
            .header("sec-fetch-site", "same-origin");
        self.sends(with_form(request, fields)).await
    }

    pub async fn tries_to_log_in(&mut self, login: &str, password: &str) -> Page {
        let fields = [("login", login), ("password", password), ("code", "")];
        self.submits("/jobs/log-in", &fields).await
    }

    pub async fn logs_in(&mut self, person: &Person) -> Page {
        let page = self
            .tries_to_log_in(&person.username, &person.password)
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        assert_eq!(page.header("location"), "/jobs");
        assert!(self.opens("/jobs").await.is_board());
        page
    }

    /// All that there is in the queue, whatever became of it.
    pub async fn tasks(&mut self) -> Vec<Value> {
        let mut tasks = Vec::new();
        for status in STATUSES {
            let page = self.opens(&format!("{TASKS}?status={status}")).await;
            tasks.extend(page.json().as_array().unwrap().clone());
        }
        tasks
    }

    /// The board is not there any more, whichever way it is asked.
    pub async fn is_out(&mut self) -> bool {
        let page = self.opens("/jobs").await;
        let tasks = self.opens(TASKS).await;
        assert_eq!(page.is_board(), tasks.status == StatusCode::OK);
        page.is_form() && tasks.status == StatusCode::UNAUTHORIZED
    }
}

pub fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.extend_pairs(fields).finish())
}
