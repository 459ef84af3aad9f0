//! Who is asking. An [`Actor`] is made once per request, from what the store
//! says now about the session, and handed to everything that reads or decides.

use crate::entity::{ApiTokenAccess, ApiTokenId, Role, SessionId, UserId, user};
use crate::error::{Error, Result};

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
    /// What they may do now: `HELD_BACK` where `lacks_second_factor`, whatever their row says.
    pub role: Role,
    /// Their role asks for a second factor, and they have none yet.
    pub lacks_second_factor: bool,
    pub signed_in_by: SignedInBy,
}

/// What is left of a role that asks for a second factor, without one.
pub const HELD_BACK: Role = Role::Employee;

/// What a viewer showed to be taken for who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignedInBy {
    Session(SessionId),
    ApiToken {
        id: ApiTokenId,
        access: ApiTokenAccess,
    },
    /// A sign-up: its answer shows the newcomer to themselves, and lets them do nothing.
    SignUp,
}

impl Viewer {
    /// Whether it is an API token that stands for them.
    pub fn is_script(&self) -> bool {
        matches!(self.signed_in_by, SignedInBy::ApiToken { .. })
    }

    pub fn session_id(&self) -> Option<SessionId> {
        match self.signed_in_by {
            SignedInBy::Session(id) => Some(id),
            SignedInBy::ApiToken { .. } | SignedInBy::SignUp => None,
        }
    }

    /// The same person, who may do what everybody may until they have set up a second factor.
    #[must_use]
    pub fn without_second_factor(self) -> Self {
        Self {
            role: HELD_BACK,
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

    /// Who is signed in, for what needs somebody.
    pub fn signed_in(&self) -> Result<&Viewer> {
        self.viewer().ok_or(Error::Unauthenticated)
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
                role: match viewer.signed_in_by {
                    // It goes no further than it went.
                    SignedInBy::ApiToken { .. } => viewer.role.min(user.role),
                    SignedInBy::Session(_) | SignedInBy::SignUp => user.role,
                },
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::entity::UserStatus;
    use crate::entity::user::PasswordHash;

    const ID: UserId = UserId(Uuid::from_u128(1));

    fn actor(role: Role, signed_in_by: SignedInBy) -> Actor {
        Actor::User(Viewer {
            id: ID,
            role,
            lacks_second_factor: false,
            signed_in_by,
        })
    }

    fn user(id: UserId, role: Role) -> user::Model {
        user::Model {
            id,
            username: "someone".into(),
            username_key: "someone".into(),
            username_skeleton: "someone".into(),
            email: "someone@example.com".into(),
            email_key: "someone@example.com".into(),
            email_verified_at: None,
            password_hash: PasswordHash(String::new()),
            first_name: None,
            last_name: None,
            role,
            status: UserStatus::Active,
            time_zone: "UTC".into(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_role_that_changed_is_seen_at_once_but_lifts_no_token() {
        let session = SignedInBy::Session(SessionId(Uuid::from_u128(2)));
        let token = SignedInBy::ApiToken {
            id: ApiTokenId(Uuid::from_u128(3)),
            access: ApiTokenAccess::Full,
        };
        for (signed_in_by, before, now, expected) in [
            (session, Role::Employee, Role::Admin, Role::Admin),
            (session, Role::Admin, Role::Employee, Role::Employee),
            (token, Role::Employee, Role::Admin, Role::Employee),
            (token, Role::Admin, Role::Employee, Role::Employee),
        ] {
            let actor = actor(before, signed_in_by).with_role_of(&user(ID, now));
            let viewer = actor.viewer().unwrap();
            assert_eq!(viewer.role, expected, "{signed_in_by:?} {before:?}");
            assert_eq!(viewer.is_script(), signed_in_by == token);
        }
        let held_back = actor(Role::Admin, session)
            .viewer()
            .unwrap()
            .without_second_factor();
        let shown = Actor::User(held_back).with_role_of(&user(ID, Role::Admin));
        assert_eq!(shown, actor(Role::Admin, session));
        let other = user(UserId(Uuid::from_u128(9)), Role::Admin);
        let employee = actor(Role::Employee, session);
        assert_eq!(employee.with_role_of(&other), employee);
        assert_eq!(Actor::Anonymous.with_role_of(&other), Actor::Anonymous);
    }

    #[test]
    fn whoever_lacks_a_second_factor_is_an_employee_of_the_same_session() {
        let session_id = SessionId(Uuid::from_u128(2));
        let admin = actor(Role::Admin, SignedInBy::Session(session_id));
        let held_back = admin.viewer().unwrap().without_second_factor();
        assert_eq!(held_back.role, Role::Employee);
        assert!(held_back.lacks_second_factor);
        assert_eq!(held_back.session_id(), Some(session_id));
        let newcomer = actor(Role::Employee, SignedInBy::SignUp);
        assert_eq!(newcomer.viewer().unwrap().session_id(), None);
    }

    #[test]
    fn a_role_has_what_is_below_it() {
        let session = SignedInBy::Session(SessionId(Uuid::from_u128(2)));
        let manager = actor(Role::Manager, session);
        assert!(manager.has(Role::Employee) && manager.has(Role::Manager));
        assert!(!manager.has(Role::Admin));
        for nobody in [Actor::Anonymous, Actor::Refused, Actor::System] {
            assert!(!nobody.has(Role::Employee) && nobody.user_id().is_none());
        }
    }
}
