//! What a browser shows at the job board: the id of its session, and a proof that it
//! was made here. It is good for nothing else, and by itself for nothing at all:
//! whether the session lasts, and whose it is, is looked up each time.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::entity::SessionId;

const ID_BYTES: usize = 16;
const PROOF_BYTES: usize = 32;

/// It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct BoardPass(String);

impl BoardPass {
    pub(super) fn new(id: SessionId, proof: [u8; PROOF_BYTES]) -> Self {
        let mut bytes = [0; ID_BYTES + PROOF_BYTES];
        bytes[..ID_BYTES].copy_from_slice(id.0.as_bytes());
        bytes[ID_BYTES..].copy_from_slice(&proof);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The session that it names, when one of these proofs of that is the one it has. Compared in
    /// constant time.
    pub(super) fn verify<I>(text: &str, proofs: impl FnOnce(SessionId) -> I) -> Option<SessionId>
    where
        I: Iterator<Item = [u8; PROOF_BYTES]>,
    {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes: [u8; ID_BYTES + PROOF_BYTES] = bytes.try_into().ok()?;
        let (id, shown) = bytes.split_at(ID_BYTES);
        let id = SessionId(Uuid::from_slice(id).ok()?);
        proofs(id)
            .any(|proof| proof[..].ct_eq(shown).into())
            .then_some(id)
    }

    /// The pass itself, for whom it was made for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BoardPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoardPass(…)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_pass_does_not_print() {
        let pass = BoardPass::new(SessionId(Uuid::from_u128(7)), [7; 32]);
        assert_eq!(format!("{pass:?}"), "BoardPass(…)");
    }
}
