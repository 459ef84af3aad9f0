//! May this role knock? One constant per guarded root field says who may resolve
//! it; the constant feeds both the `@auth` directive in the SDL and the check in
//! the resolver. Which rows exist for whoever came in is said in `store`, what
//! they may do to them in `policy`.

use async_graphql::{Context, TypeDirective};

use super::types::Role as RoleType;
use crate::actor::Actor;
use crate::entity::Role;
use crate::error::{Error, Result};

/// Who may resolve a field. Roles are ordered ADMIN > MANAGER > EMPLOYEE; a field asks for at
/// least the role named. A root field carries exactly one of @auth and @public.
#[TypeDirective(location = "FieldDefinition")]
pub fn auth(#[graphql(desc = "The least role that may resolve the field.")] requires: RoleType) {}

/// Anyone may resolve this field, signed in or not.
#[TypeDirective(location = "FieldDefinition")]
pub fn public() {}

/// Declares the role that each guarded root field asks for.
macro_rules! require {
    ($($field:ident: $role:ident,)*) => {
        $(pub const $field: Role = Role::$role;)*
    };
}

require! {
    NODE: Employee,
    NODES: Employee,
    DASHBOARD: Employee,
    SESSIONS: Employee,
    USER: Employee,
    USERS: Manager,
    APPROVALS: Admin,
    TASK: Employee,
    TASKS: Manager,
    STATS: Manager,
    ACCOUNT_EVENTS: Employee,

    LOG_OUT: Employee,
    REVOKE_SESSION: Employee,
    REVOKE_USER_SESSIONS: Admin,
    CHANGE_PASSWORD: Employee,
    START_SECOND_FACTOR: Employee,
    CONFIRM_SECOND_FACTOR: Employee,
    DISABLE_SECOND_FACTOR: Employee,
    REGENERATE_RECOVERY_CODES: Employee,
    RESET_SECOND_FACTOR: Admin,
    UPDATE_PROFILE: Employee,
    APPROVE_USER: Admin,
    REJECT_USER: Admin,
    UPDATE_USER: Manager,
    SET_USER_ROLE: Admin,
    DELETE_USER: Admin,
    CREATE_TASK: Manager,
    UPDATE_TASK: Manager,
    SET_TASK_STATUS: Employee,
    ASSIGN_TASK: Manager,
    DELETE_TASK: Manager,
    REQUEST_TASK_REPORT: Manager,
}

/// The actor, if they have at least this role.
pub(super) fn require(ctx: &Context<'_>, role: Role) -> Result<Actor> {
    let actor = actor(ctx);
    match actor {
        Actor::User(viewer) if viewer.role >= role => Ok(actor),
        Actor::User(viewer) if viewer.lacks_second_factor => Err(Error::SecondFactorMissing),
        Actor::User(_) => Err(Error::Forbidden(role)),
        Actor::Anonymous | Actor::Refused | Actor::System => Err(Error::Unauthenticated),
    }
}

/// Who is asking. A request without an actor is one that nobody vouched for.
pub(super) fn actor(ctx: &Context<'_>) -> Actor {
    ctx.data_opt::<Actor>().copied().unwrap_or(Actor::Refused)
}
