//! When each person is to be told something next. The planner looks at rows whose
//! time has come, and decides then.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use super::{MailKind, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plans")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// What they are told: a daily reminder or a weekly report, by the calendar; assignments and
    /// sign-ups, when there are any.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: MailKind,
    /// When to look at it next. `NEVER` until something happens.
    pub due_at: DateTimeUtc,
    /// Of what goes by the calendar: the last local date about which it was decided. None before
    /// the first.
    pub decided_on: Option<Date>,
    /// Of what is gathered: not to be told again before this.
    pub quiet_until: Option<DateTimeUtc>,
}

impl Model {
    /// Long after everything: the last second that is written with four digits for the year.
    pub const NEVER: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
        Some(instant) => instant,
        None => DateTime::<Utc>::MAX_UTC,
    };
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
