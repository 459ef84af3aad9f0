//! The edge between our errors and GraphQL's: the only place that knows the codes
//! of `extensions.code`. What goes wrong inside is logged here, once, and told to
//! nobody.

use async_graphql::{ErrorExtensionValues, ErrorExtensions, Pos, Response, ServerError, Value};

use super::types::Role;
use crate::error::Error;

/// The code of a document that cannot be parsed.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The code of a document that asks for too much.
pub const TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";
const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The code of arguments, variables and cursors that make no sense.
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
const INTERNAL: &str = "INTERNAL_SERVER_ERROR";

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Unauthenticated => (
                "UNAUTHENTICATED",
                "Log in: there is no access token, or it is not good any more.".to_owned(),
            ),
            Error::Forbidden(role) => {
                let role = async_graphql::Value::from(Role::from(*role));
                ("FORBIDDEN", format!("This needs the role {role}."))
            }
            Error::BadUserInput(message) => (BAD_USER_INPUT, message.clone()),
            Error::RateLimited { retry_after } => {
                let seconds = retry_after.as_secs().max(1);
                (
                    "RATE_LIMITED",
                    format!("Too many attempts. Try again in {seconds} seconds."),
                )
            }
            Error::Unavailable(reason) => {
                tracing::warn!(%reason, "a request could not be served");
                (
                    "UNAVAILABLE",
                    "The server is busy. Try again in a moment.".to_owned(),
                )
            }
            // A refusal belongs into a payload; one that comes here has lost its way.
            Error::Refused(_) | Error::Internal(_) => {
                tracing::error!(%error, "a request failed");
                (INTERNAL, "Something went wrong on the server.".to_owned())
            }
        };
        async_graphql::Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", code);
            if let Error::RateLimited { retry_after } = &error {
                extensions.set("retryAfter", retry_after.as_secs().max(1));
            }
        })
    }
}

/// A refusal of the whole request, before anything is executed.
pub fn refusal(code: &str, message: impl Into<String>, position: Option<Pos>) -> ServerError {
    let mut error = ServerError::new(message, position);
    error
        .extensions
        .get_or_insert_with(ErrorExtensionValues::default)
        .set("code", code);
    error
}

/// A failure of the whole request.
pub fn failure(error: Error) -> ServerError {
    let error = async_graphql::Error::from(error);
    let mut server_error = ServerError::new(error.message, None);
    server_error.extensions = error.extensions;
    server_error
}

/// The code of an error, once it has one.
pub fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// Gives the errors of the library their codes, and faults of ours the id to find them by.
pub fn finish(response: &mut Response, request_id: &str) {
    for error in &mut response.errors {
        // What the library found before it executed anything has no path; what it found in an
        // argument while executing has.
        let default = if error.path.is_empty() {
            VALIDATION_FAILED
        } else {
            BAD_USER_INPUT
        };
        let code = code(error).unwrap_or(default).to_owned();
        let extensions = error
            .extensions
            .get_or_insert_with(ErrorExtensionValues::default);
        if code == INTERNAL {
            extensions.set("requestId", request_id);
        }
        extensions.set("code", code);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::entity;

    fn told(error: Error) -> serde_json::Value {
        let mut response = Response::from_errors(vec![failure(error)]);
        finish(&mut response, "request-1");
        serde_json::to_value(&response.errors[0]).unwrap()
    }

    #[test]
    fn inner_errors_show_their_request_id_and_nothing_else() {
        for error in [
            Error::internal("SELECT secret FROM users"),
            Error::Refused(vec![crate::error::Problem::not_found("userId", "secret")]),
        ] {
            let told = told(error);
            assert_eq!(told["extensions"]["code"], "INTERNAL_SERVER_ERROR");
            assert_eq!(told["extensions"]["requestId"], "request-1");
            assert!(!told.to_string().contains("secret"));
        }
        let told = told(Error::Unavailable("/var/lib/muster.db is locked".into()));
        assert_eq!(told["extensions"]["code"], "UNAVAILABLE");
        assert!(!told.to_string().contains("muster.db"));
    }

    #[test]
    fn callers_are_told_what_to_do() {
        let forbidden = told(Error::Forbidden(entity::Role::Manager));
        assert_eq!(forbidden["message"], "This needs the role MANAGER.");
        assert_eq!(forbidden["extensions"]["code"], "FORBIDDEN");
        let limited = told(Error::RateLimited {
            retry_after: Duration::from_secs(7),
        });
        assert_eq!(limited["extensions"]["retryAfter"], 7);
        assert_eq!(
            told(Error::Unauthenticated)["extensions"]["code"],
            "UNAUTHENTICATED"
        );
    }

    #[test]
    fn errors_of_the_library_get_a_code_by_where_they_arose() {
        let mut response = Response::from_errors(vec![ServerError::new("Unknown field", None), {
            let mut error = ServerError::new("Invalid value", None);
            error.path = vec![async_graphql::PathSegment::Field("tasks".into())];
            error
        }]);
        finish(&mut response, "request-1");
        assert_eq!(code(&response.errors[0]), Some(VALIDATION_FAILED));
        assert_eq!(code(&response.errors[1]), Some(BAD_USER_INPUT));
    }
}
