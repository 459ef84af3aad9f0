//! Proofs of who somebody is: passwords and tokens. Called by `service` and, for
//! the links in mails, by `worker`. No text that would let somebody in is ever
//! printed, and none but its hash is stored.

mod access_token;
mod guessing;
mod opaque_token;
mod password;

pub use access_token::{AccessToken, Claims};
pub use opaque_token::{RefreshToken, ResetToken};
pub use password::{Passwords, Verdict};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::config::{Secret, Settings};
use crate::entity::{ResetTokenId, SessionId, UserId};
use crate::error::Result;
use crate::generator::Generator;

use access_token::Signer;
use opaque_token::DerivationKey;

const REFRESH_LABEL: &str = "muster refresh token";

/// Makes tokens and tells whether they are ours.
#[derive(Clone)]
pub struct Tokens {
    signer: Signer,
    /// The current key, and then the earlier ones.
    keys: Vec<DerivationKey>,
    clock: Clock,
    generator: Generator,
    access_token_ttl: TimeDelta,
}

impl Tokens {
    /// `previous` are secrets that still verify what was signed by them.
    pub fn new(
        secret: &Secret,
        previous: &[Secret],
        settings: &Settings,
        clock: Clock,
        generator: Generator,
    ) -> Self {
        let secrets: Vec<&Secret> = std::iter::once(secret).chain(previous).collect();
        Self {
            signer: Signer::new(&secrets, &settings.public_url),
            keys: secrets.into_iter().map(DerivationKey::new).collect(),
            clock,
            generator,
            access_token_ttl: settings.access_token_ttl,
        }
    }

    /// A token for the `Authorization` header, good for `ACCESS_TOKEN_TTL`, and no longer than its
    /// session lasts unless it is refreshed.
    pub fn issue_access(
        &self,
        user_id: UserId,
        session_id: SessionId,
        session_expires_at: DateTime<Utc>,
    ) -> Result<AccessToken> {
        let now = self.clock.now();
        let token_id = self.generator.uuid(now);
        self.signer.issue(
            user_id,
            session_id,
            token_id,
            now,
            (now + self.access_token_ttl).min(session_expires_at),
        )
    }

    /// What the token claims, if it is ours and its time has come and not passed. Whether the
    /// session lasts is for the store to say.
    pub fn verify_access(&self, text: &str) -> Option<Claims> {
        self.signer.verify(text, self.clock.now())
    }

    /// The refresh token of a new session: 256 random bits.
    pub fn first_refresh(&self) -> RefreshToken {
        RefreshToken::from_bytes(self.generator.bytes())
    }

    /// The refresh token that takes the place of this one. It follows from it, by a key that is
    /// not in the database, so that it can be made again when an answer was lost.
    pub fn successor(&self, presented: &RefreshToken) -> RefreshToken {
        let successor = self.successors(presented).next();
        successor.unwrap_or_else(|| self.first_refresh())
    }

    /// The successors that this token may have been given, by the current key and the earlier ones.
    pub fn successors(&self, presented: &RefreshToken) -> impl Iterator<Item = RefreshToken> {
        self.keys.iter().map(|key| {
            RefreshToken::from_bytes(key.derive(REFRESH_LABEL, presented.expose().as_bytes()))
        })
    }

    /// The token of a request for a new password. It follows from the id by a key that is not in
    /// the database, so that the worker can make the mail's link without it being stored.
    pub fn reset(&self, id: ResetTokenId) -> ResetToken {
        let [current, ..] = self.keys.as_slice() else {
            return ResetToken::from_bytes(self.generator.bytes());
        };
        reset_by(current, id)
    }

    /// As `reset`, by whichever key it was stored by.
    pub fn reset_matching(&self, id: ResetTokenId, stored_hash: &str) -> Option<ResetToken> {
        self.keys
            .iter()
            .map(|key| reset_by(key, id))
            .find(|token| token.hash() == stored_hash)
    }
}

fn reset_by(key: &DerivationKey, id: ResetTokenId) -> ResetToken {
    ResetToken::from_bytes(key.derive("muster reset token", id.0.as_bytes()))
}
