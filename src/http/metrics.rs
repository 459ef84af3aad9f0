//! `/metrics`, for Prometheus: whoever shows `METRICS_TOKEN`, or without one whoever
//! asks from this very machine and not through a proxy on it. To all others there
//! is nothing here.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Version, header};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::loopback::is_direct;
use super::not_found;
use crate::config::Secret;
use crate::service::{Context, waiting};

pub(super) async fn metrics(
    State(cx): State<Context>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    version: Version,
    headers: HeaderMap,
) -> Response {
    let token = cx.settings.metrics_token.as_ref();
    if !may_read(token, peer, version, &headers) {
        return not_found().await.into_response();
    }
    waiting::measure(&cx).await;
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        cx.metrics.text(),
    )
        .into_response()
}

fn may_read(
    token: Option<&Secret>,
    peer: SocketAddr,
    version: Version,
    headers: &HeaderMap,
) -> bool {
    let Some(token) = token else {
        return is_direct(peer, version, headers);
    };
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .is_some_and(|given| given.as_bytes().ct_eq(token.expose().as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn without_a_token_only_this_machine_may_read_and_no_proxy_on_it() {
        let here: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:4711".parse().unwrap();
        let elsewhere: SocketAddr = "10.0.0.7:4711".parse().unwrap();
        let may_read = |peer, version, headers| may_read(None, peer, version, headers);
        let plain = HeaderMap::new();
        assert!(may_read(here, Version::HTTP_11, &plain));
        assert!(may_read(mapped, Version::HTTP_11, &plain));
        assert!(!may_read(elsewhere, Version::HTTP_11, &plain));
        assert!(!may_read(here, Version::HTTP_10, &plain));
        let forwarded = with("x-forwarded-for", "203.0.113.7");
        assert!(!may_read(here, Version::HTTP_11, &forwarded));
    }

    #[test]
    fn with_a_token_whoever_shows_it_may_read_from_anywhere() {
        let token = Secret::new("s3cret".into());
        let here: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let elsewhere: SocketAddr = "10.0.0.7:4711".parse().unwrap();
        let may_read = |peer, headers| may_read(Some(&token), peer, Version::HTTP_10, headers);
        let plain = HeaderMap::new();
        let shown = with("authorization", "Bearer s3cret");
        assert!(may_read(elsewhere, &shown));
        assert!(!may_read(here, &plain));
        let wrong = with("authorization", "Bearer s3cre");
        assert!(!may_read(here, &wrong));
    }
}
