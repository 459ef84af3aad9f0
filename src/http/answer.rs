//! How a GraphQL answer is told over HTTP: its status, which the draft makes depend on the media type,
//! its headers, and what is said of a request that was not understood.

use async_graphql::{Response as GraphqlResponse, Value};
use async_graphql_axum::GraphQLResponse;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::accept::MediaType;
use super::params::Malformed;
use crate::graphql::error;

pub(super) fn write(media_type: MediaType, response: GraphqlResponse) -> Response {
    // Before anything was executed there is no data, not even null; whatever failed while
    // executing has a path.
    let was_executed =
        response.is_ok() || response.errors.iter().any(|error| !error.path.is_empty());
    let status = status(media_type, &response, was_executed);
    let retry_after = retry_after(&response);
    let mut answer = if was_executed {
        GraphQLResponse::from(response).into_response()
    } else {
        axum::Json(json!({ "errors": response.errors })).into_response()
    };
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type.header());
    // Set here, since async-graphql offers a Cache-Control of its own.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Authorization"),
    );
    if status == StatusCode::TOO_MANY_REQUESTS
        && let Some(seconds) = retry_after
    {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// By the draft: with the older media type, 200 to all that is well-formed; with the newer one the
/// status tells, when there is nothing in the answer but errors.
fn status(media_type: MediaType, response: &GraphqlResponse, was_executed: bool) -> StatusCode {
    let nothing_answered = match &response.data {
        Value::Null => true,
        Value::Object(fields) => !fields.is_empty() && fields.values().all(|v| *v == Value::Null),
        _ => false,
    };
    if response.is_ok() || !nothing_answered {
        return StatusCode::OK;
    }
    let all_are = |code: &str| {
        response
            .errors
            .iter()
            .all(|failure| error::code(failure) == Some(code))
    };
    if all_are("RATE_LIMITED") {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    if media_type == MediaType::Json {
        return StatusCode::OK;
    }
    if all_are("UNAUTHENTICATED") {
        StatusCode::UNAUTHORIZED
    } else if was_executed {
        StatusCode::OK
    } else if all_are("UNAVAILABLE") {
        StatusCode::SERVICE_UNAVAILABLE
    } else if all_are("INTERNAL_SERVER_ERROR") {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::BAD_REQUEST
    }
}

fn retry_after(response: &GraphqlResponse) -> Option<u64> {
    response
        .errors
        .iter()
        .filter_map(
            |error| match error.extensions.as_ref()?.get("retryAfter")? {
                Value::Number(seconds) => seconds.as_u64(),
                _ => None,
            },
        )
        .max()
}

pub(super) fn refuse(media_type: MediaType, malformed: &Malformed) -> Response {
    let body = json!({
        "errors": [{ "message": malformed.message, "extensions": { "code": malformed.code } }]
    });
    let mut answer = (malformed.status, axum::Json(body)).into_response();
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type.header());
    if malformed.status == StatusCode::METHOD_NOT_ALLOWED {
        answer
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    answer
}
