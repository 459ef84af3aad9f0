//! The refresh token of a browser session, kept in a cookie that no script can
//! read. It goes to this host alone, over TLS, and never with a request that
//! another site made (RFC 6265bis, sections 4.1.3 and 5.5).
//!
//! `http` hands over the cookie of a request only where the page that sent it may
//! use it.

use async_graphql::Context;
use axum::http::header;
use chrono::{DateTime, Utc};

use super::request_time;
use crate::service::session::RefreshToken;

/// With this prefix, browsers take it from a secure origin only, for no other host and no other
/// path.
pub const NAME: &str = "__Host-muster_refresh_token";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// What the browser that sent this request keeps, if anything.
#[derive(Clone, Default)]
pub struct BrowserSession(Option<RefreshToken>);

impl BrowserSession {
    pub fn new(text: &str) -> Self {
        Self(RefreshToken::parse(text))
    }

    #[cfg(test)]
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

/// The refresh token that came as a cookie.
pub(super) fn token<'a>(ctx: &Context<'a>) -> Option<&'a RefreshToken> {
    ctx.data_opt::<BrowserSession>()?.0.as_ref()
}

/// Has the browser keep this token, until its session ends.
pub(super) fn keep(ctx: &Context<'_>, token: &RefreshToken, expires_at: DateTime<Utc>) {
    let seconds = (expires_at - request_time(ctx)).num_seconds().max(0);
    let text = token.expose();
    set(
        ctx,
        &format!("{NAME}={text}; Max-Age={seconds}; {ATTRIBUTES}"),
    );
}

/// Has the browser forget what it kept.
pub(super) fn forget(ctx: &Context<'_>) {
    set(ctx, &format!("{NAME}=; Max-Age=0; {ATTRIBUTES}"));
}

fn set(ctx: &Context<'_>, cookie: &str) {
    ctx.append_http_header(header::SET_COOKIE, cookie);
}
