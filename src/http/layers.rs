//! What happens to every request and answer, whatever its route: an id, a line in
//! the log, a net for panics, and headers that keep browsers careful.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;

use crate::config::CorsOrigins;
use crate::service::Context;
use crate::telemetry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_MAX: usize = 64;
/// A year, in seconds, as ASVS 5.0 (3.4.1) asks for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");
/// For answers that are no page: nothing in them may run or load.
const NO_PAGE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");

/// The id by which a request is found in the log.
#[derive(Clone)]
pub(super) struct RequestId(pub String);

/// Marks a request that says twice how long it is: see `framing`.
#[derive(Clone, Copy)]
pub(super) struct Ambiguous;

pub(super) struct Layers {
    cx: Context,
    cors: Option<CorsLayer>,
}

impl Layers {
    pub fn new(cx: &Context) -> Self {
        Self {
            cx: cx.clone(),
            cors: cors(&cx.settings.cors_origins),
        }
    }

    pub fn around(self, routes: Router) -> Router {
        let mut routes = routes;
        if let Some(cors) = self.cors {
            routes = routes.layer(cors);
        }
        routes
            .layer(CatchPanicLayer::custom(panicked))
            .layer(middleware::from_fn_with_state(self.cx.clone(), guard))
            .layer(middleware::from_fn_with_state(self.cx, identify))
    }
}

/// Gives the request its id and its line in the log: no addresses, no tokens, no query string.
async fn identify(State(cx): State<Context>, mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| is_request_id(id))
        .map_or_else(
            || cx.generator.uuid(cx.clock.now()).to_string(),
            str::to_owned,
        );
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", request_id = %id, trace_id = tracing::field::Empty);
    telemetry::join_trace(&span, request.headers());
    let began = tokio::time::Instant::now();
    async move {
        let mut response = next.run(request).await;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        tracing::info!(%method, path = %path.escape_debug(), status, micros, "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// A caller's own id is taken only if it can stand in a log as it is.
fn is_request_id(id: &str) -> bool {
    (1..=REQUEST_ID_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Adds the headers of OWASP ASVS 5.0, chapter 3.4, where a route has not set its own.
async fn guard(State(cx): State<Context>, request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::TRACE {
        StatusCode::METHOD_NOT_ALLOWED.into_response()
    } else if request.extensions().get::<Ambiguous>().is_some() {
        let message = "Send either Content-Length or Transfer-Encoding, not both.\n";
        (StatusCode::BAD_REQUEST, message).into_response()
    } else if !names_one_host(request.version(), request.uri(), request.headers()) {
        let message = "Send one Host header.\n";
        (StatusCode::BAD_REQUEST, message).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let mut offer = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    offer(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    offer(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    offer(header::CONTENT_SECURITY_POLICY, NO_PAGE);
    offer(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    offer(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if cx.settings.public_url.scheme() == "https" {
        offer(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// Whether the request says once, and in a form that makes sense, which host it is for (RFC 9112,
/// section 3.2): servers in a row that read two hosts differently can be played off against each
/// other. Before HTTP/1.1 there need be none, and from HTTP/2 on it is a part of the address.
fn names_one_host(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    let is_the_same = |host: &[u8]| {
        let authority = uri.authority().map(Authority::as_str);
        authority.is_none_or(|authority| authority.as_bytes().eq_ignore_ascii_case(host))
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host.as_bytes()) && is_the_same(host.as_bytes()),
        (None, None) => version != Version::HTTP_11,
        _ => false,
    }
}

/// It may be empty, and holds no name of a user.
fn is_host(host: &[u8]) -> bool {
    host.is_empty() || (!host.contains(&b'@') && Authority::try_from(host).is_ok())
}

fn cors(origins: &CorsOrigins) -> Option<CorsLayer> {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            REQUEST_ID,
        ])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER])
        .max_age(Duration::from_hours(2));
    match origins {
        CorsOrigins::None => None,
        CorsOrigins::Any => Some(layer.allow_origin(tower_http::cors::Any)),
        CorsOrigins::List(origins) => Some(
            layer
                .allow_origin(AllowOrigin::list(origins.iter().cloned()))
                .allow_credentials(true),
        ),
    }
}

/// What it said is in the log already: see `telemetry`.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on the server.\n",
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_one_host() {
        for (version, hosts, is_taken) in [
            (Version::HTTP_11, &["muster.example"][..], true),
            (Version::HTTP_11, &["my_box:8000"], true),
            (Version::HTTP_11, &["[::1]:8000"], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["a", "a"], false),
            (Version::HTTP_11, &["a b"], false),
            (Version::HTTP_11, &["a/b"], false),
            (Version::HTTP_11, &["me@a"], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a", "b"], false),
            (Version::HTTP_2, &[], true),
            (Version::HTTP_2, &["a"], true),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            let taken = names_one_host(version, &Uri::from_static("/a"), &headers);
            assert_eq!(taken, is_taken, "{version:?} {hosts:?}");
        }
    }

    #[test]
    fn only_ids_that_can_stand_in_a_log_are_taken() {
        for (id, taken) in [
            ("abc-DEF_123", true),
            ("", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
            ("a b", false),
            ("a\u{1b}[31m", false),
        ] {
            assert_eq!(is_request_id(id), taken, "{id:?}");
        }
    }
}
