//! What counts are kept under: a keyed hash, so that neither Redis nor a dump of
//! memory tells who tried, and nobody can choose names that collide.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Subject;
use crate::config::Secret;

/// 128 bits are more than enough to tell apart what is counted at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// In Redis.
    pub fn name(&self) -> String {
        format!("muster:limit:{:032x}", u128::from_be_bytes(self.0))
    }

    #[cfg(test)]
    pub fn numbered(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

pub(super) struct Keys(Hmac<Sha256>);

impl Keys {
    pub fn new(secret: &Secret) -> Self {
        // HMAC takes a key of any length.
        let mac = Hmac::new_from_slice(secret.expose().as_bytes());
        let mut mac =
            mac.unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
        // Keeps these apart from all else that is derived from the secret.
        mac.update(b"muster limit\0");
        Self(mac)
    }

    /// `count` says what is counted.
    pub fn of(&self, count: &str, subject: Subject<'_>) -> Key {
        let mut mac = self.0.clone();
        mac.update(count.as_bytes());
        mac.update(&[0]);
        match subject {
            Subject::Everybody => {}
            Subject::Source(source) => mac.update(&source.octets()),
            Subject::User(id) => mac.update(id.0.as_bytes()),
            Subject::CodeOf(id) => {
                mac.update(id.0.as_bytes());
                mac.update(b"code");
            }
            Subject::NewCodeOf(id) => {
                mac.update(id.0.as_bytes());
                mac.update(b"new code");
            }
            Subject::CodeFrom(id, source) => {
                mac.update(id.0.as_bytes());
                mac.update(&source.octets());
            }
            Subject::Name(name) => mac.update(name.as_bytes()),
            // Of a fixed length first, so that no two pairs run into the same bytes.
            Subject::NameFrom(name, source) => {
                mac.update(&source.octets());
                mac.update(name.as_bytes());
            }
        }
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        Key(bytes.first_chunk().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_of_its_own_that_tells_nobody_who_it_is_of() {
        let keys = Keys::new(&Secret::new("ours".into()));
        let kate = keys.of("failures", Subject::Name("kate"));
        assert_eq!(keys.of("failures", Subject::Name("kate")), kate);
        let hash = kate.name().strip_prefix("muster:limit:").map(str::len);
        assert_eq!(hash, Some(32));
        assert!(!kate.name().contains("kate"));
        let strangers = Keys::new(&Secret::new("a stranger's".into()));
        for other in [
            keys.of("failures", Subject::Name("liam")),
            keys.of("failures_here", Subject::Name("kate")),
            strangers.of("failures", Subject::Name("kate")),
        ] {
            assert_ne!(other.name(), kate.name());
        }
    }
}
