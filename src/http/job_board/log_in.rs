//! What changes something at `/jobs`: to log in, and to log out. The form is an
//! ordinary one, so it needs no script.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Guest, page, pass, refuse, see_board, told};
use crate::actor::Actor;
use crate::error::Error;
use crate::http::caller::Peer;
use crate::http::{Shared, body, with_retry_after};
use crate::service::job_board::{self, Form};
use crate::service::{Context, session};

/// Longer than a form with the longest password.
const BODY_MAX: usize = 16 * 1024;

pub(super) async fn log_in(
    State(shared): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Guest { cx, actor } = match Guest::enter(&shared, peer, &headers).await {
        Ok(guest) => guest,
        Err(error) => return refuse(&error),
    };
    let form = match read(&headers, body).await {
        Ok(form) => form,
        Err(status) => return (status, "This is not the form.\n").into_response(),
    };
    let login = form.login.clone();
    match job_board::log_in(&cx, form).await {
        Ok(opened) => {
            // The new session takes the place of the one that this browser had (OWASP ASVS 5.0,
            // 7.2.4).
            end(&cx, &actor).await;
            let mut response = see_board();
            let life = opened.expires_at - cx.now();
            pass::keep(&cx.settings, &mut response, &opened.pass, life);
            response
        }
        Err(error) => {
            let (status, message) = told(&error);
            let form = page::form(status, &login, Some(&message));
            with_retry_after(&error, form)
        }
    }
}

pub(super) async fn log_out(
    State(shared): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
) -> Response {
    let Guest { cx, actor } = match Guest::enter(&shared, peer, &headers).await {
        Ok(guest) => guest,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = try_to_end(&cx, &actor).await {
        // The browser keeps its pass, since it would still be good.
        return refuse(&error);
    }
    let mut response = see_board();
    pass::forget(&cx.settings, &mut response);
    response
}

/// Ends the session that this browser had, if it had one. It has another by now, and what is left of
/// this one ends by itself.
async fn end(cx: &Context, actor: &Actor) {
    if let Err(error) = try_to_end(cx, actor).await {
        tracing::warn!(%error, "an earlier session at the job board was not ended");
    }
}

async fn try_to_end(cx: &Context, actor: &Actor) -> Result<(), Error> {
    let verb = || session::log_out(cx, actor, None, false);
    match cx.retried(verb).await {
        // There is none, or it has ended meanwhile.
        Err(Error::Unauthenticated) => Ok(()),
        ended => ended,
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Form, StatusCode> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()?.parse::<mime::Mime>().ok())
        .is_some_and(|mime| mime.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED);
    if !is_form {
        body::discard(body).await;
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    match body::read(headers, body, BODY_MAX).await {
        Ok(body) => Ok(parse(&body)),
        Err(malformed) => Err(malformed.status),
    }
}

/// What is missing is empty, which lets nobody in.
fn parse(body: &[u8]) -> Form {
    let mut form = Form {
        login: String::new(),
        password: String::new(),
        code: None,
    };
    for (name, value) in url::form_urlencoded::parse(body) {
        match &*name {
            "login" => form.login = value.into_owned(),
            "password" => form.password = value.into_owned(),
            // Left blank by whoever has no second factor.
            "code" => form.code = Some(value.into_owned()).filter(|code| !code.trim().is_empty()),
            _ => {}
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_read_as_it_was_typed_and_a_blank_code_is_none() {
        let form = parse(b"login=ada%40example.com&password=+a%26b+%E2%82%AC&code=+&more=1");
        assert_eq!(form.login, "ada@example.com");
        assert_eq!(form.password, " a&b €");
        assert_eq!(form.code, None);
        assert_eq!(parse(b"code=123+456").code.as_deref(), Some("123 456"));
        assert_eq!(parse(b"").login, "");
    }
}
