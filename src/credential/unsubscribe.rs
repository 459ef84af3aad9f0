//! The token of a link that switches a kind of mail off (RFC 8058): who, which
//! kind, and a MAC of both. Whoever has it can stop those mails and do nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::ActiveEnum;
use subtle::ConstantTimeEq;

use super::opaque_token::DerivationKey;
use crate::entity::{MailKind, UserId};

const LABEL: &str = "muster unsubscribe token";

/// Which mails to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeToken {
    pub user_id: UserId,
    pub kind: MailKind,
}

impl UnsubscribeToken {
    pub(super) fn sign(self, key: &DerivationKey) -> String {
        let Self { user_id, kind } = self;
        let subject = format!("{user_id}.{}", kind.to_value());
        let mac = key.derive(LABEL, subject.as_bytes());
        format!("{subject}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    pub(super) fn verify(text: &str, keys: &[DerivationKey]) -> Option<Self> {
        let (subject, mac) = text.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let is_ours = keys
            .iter()
            .any(|key| bool::from(key.derive(LABEL, subject.as_bytes()).ct_eq(&mac)));
        if !is_ours {
            return None;
        }
        let (user_id, kind) = subject.split_once('.')?;
        Some(Self {
            user_id: user_id.parse().ok()?,
            kind: MailKind::try_from_value(&kind.to_owned()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::Secret;

    fn key(secret: &str) -> DerivationKey {
        DerivationKey::new(&Secret::new(secret.into()))
    }

    #[test]
    fn a_token_is_good_for_what_it_was_made_for_and_nothing_else() {
        let (ours, earlier, strangers) = (key("ours"), key("earlier"), key("a stranger's"));
        let token = UnsubscribeToken {
            user_id: UserId(Uuid::from_u128(7)),
            kind: MailKind::DailyReminder,
        };
        let keys = [ours, earlier.clone()];
        let text = token.sign(&earlier);
        assert_eq!(UnsubscribeToken::verify(&text, &keys), Some(token));
        let other_kind = text.replace("daily-reminder", "assigned");
        let other_user = text.replace("7.daily", "8.daily");
        let strange = token.sign(&strangers);
        for wrong in [
            other_kind.as_str(),
            &other_user,
            &strange,
            &text[..text.len() - 1],
            "",
            "..",
            &"x".repeat(10_000),
        ] {
            assert_ne!(wrong, text);
            assert_eq!(UnsubscribeToken::verify(wrong, &keys), None, "{wrong}");
        }
    }
}
