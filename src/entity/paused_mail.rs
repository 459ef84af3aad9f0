//! Kinds of mail that an admin holds back for the time being.

use sea_orm::entity::prelude::*;

use super::{MailKind, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "paused_mails")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: MailKind,
    pub paused_at: DateTimeUtc,
    /// None once that admin is deleted.
    pub paused_by: Option<UserId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
