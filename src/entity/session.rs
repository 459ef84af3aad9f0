//! A log-in that lasts. A session that ended has no row: every access token
//! names its session, so deleting the row revokes them all.

use sea_orm::entity::prelude::*;

use super::{SessionId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub user_id: UserId,
    pub created_at: DateTimeUtc,
    /// The log-in or the last refresh.
    pub last_used_at: DateTimeUtc,
    /// The earlier of idle end and absolute end; moves with each refresh.
    pub expires_at: DateTimeUtc,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
