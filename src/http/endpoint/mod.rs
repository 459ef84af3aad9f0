//! `/graphql`, by the GraphQL-over-HTTP draft: POST runs operations, GET runs
//! queries. async-graphql's stock handler answers 200 to everything, runs
//! mutations by GET and from plain text, and shows its parser's errors; this one
//! decides all of that itself.
//!
//! Whoever asks is let in (`incoming`), their operation is run (`run`), and it is
//! answered and counted once, however it ends (`record`).

mod incoming;
mod record;
mod run;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{discard, read};
use super::caller::Peer;
use super::layers::RequestId;
use super::params::Params;
use super::{BODY_MAX, Shared};
use incoming::Incoming;
use run::run;

pub(super) async fn post(
    State(shared): State<Shared>,
    peer: Peer,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let admitted = Incoming::admit(&shared, peer, headers, request_id);
    let (incoming, record) = match admitted.await {
        Ok(admitted) => admitted,
        Err(answer) => {
            discard(body).await;
            return answer;
        }
    };
    let params = match read(&incoming.headers, body, BODY_MAX).await {
        Ok(body) => Params::from_body(&incoming.headers, &body),
        Err(malformed) => Err(malformed),
    };
    Box::pin(run(&shared, incoming, record, params)).await
}

pub(super) async fn get(
    State(shared): State<Shared>,
    peer: Peer,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let admitted = Incoming::admit(&shared, peer, headers, request_id);
    let (mut incoming, record) = match admitted.await {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    incoming.by_get = true;
    let params = Params::from_query(&query.unwrap_or_default());
    Box::pin(run(&shared, incoming, record, params)).await
}

pub(super) async fn other_method() -> Response {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "GET, POST")],
        "Use POST, or GET for queries.\n",
    )
        .into_response()
}
