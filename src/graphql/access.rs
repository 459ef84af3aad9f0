//! May this role knock? One constant per guarded root field says who may resolve
//! it; the constant feeds both the `@auth` directive in the SDL and the check in
//! the resolver. Which rows exist for whoever came in is said in `store`, what
//! they may do to them in `policy`.

use async_graphql::{Context, TypeDirective};

use super::types::Role as RoleType;
use crate::actor::{Actor, SignedInBy};
use crate::entity::{ApiTokenAccess, Role};
use crate::error::{Error, Result};
use crate::policy::Verdict;

/// Who may resolve a field. Roles are ordered ADMIN > MANAGER > EMPLOYEE; a field asks for at
/// least the role named. A root field carries exactly one of @auth and @public.
#[TypeDirective(location = "FieldDefinition")]
pub fn auth(#[graphql(desc = "The least role that may resolve the field.")] requires: RoleType) {}

/// Anyone may resolve this field, signed in or not.
#[TypeDirective(location = "FieldDefinition")]
pub fn public() {}

/// API tokens cannot do this: log in. It is about what one proves oneself with, and a token that
/// could change that would outlive its own end.
#[TypeDirective(location = "FieldDefinition")]
pub fn session() {}

/// What a guarded root field asks for.
#[derive(Clone, Copy)]
pub struct Guard {
    role: Role,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    /// A write that no API token may do.
    Session,
}

impl From<Guard> for RoleType {
    fn from(guard: Guard) -> Self {
        guard.role.into()
    }
}

/// Declares what each guarded root field asks for.
macro_rules! require {
    ($($kind:ident { $($field:ident: $role:ident,)* })*) => {
        $($(pub const $field: Guard = Guard { role: Role::$role, kind: Kind::$kind };)*)*
    };
}

require! {
    Read {
        NODE: Employee,
        NODES: Employee,
        DASHBOARD: Employee,
        SESSIONS: Employee,
        USER: Employee,
        USERS: Manager,
        APPROVALS: Admin,
        INVITATIONS: Admin,
        TASK: Employee,
        TASKS: Manager,
        STATS: Manager,
        ACCOUNT_EVENTS: Employee,
        API_TOKENS: Employee,
        NOTIFICATION_SETTINGS: Employee,
        REMINDER_PREVIEW: Employee,
        DELIVERIES: Admin,
        DELIVERY_PREVIEW: Admin,
        PAUSED_MAILS: Admin,
    }
    Session {
        LOG_OUT: Employee,
        REVOKE_SESSION: Employee,
        CHANGE_PASSWORD: Employee,
        START_SECOND_FACTOR: Employee,
        CONFIRM_SECOND_FACTOR: Employee,
        DISABLE_SECOND_FACTOR: Employee,
        REGENERATE_RECOVERY_CODES: Employee,
        CREATE_API_TOKEN: Employee,
    }
    Write {
        REVOKE_USER_SESSIONS: Admin,
        REVOKE_API_TOKEN: Employee,
        RESET_SECOND_FACTOR: Admin,
        REQUEST_EMAIL_CONFIRMATION: Employee,
        UPDATE_PROFILE: Employee,
        APPROVE_USER: Admin,
        REJECT_USER: Admin,
        INVITE_USER: Admin,
        REVOKE_INVITATION: Admin,
        UPDATE_USER: Manager,
        SET_USER_ROLE: Admin,
        DELETE_USER: Admin,
        CREATE_TASK: Manager,
        UPDATE_TASK: Manager,
        SET_TASK_STATUS: Employee,
        ASSIGN_TASK: Manager,
        DELETE_TASK: Manager,
        REQUEST_TASK_REPORT: Manager,
        UPDATE_NOTIFICATION_SETTINGS: Employee,
        RESEND_DELIVERY: Admin,
        CANCEL_DELIVERY: Admin,
        PAUSE_MAILS: Admin,
        RESUME_MAILS: Admin,
    }
}

/// The actor, if they may knock: they have at least this role, and if they are a script, its token
/// goes this far.
pub(super) fn require(ctx: &Context<'_>, guard: Guard) -> Result<Actor> {
    let actor = actor(ctx);
    admit(&actor, guard)?;
    Ok(actor)
}

/// Whether a mutation would be allowed now: its actor may knock, and may do it to that row. What the
/// `viewerCan…` fields answer.
pub(super) fn would_allow(actor: &Actor, guard: Guard, verdict: Verdict) -> bool {
    admit(actor, guard).is_ok() && verdict.is_ok()
}

fn admit(actor: &Actor, guard: Guard) -> Result<()> {
    let viewer = actor.signed_in()?;
    if viewer.role < guard.role {
        return Err(if viewer.lacks_second_factor {
            Error::SecondFactorMissing
        } else {
            Error::Forbidden(guard.role)
        });
    }
    let SignedInBy::ApiToken { access, .. } = viewer.signed_in_by else {
        return Ok(());
    };
    match (guard.kind, access) {
        (Kind::Session, _) => Err(Error::SessionNeeded),
        (Kind::Write, ApiTokenAccess::Read) => Err(Error::ReadOnlyToken),
        (Kind::Write, ApiTokenAccess::Full) | (Kind::Read, _) => Ok(()),
    }
}

/// Who is asking. A request without an actor is one that nobody vouched for.
pub(super) fn actor(ctx: &Context<'_>) -> Actor {
    ctx.data_opt::<Actor>().copied().unwrap_or(Actor::Refused)
}
