//! Who sends a request, and from where: the bearer token to an actor, the
//! forwarded addresses to the one that can be believed.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use ipnet::IpNet;

use crate::actor::Actor;
use crate::error::Result;
use crate::graphql::Caller;
use crate::service::session::{self, Presented};
use crate::service::{Client, Context, attempt};

/// Longer tokens are refused before they are looked at.
const TOKEN_MAX: usize = 4_096;
const USER_AGENT_MAX: usize = 256;

/// Who is at the other end of the connection: nobody in tests that have none.
#[derive(Clone, Copy)]
pub(super) struct Peer(Option<SocketAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(connected.map(|ConnectInfo(peer)| *peer)))
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone)]
pub(super) struct Proxies(Arc<[IpNet]>);

impl Proxies {
    pub fn new(trusted: &[IpNet]) -> Self {
        Self(trusted.into())
    }

    /// The right-most hop that is not one of our proxies. What is left of it, and any other
    /// header, is whatever the client wrote.
    pub fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut source = peer.to_canonical();
        let hops = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            // What a client wrote that is no text spoils its own hop only.
            .map(|hop| std::str::from_utf8(hop).unwrap_or_default())
            .collect::<Vec<_>>();
        for hop in hops.into_iter().rev() {
            if !self.trusts(source) {
                break;
            }
            let Some(address) = address(hop.trim()) else {
                break;
            };
            source = address.to_canonical();
        }
        source
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Some proxies add the port.
fn address(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Who a request may be from, before the store was asked.
pub(super) struct Visitor {
    client: Client,
    claim: Claim,
}

enum Claim {
    /// Nobody in particular, as is plain already.
    Nobody(Actor),
    /// The token may stand for somebody; whether it does now is for the store to say.
    Somebody(Presented),
}

impl Visitor {
    pub fn new(cx: &Context, proxies: &Proxies, peer: Peer, headers: &HeaderMap) -> Self {
        let claim = match token(headers) {
            Bearer::None => Claim::Nobody(Actor::Anonymous),
            Bearer::Garbled => Claim::Nobody(Actor::Refused),
            Bearer::Token(token) => {
                let presented = session::presented(cx, token);
                presented.map_or(Claim::Nobody(Actor::Refused), Claim::Somebody)
            }
        };
        Self {
            client: client(proxies, peer, headers),
            claim,
        }
    }

    /// Asks the store who this is, where that is not plain, and counts the request. An error when
    /// there were too many, or the store cannot tell.
    pub async fn enter(&self, cx: &Context) -> Result<Caller> {
        let actor = self.actor(cx).await?;
        attempt::request(cx, &actor, &self.client).await?;
        Ok(Caller {
            actor,
            client: self.client.clone(),
        })
    }

    /// Who this is now.
    pub async fn actor(&self, cx: &Context) -> Result<Actor> {
        match &self.claim {
            Claim::Nobody(actor) => Ok(*actor),
            Claim::Somebody(presented) => session::authenticate(cx, presented).await,
        }
    }
}

pub(super) fn client(proxies: &Proxies, Peer(peer): Peer, headers: &HeaderMap) -> Client {
    Client {
        ip: peer.map(|peer| proxies.source(peer.ip(), headers)),
        user_agent: user_agent(headers),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Bearer<'a> {
    None,
    Garbled,
    Token(&'a str),
}

fn token(headers: &HeaderMap) -> Bearer<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Bearer::None;
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty() && token.len() <= TOKEN_MAX);
    match (token, values.next()) {
        (Some(token), None) => Bearer::Token(token),
        _ => Bearer::Garbled,
    }
}

fn user_agent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(USER_AGENT_MAX)
        .collect();
    (!text.trim().is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn forwarded(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        headers
    }

    fn source(peer: &str, values: &[&'static str]) -> String {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        proxies
            .source(peer.parse().unwrap(), &forwarded(values))
            .to_string()
    }

    #[test]
    fn the_source_is_the_right_most_hop_that_is_not_ours() {
        for (peer, values, expected) in [
            ("203.0.113.7", vec![], "203.0.113.7"),
            ("203.0.113.7", vec!["198.51.100.1"], "203.0.113.7"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec!["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            (
                "10.0.0.1",
                vec!["198.51.100.1", "203.0.113.9"],
                "203.0.113.9",
            ),
            ("10.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", vec!["garbage"], "10.0.0.1"),
            ("::ffff:10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::1", vec!["2001:db8::1"], "2001:db8::1"),
        ] {
            assert_eq!(source(peer, &values), expected, "{peer} {values:?}");
        }
    }

    #[test]
    fn what_is_no_text_spoils_no_more_than_its_own_hop() {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap()]);
        for (value, expected) in [
            (&b"\xff, 203.0.113.9"[..], "203.0.113.9"),
            (b"203.0.113.9, \xff", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_bytes(value).unwrap());
            let source = proxies.source("10.0.0.1".parse().unwrap(), &headers);
            assert_eq!(source.to_string(), expected);
        }
    }

    #[test]
    fn a_token_is_taken_from_one_bearer_header_and_nothing_else() {
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(token(&with(&[])), Bearer::None);
        assert_eq!(token(&with(&["Bearer abc"])), Bearer::Token("abc"));
        assert_eq!(token(&with(&["bearer  abc"])), Bearer::Token("abc"));
        for garbled in [
            &["Basic abc"][..],
            &["Bearer"],
            &["Bearer "],
            &["abc"],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(token(&with(garbled)), Bearer::Garbled, "{garbled:?}");
        }
        let of_length = |length: usize| {
            let mut headers = HeaderMap::new();
            let value = format!("Bearer {}", "a".repeat(length));
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token(&headers) == Bearer::Garbled
        };
        assert!(!of_length(TOKEN_MAX) && of_length(TOKEN_MAX + 1));
    }

    #[test]
    fn a_request_is_kept_with_where_it_came_from_and_what_sent_it() {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap()]);
        let mut headers = forwarded(&["198.51.100.1"]);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("curl/8.0"));
        let found = client(
            &proxies,
            Peer(Some("10.0.0.1:4711".parse().unwrap())),
            &headers,
        );
        assert_eq!(found.ip, Some("198.51.100.1".parse().unwrap()));
        assert_eq!(found.user_agent.as_deref(), Some("curl/8.0"));
        // Somebody must have connected before what is forwarded counts.
        assert_eq!(client(&proxies, Peer(None), &headers).ip, None);
    }

    #[test]
    fn what_a_client_calls_itself_is_kept_short_and_on_one_line() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.insert(header::USER_AGENT, value);
            user_agent(&headers)
        };
        assert_eq!(of(b"Tabs\tand 1.0").as_deref(), Some("Tabsand 1.0"));
        assert_eq!(of(b"  "), None);
        assert_eq!(of(b"\xff"), None);
        assert_eq!(of(&[b'x'; 300]).unwrap().len(), USER_AGENT_MAX);
        assert_eq!(user_agent(&HeaderMap::new()), None);
    }
}
