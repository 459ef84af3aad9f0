//! Routes and layers: what Muster is to a browser, a client or a probe. Called by
//! `app`, and served by the command line and by tests.
//!
//! Nothing that goes wrong in here, a panic included, shows its details: the
//! answer has a request id, the log has the rest.

mod accept;
mod caller;
mod cookie;
mod endpoint;
mod framing;
mod layers;
mod metrics;
mod page;
mod params;
mod places;
pub mod server;
mod unsubscribe;
mod watched;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::graphql::{self, Schema};
use crate::service::Context;

/// Bodies beyond this get 413.
const BODY_MAX: usize = 256 * 1024;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    cx: Context,
    schema: Schema,
    proxies: caller::Proxies,
}

pub fn router(cx: Context, schema: Schema) -> Router {
    let introspection = cx.settings.introspection;
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
        .route("/healthz", get(alive))
        .route("/readyz", get(ready));
    if introspection {
        routes = routes.route("/schema.graphql", get(sdl));
    }
    let routes = routes
        .with_state(shared)
        .merge(page::routes(introspection))
        .fallback(not_found);
    layers.around(routes)
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(shared): State<Shared>) -> Response {
    match shared.cx.db.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
        }
    }
}

async fn sdl() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        graphql::sdl(),
    )
}

async fn not_found() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "There is nothing here.\n")
}
