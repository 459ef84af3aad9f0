//! Finds the cookie of a browser session, where the page that sent the request may
//! use it. `SameSite` keeps it from other sites already; what is decided here holds
//! for other origins of the same site, too (OWASP ASVS 5.0, 3.5.1 and 3.5.3).

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::{CorsOrigins, Settings};
use crate::graphql::cookie::{BrowserSession, NAME};

pub(super) fn browser_session(settings: &Settings, headers: &HeaderMap) -> BrowserSession {
    if !may_use(settings, headers) {
        return BrowserSession::default();
    }
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(name, _)| *name == NAME);
    match (found.next(), found.next()) {
        (Some((_, token)), None) => BrowserSession::usable(Some(token)),
        _ => BrowserSession::usable(None),
    }
}

/// Browsers say where a request comes from whenever it is not a plain GET; what says nothing is no
/// browser, and nobody else's page can be behind it.
fn may_use(settings: &Settings, headers: &HeaderMap) -> bool {
    let is_cross_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    !is_cross_site
        && headers
            .get(header::ORIGIN)
            .is_none_or(|origin| is_ours(settings, headers, origin))
}

fn is_ours(settings: &Settings, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let is_listed = match &settings.cors_origins {
        CorsOrigins::List(origins) => origins.contains(origin),
        CorsOrigins::None | CorsOrigins::Any => false,
    };
    is_listed || is_of_this_server(settings, headers, origin)
}

/// Whether an origin is this server's own, by its public name or by the one that it was called by.
pub(super) fn is_of_this_server(
    settings: &Settings,
    headers: &HeaderMap,
    origin: &HeaderValue,
) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let is_public = origin == settings.public_url.origin().ascii_serialization();
    // A page of this very host, by whatever name it was called.
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let is_this_host = origin
        .split_once("://")
        .is_some_and(|(_, authority)| Some(authority) == host);
    is_public || is_this_host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_use_from(headers: &[(&'static str, &'static str)]) -> bool {
        let settings = crate::config::read(|name| {
            let value = match name {
                "PUBLIC_URL" => "https://api.example.com",
                "CORS_ORIGINS" => "https://app.example.com",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        may_use(&settings.unwrap(), &headers)
    }

    #[test]
    fn pages_of_listed_origins_and_of_this_host_may_use_the_cookie() {
        for (headers, expected) in [
            (vec![], true),
            (vec![("origin", "https://app.example.com")], true),
            (vec![("origin", "https://api.example.com")], true),
            (
                vec![
                    ("origin", "http://localhost:8000"),
                    ("host", "localhost:8000"),
                ],
                true,
            ),
            (
                vec![
                    ("origin", "https://app.example.com"),
                    ("sec-fetch-site", "same-site"),
                ],
                true,
            ),
            (vec![("origin", "https://other.example.com")], false),
            (vec![("origin", "http://app.example.com")], false),
            (
                vec![("origin", "https://app.example.com.evil.example")],
                false,
            ),
            (vec![("origin", "null")], false),
            (vec![("origin", "")], false),
            (
                vec![
                    ("origin", "http://localhost:8001"),
                    ("host", "localhost:8000"),
                ],
                false,
            ),
            (
                vec![
                    ("origin", "https://app.example.com"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (vec![("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(may_use_from(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_cookie_counts_when_it_is_one_and_its_page_may_use_it() {
        let settings = crate::config::read(|_| None).unwrap();
        let token = "A".repeat(107);
        let of = |cookies: &[String]| {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(header::COOKIE, cookie.parse().unwrap());
            }
            browser_session(&settings, &headers).is_some()
        };
        let ours = format!("{NAME}={token}");
        let mut of_another_page = HeaderMap::new();
        of_another_page.insert(header::COOKIE, ours.parse().unwrap());
        of_another_page.insert(
            header::ORIGIN,
            HeaderValue::from_static("https://evil.example"),
        );
        assert!(!browser_session(&settings, &of_another_page).is_some());
        assert!(of(std::slice::from_ref(&ours)));
        assert!(of(&[format!("theme=dark; {ours}; a=b")]));
        assert!(!of(&[ours.clone(), ours.clone()]));
        assert!(!of(&[format!("{ours}; {NAME}=other")]));
        assert!(!of(&[format!("x{ours}")]));
        assert!(!of(&[format!("{NAME}=short")]));
    }
}
