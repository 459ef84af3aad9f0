//! Where tries come from, as far as one party can choose it: a host has as many
//! IPv6 addresses as it likes, but one network of 64 bits.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, the first 64 bits of an IPv6 address, or nowhere: whoever has no address shares
/// one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(Option<IpAddr>);

impl Source {
    pub fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        }))
    }

    pub fn is_somewhere(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn octets(self) -> [u8; 16] {
        match self.0 {
            // No address of anybody's.
            None => [0; 16],
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
            Some(IpAddr::V6(address)) => address.octets(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_what_one_host_cannot_choose_freely() {
        let source = |text: &str| Source::of(Some(text.parse().unwrap()));
        for (one, other, is_same) in [
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("203.0.113.7", "::ffff:203.0.113.7", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            assert_eq!(source(one) == source(other), is_same, "{one} {other}");
            let is_same_octets = source(one).octets() == source(other).octets();
            assert_eq!(is_same_octets, is_same, "{one} {other}");
        }
        assert!(source("203.0.113.7").is_somewhere() && !Source::of(None).is_somewhere());
        assert_eq!(Source::of(None), Source::of(None));
        assert_ne!(Source::of(None), source("203.0.113.7"));
    }
}
