//! `/jobs`: the job board, for admins. A browser logs in by a form and keeps a pass in
//! a cookie; who stands behind that is asked at each request, as everywhere.
//!
//! The board is apalis's own, and shows only: what it offers besides, to put jobs in,
//! is refused here, and the connections behind it cannot write. What changes
//! something, which is to log in and to log out, must come from a page of this
//! server.

mod log_in;
mod page;
mod pass;
mod reading;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::caller::{self, Peer};
use super::{Shared, not_found, with_retry_after};
use crate::actor::Actor;
use crate::error::{Error, Result, in_seconds};
use crate::service::{Context, attempt, job_board, session};

/// `board` is what apalis answers its own page.
pub(super) fn routes(shared: &Shared, board: Router) -> Router<Shared> {
    let api = board
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(
            shared.clone(),
            reading::admins_only,
        ));
    Router::new()
        .route("/jobs", get(page))
        .route("/jobs/", get(page))
        .route("/jobs/{*path}", get(page))
        .route("/jobs/log-in", post(log_in::log_in).get(to_board))
        .route("/jobs/log-out", post(log_in::log_out).get(to_board))
        .nest_service(
            "/jobs/api",
            Router::new().nest("/v1", api).fallback(not_found),
        )
        .nest("/jobs/assets", page::assets())
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
}

/// Whoever asks, in force as of now.
struct Guest {
    cx: Context,
    actor: Actor,
}

impl Guest {
    /// Counts the request, too. An error when there were too many, or the store cannot tell.
    async fn enter(shared: &Shared, peer: Peer, headers: &HeaderMap) -> Result<Self> {
        let client = caller::client(&shared.proxies, peer, headers);
        let cx = shared.cx.asked_by(client);
        let pass = pass::find(&cx.settings, headers);
        let actor = match pass.and_then(|pass| job_board::presented(&cx, pass)) {
            Some(presented) => session::authenticate(&cx, &presented).await?,
            None => Actor::Anonymous,
        };
        attempt::request(&cx, &actor, &cx.client).await?;
        Ok(Self { cx, actor })
    }
}

/// Every page of the board is the same one, which looks at its own address; for whoever may not see
/// it, it is the form.
async fn page(State(shared): State<Shared>, peer: Peer, headers: HeaderMap) -> Response {
    let guest = match Guest::enter(&shared, peer, &headers).await {
        Ok(guest) => guest,
        Err(error) => return refuse(&error),
    };
    match (job_board::check(&guest.actor), guest.actor) {
        (Ok(()), _) => page::board(),
        (Err(_), Actor::Anonymous | Actor::Refused) => page::form(StatusCode::OK, "", None),
        (Err(error), _) => {
            let (status, message) = told(&error);
            page::form(status, "", Some(&message))
        }
    }
}

async fn to_board() -> Response {
    see_board()
}

fn see_board() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/jobs")]).into_response()
}

/// No page of any other origin changes anything here, and none has the answers to itself.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if changes && !is_from_here(&shared, request.headers()) {
        let message = "This is only taken from a page of this server.\n";
        (StatusCode::FORBIDDEN, message).into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// Whether a page of this very origin sent this, by what its browser says. One that says nothing at
/// all is not taken at its word (OWASP ASVS 5.0, 3.5.1).
fn is_from_here(shared: &Shared, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    let origin = headers.get(header::ORIGIN);
    (site.is_some() || origin.is_some()) && !is_from_elsewhere(shared, headers)
}

/// Whether a browser says that a page of another origin sent this.
fn is_from_elsewhere(shared: &Shared, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    let origin = headers.get(header::ORIGIN);
    site.is_some_and(|site| site != "same-origin" && site != "none")
        || origin.is_some_and(|origin| {
            !super::cookie::is_of_this_server(&shared.cx.settings, headers, origin)
        })
}

/// What is told of an error, and by which status. What goes wrong inside is logged here.
fn told(error: &Error) -> (StatusCode, String) {
    let again = "Muster is busy. Try again in a moment.".to_owned();
    match error {
        Error::Refused(problems) => {
            let messages = problems.iter().map(|problem| problem.message.as_str());
            let messages: Vec<&str> = messages.collect();
            (StatusCode::FORBIDDEN, messages.join(" "))
        }
        Error::RateLimited { retry_after } => {
            let seconds = in_seconds(*retry_after);
            let message = format!("Too many attempts. Try again in {seconds} seconds.");
            (StatusCode::TOO_MANY_REQUESTS, message)
        }
        Error::Unavailable(reason) | Error::Contended(reason) => {
            tracing::warn!(%reason, "the job board could not be served");
            (StatusCode::SERVICE_UNAVAILABLE, again)
        }
        error => {
            tracing::error!(%error, "the job board failed");
            let message = "Something went wrong on the server.".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }
}

fn refuse(error: &Error) -> Response {
    let (status, message) = told(error);
    with_retry_after(error, (status, format!("{message}\n")).into_response())
}
