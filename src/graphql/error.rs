//! The edge between our errors and GraphQL's: the only place that knows the codes
//! of `extensions.code`. What goes wrong inside is logged here, once, and told to
//! nobody.

use async_graphql::{ErrorExtensionValues, ErrorExtensions, Pos, Response, ServerError, Value};

use super::types::Role;
use crate::error::{Error, in_seconds};

/// The code of a document that cannot be parsed.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The code of a document that asks for too much, or would be told too much.
pub const TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";
/// The code of a document that does not fit the schema, or itself.
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The code of arguments, variables and cursors that make no sense.
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
/// Of what is wrong with a document, the last one telling how many more there are.
const ERRORS_MAX: usize = 20;
const WENT_WRONG: &str = "Something went wrong on the server.";
/// What is told in place of the library's words where the schema is hidden.
const NOT_VALID: &str = "The document does not fit the schema, which is not shown here.";
const NOT_FITTING: &str =
    "An argument or a variable does not fit the schema, which is not shown here.";

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
            Error::SecondFactorMissing => (
                "FORBIDDEN",
                "Set up a second factor first (startSecondFactor): this server asks one of every \
                 admin, and until then an admin may do what an employee may."
                    .to_owned(),
            ),
            Error::ReadOnlyToken => (
                "FORBIDDEN",
                "This API token may only read. Use one whose access is FULL.".to_owned(),
            ),
            Error::SessionNeeded => (
                "FORBIDDEN",
                "API tokens cannot do this. Log in, and use the access token.".to_owned(),
            ),
            Error::BadUserInput(message) => (BAD_USER_INPUT, message.clone()),
            Error::AnswerTooLong => (
                TOO_COMPLEX,
                "The texts in this answer are too long together. Ask for smaller pages.".to_owned(),
            ),
            Error::RateLimited { retry_after } => {
                let seconds = in_seconds(*retry_after);
                (
                    "RATE_LIMITED",
                    format!("Too many attempts. Try again in {seconds} seconds."),
                )
            }
            Error::Unavailable(reason) | Error::Contended(reason) => {
                tracing::warn!(%reason, "a request could not be served");
                (
                    "UNAVAILABLE",
                    "The server is busy. Try again in a moment.".to_owned(),
                )
            }
            // A refusal belongs into a payload; one that comes here has lost its way.
            Error::Refused(_) | Error::Internal(_) => {
                tracing::error!(%error, "a request failed");
                (INTERNAL, WENT_WRONG.to_owned())
            }
        };
        async_graphql::Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", code);
            if let Error::RateLimited { retry_after } = &error {
                extensions.set("retryAfter", in_seconds(*retry_after));
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

/// Gives the errors of the library their codes, and faults of ours the id to find them by. Where
/// the schema is hidden, the library's words are, too: they name fields and types that the client
/// did not know of.
pub fn finish(response: &mut Response, request_id: &str, schema_is_shown: bool) {
    shorten(&mut response.errors);
    for error in &mut response.errors {
        let code = match code(error) {
            Some(code) => code.to_owned(),
            // Found before anything was executed, and told in terms of the schema.
            None if error.path.is_empty() => {
                if !schema_is_shown {
                    NOT_VALID.clone_into(&mut error.message);
                }
                VALIDATION_FAILED.to_owned()
            }
            None => {
                let (code, message) = told_while_executing(&error.message);
                error.message = if code == BAD_USER_INPUT && !schema_is_shown {
                    NOT_FITTING.to_owned()
                } else {
                    message
                };
                code.to_owned()
            }
        };
        let extensions = error
            .extensions
            .get_or_insert_with(ErrorExtensionValues::default);
        if code == INTERNAL {
            extensions.set("requestId", request_id);
        }
        extensions.set("code", code);
    }
}

/// The library writes an error for each thing that is wrong with a document, and there can be
/// thousands; nobody reads more than the first few. What failed while executing is told in full, as
/// it says which nulls of the answer are failures.
fn shorten(errors: &mut Vec<ServerError>) {
    let was_executed = errors.iter().any(|error| !error.path.is_empty());
    if was_executed || errors.len() <= ERRORS_MAX {
        return;
    }
    let rest = errors.split_off(ERRORS_MAX - 1).len();
    let message = format!("There are {rest} more errors.");
    errors.push(refusal(VALIDATION_FAILED, message, None));
}

/// What async-graphql says while executing, for the caller. Its complaints about an argument come
/// with the types it was on the way through and with the value, which may be a secret; what else
/// it says is about the server, and names types of ours.
fn told_while_executing(message: &str) -> (&'static str, String) {
    if let Some(rest) = message.strip_prefix("Failed to parse \"")
        && let Some((_, reason)) = rest.split_once("\": ")
    {
        let way = " (occurred while parsing \"";
        let reason = reason.split_once(way).map_or(reason, |(reason, _)| reason);
        return (BAD_USER_INPUT, reason.to_owned());
    }
    if let Some(rest) = message.strip_prefix("Expected input type \"")
        && let Some((wanted, _)) = rest.split_once("\", found ")
    {
        return (
            BAD_USER_INPUT,
            format!("This needs a value of the type {wanted}."),
        );
    }
    if let Some(rest) = message.strip_prefix("Variable ")
        && let Some(name) = rest.strip_suffix(" is not defined.")
    {
        return (BAD_USER_INPUT, format!("The variable ${name} is missing."));
    }
    tracing::error!(error = message, "a request failed in async-graphql");
    (INTERNAL, WENT_WRONG.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_graphql::{
        Context, EmptyMutation, EmptySubscription, Enum, InputObject, Object, Request, Schema,
        Variables,
    };
    use serde_json::json;

    use super::*;
    use crate::entity;

    fn told(error: Error) -> serde_json::Value {
        let mut response = Response::from_errors(vec![failure(error)]);
        finish(&mut response, "request-1", true);
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
        let limited = told(Error::RateLimited {
            retry_after: Duration::from_millis(7_001),
        });
        assert_eq!(limited["extensions"]["retryAfter"], 8);
        assert_eq!(
            told(Error::Unauthenticated)["extensions"]["code"],
            "UNAUTHENTICATED"
        );
    }

    #[derive(Enum, Clone, Copy, PartialEq, Eq)]
    enum Colour {
        Red,
    }

    #[derive(InputObject)]
    struct Paint {
        colour: Option<Colour>,
        at: Option<crate::graphql::types::DateTime>,
        layers: i32,
    }

    struct Query;

    #[Object]
    #[allow(clippy::unused_async, reason = "resolvers are")]
    impl Query {
        async fn number(&self, n: i32) -> i32 {
            n
        }

        async fn paint(&self, input: Paint) -> i32 {
            let seen = input.colour.is_some() || input.at.is_some();
            input.layers + i32::from(seen)
        }

        async fn all(&self, input: Vec<Paint>) -> bool {
            input.is_empty()
        }

        async fn forgotten(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
            ctx.data::<Secret>().map(|secret| secret.0)
        }
    }

    struct Secret(i32);

    async fn answer(query: &str, variables: serde_json::Value) -> (String, String) {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let request = Request::new(query).variables(Variables::from_json(variables));
        let mut response = schema.execute(request).await;
        finish(&mut response, "request-1", true);
        let error = &response.errors[0];
        (code(error).unwrap().to_owned(), error.message.clone())
    }

    #[tokio::test]
    async fn what_is_wrong_before_executing_is_a_failed_validation() {
        for (query, variables, message) in [
            (
                "{ numbers }",
                json!({}),
                "Unknown field \"numbers\" on type \"Query\". Did you mean \"number\"?",
            ),
            (
                "query($n: Int!) { number(n: $n) }",
                json!({"n": "x"}),
                "Invalid value for argument \"n\", expected type \"Int\"",
            ),
            (
                "query($c: Colour) { paint(input: { colour: $c, layers: 1 }) }",
                json!({"c": "BLUE"}),
                "Invalid value for argument \"input.colour\", enumeration type \"Colour\" does not contain the value \"BLUE\"",
            ),
            (
                "{ paint(input: { layers: 1, at: \"soon\" }) }",
                json!({}),
                "Invalid value for argument \"input.at\", expected type \"DateTime\"",
            ),
            (
                "query A { number(n: 1) } query B { number(n: 1) }",
                json!({}),
                "Operation name required in request.",
            ),
        ] {
            let (code, told) = answer(query, variables).await;
            assert_eq!((code.as_str(), told.as_str()), (VALIDATION_FAILED, message));
        }
    }

    #[test]
    fn of_many_errors_the_first_few_are_told() {
        for (count, told, last) in [
            (19, 19, "wrong 18"),
            (20, 20, "wrong 19"),
            (21, 20, "There are 2 more errors."),
            (9_000, 20, "There are 8981 more errors."),
        ] {
            let errors = (0..count).map(|i| ServerError::new(format!("wrong {i}"), None));
            let mut response = Response::from_errors(errors.collect());
            finish(&mut response, "request-1", true);
            assert_eq!(response.errors.len(), told);
            assert_eq!(response.errors[told - 1].message, last);
            let is_coded = |error| code(error) == Some(VALIDATION_FAILED);
            assert!(response.errors.iter().all(is_coded));
        }
        // What failed while executing.
        let mut errors = vec![ServerError::new("Failed", None); 30];
        errors[29].path = vec![async_graphql::PathSegment::Field("a".to_owned())];
        let mut response = Response::from_errors(errors);
        finish(&mut response, "request-1", true);
        assert_eq!(response.errors.len(), 30);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_value_is_told_without_the_value_and_the_way_to_it() {
        let range = "Only integers from -2147483648 to 2147483647 are accepted.";
        for (query, variables, message) in [
            ("{ number(n: 99999999999) }", json!({}), range),
            (
                "query($n: Int!) { number(n: $n) }",
                json!({"n": 99_999_999_999_u64}),
                range,
            ),
            (
                "{ paint(input: { layers: 99999999999 }) }",
                json!({}),
                range,
            ),
            (
                "{ paint(input: \"hunter2\") }",
                json!({}),
                "This needs a value of the type Paint.",
            ),
            (
                "query($n: Int!) { number(n: $n) }",
                json!({}),
                "The variable $n is missing.",
            ),
        ] {
            let (code, told) = answer(query, variables).await;
            assert_eq!((code.as_str(), told.as_str()), (BAD_USER_INPUT, message));
        }
    }

    #[tokio::test]
    async fn what_the_library_says_of_our_own_types_is_not_told() {
        let (code, told) = answer("{ forgotten }", json!({})).await;
        assert_eq!((code.as_str(), told.as_str()), (INTERNAL, WENT_WRONG));
    }
}
