//! Writes down what happens to accounts, in the transaction of the verb that does
//! it: what is told is what was done (OWASP ASVS 5.0, 16.3).

use chrono::{DateTime, TimeDelta, Utc};

use super::Context;
use crate::entity::account_event::Model as AccountEvent;
use crate::entity::{AccountEventId, AccountEventKind, Role, UserId};
use crate::error::Result;
use crate::store::{self, Tx};

/// How long an event is kept: a year and a month, so that a yearly review finds all of its year.
pub const KEPT: TimeDelta = TimeDelta::days(400);

/// How long what strangers tried at accounts that nobody has is kept: they could fill the disk with
/// it, and it says nothing about anybody.
pub const NOBODYS_KEPT: TimeDelta = TimeDelta::days(7);

/// Records what happened to `user_id`'s account, done by `actor_id`, from where the request came.
pub(super) async fn record(
    cx: &Context,
    tx: &Tx,
    kind: AccountEventKind,
    user_id: Option<UserId>,
    actor_id: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = event(cx, kind, user_id, actor_id, now);
    store::account_event::insert(tx, event).await
}

/// What somebody may do from then on.
pub(super) struct Grant {
    /// None for whoever had no role.
    pub before: Option<Role>,
    pub role: Role,
    /// The admin who had offered it, where it was accepted.
    pub invited_by: Option<UserId>,
}

impl From<Role> for Grant {
    fn from(role: Role) -> Self {
        Self {
            before: None,
            role,
            invited_by: None,
        }
    }
}

/// As `record`, where a role is granted or offered.
pub(super) async fn record_grant(
    cx: &Context,
    tx: &Tx,
    kind: AccountEventKind,
    grant: impl Into<Grant>,
    user_id: Option<UserId>,
    actor_id: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let grant = grant.into();
    let event = AccountEvent {
        role_before: grant.before,
        role_after: Some(grant.role),
        invited_by: grant.invited_by,
        ..event(cx, kind, user_id, actor_id, now)
    };
    store::account_event::insert(tx, event).await
}

fn event(
    cx: &Context,
    kind: AccountEventKind,
    user_id: Option<UserId>,
    actor_id: Option<UserId>,
    now: DateTime<Utc>,
) -> AccountEvent {
    AccountEvent {
        id: AccountEventId(cx.new_id(now)),
        kind,
        user_id,
        actor_id,
        role_before: None,
        role_after: None,
        invited_by: None,
        ip_address: cx.client.ip.map(|ip| ip.to_string()),
        user_agent: cx.client.user_agent.as_deref().map(str::to_owned),
        created_at: now,
    }
}
