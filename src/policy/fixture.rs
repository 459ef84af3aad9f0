//! Whom the tests of policies ask about.

use chrono::DateTime;
use uuid::Uuid;

use crate::actor::{Actor, SignedInBy, Viewer};
use crate::entity::user::{Model as User, PasswordHash};
use crate::entity::{ApiTokenAccess, ApiTokenId, Role, UserId, UserStatus};

pub const VIEWER: UserId = UserId(Uuid::from_u128(1));
pub const OTHER: UserId = UserId(Uuid::from_u128(2));

/// Whoever is `VIEWER`, in this role.
pub fn actor(role: Role) -> Actor {
    Actor::User(Viewer {
        id: VIEWER,
        role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::SignUp,
    })
}

/// An API token of whoever is `VIEWER`, which may do what they may.
pub fn script(role: Role) -> Actor {
    Actor::User(Viewer {
        id: VIEWER,
        role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::ApiToken {
            id: ApiTokenId(Uuid::from_u128(3)),
            access: ApiTokenAccess::Full,
        },
    })
}

pub fn user(id: UserId, role: Role, status: UserStatus) -> User {
    User {
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
        status,
        time_zone: "UTC".into(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}
