//! The cookie in which a browser keeps its pass. No script can read it, it goes to
//! `/jobs` alone, and never with a request that another site made (RFC 6265bis,
//! sections 4.1.3 and 5.5).

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chrono::TimeDelta;

use crate::config::Settings;
use crate::service::job_board::BoardPass;

/// With this prefix, browsers take it from a secure origin only, and for no other host.
const NAME: &str = "__Secure-muster_job_board";
/// Where `PUBLIC_URL` is plain http, as on one's own machine, not every browser takes the other.
const NAME_IN_PLAIN: &str = "muster_job_board";

fn is_secure(settings: &Settings) -> bool {
    settings.public_url.scheme() == "https"
}

fn name(settings: &Settings) -> &'static str {
    if is_secure(settings) {
        NAME
    } else {
        NAME_IN_PLAIN
    }
}

/// What this request brings. None when there are two: only one of them can be ours.
pub(super) fn find<'a>(settings: &Settings, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(cookie, _)| *cookie == name(settings))
        .map(|(_, pass)| pass);
    match (found.next(), found.next()) {
        (Some(pass), None) => Some(pass),
        _ => None,
    }
}

/// Has the browser keep this pass for so long.
pub(super) fn keep(
    settings: &Settings,
    response: &mut Response,
    pass: &BoardPass,
    life: TimeDelta,
) {
    let seconds = life.num_seconds().max(0);
    set(settings, response, pass.expose(), seconds);
}

/// Has the browser forget what it kept.
pub(super) fn forget(settings: &Settings, response: &mut Response) {
    set(settings, response, "", 0);
}

fn set(settings: &Settings, response: &mut Response, value: &str, seconds: i64) {
    let name = name(settings);
    let secure = if is_secure(settings) { "Secure; " } else { "" };
    let cookie =
        format!("{name}={value}; Max-Age={seconds}; Path=/jobs; {secure}HttpOnly; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn settings(public_url: &str) -> Settings {
        let read = crate::config::read(|name| (name == "PUBLIC_URL").then(|| public_url.into()));
        read.unwrap()
    }

    #[test]
    fn the_cookie_is_for_the_board_alone_and_for_tls_where_there_is_tls() {
        for (public_url, expected) in [
            (
                "https://muster.example",
                "__Secure-muster_job_board=; Max-Age=0; Path=/jobs; Secure; HttpOnly; SameSite=Strict",
            ),
            (
                "http://localhost:8000",
                "muster_job_board=; Max-Age=0; Path=/jobs; HttpOnly; SameSite=Strict",
            ),
        ] {
            let mut response = ().into_response();
            forget(&settings(public_url), &mut response);
            assert_eq!(response.headers()[header::SET_COOKIE], expected);
        }
    }

    #[test]
    fn the_pass_is_the_one_cookie_of_that_name() {
        let settings = settings("https://muster.example");
        for (cookies, expected) in [
            (vec![], None),
            (vec!["__Secure-muster_job_board=a"], Some("a")),
            (
                vec!["theme=dark; __Secure-muster_job_board=a; b=c"],
                Some("a"),
            ),
            (vec!["theme=dark", "__Secure-muster_job_board=a"], Some("a")),
            (
                vec!["__Secure-muster_job_board=a; __Secure-muster_job_board=b"],
                None,
            ),
            (vec!["muster_job_board=a"], None),
            (vec!["x__Secure-muster_job_board=a"], None),
        ] {
            let mut headers = HeaderMap::new();
            for cookie in &cookies {
                headers.append(header::COOKIE, HeaderValue::from_static(cookie));
            }
            assert_eq!(find(&settings, &headers), expected, "{cookies:?}");
        }
    }
}
