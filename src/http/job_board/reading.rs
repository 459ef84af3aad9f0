//! What the board's page asks: for admins alone, to be read and not to be changed, by
//! no page of another origin, and in bounds. The answers are apalis's own, but for
//! what went wrong.

use axum::extract::{Query, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Guest, is_from_elsewhere, refuse};
use crate::actor::Actor;
use crate::http::caller::Peer;
use crate::http::{Shared, TIME_LIMIT};
use crate::service::job_board;

const PAGE_MAX: u32 = 100_000;
const PAGE_SIZE_MAX: u32 = 100;

pub(super) async fn admins_only(
    State(shared): State<Shared>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Response {
    if is_from_elsewhere(&shared, request.headers()) {
        let message = "This is for the job board's own page.\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let guest = match Guest::enter(&shared, peer, request.headers()).await {
        Ok(guest) => guest,
        Err(error) => return refuse(&error),
    };
    if matches!(guest.actor, Actor::Anonymous | Actor::Refused) {
        return (StatusCode::UNAUTHORIZED, "Log in at /jobs.\n").into_response();
    }
    if let Err(error) = job_board::check(&guest.actor) {
        return refuse(&error);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        // Jobs come from what people do, and from nowhere else.
        let message = "The job board shows, and changes nothing.\n";
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
            message,
        )
            .into_response();
    }
    if !is_in_bounds(&request) {
        let message = format!(
            "page is a number from 1 to {PAGE_MAX}, page_size one from 1 to {PAGE_SIZE_MAX}.\n"
        );
        return (StatusCode::BAD_REQUEST, message).into_response();
    }
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) if !response.status().is_server_error() => response,
        // What the database said is nobody's business.
        outcome => {
            let status = outcome.ok().map(|response| response.status().as_u16());
            tracing::warn!(status, "the job queue could not be read");
            let message = "The job queue cannot be read at the moment.\n";
            (StatusCode::SERVICE_UNAVAILABLE, message).into_response()
        }
    }
}

/// The library multiplies these as they come, and takes none for all.
#[derive(Deserialize)]
struct Bounds {
    page: Option<u32>,
    page_size: Option<u32>,
}

fn is_in_bounds(request: &Request) -> bool {
    Query::<Bounds>::try_from_uri(request.uri()).is_ok_and(|Query(bounds)| {
        bounds
            .page
            .is_none_or(|page| (1..=PAGE_MAX).contains(&page))
            && bounds
                .page_size
                .is_none_or(|size| (1..=PAGE_SIZE_MAX).contains(&size))
    })
}
