//! What may be done about invitations. Whoever is invited needs no right: they hold
//! a token.

use super::{NotAllowed, Verdict, allow_if, is_admin};
use crate::actor::Actor;
use crate::entity::invitation::InvitationState;
use crate::entity::user::Model as User;
use crate::entity::{Role, UserStatus};

/// Invite somebody, as anything: admins can set any role, too.
pub fn may_invite(actor: &Actor) -> Verdict {
    allow_if(is_admin(actor), "Only admins can invite people.")
}

/// Take an invitation back, another admin's too.
pub fn may_revoke(actor: &Actor, state: InvitationState) -> Verdict {
    may_invite(actor)?;
    match state {
        InvitationState::Pending => Ok(()),
        InvitationState::Accepted => Err(NotAllowed(
            "This invitation was accepted. Deactivate or delete the user instead.",
        )),
        InvitationState::Revoked => Err(NotAllowed("This invitation was taken back already.")),
        InvitationState::Expired => Err(NotAllowed("This invitation has expired already.")),
    }
}

/// Whether an invitation of this user still opens the door: it is worth what the right is worth
/// that it was written by. Asked with the role that is in force, as `service::second_factor` says.
pub fn vouches(inviter: &User) -> bool {
    inviter.role == Role::Admin && inviter.status == UserStatus::Active
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{OTHER, actor, user};

    #[test]
    fn only_admins_invite_and_only_what_is_open_is_taken_back() {
        for (actor, may) in [
            (actor(Role::Employee), false),
            (actor(Role::Manager), false),
            (actor(Role::Admin), true),
            (Actor::System, true),
            (Actor::Anonymous, false),
            (Actor::Refused, false),
        ] {
            assert_eq!(may_invite(&actor).is_ok(), may, "{actor:?}");
            let open = InvitationState::Pending;
            assert_eq!(may_revoke(&actor, open).is_ok(), may, "{actor:?}");
            for ended in [
                InvitationState::Accepted,
                InvitationState::Revoked,
                InvitationState::Expired,
            ] {
                assert!(may_revoke(&actor, ended).is_err(), "{actor:?}, {ended:?}");
            }
        }
    }

    #[test]
    fn an_invitation_is_worth_what_its_writer_may_do_now() {
        use UserStatus::{Active, Deactivated, Pending, Rejected};
        for role in [Role::Employee, Role::Manager, Role::Admin] {
            for status in [Pending, Active, Rejected, Deactivated] {
                let expected = role == Role::Admin && status == Active;
                let inviter = user(OTHER, role, status);
                assert_eq!(vouches(&inviter), expected, "{role:?} {status:?}");
            }
        }
    }
}
