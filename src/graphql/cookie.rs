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
use crate::error::{Problem, ProblemCode, Result};
use crate::service::session::RefreshToken;

/// With this prefix, browsers take it from a secure origin only, for no other host and no other
/// path.
pub const NAME: &str = "__Host-muster_refresh_token";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// What the browser that sent this request keeps, as far as the page behind the request may use it.
#[derive(Clone, Default)]
pub struct BrowserSession {
    token: Option<RefreshToken>,
    is_usable: bool,
}

impl BrowserSession {
    /// For a page that may use the cookie, with what came as such.
    pub fn usable(text: Option<&str>) -> Self {
        Self {
            token: text.and_then(RefreshToken::parse),
            is_usable: true,
        }
    }

    #[cfg(test)]
    pub fn is_some(&self) -> bool {
        self.token.is_some()
    }
}

/// The refresh token that came as a cookie.
pub(super) fn token<'a>(ctx: &Context<'a>) -> Option<&'a RefreshToken> {
    ctx.data_opt::<BrowserSession>()?.token.as_ref()
}

/// Refuses to keep a token where the page that asks for it could never use it.
pub(super) fn check_usable(ctx: &Context<'_>) -> Result<()> {
    let session = ctx.data_opt::<BrowserSession>();
    if session.is_some_and(|session| session.is_usable) {
        return Ok(());
    }
    Err(Problem::new(
        "refreshTokenIn",
        ProblemCode::NotAllowed,
        "This page cannot use the cookie: it is for pages of this server and of the origins that \
         CORS_ORIGINS lists, on the same site. Ask for BODY.",
    )
    .into())
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
