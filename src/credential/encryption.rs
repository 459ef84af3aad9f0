//! Encrypts what must be read again and must not lie in the database in clear:
//! XChaCha20-Poly1305 by a key that follows from the signing secret. A text is
//! bound to the user whose it is, so that a row that was copied to another user
//! cannot be read there.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

use super::access_token::key_id;
use super::opaque_token::DerivationKey;
use crate::config::Secret;
use crate::entity::UserId;
use crate::error::{Error, Result};

const LABEL: &str = "muster second factor";
/// Long enough to be drawn at random, without any count of what was encrypted so far.
const NONCE_BYTES: usize = 24;

#[derive(Clone)]
pub(super) struct EncryptionKey {
    /// Names the signing secret without telling anything of it; access tokens name it, too.
    pub id: String,
    cipher: XChaCha20Poly1305,
}

impl EncryptionKey {
    pub fn new(secret: &Secret) -> Self {
        let key = Key::from(DerivationKey::new(secret).derive(LABEL, &[]));
        Self {
            id: key_id(secret),
            cipher: XChaCha20Poly1305::new(&key),
        }
    }

    /// The nonce, and what it was encrypted to with it.
    pub fn encrypt(
        &self,
        user_id: UserId,
        nonce: [u8; NONCE_BYTES],
        text: &[u8],
    ) -> Result<Vec<u8>> {
        let payload = Payload {
            msg: text,
            aad: user_id.0.as_bytes(),
        };
        let encrypted = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("a text is too long to be encrypted"))?;
        Ok([nonce.as_slice(), &encrypted].concat())
    }

    /// None unless it was encrypted by this key for this user, and is as it was.
    pub fn decrypt(&self, user_id: UserId, encrypted: &[u8]) -> Option<Vec<u8>> {
        let (nonce, encrypted) = encrypted.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: encrypted,
            aad: user_id.0.as_bytes(),
        };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const EVE: UserId = UserId(Uuid::from_u128(1));
    const ZOE: UserId = UserId(Uuid::from_u128(2));

    fn key(text: &str) -> EncryptionKey {
        EncryptionKey::new(&Secret::new(text.into()))
    }

    #[test]
    fn a_text_is_read_again_by_its_key_and_for_its_user_only() {
        let encrypted = key("one").encrypt(EVE, [7; NONCE_BYTES], b"text").unwrap();
        assert_eq!(key("one").decrypt(EVE, &encrypted).unwrap(), b"text");
        assert_eq!(key("two").decrypt(EVE, &encrypted), None);
        assert_eq!(key("one").decrypt(ZOE, &encrypted), None);
        assert!(!encrypted.windows(4).any(|window| window == b"text"));
    }

    #[test]
    fn a_text_that_was_changed_or_cut_is_refused() {
        let encrypted = key("one").encrypt(EVE, [7; NONCE_BYTES], b"text").unwrap();
        for place in 0..encrypted.len() {
            let mut changed = encrypted.clone();
            changed[place] ^= 1;
            assert_eq!(key("one").decrypt(EVE, &changed), None, "{place}");
            assert_eq!(key("one").decrypt(EVE, &encrypted[..place]), None);
        }
    }

    #[test]
    fn keys_are_named_by_their_secret() {
        assert_eq!(key("one").id, key("one").id);
        assert_ne!(key("one").id, key("two").id);
    }
}
