//! Networks, in the form that addresses are compared by: an IPv4 address is one,
//! however it was written.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// How much of an IPv6 address says that it is an IPv4 one (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// A network, or a single address. None for what is neither.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| {
        let address: IpAddr = text.parse().ok()?;
        Some(IpNet::from(address))
    })?;
    match network {
        IpNet::V6(mapped) if mapped.prefix_len() >= MAPPED_PREFIX => {
            let Some(address) = mapped.addr().to_ipv4_mapped() else {
                return Some(network);
            };
            let prefix = mapped.prefix_len() - MAPPED_PREFIX;
            Ipv4Net::new(address, prefix).ok().map(IpNet::V4)
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_network_is_one_however_it_was_written() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:a00:0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
        ] {
            let expected: IpNet = expected.parse().unwrap();
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for wrong in ["", "10.0.0.0/33", "::ffff:10.0.0.0/129", "example.com", "*"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
