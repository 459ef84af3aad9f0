//! Time-based one-time passwords (RFC 6238) in the one form that every
//! authenticator app knows: SHA-1, 6 digits, 30 seconds. A code is good from one
//! step before its own to one step after; that it is good only once is for the
//! store to say, by the step that [`TotpSecret::matching_step`] gives.

use std::fmt;

use chrono::{DateTime, Utc};
use totp_rs::{Builder, Secret, Totp};

use crate::error::{Error, Result};

/// 160 bits, as RFC 4226 (section 4, R6) advises.
pub(super) const SECRET_BYTES: usize = 20;
/// What apps show beside the username.
const ISSUER: &str = "Muster";

/// What an authenticator app and Muster share. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Secret);

impl TotpSecret {
    pub(super) fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Secret::from(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// In base32 without padding, for typing into an app.
    pub fn base32(&self) -> String {
        self.0.to_base32()
    }

    /// As `otpauth://totp/…`, which apps read from a QR code.
    pub fn uri(&self, username: &str) -> Result<String> {
        self.totp(username)?.to_url().map_err(Error::internal)
    }

    /// The time step that this code of 6 digits is of, if it is good now: steps of 30 seconds
    /// since the Unix epoch. Compared in constant time.
    pub fn matching_step(&self, digits: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
        let seconds = now.timestamp().max(0).unsigned_abs();
        let step = self.totp("")?.check(digits, seconds);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    fn totp(&self, username: &str) -> Result<Totp> {
        // The form and the skew are the library's defaults, which the vectors below hold it to.
        Builder::new()
            .with_issuer(Some(ISSUER))
            .with_account_name(username)
            .with_secret(self.0.clone())
            .build()
            .map_err(Error::internal)
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of RFC 6238, appendix B.
    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// The RFC gives 8 digits; 6 are the last of them (RFC 4226, section 5.3).
    #[test]
    fn the_vectors_of_rfc_6238_match() {
        for (seconds, digits) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let found = secret().matching_step(&digits[2..], at(seconds)).unwrap();
            assert_eq!(found, Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_from_one_step_before_its_own_to_one_step_after() {
        // The code of the step from 1111111110 on.
        for (seconds, good) in [
            (1_111_111_079, false),
            (1_111_111_080, true),
            (1_111_111_110, true),
            (1_111_111_169, true),
            (1_111_111_170, false),
        ] {
            let found = secret().matching_step("050471", at(seconds)).unwrap();
            assert_eq!(found, good.then_some(1_111_111_110 / 30), "{seconds}");
        }
    }

    #[test]
    fn what_is_not_six_digits_matches_nothing_at_any_time() {
        let moments = [DateTime::<Utc>::MIN_UTC, at(0), DateTime::<Utc>::MAX_UTC];
        for now in moments {
            for text in ["", "05047", "0504710", "+50471", "０５０４７１", "05047a"] {
                assert_eq!(secret().matching_step(text, now).unwrap(), None, "{text}");
            }
        }
    }

    #[test]
    fn apps_are_told_who_and_where_and_the_form_is_the_usual_one() {
        assert_eq!(
            secret().uri("ada.l-1_x").unwrap(),
            "otpauth://totp/Muster:ada.l-1_x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Muster"
        );
        assert_eq!(secret().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(format!("{:?}", secret()), "TotpSecret(…)");
    }
}
