//! What proves a log-in beside the password: the secret of an authenticator app,
//! kept encrypted, and recovery codes, kept as hashes.

use super::encryption::EncryptionKey;
use super::recovery_code::RecoveryCode;
use super::totp::TotpSecret;
use crate::config::Secret;
use crate::entity::UserId;
use crate::error::Result;
use crate::generator::Generator;

/// How many recovery codes there are at a time.
pub const RECOVERY_CODES: usize = 10;
/// Longer texts are refused before they are looked at.
const CODE_MAX: usize = 100;

/// What somebody typed as their second factor.
#[derive(Clone)]
pub enum SecondFactorCode {
    /// Six digits.
    Totp(String),
    Recovery(RecoveryCode),
}

impl SecondFactorCode {
    /// Spaces, dashes and case do not matter. None for what can be neither kind of code.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > CODE_MAX {
            return None;
        }
        let characters: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .collect();
        if characters.len() == 6 && characters.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Totp(characters));
        }
        RecoveryCode::parse(&characters).map(Self::Recovery)
    }
}

/// A secret as it is stored.
pub struct EncryptedSecret {
    /// Which key it takes to read it.
    pub key_id: String,
    pub bytes: Vec<u8>,
}

/// Makes second factors, and keeps their secrets from the database.
#[derive(Clone)]
pub struct SecondFactors {
    current: EncryptionKey,
    earlier: Vec<EncryptionKey>,
    generator: Generator,
}

impl SecondFactors {
    /// `previous` are signing secrets that still decrypt what was encrypted by them.
    pub fn new(secret: &Secret, previous: &[Secret], generator: Generator) -> Self {
        Self {
            current: EncryptionKey::new(secret),
            earlier: previous.iter().map(EncryptionKey::new).collect(),
            generator,
        }
    }

    pub fn new_secret(&self) -> TotpSecret {
        TotpSecret::from_bytes(self.generator.bytes())
    }

    pub fn new_recovery_codes(&self) -> Vec<RecoveryCode> {
        let codes = (0..RECOVERY_CODES).map(|_| RecoveryCode::from_bytes(self.generator.bytes()));
        codes.collect()
    }

    /// By the current key, for this user alone.
    pub fn encrypt(&self, user_id: UserId, secret: &TotpSecret) -> Result<EncryptedSecret> {
        let nonce = self.generator.bytes();
        Ok(EncryptedSecret {
            key_id: self.current.id.clone(),
            bytes: self.current.encrypt(user_id, nonce, secret.as_bytes())?,
        })
    }

    /// None when its key is not listed any more, or it is not this user's.
    pub fn decrypt(&self, user_id: UserId, key_id: &str, bytes: &[u8]) -> Option<TotpSecret> {
        std::iter::once(&self.current)
            .chain(&self.earlier)
            .filter(|key| key.id == key_id)
            .find_map(|key| key.decrypt(user_id, bytes))
            .and_then(|secret| Some(TotpSecret::from_bytes(secret.try_into().ok()?)))
    }

    /// The names of the keys that decrypt, and encrypt no more.
    pub fn earlier_key_ids(&self) -> Vec<&str> {
        let ids = self.earlier.iter().map(|key| key.id.as_str());
        ids.filter(|id| *id != self.current.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const EVE: UserId = UserId(Uuid::from_u128(1));

    fn second_factors(secret: &str, previous: &[&str]) -> SecondFactors {
        let secret_of = |text: &str| Secret::new(text.into());
        let previous: Vec<Secret> = previous.iter().copied().map(secret_of).collect();
        SecondFactors::new(&secret_of(secret), &previous, Generator::seeded(1))
    }

    #[test]
    fn a_secret_is_read_as_long_as_its_key_is_listed() {
        let old = second_factors("one", &[]);
        let secret = old.new_secret();
        let kept = old.encrypt(EVE, &secret).unwrap();
        for (reader, can_read) in [
            (second_factors("one", &[]), true),
            (second_factors("two", &["one"]), true),
            (second_factors("three", &["two", "one"]), true),
            (second_factors("two", &[]), false),
        ] {
            let read = reader.decrypt(EVE, &kept.key_id, &kept.bytes);
            assert_eq!(read, can_read.then(|| secret.clone()));
        }
    }

    #[test]
    fn the_current_key_is_no_earlier_one_though_it_be_listed_twice() {
        let ids = second_factors("two", &["one", "two"]);
        assert_eq!(
            ids.earlier_key_ids(),
            [second_factors("one", &[]).current.id]
        );
    }

    #[test]
    fn codes_are_told_apart_however_they_are_spelled() {
        let code = second_factors("one", &[]).new_recovery_codes().remove(3);
        let text = code.expose();
        for spelled in [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', " "),
            format!(" {} ", text.replace('-', "")),
            text.replace('0', "O").replace('1', "l"),
        ] {
            let parsed = SecondFactorCode::parse(&spelled);
            let is_it =
                matches!(&parsed, Some(SecondFactorCode::Recovery(other)) if *other == code);
            assert!(is_it, "{spelled}");
        }
        for spelled in ["050471", "050 471", " 050-471\t"] {
            let parsed = SecondFactorCode::parse(spelled);
            assert!(matches!(parsed, Some(SecondFactorCode::Totp(digits)) if digits == "050471"));
        }
        for text in ["", "05047", "0504711", "０５０４７１", &"A".repeat(10_000)] {
            assert!(SecondFactorCode::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_code_with_spaces_around_is_read_up_to_a_length() {
        let padded = |length: usize| format!("{:length$}", "050471");
        assert!(SecondFactorCode::parse(&padded(CODE_MAX)).is_some());
        assert!(SecondFactorCode::parse(&padded(CODE_MAX + 1)).is_none());
    }

    #[test]
    fn codes_are_ten_and_differ() {
        let codes = second_factors("one", &[]).new_recovery_codes();
        let mut hashes: Vec<String> = codes.iter().map(RecoveryCode::hash).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), RECOVERY_CODES);
    }
}
