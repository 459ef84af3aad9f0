//! Somebody who uses Muster. Verbs in the indicative must work and fail the test
//! otherwise; what may be refused is asked for with `asks` or `tries_to_…`.

use std::sync::{Arc, Mutex, OnceLock};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::app::World;
use super::inbox::Inbox;
use super::{
    APPROVE_USER, ASSIGN_TASK, Answer, CREATE_TASK, LOG_IN, LOG_OUT, Operation, REFRESH_SESSION,
    REJECT_USER, REQUEST_PASSWORD_RESET, RESET_PASSWORD, SET_TASK_STATUS, SIGN_UP, TestApp, VIEWER,
};

/// Everybody's, so that no test needs to say it.
pub const PASSWORD: &str = "violet Tram 48 gardens";

/// Clones share the device: who logs in on one is logged in on the other.
#[derive(Clone)]
pub struct Person {
    world: Arc<World>,
    pub username: String,
    pub email: String,
    pub password: String,
    id: Arc<OnceLock<String>>,
    tokens: Arc<Mutex<Tokens>>,
    /// What `X-Forwarded-For` says.
    address: Option<String>,
}

/// What a client keeps.
#[derive(Clone, Default)]
pub struct Tokens {
    pub access: Option<String>,
    pub refresh: Option<String>,
}

impl Person {
    pub(super) fn new(world: &Arc<World>, username: &str) -> Self {
        Self {
            world: Arc::clone(world),
            username: username.to_owned(),
            email: format!("{}@example.com", username.to_lowercase()),
            password: PASSWORD.to_owned(),
            id: Arc::default(),
            tokens: Arc::default(),
            address: None,
        }
    }

    /// The same person, sending as somebody whom a proxy forwards from this address.
    pub fn at_address(&self, address: &str) -> Self {
        Self {
            address: Some(address.to_owned()),
            ..self.clone()
        }
    }

    /// The same person with another address.
    pub fn with_email(mut self, email: &str) -> Self {
        email.clone_into(&mut self.email);
        self
    }

    /// The same person, typing another password.
    pub fn with_password(&self, password: &str) -> Self {
        Self {
            password: password.to_owned(),
            ..self.clone()
        }
    }

    /// The same person where they are not logged in yet.
    pub fn on_another_device(&self) -> Self {
        Self {
            tokens: Arc::default(),
            ..self.clone()
        }
    }

    /// The same person, logged in as here, at another process.
    pub fn at(&self, app: &TestApp) -> Self {
        let other = Self {
            world: app.world(),
            ..self.on_another_device()
        };
        other.keeps(self.tokens());
        other
    }

    /// The same person, sending this as the access token.
    pub fn with_access_token(&self, token: &str) -> Self {
        let other = self.on_another_device();
        other.tokens.lock().unwrap().access = Some(token.to_owned());
        other
    }

    #[track_caller]
    pub fn id(&self) -> &str {
        self.id.get().expect("the server has given no id yet")
    }

    pub fn tokens(&self) -> Tokens {
        self.tokens.lock().unwrap().clone()
    }

    pub fn keeps(&self, tokens: Tokens) {
        *self.tokens.lock().unwrap() = tokens;
    }

    pub async fn asks(&self, operation: Operation, variables: Value) -> Answer {
        self.sends(operation.text, variables).await
    }

    /// None when there is no server any more to answer.
    pub async fn tries(&self, operation: Operation, variables: Value) -> Option<Answer> {
        let body = json!({ "query": operation.text, "variables": variables });
        let request = self
            .world
            .http
            .post(format!("{}/graphql", self.world.url()))
            .json(&body);
        Answer::try_read(request.send().await.ok()?).await
    }

    /// Asks something that is not worth a file.
    pub async fn sends(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        self.posts(body.to_string()).await
    }

