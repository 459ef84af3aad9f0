//! What keeps a session going: a secret of 256 bits, the id of its session, and a
//! proof that it was us who put the two together. The database knows a token by its
//! SHA-256, and forgets it soon after it was used; one that comes again much later
//! still says whose it was. The proof opens nothing: only what the database knows
//! to be unused can be exchanged.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::opaque_token::hex;
use crate::entity::SessionId;

const SECRET: usize = 32;
const ID: usize = 16;
const PROOF: usize = 32;
const CLAIMED: usize = SECRET + ID;
const BYTES: usize = CLAIMED + PROOF;

/// A secret, and whose it is.
pub(super) type Claim = [u8; CLAIMED];

/// Keeps a session going; good for one use. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// `prove` proves what it is given to be ours.
    pub(super) fn new(
        secret: [u8; SECRET],
        session_id: SessionId,
        prove: impl FnOnce(Claim) -> [u8; PROOF],
    ) -> Self {
        let mut claim = [0; CLAIMED];
        claim[..SECRET].copy_from_slice(&secret);
        claim[SECRET..].copy_from_slice(session_id.0.as_bytes());
        let mut bytes = [0; BYTES];
        bytes[..CLAIMED].copy_from_slice(&claim);
        bytes[CLAIMED..].copy_from_slice(&prove(claim));
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// None for what cannot be one of ours, however it was spelled. The first ones were a secret alone:
    /// they are good for as long as the database knows them to be unused.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        matches!(bytes.len(), BYTES | SECRET).then(|| Self(text.to_owned()))
    }

    /// The session that it was made for, when one of these proofs is the one it has. Compared in
    /// constant time.
    pub(super) fn session_id<I>(&self, proofs: impl FnOnce(Claim) -> I) -> Option<SessionId>
    where
        I: Iterator<Item = [u8; PROOF]>,
    {
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).ok()?;
        let (claim, shown) = bytes.split_first_chunk::<CLAIMED>()?;
        let id = SessionId(Uuid::from_slice(&claim[SECRET..]).ok()?);
        proofs(*claim)
            .any(|proof| proof[..].ct_eq(shown).into())
            .then_some(id)
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

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SessionId = SessionId(Uuid::from_u128(7));

    fn token() -> RefreshToken {
        RefreshToken::new([1; SECRET], ID, |_| [2; PROOF])
    }

    #[test]
    fn a_token_comes_back_from_its_text_and_does_not_print() {
        let token = token();
        assert_eq!(RefreshToken::parse(token.expose()), Some(token.clone()));
        assert_eq!(format!("{token:?}"), "RefreshToken(…)");
        assert_eq!(token.hash().len(), 64);
    }

    #[test]
    fn what_is_longer_or_shorter_or_no_base64_is_no_token() {
        let text = token().expose().to_owned();
        for wrong in [
            "",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            &text.replace('A', "!"),
            &"A".repeat(42),
            &"A".repeat(44),
        ] {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_that_is_a_secret_alone_names_no_session() {
        let token = RefreshToken::parse(&"A".repeat(43)).unwrap();
        assert_eq!(token.session_id(|_| [[0; PROOF]].into_iter()), None);
    }

    #[test]
    fn a_token_names_its_session_by_the_right_proof_only() {
        let token = token();
        let by = |proofs: &[u8]| {
            token.session_id(|claim| {
                assert_eq!(claim[..SECRET], [1; SECRET]);
                assert_eq!(claim[SECRET..], *ID.0.as_bytes());
                let proofs: Vec<_> = proofs.iter().map(|byte| [*byte; PROOF]).collect();
                proofs.into_iter()
            })
        };
        assert_eq!(by(&[2]), Some(ID));
        assert_eq!(by(&[3, 2]), Some(ID));
        assert_eq!(by(&[3]), None);
        assert_eq!(by(&[]), None);
    }
}
