//! The pages that Muster serves to a browser: the playground at `/`, and those
//! that mails link to. All of it is in the binary, and the pages load nothing from
//! any other host.
//!
//! Called by `http::router`. No page needs to know who is asking: they all speak
//! to `/graphql` like any other client.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// GraphiQL's icons are `data:` images; its fonts and inline styles are left out when it is built.
const PLAYGROUND_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The pages behind mailed links only ever write text, so they can forbid themselves to write
/// markup. Their one image is the empty icon.
const MAILED_LINK_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'";
/// For what a page is made of, should someone open it by itself.
pub(super) const ASSET_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The pages behind mailed links, with their scripts.
const MAILED_LINKS: &[(&str, &[u8], &str, &[u8])] = &[
    (
        "/reset-password",
        include_bytes!("reset_password/reset_password.html"),
        "/reset-password/reset_password.js",
        include_bytes!("reset_password/reset_password.js"),
    ),
    (
        "/confirm-email",
        include_bytes!("confirm_email/confirm_email.html"),
        "/confirm-email/confirm_email.js",
        include_bytes!("confirm_email/confirm_email.js"),
    ),
    (
        "/accept-invitation",
        include_bytes!("accept_invitation/accept_invitation.html"),
        "/accept-invitation/accept_invitation.js",
        include_bytes!("accept_invitation/accept_invitation.js"),
    ),
];

/// The pages behind mailed links are there whether or not people may explore the schema.
pub fn routes(playground: bool) -> Router {
    let mut routes = Router::new()
        .route(
            "/mailed-link/mailed_link.js",
            file(
                JAVASCRIPT,
                ASSET_POLICY,
                include_bytes!("mailed_link/mailed_link.js"),
            ),
        )
        .route(
            "/mailed-link/mailed_link.css",
            file(
                CSS,
                ASSET_POLICY,
                include_bytes!("mailed_link/mailed_link.css"),
            ),
        );
    for &(page, html, script, javascript) in MAILED_LINKS {
        routes = routes
            .route(page, file(HTML, MAILED_LINK_POLICY, html))
            .route(script, file(JAVASCRIPT, ASSET_POLICY, javascript));
    }
    if !playground {
        return routes;
    }
    routes
        .route(
            "/",
            file(
                HTML,
                PLAYGROUND_POLICY,
                include_bytes!("playground/index.html"),
            ),
        )
        .route(
            "/playground/playground.js",
            file(
                JAVASCRIPT,
                ASSET_POLICY,
                include_bytes!("playground/dist/playground.js"),
            ),
        )
        .route(
            "/playground/playground.css",
            file(
                CSS,
                ASSET_POLICY,
                include_bytes!("playground/dist/playground.css"),
            ),
        )
        .route(
            "/playground/LICENSES.txt",
            file(
                TEXT,
                ASSET_POLICY,
                include_bytes!("playground/dist/LICENSES.txt"),
            ),
        )
}

pub(super) fn file<S: Clone + Send + Sync + 'static>(
    content_type: &'static str,
    policy: &'static str,
    body: &'static [u8],
) -> MethodRouter<S> {
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(body)));
    get(move |headers: HeaderMap| {
        let answer = answer(&headers, &etag, content_type, policy, body);
        async move { answer }
    })
}

fn answer(
    request: &HeaderMap,
    etag: &str,
    content_type: &'static str,
    policy: &'static str,
    body: &'static [u8],
) -> Response {
    let mut response = if is_known(request, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    };
    let headers = response.headers_mut();
    // Asked for anew each time, so that a page and its script are always of one version.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    // A mailed link must not reach another host, whatever the layers around offer.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// A proxy that compresses makes the tag a weak one, and it means the same here.
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        for (known, expected) in [
            (None, StatusCode::OK),
            (Some("\"b\""), StatusCode::OK),
            (Some("\"a\""), StatusCode::NOT_MODIFIED),
            (Some("W/\"a\""), StatusCode::NOT_MODIFIED),
            (Some("\"b\", \"a\""), StatusCode::NOT_MODIFIED),
            (Some("*"), StatusCode::NOT_MODIFIED),
        ] {
            let mut request = HeaderMap::new();
            if let Some(known) = known {
                request.insert(header::IF_NONE_MATCH, HeaderValue::from_static(known));
            }
            let response = answer(&request, "\"a\"", TEXT, ASSET_POLICY, b"a");
            assert_eq!(response.status(), expected, "{known:?}");
            assert_eq!(response.headers()[header::ETAG], "\"a\"", "{known:?}");
        }
    }
}