    /// Sends a body as it is.
    pub async fn posts(&self, body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self
            .world
            .http
            .post(format!("{}/graphql", self.world.url()))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/graphql-response+json")
            .body(body);
        if let Some(token) = self.tokens().access {
            request = request.bearer_auth(token);
        }
        if let Some(address) = &self.address {
            request = request.header("x-forwarded-for", address);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    pub fn inbox(&self) -> Inbox {
        let mut mails = self.world.mails();
        mails.retain(|mail| mail.is_to(&self.email));
        Inbox(mails)
    }

    /// The id of the new account.
    pub async fn signs_up(&self) -> String {
        self.tries_to_sign_up(json!({})).await.succeeds();
        self.id().to_owned()
    }

    /// With fields of the form that differ from the usual ones.
    pub async fn tries_to_sign_up(&self, fields: Value) -> Answer {
        let mut form = json!({
            "username": self.username,
            "email": self.email,
            "password": self.password,
        });
        form.as_object_mut().unwrap().extend(object(fields));
        let answer = self.asks(SIGN_UP, json!({ "input": form })).await;
        self.learns_id(&answer, "/signUp/user/id");
        answer
    }

    pub async fn logs_in(&self) -> Answer {
        self.logs_in_as(&self.username).await
    }

    pub async fn logs_in_as(&self, login: &str) -> Answer {
        let input = json!({ "login": login, "password": self.password });
        let answer = self.asks(LOG_IN, json!({ "input": input })).await;
        self.learns_id(&answer, "/logIn/user/id");
        self.keeps_tokens(&answer, "logIn");
        answer
    }

    /// With a code besides the password.
    pub async fn logs_in_with(&self, code: &str) -> Answer {
        let input = json!({ "login": self.username, "password": self.password, "code": code });
        let answer = self.asks(LOG_IN, json!({ "input": input })).await;
        self.keeps_tokens(&answer, "logIn");
        answer
    }

    pub async fn refreshes(&self) -> Answer {
        let input = json!({ "refreshToken": self.tokens().refresh });
        let answer = self.asks(REFRESH_SESSION, json!({ "input": input })).await;
        self.keeps_tokens(&answer, "refreshSession");
        answer
    }

    pub async fn logs_out(&self) {
        self.asks(LOG_OUT, json!({})).await.succeeds();
    }

    /// Whether the server knows who is asking.
    pub async fn is_signed_in(&self) -> bool {
        let answer = self.asks(VIEWER, json!({})).await;
        answer.errors().is_empty() && !answer.data("viewer").is_null()
    }

    pub async fn approves(&self, user_id: &str) -> Answer {
        let input = json!({ "userId": user_id });
        let answer = self.asks(APPROVE_USER, json!({ "input": input })).await;
        answer.succeeds()
    }

    pub async fn rejects(&self, user_id: &str, reason: &str) -> Answer {
        let input = json!({ "userId": user_id, "reason": reason });
        let answer = self.asks(REJECT_USER, json!({ "input": input })).await;
        answer.succeeds()
    }

    pub async fn forgets_password(&self) {
        let input = json!({ "email": self.email });
        let answer = self
            .asks(REQUEST_PASSWORD_RESET, json!({ "input": input }))
            .await;
        assert_eq!(
            answer.succeeds().data("requestPasswordReset.accepted"),
            true
        );
    }

    /// Uses a mailed link.
    pub async fn tries_to_reset(&self, token: &str, password: &str) -> Answer {
        let input = json!({ "token": token, "newPassword": password });
        self.asks(RESET_PASSWORD, json!({ "input": input })).await
    }

    /// The id of the new task.
    pub async fn creates_task(&self, title: &str) -> String {
        self.creates_task_with(json!({ "title": title })).await
    }

    pub async fn creates_task_with(&self, input: Value) -> String {
        let answer = self.asks(CREATE_TASK, json!({ "input": input })).await;
        answer.succeeds().words("createTask.task.id")
    }

    pub async fn assigns(&self, task_id: &str, to: &Person) -> Answer {
        let input = json!({ "taskId": task_id, "assigneeId": to.id() });
        let answer = self.asks(ASSIGN_TASK, json!({ "input": input })).await;
        answer.succeeds()
    }

    pub async fn sets_status(&self, task_id: &str, status: &str) -> Answer {
        let input = json!({ "taskId": task_id, "status": status });
        let answer = self.asks(SET_TASK_STATUS, json!({ "input": input })).await;
        answer.succeeds()
    }

    fn learns_id(&self, answer: &Answer, pointer: &str) {
        if let Some(id) = answer.find(pointer) {
            assert_eq!(self.id.get_or_init(|| id.clone()), &id);
        }
    }

    fn keeps_tokens(&self, answer: &Answer, field: &str) {
        if let Some(access) = answer.find(&format!("/{field}/accessToken")) {
            let refresh = answer.find(&format!("/{field}/refreshToken"));
            self.keeps(Tokens {
                access: Some(access),
                refresh,
            });
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}
