//! Who may see the job board.

use super::{Verdict, allow_if};
use crate::actor::Actor;
use crate::entity::Role;

/// See the job board. It has no way to change anything, so nothing else is asked.
pub fn may_see(actor: &Actor) -> Verdict {
    let viewer = actor.viewer();
    allow_if(
        !viewer.is_some_and(|viewer| viewer.lacks_second_factor),
        "This server asks a second factor of every admin. Set it up first; then log in here.",
    )?;
    allow_if(
        actor.has(Role::Admin) && viewer.is_some_and(|viewer| viewer.session_id().is_some()),
        "Only admins can see the job board.",
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::actor::{SignedInBy, Viewer};
    use crate::entity::{ApiTokenAccess, ApiTokenId, SessionId, UserId};

    #[test]
    fn admins_in_force_see_it_by_a_session_and_nobody_else_does() {
        let session = SignedInBy::Session(SessionId(Uuid::from_u128(2)));
        let token = SignedInBy::ApiToken {
            id: ApiTokenId(Uuid::from_u128(3)),
            access: ApiTokenAccess::Full,
        };
        let viewer = |role, signed_in_by| Viewer {
            id: UserId(Uuid::from_u128(1)),
            role,
            lacks_second_factor: false,
            signed_in_by,
        };
        let admin = viewer(Role::Admin, session);
        assert!(may_see(&Actor::User(admin)).is_ok());
        for refused in [
            Actor::User(admin.without_second_factor()),
            Actor::User(viewer(Role::Manager, session)),
            Actor::User(viewer(Role::Employee, session)),
            Actor::User(viewer(Role::Admin, token)),
            Actor::User(viewer(Role::Admin, SignedInBy::SignUp)),
            Actor::Anonymous,
            Actor::Refused,
            Actor::System,
        ] {
            assert!(may_see(&refused).is_err(), "{refused:?}");
        }
    }
}
