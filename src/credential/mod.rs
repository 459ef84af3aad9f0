//! Proofs of who somebody is: passwords, second factors and tokens. Called by
//! `service` and, for the links in mails, by `worker`. No text that would let
//! somebody in is ever printed, and none but its hash is stored, or where it has
//! to be read again, encrypted.

mod access_token;
mod board_pass;
mod common_passwords;
mod encryption;
mod guessing;
mod opaque_token;
mod password;
mod recovery_code;
mod refresh_token;
mod second_factor;
mod totp;
mod unsubscribe;

pub use access_token::{AccessToken, Claims};
pub use board_pass::BoardPass;
pub use opaque_token::{ApiToken, ConfirmationToken, InvitationToken, ResetToken};
pub use password::{Passwords, Verdict};
pub use recovery_code::RecoveryCode;
pub use refresh_token::RefreshToken;
pub use second_factor::{EncryptedSecret, RECOVERY_CODES, SecondFactorCode, SecondFactors};
pub use totp::TotpSecret;
pub use unsubscribe::UnsubscribeToken;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Secret, Settings};
use crate::entity::{EmailConfirmationId, InvitationId, ResetTokenId, SessionId, UserId};
use crate::error::Result;
use crate::generator::Generator;

use access_token::Signer;
use opaque_token::DerivationKey;

