//! Where mails of one kind are stopped: by a POST, as mail programs send it when
//! their user says so (RFC 8058), and as the page sends it that is behind the link
//! in the mail. Opening the page changes nothing, since programs that look for
//! harm open every link.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::caller::{Peer, client};
use super::{Shared, with_retry_after};
use crate::actor::Actor;
use crate::entity::MailKind;
use crate::error::Error;
use crate::service::{self, notification};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Asks whether the mails shall be stopped.
pub(super) async fn ask() -> Response {
    page(
        StatusCode::OK,
        "Stop these mails?",
        "<p>You will not get mails of this kind any more. What you are told is in your notification \
         settings, where you can have them again.</p>\
         <form method=\"post\"><button type=\"submit\">Stop these mails</button></form>",
    )
}

/// Stops them. What is in the body does not matter: the token says it all.
pub(super) async fn stop(
    State(shared): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let client = client(&shared.proxies, peer, &headers);
    let cx = shared.cx.asked_by(client.clone());
    if let Err(error) = service::attempt::request(&cx, &Actor::Anonymous, &client).await {
        return trouble(&error);
    }
    let token = token(&query.unwrap_or_default());
    let stopped = cx.retried(|| notification::unsubscribe(&cx, &token));
    match stopped.await {
        Ok(Some(kind)) => page(StatusCode::OK, "Done", &done(kind)),
        Ok(None) => page(
            StatusCode::NOT_FOUND,
            "This link does not work",
            "<p>It may have been cut off on its way. Copy all of it from the mail, or change your \
             notification settings.</p>",
        ),
        Err(error) => trouble(&error),
    }
}

/// The token of the link. Empty, which stops nothing, where there is none, or more than one: a link
/// of ours has one.
fn token(query: &str) -> String {
    let mut tokens = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned());
    match (tokens.next(), tokens.next()) {
        (Some(token), None) => token,
        _ => String::new(),
    }
}

fn done(kind: MailKind) -> String {
    let mails = match kind {
        MailKind::DailyReminder => "daily reminders",
        MailKind::TaskReport => "weekly reports",
        MailKind::Assigned => "mails about tasks that are assigned to you",
        MailKind::ApprovalWaiting => "mails about sign-ups that wait",
        _ => "mails of this kind",
    };
    format!(
        "<p>You will get no more {mails}. You can have them again in your notification settings.</p>"
    )
}

fn trouble(error: &Error) -> Response {
    let status = match error {
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) | Error::Contended(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => {
            tracing::error!(%error, "somebody could not unsubscribe");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let page = page(
        status,
        "Not yet",
        "<p>That did not work just now. Please try again in a minute.</p>",
    );
    with_retry_after(error, page)
}

/// `body` is markup of ours.
fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} - Muster</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/mailed-link/mailed_link.css\">\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
