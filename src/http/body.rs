//! The body of a request: taken whole, within bounds, or thrown away.

use std::error::Error as _;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::params::Malformed;
use super::{BODY_MAX, TIME_LIMIT};
use crate::graphql::error;

/// How long the body of a request that is refused already is waited for.
const DISCARDED_FOR: Duration = Duration::from_secs(1);

/// Takes off the wire what is there of a body that nobody wants: closing a connection with something
/// unread on it can take the answer away with it (RFC 9112, section 9.6).
pub(super) async fn discard(body: Body) {
    let mut body = Limited::new(body, BODY_MAX);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    let _in_time = tokio::time::timeout(DISCARDED_FOR, all).await;
}

/// The whole body, if it is no larger than `max` bytes and arrives in time.
pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, Malformed> {
    let malformed = |status, message| Malformed {
        status,
        code: error::BAD_USER_INPUT,
        message,
    };
    let too_large = || {
        let message =
            "The body is too large: at most 256 KiB are read. Send less, or in several requests.";
        malformed(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > max) {
        discard(body).await;
        return Err(too_large());
    }
    match tokio::time::timeout(TIME_LIMIT, to_bytes(body, max)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error))
            if error
                .source()
                .is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) =>
        {
            Err(too_large())
        }
        Ok(Err(_)) => Err(malformed(
            StatusCode::BAD_REQUEST,
            "The body was cut short.",
        )),
        Err(_) => Err(malformed(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not arrive in time.",
        )),
    }
}
