//! People, from the moment they sign up.

use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::UserId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// As typed; what makes it unique is in the two keys.
    pub username: String,
    /// Case-folded.
    #[sea_orm(unique)]
    pub username_key: String,
    /// The confusable skeleton of UTS 39, so that `pau1` cannot pose as `paul`.
    #[sea_orm(unique)]
    pub username_skeleton: String,
    /// As typed, for sending.
    pub email: String,
    /// Local part case-folded, domain in IDNA lower case.
    #[sea_orm(unique)]
    pub email_key: String,
    /// Since when it is known that this person reads the mails to this address.
    pub email_verified_at: Option<DateTimeUtc>,
    /// A PHC string.
    pub password_hash: PasswordHash,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub role: Role,
    pub status: UserStatus,
    /// An IANA name.
    pub time_zone: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// First and last name where there are any, else the username.
    pub fn display_name(&self) -> String {
        match (&self.first_name, &self.last_name) {
            (Some(first), Some(last)) => format!("{first} {last}"),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => self.username.clone(),
        }
    }

    /// Names are checked when they are stored; one that a later time zone
    /// database dropped reads as UTC.
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }
}

/// A password as it is stored. It does not print.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Ordered: each role may do all that the ones before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Role {
    #[sea_orm(string_value = "EMPLOYEE")]
    Employee,
    #[sea_orm(string_value = "MANAGER")]
    Manager,
    #[sea_orm(string_value = "ADMIN")]
    Admin,
}

impl Role {
    /// As it is stored, and as the schema has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Employee => "EMPLOYEE",
            Self::Manager => "MANAGER",
            Self::Admin => "ADMIN",
        }
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum UserStatus {
    #[sea_orm(string_value = "PENDING")]
    Pending,
    #[sea_orm(string_value = "ACTIVE")]
    Active,
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
    #[sea_orm(string_value = "DEACTIVATED")]
    Deactivated,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
