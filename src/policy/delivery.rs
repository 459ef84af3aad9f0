//! What may be done about mails that are on their way, or were.

use super::{NotAllowed, Verdict, allow_if, is_admin};
use crate::actor::Actor;
use crate::entity::DeliveryState;
use crate::entity::delivery::Model as Delivery;

/// See to it that mails go out: hold them back, let them go, call them off, send them again.
pub fn may_manage(actor: &Actor) -> Verdict {
    allow_if(is_admin(actor), "Only admins can manage mails.")
}

/// Send a mail again, or now instead of later.
pub fn may_resend(actor: &Actor, delivery: &Delivery) -> Verdict {
    may_manage(actor)?;
    match delivery.state {
        DeliveryState::Sending => Err(NotAllowed("This mail is being sent just now.")),
        DeliveryState::Due
        | DeliveryState::Sent
        | DeliveryState::Failed
        | DeliveryState::Suppressed
        | DeliveryState::Unknown
        | DeliveryState::Cancelled => Ok(()),
    }
}

/// Call a mail off before it goes.
pub fn may_cancel(actor: &Actor, delivery: &Delivery) -> Verdict {
    may_manage(actor)?;
    match delivery.state {
        DeliveryState::Due => Ok(()),
        DeliveryState::Sending => Err(NotAllowed("This mail is being sent just now.")),
        DeliveryState::Sent
        | DeliveryState::Failed
        | DeliveryState::Suppressed
        | DeliveryState::Unknown
        | DeliveryState::Cancelled => Err(NotAllowed("This mail is not on its way any more.")),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::entity::{DeliveryId, MailKind, Role};
    use crate::policy::fixture::actor;

    fn delivery(state: DeliveryState) -> Delivery {
        let now = "2026-01-05T09:00:00Z".parse().unwrap();
        Delivery {
            id: DeliveryId(Uuid::from_u128(2)),
            kind: MailKind::Welcome,
            cause: String::new(),
            recipient_id: None,
            address: "ada@example.com".into(),
            params: serde_json::Value::Null,
            state,
            priority: 1,
            created_at: now,
            due_at: now,
            expires_at: None,
            announced_until: now,
            leased_until: None,
            fence: 0,
            attempts: 0,
            first_attempt_at: None,
            failures: 0,
            message: None,
            last_answer: None,
            finished_at: None,
        }
    }

    #[test]
    fn only_admins_manage_mails() {
        for (actor, may) in [
            (Actor::System, true),
            (actor(Role::Admin), true),
            (actor(Role::Manager), false),
            (actor(Role::Employee), false),
            (Actor::Anonymous, false),
            (Actor::Refused, false),
        ] {
            assert_eq!(may_manage(&actor).is_ok(), may, "{actor:?}");
            let due = delivery(DeliveryState::Due);
            assert_eq!(may_resend(&actor, &due).is_ok(), may, "{actor:?}");
            assert_eq!(may_cancel(&actor, &due).is_ok(), may, "{actor:?}");
        }
    }

    #[test]
    fn what_is_being_sent_is_left_alone_and_what_is_over_cannot_be_called_off() {
        let admin = actor(Role::Admin);
        for (state, resend, cancel) in [
            (DeliveryState::Due, true, true),
            (DeliveryState::Sending, false, false),
            (DeliveryState::Sent, true, false),
            (DeliveryState::Failed, true, false),
            (DeliveryState::Suppressed, true, false),
            (DeliveryState::Unknown, true, false),
            (DeliveryState::Cancelled, true, false),
        ] {
            let delivery = delivery(state);
            assert_eq!(may_resend(&admin, &delivery).is_ok(), resend, "{state:?}");
            assert_eq!(may_cancel(&admin, &delivery).is_ok(), cancel, "{state:?}");
        }
    }
}
