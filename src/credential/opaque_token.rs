//! Tokens that mean nothing by themselves: 256 bits in URL-safe base64, known to
//! the database by their SHA-256 only. They need no slow hash: nobody can guess
//! 256 random bits (OWASP ASVS 5.0, 11.4.1).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::config::Secret;

const BYTES: usize = 32;

macro_rules! opaque_token {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            pub(super) fn from_bytes(bytes: [u8; BYTES]) -> Self {
                Self(format!("{}{}", $prefix, URL_SAFE_NO_PAD.encode(bytes)))
            }

            /// None for what cannot be one of ours, however it was spelled.
            pub fn parse(text: &str) -> Option<Self> {
                let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix($prefix)?).ok()?;
                (bytes.len() == BYTES).then(|| Self(text.to_owned()))
            }

            /// What the database knows it by: SHA-256 in hexadecimal.
            pub fn hash(&self) -> String {
                hex(&Sha256::digest(&self.0))
            }

            /// The token itself, for whom it was made for.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

opaque_token! {
    /// Lets its holder choose a new password; good for one use.
    ResetToken, ""
}

opaque_token! {
    /// Lets a script act for its owner. It begins with a word that tools which look for leaked
    /// secrets can find, and by which it is told from an access token.
    ApiToken, "muster_"
}

opaque_token! {
    /// Proves that its holder reads the mails to an address; good for one use.
    ConfirmationToken, ""
}

opaque_token! {
    /// Lets its holder join as the invitation says; good for one use.
    InvitationToken, ""
}

/// Derives tokens from things that are not secret, by a secret that is not in the database.
#[derive(Clone)]
pub(super) struct DerivationKey(Hmac<Sha256>);

impl DerivationKey {
    pub fn new(secret: &Secret) -> Self {
        // HMAC takes a key of any length; the error type is for other algorithms.
        let mac = Hmac::new_from_slice(secret.expose().as_bytes());
        Self(mac.unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default())))
    }

    /// The label keeps tokens of different uses apart, though they share the secret.
    pub fn derive(&self, label: &str, input: &[u8]) -> [u8; BYTES] {
        let mut mac = self.0.clone();
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(input);
        mac.finalize().into_bytes().into()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_text_and_does_not_print() {
        let token = ResetToken::from_bytes([7; BYTES]);
        assert_eq!(ResetToken::parse(token.expose()), Some(token.clone()));
        assert!(!format!("{token:?}").contains(token.expose()));
        assert_eq!(token.hash().len(), 64);
    }

    #[test]
    fn what_is_not_256_bits_in_base64_is_no_token() {
        for text in [
            "",
            "abc",
            "!",
            &"A".repeat(42),
            &"A".repeat(44),
            &"é".repeat(43),
        ] {
            assert_eq!(ResetToken::parse(text), None, "{text}");
        }
    }

    #[test]
    fn derived_tokens_differ_by_secret_label_and_input() {
        let key = |text: &str| DerivationKey::new(&Secret::new(text.into()));
        let one = key("one").derive("label", b"input");
        assert_eq!(one, key("one").derive("label", b"input"));
        assert_ne!(one, key("two").derive("label", b"input"));
        assert_ne!(one, key("one").derive("other", b"input"));
        assert_ne!(one, key("one").derive("label", b"other"));
    }
}
