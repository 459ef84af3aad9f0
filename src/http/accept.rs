//! Which of the two response media types of GraphQL over HTTP the client wants.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use mime::Mime;

use super::params::Malformed;
use crate::graphql::error;

pub(super) const NOT_ACCEPTABLE: Malformed = Malformed {
    status: StatusCode::NOT_ACCEPTABLE,
    code: error::BAD_USER_INPUT,
    message: "Accept application/graphql-response+json or application/json.",
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status tells whether the request could be answered.
    GraphqlResponse,
    /// `application/json`: for clients of before the specification, 200 to all that is well-formed.
    Json,
}

impl MediaType {
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }

    /// None when the client takes neither. Who does not say gets plain JSON, as clients that do not
    /// know of the specification expect.
    pub fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let ranges: Vec<Mime> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| range.trim().parse().ok())
            .collect();
        let says_nothing = headers
            .get_all(header::ACCEPT)
            .iter()
            .all(|value| value.as_bytes().trim_ascii().is_empty());
        if says_nothing {
            return Some(Self::Json);
        }
        let graphql = quality(&ranges, "graphql-response", Some("json"));
        let json = quality(&ranges, "json", None);
        match (graphql, json) {
            (None, None) => None,
            // Named is better than let in by a wildcard, and of two that are named alike the
            // specification's own is.
            (Some(graphql), Some(json)) if graphql < json => Some(Self::Json),
            (Some(_), _) => Some(Self::GraphqlResponse),
            (None, Some(_)) => Some(Self::Json),
        }
    }
}

/// How much the client wants this type: thousandths, and whether it was named. None: not at all.
fn quality(ranges: &[Mime], subtype: &str, suffix: Option<&str>) -> Option<(u16, bool)> {
    let mut best: Option<(u8, u16)> = None;
    for range in ranges {
        let specificity = if range.type_() == mime::STAR {
            0
        } else if range.type_() != mime::APPLICATION {
            continue;
        } else if range.subtype() == mime::STAR {
            1
        } else if range.subtype() == subtype && range.suffix().map(|s| s.as_str()) == suffix {
            2
        } else {
            continue;
        };
        if best.is_none_or(|(other, _)| specificity > other) {
            best = Some((specificity, weight(range)));
        }
    }
    best.filter(|(_, weight)| *weight > 0)
        // A wildcard lets both in; the older type is what it always meant.
        .map(|(specificity, weight)| (weight, specificity == 2 || suffix.is_none()))
}

fn weight(range: &Mime) -> u16 {
    let Some(text) = range.get_param("q") else {
        return 1_000;
    };
    let (whole, fraction) = text.as_str().split_once('.').unwrap_or((text.as_str(), ""));
    let thousandths = format!("{fraction:0<3}");
    match (
        whole,
        thousandths.get(..3).and_then(|digits| digits.parse().ok()),
    ) {
        ("1", _) => 1_000,
        ("0" | "", Some(thousandths)) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_wish_is_met_where_it_can_be() {
        use MediaType::{GraphqlResponse, Json};
        for (accept, expected) in [
            (None, Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (
                Some("application/graphql-response+json"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/graphql-response+json, application/json;q=0.9"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/json, application/graphql-response+json"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/graphql-response+json;q=0.5, application/json"),
                Some(Json),
            ),
            (
                Some("application/graphql-response+json, */*;q=0.1"),
                Some(GraphqlResponse),
            ),
            (Some("application/json;q=0, */*"), Some(GraphqlResponse)),
            (Some(""), Some(Json)),
            (
                Some("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"),
                Some(Json),
            ),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("text/event-stream"), None),
            (Some("garbage"), None),
            (Some("application/json; charset=utf-8"), Some(Json)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(MediaType::negotiate(&headers), expected, "{accept:?}");
        }
    }
}
