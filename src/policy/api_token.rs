//! What may be done with tokens for scripts.

use super::{Verdict, allow_if, is_admin};
use crate::actor::Actor;
use crate::entity::Role;
use crate::entity::api_token::Model as ApiToken;

/// Make a token of this role.
pub fn may_create(actor: &Actor, role: Role) -> Verdict {
    allow_if(
        actor.has(role),
        "A token can do no more than whoever makes it.",
    )
}

/// End a token that the actor sees.
pub fn may_revoke(actor: &Actor, token: &ApiToken) -> Verdict {
    allow_if(
        is_admin(actor) || actor.user_id() == Some(token.user_id),
        "Only its owner and admins can revoke a token.",
    )
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::entity::{ApiTokenAccess, ApiTokenId, UserId};
    use crate::policy::fixture::actor;

    #[test]
    fn a_token_is_at_most_as_mighty_as_whoever_makes_it() {
        for (own, of_token, expected) in [
            (Role::Employee, Role::Employee, true),
            (Role::Employee, Role::Manager, false),
            (Role::Manager, Role::Manager, true),
            (Role::Manager, Role::Admin, false),
            (Role::Admin, Role::Employee, true),
            (Role::Admin, Role::Admin, true),
        ] {
            let verdict = may_create(&actor(own), of_token);
            assert_eq!(verdict.is_ok(), expected, "{own:?} {of_token:?}");
        }
        assert!(may_create(&Actor::Anonymous, Role::Employee).is_err());
    }

    #[test]
    fn owners_and_admins_revoke() {
        let of = |owner: u128| ApiToken {
            id: ApiTokenId(Uuid::from_u128(9)),
            user_id: UserId(Uuid::from_u128(owner)),
            name: "nightly".into(),
            token_hash: String::new(),
            access: ApiTokenAccess::Read,
            role: Role::Employee,
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            last_used_at: None,
        };
        for (actor, owner, expected) in [
            (actor(Role::Employee), 1, true),
            (actor(Role::Employee), 2, false),
            (actor(Role::Manager), 2, false),
            (actor(Role::Admin), 2, true),
            (Actor::System, 2, true),
            (Actor::Anonymous, 2, false),
            (Actor::Refused, 2, false),
        ] {
            let verdict = may_revoke(&actor, &of(owner));
            assert_eq!(verdict.is_ok(), expected, "{actor:?} {owner}");
        }
    }
}
