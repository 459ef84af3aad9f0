//! Codes for whoever has lost the phone: 120 random bits each, and known to the
//! database by their SHA-256 only. From 112 bits on, a fast hash is enough for
//! codes of this kind (NIST SP 800-63B-4, section 3.1.2.2).

use std::fmt;

use base32::Alphabet;
use sha2::{Digest, Sha256};

use super::opaque_token::hex;

pub(super) const BYTES: usize = 15;
/// Characters, without the dashes.
const LENGTH: usize = 24;
/// Characters between two dashes.
const GROUP: usize = 4;

/// Stands in for the authenticator app, once. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([u8; BYTES]);

impl RecoveryCode {
    pub(super) fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// From characters without spaces and dashes. Crockford's base32 takes either case, O for 0,
    /// and I and L for 1.
    pub(super) fn parse(characters: &str) -> Option<Self> {
        // Checked here, since the library leaves out the bits of one character too many.
        let bytes = (characters.len() == LENGTH)
            .then(|| base32::decode(Alphabet::Crockford, characters))
            .flatten()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// What the database knows it by: SHA-256 in hexadecimal.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.0))
    }

    /// The code itself in groups of 4, for whom it was made for.
    pub fn expose(&self) -> String {
        let characters = base32::encode(Alphabet::Crockford, &self.0);
        let mut text = String::with_capacity(characters.len() * 5 / 4);
        for (place, character) in characters.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(character);
        }
        text
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_in_groups_and_does_not_print() {
        let code = RecoveryCode::from_bytes([0xa7; BYTES]);
        let text = code.expose();
        assert_eq!(text, "MYKT-F9X7-MYKT-F9X7-MYKT-F9X7");
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
        assert_eq!(code.hash().len(), 64);
        assert_eq!(RecoveryCode::parse(&text.replace('-', "")), Some(code));
    }

    #[test]
    fn what_is_not_120_bits_is_no_code() {
        for text in [
            String::new(),
            "A".repeat(23),
            "A".repeat(25),
            "A".repeat(26),
            "U".repeat(24),
            "é".repeat(24),
            "=".repeat(24),
        ] {
            assert_eq!(RecoveryCode::parse(&text), None, "{text}");
        }
    }
}