const REFRESH_LABEL: &str = "muster refresh token";
const REFRESH_PROOF_LABEL: &str = "muster refresh token of a session";
const RESET_LABEL: &str = "muster reset token";
const CONFIRMATION_LABEL: &str = "muster confirmation token";
const INVITATION_LABEL: &str = "muster invitation token";
const BOARD_LABEL: &str = "muster job board pass";

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

    /// A token for a script: 256 random bits.
    pub fn api_token(&self) -> ApiToken {
        ApiToken::from_bytes(self.generator.bytes())
    }

    /// The refresh token of a new session: 256 random bits.
    pub fn first_refresh(&self, session_id: SessionId) -> RefreshToken {
        RefreshToken::new(self.generator.bytes(), session_id, |claim| {
            let proof = self.refresh_proofs(claim).next();
            proof.unwrap_or_else(|| self.generator.bytes())
        })
    }

    /// The refresh token that takes the place of this one. It follows from it, by a key that is
    /// not in the database, so that it can be made again when an answer was lost.
    pub fn successor(&self, presented: &RefreshToken, session_id: SessionId) -> RefreshToken {
        let successor = self.successors(presented, session_id).next();
        successor.unwrap_or_else(|| self.first_refresh(session_id))
    }

    /// The successors that this token may have been given, by the current key and the earlier ones.
    pub fn successors(
        &self,
        presented: &RefreshToken,
        session_id: SessionId,
    ) -> impl Iterator<Item = RefreshToken> {
        self.keys.iter().map(move |key| {
            let secret = key.derive(REFRESH_LABEL, presented.expose().as_bytes());
            RefreshToken::new(secret, session_id, |claim| {
                key.derive(REFRESH_PROOF_LABEL, &claim)
            })
        })
    }

    /// The session that this refresh token was made for, by whichever key that was. It proves no more
    /// than that: whether the token is unused, and its session lasts, is for the store to say.
    pub fn session_of(&self, presented: &RefreshToken) -> Option<SessionId> {
        presented.session_id(|claim| self.refresh_proofs(claim))
    }

    fn refresh_proofs(&self, claim: refresh_token::Claim) -> impl Iterator<Item = [u8; 32]> {
        let keys = self.keys.iter();
        keys.map(move |key| key.derive(REFRESH_PROOF_LABEL, &claim))
    }

    /// The token of a request for a new password. It follows from the id by a key that is not in
    /// the database, so that the worker can make the mail's link without it being stored.
    pub fn reset(&self, id: ResetTokenId) -> ResetToken {
        ResetToken::from_bytes(self.derived(RESET_LABEL, id.0))
    }

    /// As `reset`, by whichever key it was stored by.
    pub fn reset_matching(&self, id: ResetTokenId, stored_hash: &str) -> Option<ResetToken> {
        self.all_derived(RESET_LABEL, id.0)
            .map(ResetToken::from_bytes)
            .find(|token| token.hash() == stored_hash)
    }

    /// The token of a link that confirms an address. It follows from the id, as `reset` does.
    pub fn confirmation(&self, id: EmailConfirmationId) -> ConfirmationToken {
        ConfirmationToken::from_bytes(self.derived(CONFIRMATION_LABEL, id.0))
    }

    /// As `confirmation`, by whichever key it was stored by.
    pub fn confirmation_matching(
        &self,
        id: EmailConfirmationId,
        stored_hash: &str,
    ) -> Option<ConfirmationToken> {
        self.all_derived(CONFIRMATION_LABEL, id.0)
            .map(ConfirmationToken::from_bytes)
            .find(|token| token.hash() == stored_hash)
    }

    /// The token of an invitation. It follows from the id, as `reset` does.
    pub fn invitation(&self, id: InvitationId) -> InvitationToken {
        InvitationToken::from_bytes(self.derived(INVITATION_LABEL, id.0))
    }

    /// As `invitation`, by whichever key it was stored by.
    pub fn invitation_matching(
        &self,
        id: InvitationId,
        stored_hash: &str,
    ) -> Option<InvitationToken> {
        self.all_derived(INVITATION_LABEL, id.0)
            .map(InvitationToken::from_bytes)
            .find(|token| token.hash() == stored_hash)
    }

    /// The token of a link that switches one kind of mail to one person off. It lasts, as mails do,
    /// and can do nothing else, so it is stored nowhere: it says what it is for, and proves that we
    /// said so.
    pub fn unsubscribe(&self, token: UnsubscribeToken) -> String {
        let keys = self.keys.first();
        keys.map(|key| token.sign(key)).unwrap_or_default()
    }

    /// What the token is for, if it is one of ours, by the current key or an earlier one.
    pub fn verify_unsubscribe(&self, text: &str) -> Option<UnsubscribeToken> {
        UnsubscribeToken::verify(text, &self.keys)
    }

    /// Lets a browser see the job board for as long as this session lasts. It follows from the id by
    /// a key that is not in the database.
    pub fn board_pass(&self, id: SessionId) -> BoardPass {
        BoardPass::new(id, self.derived(BOARD_LABEL, id.0))
    }

    /// The session that a pass names, if it is one of ours. Whether the session lasts is for the
    /// store to say.
    pub fn verify_board_pass(&self, text: &str) -> Option<SessionId> {
        BoardPass::verify(text, |id| self.all_derived(BOARD_LABEL, id.0))
    }

    fn derived(&self, label: &'static str, id: Uuid) -> [u8; 32] {
        let derived = self.all_derived(label, id).next();
        derived.unwrap_or_else(|| self.generator.bytes())
    }

    /// By the current key and the earlier ones.
    fn all_derived(&self, label: &'static str, id: Uuid) -> impl Iterator<Item = [u8; 32]> {
        let keys = self.keys.iter();
        keys.map(move |key| key.derive(label, id.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "qQ0vWkXrj8sZt3mN5yB7uE1hC9aG2dF4";
    const EARLIER: &str = "9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG_f";

    fn tokens(secret: &str, previous: &[&str], clock: &Clock) -> Tokens {
        let settings = crate::config::read(|_| None).unwrap();
        let previous: Vec<Secret> = previous
            .iter()
            .map(|text| Secret::new((*text).into()))
            .collect();
        let secret = Secret::new(secret.into());
        let generator = Generator::seeded(1);
        Tokens::new(&secret, &previous, &settings, clock.clone(), generator)
    }

    fn noon() -> DateTime<Utc> {
        "2026-01-05T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_access_token_lasts_a_quarter_of_an_hour_and_no_longer_than_its_session() {
        let clock = Clock::fake(noon());
        let tokens = tokens(SECRET, &[], &clock);
        let (user_id, session_id) = (UserId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        for (session_minutes, minutes) in [(60, 15), (15, 15), (5, 5)] {
            let session_end = noon() + TimeDelta::minutes(session_minutes);
            let token = tokens
                .issue_access(user_id, session_id, session_end)
                .unwrap();
            let end = noon() + TimeDelta::minutes(minutes);
            assert_eq!(token.expires_at, end);
            let claims = Claims {
                user_id,
                session_id,
                expires_at: end,
            };
            assert_eq!(tokens.verify_access(&token.text), Some(claims));
        }
    }

    #[test]
    fn a_token_is_verified_by_the_clock_that_it_was_issued_by() {
        let clock = Clock::fake(noon());
        let tokens = tokens(SECRET, &[], &clock);
        let id = Uuid::from_u128(1);
        let token = tokens
            .issue_access(UserId(id), SessionId(id), noon() + TimeDelta::days(1))
            .unwrap();
        clock.advance(TimeDelta::seconds(899));
        assert!(tokens.verify_access(&token.text).is_some());
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(tokens.verify_access(&token.text), None);
    }

    #[test]
    fn a_successor_can_be_made_again_by_whoever_has_the_secret_and_by_nobody_else() {
        let clock = Clock::fake(noon());
        let ours = tokens(SECRET, &[], &clock);
        let id = SessionId(Uuid::from_u128(1));
        let first = ours.first_refresh(id);
        let successor = ours.successor(&first, id);
        assert_ne!(successor, first);
        assert_ne!(ours.first_refresh(id), first);
        assert_eq!(ours.successor(&first, id), successor);
        assert_ne!(ours.successor(&successor, id), successor);
        assert_ne!(
            tokens(EARLIER, &[], &clock).successor(&first, id),
            successor
        );

        // After the secret was changed, the one that was given before is among them.
        let later = tokens(EARLIER, &[SECRET], &clock);
        let successors: Vec<RefreshToken> = later.successors(&first, id).collect();
        assert_eq!(successors, [later.successor(&first, id), successor]);
    }

    #[test]
    fn a_refresh_token_names_its_session_to_whoever_has_the_secret_that_it_was_made_by() {
        let clock = Clock::fake(noon());
        let ours = tokens(SECRET, &[], &clock);
        let later = tokens(EARLIER, &[SECRET], &clock);
        let stranger = tokens(EARLIER, &[], &clock);
        let (id, other) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        let first = ours.first_refresh(id);
        for token in [ours.successor(&first, id), first] {
            assert_eq!(ours.session_of(&token), Some(id));
            assert_eq!(later.session_of(&token), Some(id));
            assert_eq!(stranger.session_of(&token), None);
        }
        // Nobody makes one up for a session that they know of.
        let forged = RefreshToken::new([7; 32], other, |_| [7; 32]);
        assert_eq!(ours.session_of(&forged), None);
        let foreign = stranger.first_refresh(id);
        assert_eq!(ours.session_of(&foreign), None);
    }

    #[test]
    fn the_token_of_a_link_follows_from_its_id_by_the_key_that_it_was_stored_by() {
        let clock = Clock::fake(noon());
        let ours = tokens(SECRET, &[], &clock);
        let later = tokens(EARLIER, &[SECRET], &clock);
        let stranger = tokens(EARLIER, &[], &clock);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        macro_rules! holds {
            ($id:ident, $make:ident, $matching:ident) => {
                let token = ours.$make($id(one));
                assert_eq!(ours.$make($id(one)), token);
                assert_ne!(ours.$make($id(other)), token);
                assert_ne!(later.$make($id(one)), token);
                let found = later.$matching($id(one), &token.hash());
                assert_eq!(found, Some(token.clone()));
                assert_eq!(later.$matching($id(other), &token.hash()), None);
                assert_eq!(stranger.$matching($id(one), &token.hash()), None);
            };
        }
        holds!(ResetTokenId, reset, reset_matching);
        holds!(EmailConfirmationId, confirmation, confirmation_matching);
        holds!(InvitationId, invitation, invitation_matching);
    }

    #[test]
    fn a_pass_names_its_session_to_whoever_has_the_secret_and_is_no_other_token() {
        let clock = Clock::fake(noon());
        let ours = tokens(SECRET, &[], &clock);
        let id = SessionId(Uuid::from_u128(7));
        let pass = ours.board_pass(id);
        assert_eq!(ours.verify_board_pass(pass.expose()), Some(id));
        let later = tokens(EARLIER, &[SECRET], &clock);
        assert_eq!(later.verify_board_pass(pass.expose()), Some(id));
        let stranger = tokens(EARLIER, &[], &clock);
        assert_eq!(stranger.verify_board_pass(pass.expose()), None);
        // That of another session, with a character changed, cut short, or none at all.
        let other = ours.board_pass(SessionId(Uuid::from_u128(8)));
        let (id_part, proof) = (&pass.expose()[..21], &other.expose()[21..]);
        let mut changed = pass.expose().to_owned();
        let last = if changed.ends_with('A') { 'B' } else { 'A' };
        changed.pop();
        changed.push(last);
        for text in [
            &format!("{id_part}{proof}"),
            &changed,
            &pass.expose()[..63],
            "",
            "é",
        ] {
            assert_eq!(ours.verify_board_pass(text), None, "{text}");
        }
        assert_eq!(ours.verify_access(pass.expose()), None);
        assert_eq!(RefreshToken::parse(pass.expose()), None);
        assert_eq!(ApiToken::parse(pass.expose()), None);
        assert!(!format!("{pass:?}").contains(pass.expose()));
        let refresh = ours.first_refresh(id);
        assert_eq!(ours.verify_board_pass(refresh.expose()), None);
        let access = ours.issue_access(UserId(id.0), id, noon() + TimeDelta::days(1));
        assert_eq!(ours.verify_board_pass(&access.unwrap().text), None);
    }

    #[test]
    fn a_link_that_stops_mails_outlives_a_change_of_the_secret_and_is_made_by_nobody_else() {
        let clock = Clock::fake(noon());
        let ours = tokens(SECRET, &[], &clock);
        let token = UnsubscribeToken {
            user_id: UserId(Uuid::from_u128(7)),
            kind: crate::entity::MailKind::DailyReminder,
        };
        let text = ours.unsubscribe(token);
        assert_eq!(ours.verify_unsubscribe(&text), Some(token));
        let later = tokens(EARLIER, &[SECRET], &clock);
        assert_eq!(later.verify_unsubscribe(&text), Some(token));
        assert_ne!(later.unsubscribe(token), text);
        let stranger = tokens(EARLIER, &[], &clock);
        assert_eq!(stranger.verify_unsubscribe(&text), None);
    }

    #[test]
    fn a_link_that_confirms_an_address_resets_no_password() {
        let clock = Clock::fake(noon());
        let ours = tokens(SECRET, &[], &clock);
        let same = Uuid::from_u128(1);
        let (confirmation, reset) = (
            ours.confirmation(EmailConfirmationId(same)),
            ours.reset(ResetTokenId(same)),
        );
        assert_ne!(confirmation.expose(), reset.expose());
        let later = tokens(EARLIER, &[SECRET], &clock);
        let made_again =
            later.confirmation_matching(EmailConfirmationId(same), &confirmation.hash());
        assert_eq!(made_again, Some(confirmation));
    }
}
