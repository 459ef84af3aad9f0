//! What may be known of an event in the history of an account.

use super::is_admin;
use crate::actor::Actor;
use crate::entity::account_event::Model as AccountEvent;

/// See where it came from. People see that of what they did themselves and of what strangers
/// tried, but not where the admin was who changed their role.
pub fn may_see_source(actor: &Actor, event: &AccountEvent) -> bool {
    is_admin(actor) || event.actor_id.is_none() || event.actor_id == actor.user_id()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::entity::{AccountEventId, AccountEventKind, Role, UserId};
    use crate::policy::fixture::actor;

    #[test]
    fn where_somebody_was_is_for_themselves_and_admins() {
        let by = |actor_id: Option<u128>| AccountEvent {
            id: AccountEventId(Uuid::from_u128(9)),
            kind: AccountEventKind::RoleSet,
            user_id: Some(UserId(Uuid::from_u128(1))),
            actor_id: actor_id.map(|id| UserId(Uuid::from_u128(id))),
            role_before: None,
            role_after: None,
            invited_by: None,
            ip_address: Some("203.0.113.7".into()),
            user_agent: None,
            created_at: DateTime::UNIX_EPOCH,
        };
        for (actor, event, expected) in [
            (actor(Role::Employee), by(Some(1)), true),
            (actor(Role::Employee), by(None), true),
            (actor(Role::Employee), by(Some(2)), false),
            (actor(Role::Manager), by(Some(2)), false),
            (actor(Role::Admin), by(Some(2)), true),
            (Actor::System, by(Some(2)), true),
            (Actor::Anonymous, by(Some(2)), false),
            (Actor::Refused, by(Some(2)), false),
        ] {
            assert_eq!(may_see_source(&actor, &event), expected, "{actor:?}");
        }
    }
}
