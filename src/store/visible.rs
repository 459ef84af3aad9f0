//! Which rows exist for whom, where that does not depend on the row. What is not
//! visible to somebody is neither found, listed nor counted for them.

use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait};

use crate::actor::Actor;
use crate::entity::Role;

/// No row at all.
pub(super) fn nothing() -> Condition {
    Condition::all().add(Expr::val(1).eq(0))
}

/// Every row, for admins; none for anybody else.
pub(super) fn to_admins(actor: &Actor) -> Condition {
    match actor {
        Actor::System => Condition::all(),
        Actor::User(viewer) if viewer.role >= Role::Admin => Condition::all(),
        Actor::User(_) | Actor::Anonymous | Actor::Refused => nothing(),
    }
}
