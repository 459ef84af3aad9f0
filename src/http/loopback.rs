//! Whether somebody asks from this very machine, for what nobody else is to see.

use std::net::SocketAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version, header};
use url::{Host, Url};

/// What proxies add to a request, one or the other.
const FORWARDED: [&str; 7] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "via",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
];

/// Whoever connects from here and not through a proxy on it, behind which everybody does. One that
/// adds nothing is known by the version that nginx speaks to servers unless it is told otherwise,
/// and no browser does; one that speaks a later version and adds nothing cannot be told from a
/// browser.
pub(super) fn is_direct(peer: SocketAddr, version: Version, headers: &HeaderMap) -> bool {
    peer.ip().to_canonical().is_loopback()
        && version >= Version::HTTP_11
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// Whether the browser took this machine for this machine, too: a page elsewhere can have its name
/// lead here, and is then of the same origin as we.
pub(super) fn is_called_by_its_name(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let authority = host.to_str().ok().and_then(|host| host.parse().ok());
    authority.as_ref().is_some_and(names_loopback) && uri.authority().is_none_or(names_loopback)
}

fn names_loopback(authority: &Authority) -> bool {
    let has_user = authority.as_str().contains('@');
    !has_user && ["localhost", "127.0.0.1", "[::1]"].contains(&authority.host())
}

/// Whether a URL leads to the machine of whoever follows it.
pub(super) fn leads_to_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
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
    fn only_this_machine_is_direct_and_no_proxy_on_it() {
        for (peer, headers, direct) in [
            ("127.0.0.1:4711", HeaderMap::new(), true),
            ("[::1]:4711", HeaderMap::new(), true),
            ("[::ffff:127.0.0.1]:4711", HeaderMap::new(), true),
            ("10.0.0.7:4711", HeaderMap::new(), false),
            ("[2001:db8::1]:4711", HeaderMap::new(), false),
            (
                "127.0.0.1:4711",
                with("x-forwarded-for", "127.0.0.1"),
                false,
            ),
            ("127.0.0.1:4711", with("forwarded", "for=127.0.0.1"), false),
            ("127.0.0.1:4711", with("x-real-ip", ""), false),
            ("127.0.0.1:4711", with("via", "1.1 proxy"), false),
            (
                "127.0.0.1:4711",
                with("x-forwarded-host", "muster.example"),
                false,
            ),
            ("127.0.0.1:4711", with("x-forwarded-proto", "https"), false),
            (
                "127.0.0.1:4711",
                with("x-forwarded-server", "muster.example"),
                false,
            ),
        ] {
            let peer = peer.parse().unwrap();
            let is_direct = is_direct(peer, Version::HTTP_11, &headers);
            assert_eq!(is_direct, direct, "{peer} {headers:?}");
        }
    }

    #[test]
    fn what_no_browser_speaks_is_not_direct() {
        let here = "127.0.0.1:4711".parse().unwrap();
        for (version, direct) in [
            (Version::HTTP_09, false),
            (Version::HTTP_10, false),
            (Version::HTTP_11, true),
            (Version::HTTP_2, true),
        ] {
            let is_direct = is_direct(here, version, &HeaderMap::new());
            assert_eq!(is_direct, direct, "{version:?}");
        }
    }

    #[test]
    fn only_its_own_names_are_names_of_this_machine() {
        for (uri, host, named) in [
            ("/mail", "localhost:8000", true),
            ("/mail", "localhost", true),
            ("/mail", "127.0.0.1:8000", true),
            ("/mail", "[::1]:8000", true),
            ("http://localhost:8000/mail", "localhost:8000", true),
            ("http://evil.example/mail", "localhost:8000", false),
            ("/mail", "evil.example:8000", false),
            ("/mail", "localhost.evil.example", false),
            ("/mail", "localhost@evil.example", false),
            ("/mail", "user@localhost", false),
            ("/mail", "127.0.0.1.nip.io", false),
            ("/mail", "", false),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let called = is_called_by_its_name(&uri, &with("host", host));
            assert_eq!(called, named, "{uri} {host:?}");
        }
        let uri = Uri::from_static("/mail");
        assert!(!is_called_by_its_name(&uri, &HeaderMap::new()));
        let mut twice = with("host", "localhost");
        twice.append("host", HeaderValue::from_static("evil.example"));
        assert!(!is_called_by_its_name(&uri, &twice));
    }

    #[test]
    fn only_urls_of_loopback_lead_there() {
        for (url, leads) in [
            ("http://localhost:8000", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000", true),
            ("https://muster.example", false),
            ("http://10.0.0.7:8000", false),
        ] {
            assert_eq!(leads_to_loopback(&url.parse().unwrap()), leads, "{url}");
        }
    }
}
