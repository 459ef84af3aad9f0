//! The authenticator app that somebody set up, or has begun to. There is one at
//! most for each user.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::UserId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "second_factors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Which key the secret was encrypted by.
    pub key_id: String,
    /// The shared secret, encrypted for this user.
    pub secret: Vec<u8>,
    pub started_at: DateTimeUtc,
    /// None until a first code has shown that the app has the secret.
    pub enabled_at: Option<DateTimeUtc>,
    /// The time step of the last code that was used: it and earlier ones are refused from then on.
    pub last_step: Option<i64>,
}

/// What happened to somebody's second factor, as a mail tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum SecondFactorChange {
    Enabled,
    Disabled,
    /// An admin took it away.
    Reset,
    /// Somebody logged in, or proved themselves, by a recovery code.
    RecoveryCodeUsed {
        left: u64,
    },
    RecoveryCodesReplaced,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
