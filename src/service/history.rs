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

/// How long what was tried at accounts that nobody has is kept: strangers could fill the disk with
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

/// As `record`, of a change of role.
pub(super) async fn record_role(
    cx: &Context,
    tx: &Tx,
    user_id: UserId,
    (before, after): (Role, Role),
    actor_id: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = AccountEvent {
        role_before: Some(before),
        role_after: Some(after),
        ..event(cx, AccountEventKind::RoleSet, Some(user_id), actor_id, now)
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
        ip_address: cx.client.ip.map(|ip| ip.to_string()),
        user_agent: cx.client.user_agent.as_deref().map(str::to_owned),
        created_at: now,
    }
}
