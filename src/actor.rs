//! Who is asking. An [`Actor`] is made once per request, from what the store
//! says now about the session, and handed to everything that reads or decides.

use crate::entity::{Role, SessionId, UserId, user};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Nobody is signed in, and nobody claimed to be.
    Anonymous,
    /// A token was sent that is malformed, expired, revoked, or of a user who is
    /// no longer active. Public fields work, so that a client can refresh.
    Refused,
    User(Viewer),
    /// Muster itself: the worker and the command line.
    System,
}

/// A signed-in, active user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Viewer {
    pub id: UserId,
    /// What they may do now: EMPLOYEE where `lacks_second_factor`, whatever their row says.
    pub role: Role,
    /// Their role asks for a second factor, and they have none yet.
    pub lacks_second_factor: bool,
    /// None for the owner of a new account in the answer to `signUp`, who has no session yet.
    pub session_id: Option<SessionId>,
}

impl Viewer {
    /// The same person, who may do what everybody may until they have set up a second factor.
    #[must_use]
    pub fn without_second_factor(self) -> Self {
        Self {
            role: Role::Employee,
            lacks_second_factor: true,
            ..self
        }
    }
}

impl Actor {
    pub fn viewer(&self) -> Option<&Viewer> {
        match self {
            Self::User(viewer) => Some(viewer),
            Self::Anonymous | Self::Refused | Self::System => None,
        }
    }

    pub fn user_id(&self) -> Option<UserId> {
        self.viewer().map(|viewer| viewer.id)
    }

    /// The same actor, with their role as the row has it now if it is their own. For the answer to
    /// what changed it; the next request looks it up.
    #[must_use]
    pub fn with_role_of(self, user: &user::Model) -> Self {
        match self {
            Self::User(viewer) if viewer.id == user.id => Self::User(Viewer {
                role: user.role,
                lacks_second_factor: false,
                ..viewer
            }),
            other => other,
        }
    }

    /// Whether this is a user of at least that role.
    pub fn has(&self, role: Role) -> bool {
        self.viewer().is_some_and(|viewer| viewer.role >= role)
    }
}
