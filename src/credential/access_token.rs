//! Access tokens: JWTs (RFC 7519) of type `at+jwt` (RFC 9068), signed by HS256
//! and nothing else (RFC 8725). They say who and which session, never what one
//! may do.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::opaque_token::hex;
use crate::config::Secret;
use crate::entity::{SessionId, UserId};
use crate::error::{Error, Result};

const TYPE: &str = "at+jwt";
const AUDIENCE: &str = "muster";
/// Longer texts are refused before anything is decoded.
const LENGTH_MAX: usize = 4_096;
/// How far the clock of the machine that issued a token may be ahead of ours, in seconds.
const LEEWAY: i64 = 5;

pub struct AccessToken {
    /// What follows `Bearer` in the `Authorization` header.
    pub text: String,
    pub expires_at: DateTime<Utc>,
}

/// What a token of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub expires_at: DateTime<Utc>,
}

/// All of them are required. There is no role, address or status among them: those come from the
/// store at each request.
#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

#[derive(Clone)]
pub(super) struct Signer {
    header: Header,
    signing_key: Option<EncodingKey>,
    /// By key id, ours alone: a token names one of them or none.
    verifying_keys: Vec<(String, DecodingKey)>,
    validation: Validation,
    issuer: String,
}

impl Signer {
    /// The first secret signs, all verify.
    pub fn new(secrets: &[&Secret], public_url: &Url) -> Self {
        let issuer = public_url.as_str().trim_end_matches('/').to_owned();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[AUDIENCE]);
        // The library asks the machine's clock; ours is asked below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verifying_keys: Vec<_> = secrets
            .iter()
            .map(|secret| {
                let key = DecodingKey::from_secret(secret.expose().as_bytes());
                (key_id(secret), key)
            })
            .collect();
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.into());
        header.kid = verifying_keys.first().map(|(id, _)| id.clone());
        let signing_key = secrets
            .first()
            .map(|secret| EncodingKey::from_secret(secret.expose().as_bytes()));
        Self {
            header,
            signing_key,
            verifying_keys,
            validation,
            issuer,
        }
    }

    pub fn issue(
        &self,
        user_id: UserId,
        session_id: SessionId,
        token_id: Uuid,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<AccessToken> {
        let payload = Payload {
            iss: self.issuer.clone(),
            aud: AUDIENCE.into(),
            sub: user_id,
            sid: session_id,
            jti: token_id,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let key = self
            .signing_key
            .as_ref()
            .ok_or_else(|| Error::internal("there is no signing secret"))?;
        let text = jsonwebtoken::encode(&self.header, &payload, key).map_err(Error::internal)?;
        // As the token says it: in whole seconds.
        let expires_at = DateTime::from_timestamp(payload.exp, 0).unwrap_or(expires_at);
        Ok(AccessToken { text, expires_at })
    }

    pub fn verify(&self, text: &str, now: DateTime<Utc>) -> Option<Claims> {
        if text.len() > LENGTH_MAX || text.split('.').count() != 3 {
            return None;
        }
        let header = jsonwebtoken::decode_header(text).ok()?;
        // We never write these, and whoever does wants them followed.
        let points_elsewhere = header.jku.is_some()
            || header.jwk.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some()
            || header.crit.is_some();
        if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(TYPE) || points_elsewhere
        {
            return None;
        }
        let (_, key) = self
            .verifying_keys
            .iter()
            .find(|(id, _)| Some(id) == header.kid.as_ref())?;
        let payload = jsonwebtoken::decode::<Payload>(text, key, &self.validation)
            .ok()?
            .claims;
        let now = now.timestamp();
        let is_time = payload.nbf <= now.saturating_add(LEEWAY)
            && payload.iat <= now.saturating_add(LEEWAY)
            && now < payload.exp;
        is_time.then_some(())?;
        Some(Claims {
            user_id: payload.sub,
            session_id: payload.sid,
            expires_at: DateTime::from_timestamp(payload.exp, 0)?,
        })
    }
}

/// Names a secret without telling anything of it.
pub(super) fn key_id(secret: &Secret) -> String {
    let digest = Sha256::new_with_prefix(b"muster kid")
        .chain_update(secret.expose())
        .finalize();
    hex(&digest[..4])
}
