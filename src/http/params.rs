//! The parameters of a GraphQL request, from a body or a query string. What is
//! malformed is refused in our own words: a parser's would name its types.

use async_graphql::{Request, Variables};
use axum::http::{HeaderMap, StatusCode, header};
use mime::Mime;
use serde_json::{Map, Value};

/// Variables beyond this many bytes are refused, though the body may be larger.
const VARIABLES_MAX: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Params {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: Variables,
}

/// Why a request was not understood: status, code of the error, and a sentence for the developer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: &'static str,
}

fn malformed(message: &'static str) -> Malformed {
    Malformed {
        status: StatusCode::BAD_REQUEST,
        code: "BAD_USER_INPUT",
        message,
    }
}

impl Params {
    /// From the body of a POST.
    pub fn from_body(headers: &HeaderMap, body: &[u8]) -> Result<Self, Malformed> {
        if !is_json(headers) {
            return Err(Malformed {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: "BAD_USER_INPUT",
                message: "Send the request as application/json in UTF-8.",
            });
        }
        let value: Value =
            serde_json::from_slice(body).map_err(|_| malformed("The body is not valid JSON."))?;
        match value {
            Value::Object(object) => Self::from_object(object),
            Value::Array(_) => Err(malformed(
                "Batches are not supported: send one operation a request.",
            )),
            _ => Err(malformed("The body must be a JSON object.")),
        }
    }

    /// From the query string of a GET, where variables and extensions are JSON in text.
    pub fn from_query(query: &str) -> Result<Self, Malformed> {
        let mut object = Map::new();
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = match name.as_ref() {
                "query" | "operationName" => Value::String(text.into_owned()),
                "variables" | "extensions" if text.is_empty() => Value::Null,
                "variables" | "extensions" => serde_json::from_str(&text)
                    .map_err(|_| malformed("variables and extensions must be JSON objects."))?,
                _ => continue,
            };
            object.insert(name.into_owned(), value);
        }
        Self::from_object(object)
    }

    fn from_object(mut object: Map<String, Value>) -> Result<Self, Malformed> {
        let is_persisted = match object.remove("extensions") {
            None | Some(Value::Null) => false,
            Some(Value::Object(extensions)) => extensions.contains_key("persistedQuery"),
            Some(_) => return Err(malformed("extensions must be an object.")),
        };
        let query = match object.remove("query") {
            Some(Value::String(query)) if !query.trim().is_empty() => query,
            None | Some(Value::Null) if is_persisted => {
                return Err(Malformed {
                    code: "PERSISTED_QUERY_NOT_FOUND",
                    ..malformed("This server has no such persisted query: send the query itself.")
                });
            }
            None | Some(Value::Null) => return Err(malformed("query is missing.")),
            Some(Value::String(_)) => return Err(malformed("query is empty.")),
            Some(_) => return Err(malformed("query must be a string.")),
        };
        let operation_name = match object.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return Err(malformed("operationName must be a string.")),
        };
        let variables = match object.remove("variables") {
            None | Some(Value::Null) => Variables::default(),
            Some(variables @ Value::Object(_)) => {
                if variables.to_string().len() > VARIABLES_MAX {
                    return Err(Malformed {
                        code: "QUERY_TOO_COMPLEX",
                        ..malformed("variables are larger than 128 KiB.")
                    });
                }
                Variables::from_json(variables)
            }
            Some(_) => return Err(malformed("variables must be an object.")),
        };
        Ok(Self {
            query,
            operation_name,
            variables,
        })
    }

    pub fn into_request(self) -> Request {
        let mut request = Request::new(self.query).variables(self.variables);
        if let Some(name) = self.operation_name {
            request = request.operation_name(name);
        }
        request
    }
}

/// A browser sends JSON to another origin only after asking, so asking for JSON keeps foreign
/// pages from having the browser send mutations.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let media_type = values
        .next()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<Mime>().ok());
    values.next().is_none()
        && media_type.is_some_and(|media_type| {
            media_type.essence_str() == mime::APPLICATION_JSON.as_ref()
                && media_type
                    .get_param(mime::CHARSET)
                    .is_none_or(|charset| charset == mime::UTF_8)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn post(content_type: &'static str, body: &str) -> Result<Params, Malformed> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Params::from_body(&headers, body.as_bytes())
    }

    #[test]
    fn json_in_utf_8_is_taken_and_nothing_else() {
        for (content_type, taken) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON;charset=UTF-8", true),
            ("application/json; charset=utf-16", false),
            ("text/plain", false),
            ("application/graphql", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ] {
            let outcome = post(content_type, r#"{"query":"{ a }"}"#);
            assert_eq!(outcome.is_ok(), taken, "{content_type}");
            if let Err(malformed) = outcome {
                assert_eq!(malformed.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
        }
    }

    #[test]
    fn what_is_malformed_is_told_in_a_sentence() {
        for (body, message) in [
            ("", "The body is not valid JSON."),
            ("{", "The body is not valid JSON."),
            ("null", "The body must be a JSON object."),
            (
                "[]",
                "Batches are not supported: send one operation a request.",
            ),
            ("{}", "query is missing."),
            (r#"{"query":1}"#, "query must be a string."),
            (r#"{"query":" "}"#, "query is empty."),
            (
                r#"{"query":"{a}","operationName":1}"#,
                "operationName must be a string.",
            ),
            (
                r#"{"query":"{a}","variables":[]}"#,
                "variables must be an object.",
            ),
            (
                r#"{"query":"{a}","variables":"{}"}"#,
                "variables must be an object.",
            ),
            (
                r#"{"query":"{a}","extensions":[]}"#,
                "extensions must be an object.",
            ),
        ] {
            assert_eq!(
                post("application/json", body).unwrap_err().message,
                message,
                "{body}"
            );
        }
    }

    #[test]
    fn a_persisted_query_without_its_text_is_not_found() {
        let malformed = post(
            "application/json",
            r#"{"extensions":{"persistedQuery":{}}}"#,
        );
        assert_eq!(malformed.unwrap_err().code, "PERSISTED_QUERY_NOT_FOUND");
    }

    #[test]
    fn variables_of_more_than_128_kib_are_refused() {
        let body = |length: usize| {
            format!(
                r#"{{"query":"{{a}}","variables":{{"v":"{}"}}}}"#,
                "x".repeat(length)
            )
        };
        let frame = r#"{"v":""}"#.len();
        assert!(post("application/json", &body(VARIABLES_MAX - frame)).is_ok());
        let refused = post("application/json", &body(VARIABLES_MAX - frame + 1));
        assert_eq!(refused.unwrap_err().code, "QUERY_TOO_COMPLEX");
    }

    #[test]
    fn a_query_string_holds_the_same_parameters() {
        let params = Params::from_query(
            "query=query%20Q%7Ba%7D&operationName=Q&variables=%7B%22x%22%3A1%7D",
        )
        .unwrap();
        assert_eq!(params.query, "query Q{a}");
        assert_eq!(params.operation_name.as_deref(), Some("Q"));
        assert_eq!(params.variables.len(), 1);
        assert!(Params::from_query("query={a}&variables=nonsense").is_err());
        assert!(Params::from_query("").is_err());
    }
}
