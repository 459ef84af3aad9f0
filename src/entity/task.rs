//! What people have to do.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{TaskId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskId,
    pub title: String,
    /// The title in lower case: what tasks are sorted by.
    pub title_key: String,
    pub description: Option<String>,
    pub status: TaskStatus,
    pub deadline: Option<DateTimeUtc>,
    pub assignee_id: Option<UserId>,
    pub created_by: Option<UserId>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub completed_at: Option<DateTimeUtc>,
    /// 1 at creation, one more with each change.
    pub version: i32,
}

impl Model {
    /// The same rule as the `overdue` filter and the figures: see `store::task`.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.status.is_open() && self.deadline.is_some_and(|deadline| deadline < now)
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum TaskStatus {
    #[sea_orm(string_value = "PENDING")]
    Pending,
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
}

impl TaskStatus {
    /// What is still to be done.
    pub const OPEN: [Self; 2] = [Self::Pending, Self::InProgress];

    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }

    /// As it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
        }
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};

    use super::TaskStatus;

    #[test]
    fn a_status_is_stored_by_its_name_and_open_unless_it_is_completed() {
        for status in TaskStatus::iter() {
            assert_eq!(status.name(), status.to_value());
            assert_eq!(status.is_open(), status != TaskStatus::Completed);
        }
    }
}
