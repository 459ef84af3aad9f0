//! Codes that stand in for an authenticator app, each of them once.

use sea_orm::entity::prelude::*;

use super::UserId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "recovery_codes")]
pub struct Model {
    /// SHA-256 of the code, in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code_hash: String,
    pub user_id: UserId,
    pub created_at: DateTimeUtc,
    pub used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
