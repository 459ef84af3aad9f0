//! What the server answered to one request, and the short ways to say what it
//! should have been. A failing check shows the whole answer.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    body: Value,
}

impl Answer {
    pub(super) async fn read(response: reqwest::Response) -> Self {
        Self::try_read(response)
            .await
            .expect("the answer was cut short")
    }

    /// None when it was cut short.
    pub(super) async fn try_read(response: reqwest::Response) -> Option<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some(Self {
            status,
            headers,
            text,
            body,
        })
    }

    pub fn http_status(&self) -> u16 {
        self.status.as_u16()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All headers but those that differ from request to request.
    pub fn lasting_headers(&self) -> Vec<String> {
        let lasting = self
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
        lasting.map(|header| format!("{header:?}")).collect()
    }

    /// The body as it came, where the order of keys matters.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands at this place, such as `users.nodes.0.id`.
    #[track_caller]
    pub fn data(&self, path: &str) -> Value {
        let pointer = format!("/data/{}", path.replace('.', "/"));
        match self.body.pointer(&pointer) {
            Some(value) => value.clone(),
            None => panic!("nothing at {path} in {}", self.text),
        }
    }

    /// The text at this JSON pointer into the data, if there is one.
    pub(super) fn find(&self, pointer: &str) -> Option<String> {
        let found = self.body.pointer(&format!("/data{pointer}"))?;
        found.as_str().map(str::to_owned)
    }

    /// The text at this place.
    #[track_caller]
    pub fn words(&self, path: &str) -> String {
        match self.data(path) {
            Value::String(text) => text,
            other => panic!("{other} at {path} is no text in {}", self.text),
        }
    }

    /// The same field of every element of the list at this place.
    #[track_caller]
    pub fn each(&self, path: &str, field: &str) -> Vec<String> {
        match self.data(path) {
            Value::Array(elements) => elements
                .iter()
                .map(|element| match &element[field] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
                .collect(),
            other => panic!("{other} at {path} is no list in {}", self.text),
        }
    }

    pub fn errors(&self) -> Vec<Value> {
        match &self.body["errors"] {
            Value::Array(errors) => errors.clone(),
            _ => Vec::new(),
        }
    }

    /// The code of the first GraphQL error.
    pub fn code(&self) -> Option<String> {
        self.body
            .pointer("/errors/0/extensions/code")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    /// For how many seconds whoever asked too often has to wait; None of an answer without errors.
    #[track_caller]
    pub fn wait(&self) -> Option<i64> {
        let errors = self.errors();
        let error = errors.first()?;
        assert_eq!(error["extensions"]["code"], "RATE_LIMITED");
        assert_eq!(self.http_status(), 429);
        error["extensions"]["retryAfter"].as_i64()
    }

    /// What the form got wrong, such as `input.email EMAIL_TAKEN`.
    #[track_caller]
    pub fn user_errors(&self) -> Vec<String> {
        let Value::Array(problems) = &self.payload()["userErrors"] else {
            panic!("no userErrors in {}", self.text);
        };
        problems
            .iter()
            .map(|problem| {
                let code = problem["code"].as_str().unwrap();
                match &problem["field"] {
                    Value::Array(field) => {
                        let field: Vec<_> = field.iter().map(|f| f.as_str().unwrap()).collect();
                        format!("{} {code}", field.join("."))
                    }
                    _ => code.to_owned(),
                }
            })
            .collect()
    }

    /// The one root field's value.
    #[track_caller]
    fn payload(&self) -> &Value {
        match self.body["data"].as_object().map(|data| data.values()) {
            Some(mut fields) if fields.len() == 1 => fields.next().unwrap(),
            _ => panic!("not one root field in {}", self.text),
        }
    }

    /// Neither a GraphQL error nor a problem with the form.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert!(self.body["data"].is_object(), "no data in {}", self.text);
        assert_eq!(self.errors(), [] as [Value; 0], "errors in {}", self.text);
        let is_form = self.payload().get("userErrors").is_some();
        assert!(
            !is_form || self.user_errors().is_empty(),
            "refused: {}",
            self.text
        );
        self
    }

    /// No GraphQL error; for answers of more than one root field.
    #[track_caller]
    pub fn without_errors(self) -> Self {
        assert_eq!(self.errors(), [] as [Value; 0], "errors in {}", self.text);
        self
    }

    /// Exactly one problem with the form, of this code, and nothing done.
    #[track_caller]
    pub fn refused_with(self, code: &str) -> Self {
        assert_eq!(self.errors(), [] as [Value; 0], "errors in {}", self.text);
        let codes: Vec<String> = self
            .user_errors()
            .iter()
            .map(|problem| problem.split(' ').next_back().unwrap().to_owned())
            .collect();
        assert_eq!(codes, [code], "{}", self.text);
        self.answers_nothing()
    }

    /// Exactly these problems with the form, and nothing done.
    #[track_caller]
    pub fn refused_for(self, problems: &[&str]) -> Self {
        assert_eq!(self.user_errors(), problems, "{}", self.text);
        self.answers_nothing()
    }

    #[track_caller]
    fn answers_nothing(self) -> Self {
        for (field, value) in self.payload().as_object().unwrap() {
            let is_empty = value.is_null() || *value == Value::Bool(false);
            assert!(
                field == "userErrors" || is_empty,
                "{field} is not empty in {}",
                self.text
            );
        }
        self
    }

    /// A GraphQL error of this code, and of no other.
    #[track_caller]
    pub fn fails_with(self, code: &str) -> Self {
        let errors = self.errors();
        assert!(!errors.is_empty(), "no errors in {}", self.text);
        for error in errors {
            assert_eq!(error["extensions"]["code"], code, "{}", self.text);
        }
        self
    }
}
