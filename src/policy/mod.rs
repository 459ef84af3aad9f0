//! May this actor do this to that row? Pure and synchronous functions, asked by
//! `service` before each change and by `graphql` for the `viewerCan…` fields, so
//! that the two give one answer. Whether the role may knock at the field at all
//! is said in `graphql::access`, which rows exist for an actor in `store`.

pub mod account_event;
pub mod api_token;
pub mod delivery;
#[cfg(test)]
mod fixture;
pub mod invitation;
pub mod job_board;
pub mod second_factor;
pub mod task;
pub mod user;

use crate::actor::Actor;
use crate::entity::Role;
use crate::error::{Problem, ProblemCode};

/// The actor sees the object but may not do this to it. The text tells why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllowed(pub &'static str);

impl NotAllowed {
    /// As a problem of this input field.
    pub fn at(self, field: &'static str) -> Problem {
        Problem::new(field, ProblemCode::NotAllowed, self.0)
    }
}

pub type Verdict = Result<(), NotAllowed>;

fn allow_if(condition: bool, otherwise: &'static str) -> Verdict {
    if condition {
        Ok(())
    } else {
        Err(NotAllowed(otherwise))
    }
}

/// Whether this is an admin, or Muster itself.
fn is_admin(actor: &Actor) -> bool {
    *actor == Actor::System || actor.has(Role::Admin)
}
