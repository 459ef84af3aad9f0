//! Routes and layers: what Muster is to a browser, a client or a probe. Called by
//! `app`, and served by the command line and by tests.
//!
//! Nothing that goes wrong in here, a panic included, shows its details: the
//! answer has a request id, the log has the rest.

mod accept;
mod answer;
mod arriving;
mod body;
mod caller;
mod cookie;
mod endpoint;
mod framing;
mod health;
mod job_board;
mod layers;
mod loopback;
mod mailbox;
mod metrics;
mod page;
mod params;
mod places;
pub mod server;
mod unsubscribe;
mod watched;

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::error::{Error, in_seconds};
use crate::graphql::{self, Schema};
use crate::service::Context;

/// Bodies beyond this get 413.
const BODY_MAX: usize = 256 * 1024;
/// For a body to arrive, and again for everything else: to look up who asks, and to do what they ask.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    cx: Context,
    schema: Schema,
    proxies: caller::Proxies,
}

impl FromRef<Shared> for Context {
    fn from_ref(shared: &Shared) -> Self {
        shared.cx.clone()
    }
}

/// What a process that serves answers. `board` is what apalis answers its job board.
pub fn router(cx: Context, schema: Schema, board: Router) -> Router {
    let introspection = cx.settings.introspection;
    let mailbox = mailbox::routes(&cx.settings);
    let layers = layers::Layers::new(&cx);
    let shared = Shared {
        proxies: caller::Proxies::new(&cx.settings.trusted_proxies),
        cx,
        schema,
    };
    let mut routes = Router::new()
        .route(
            "/graphql",
            get(endpoint::get)
                .post(endpoint::post)
                .fallback(endpoint::other_method),
        )
        .route(
            "/unsubscribe",
            get(unsubscribe::ask).post(unsubscribe::stop),
        )
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready_to_serve));
    if introspection {
        routes = routes.route("/schema.graphql", get(sdl));
    }
    let routes = routes
        .merge(job_board::routes(&shared, board))
        .with_state(shared)
        .merge(page::routes(introspection))
        .merge(mailbox.unwrap_or_default())
        .fallback(not_found);
    layers.around(routes)
}

/// What a process that only works answers: those who watch over it, and nobody else.
pub fn watch_router(cx: Context) -> Router {
    let layers = layers::Layers::new(&cx);
    let routes = Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready_to_work))
        .with_state(cx)
        .fallback(not_found);
    layers.around(routes)
}

async fn sdl() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        graphql::sdl(),
    )
}

/// Says when to come again, where that is what went wrong.
fn with_retry_after(error: &Error, mut response: Response) -> Response {
    if let Error::RateLimited { retry_after } = error {
        let seconds = HeaderValue::from(in_seconds(*retry_after));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

async fn not_found() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "There is nothing here.\n")
}
