//! `/mail`: the mails as people get to see them, for whoever tries Muster out
//! without a mail server. Called by `http::router`.
//!
//! The mails let whoever reads them into accounts, so they are there only where
//! mails go to files, links lead to this machine and no proxy is in front of it, and
//! only for a browser on it: to all others this is an unknown path like any other.
//! What is in a mail is not trusted, either. It is shown in a frame of an origin of
//! its own, where nothing runs and nothing is loaded.

use std::net::SocketAddr;

use askama::Template;
use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::any;

use super::loopback::{is_called_by_its_name, is_direct, leads_to_loopback};
use super::not_found;
use crate::config::Settings;
use crate::entity::DeliveryId;
use crate::error::Error;
use crate::mail::{Entry, Mail, Mailbox};

const LISTED: usize = 50;

/// Of the pages around a mail.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Of a mail itself, in its frame and also when it is opened by itself. Its links open in new tabs,
/// which are pages like any other.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
    sandbox allow-popups allow-popups-to-escape-sandbox";

#[derive(Template)]
#[template(path = "list.html", config = "src/http/mailbox/askama.toml")]
struct ListPage {
    entries: Vec<Entry>,
}

#[derive(Template)]
#[template(path = "mail.html", config = "src/http/mailbox/askama.toml")]
struct MailPage {
    mail: Mail,
}

/// None where there is no mailbox.
pub(super) fn routes(settings: &Settings) -> Option<Router> {
    let is_for_trying_out = settings.smtp_url.is_none()
        && settings.trusted_proxies.is_empty()
        && leads_to_loopback(&settings.public_url);
    is_for_trying_out.then(|| {
        // For any method, since a route for some tells which in every answer to the others.
        Router::new()
            .route("/mail", any(list))
            .route("/mail/mailbox.css", any(css))
            .route("/mail/{id}", any(mail))
            .route("/mail/{id}/html", any(html))
            .route("/mail/{id}/attachments/{number}", any(attachment))
            .with_state(Mailbox::new(settings.mail_dir.clone()))
            .route_layer(middleware::from_fn(for_this_machine_only))
    })
}

async fn for_this_machine_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    // A script of another origin names it, and would be let in where CORS_ORIGINS is *.
    let is_for_script = headers.contains_key(header::ORIGIN);
    let is_of_here = is_direct(peer, request.version(), headers)
        && is_called_by_its_name(request.uri(), headers);
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if is_for_script || !is_of_here || !reads {
        return not_found().await.into_response();
    }
    let mut response = next.run(request).await;
    let same_origin = HeaderValue::from_static("same-origin");
    let name = HeaderName::from_static("cross-origin-resource-policy");
    response.headers_mut().insert(name, same_origin);
    response
}

async fn list(State(mailbox): State<Mailbox>) -> Response {
    match mailbox.list_newest(LISTED).await {
        Ok(entries) => page(&ListPage { entries }),
        Err(error) => failed(&error),
    }
}

async fn css() -> impl IntoResponse {
    let css = include_str!("mailbox/mailbox.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], css)
}

async fn mail(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    match find(&mailbox, &id).await {
        Ok(mail) => page(&MailPage { mail }),
        Err(response) => response,
    }
}

async fn html(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    match find(&mailbox, &id).await {
        Ok(Mail {
            html: Some(html), ..
        }) => {
            let mut response = with_policy(MAIL_POLICY, Html(html));
            // With the usual one, browsers refuse to open a page in a sandbox by itself.
            let name = HeaderName::from_static("cross-origin-opener-policy");
            let none = HeaderValue::from_static("unsafe-none");
            response.headers_mut().insert(name, none);
            response
        }
        Ok(_) => not_found().await.into_response(),
        Err(response) => response,
    }
}

/// Always to be saved, never to be shown, whatever it claims to be.
async fn attachment(
    State(mailbox): State<Mailbox>,
    Path((id, number)): Path<(String, usize)>,
) -> Response {
    let mail = match find(&mailbox, &id).await {
        Ok(mail) => mail,
        Err(response) => return response,
    };
    let Some(attachment) = mail.attachments.into_iter().nth(number) else {
        return not_found().await.into_response();
    };
    let disposition = format!("attachment; filename=\"{}\"", file_name(&attachment.name));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, attachment.content).into_response()
}

async fn find(mailbox: &Mailbox, id: &str) -> Result<Mail, Response> {
    let Ok(id) = id.parse::<DeliveryId>() else {
        return Err(not_found().await.into_response());
    };
    match mailbox.find(id).await {
        Ok(Some(mail)) => Ok(mail),
        Ok(None) => Err(not_found().await.into_response()),
        Err(error) => Err(failed(&error)),
    }
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => with_policy(PAGE_POLICY, Html(page)),
        Err(error) => failed(&Error::internal(error)),
    }
}

fn with_policy(policy: &'static str, html: Html<String>) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, policy)], html).into_response()
}

fn failed(error: &Error) -> Response {
    tracing::error!(%error, "a mail could not be shown");
    let message = "The mails cannot be read; the log says why.\n";
    (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
}

/// Letters, digits and a little more, so that it can stand in a header and leads nowhere.
fn file_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    let plain: String = name.chars().filter(|c| is_plain(*c)).take(100).collect();
    let plain = plain.trim_matches(['.', ' ']);
    if plain.is_empty() {
        "attachment".to_owned()
    } else {
        plain.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn the_name_of_an_attachment_leads_nowhere_and_breaks_no_header() {
        for (name, expected) in [
            ("tasks.csv", "tasks.csv"),
            ("../../etc/passwd", "etcpasswd"),
            ("a\"; filename=\"b\r\nX: y", "a filenamebX y"),
            ("\u{202e}gpj.exe", "gpj.exe"),
            ("…", "attachment"),
            ("..", "attachment"),
            ("", "attachment"),
        ] {
            assert_eq!(file_name(name), expected, "{name:?}");
        }
    }
}
