//! Requests for a new password by mailed link.

use sea_orm::entity::prelude::*;

use super::{ResetTokenId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reset_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ResetTokenId,
    /// None for an address that nobody here has: the row is written all the
    /// same, so that the time of the answer does not tell.
    pub user_id: Option<UserId>,
    /// SHA-256 of the token, in hexadecimal.
    #[sea_orm(unique)]
    pub token_hash: String,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    /// When it was used, or made void by a newer one, by a new password or
    /// address, or by deactivation.
    pub ended_at: Option<DateTimeUtc>,
}

impl Model {
    pub fn is_open(&self, now: DateTimeUtc) -> bool {
        self.ended_at.is_none() && self.expires_at > now
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
