//! What somebody wants to be told by mail. Nobody has a row before they change
//! something: `Model::usual` is what holds until then.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use super::{MailKind, UserId};
use crate::calendar::Weekdays;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_settings")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub daily_reminder: bool,
    /// On the user's own clock. None: when the server's setting says.
    pub reminder_time: Option<Time>,
    /// As `Weekdays` has them.
    pub reminder_weekdays: i32,
    /// No reminder before this local date.
    pub reminders_paused_until: Option<Date>,
    pub weekly_report: bool,
    pub assigned: bool,
    pub approval_waiting: bool,
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Everything is told, every day.
    pub fn usual(user_id: UserId, now: DateTime<Utc>) -> Self {
        Self {
            user_id,
            daily_reminder: true,
            reminder_time: None,
            reminder_weekdays: Weekdays::ALL.bits(),
            reminders_paused_until: None,
            weekly_report: true,
            assigned: true,
            approval_waiting: true,
            updated_at: now,
        }
    }

    pub fn weekdays(&self) -> Weekdays {
        Weekdays::from_bits(self.reminder_weekdays)
    }

    /// The switch of this kind of mail. None for what is about the account itself, which cannot be
    /// switched off.
    pub fn switch(&mut self, kind: MailKind) -> Option<&mut bool> {
        match kind {
            MailKind::DailyReminder => Some(&mut self.daily_reminder),
            MailKind::TaskReport => Some(&mut self.weekly_report),
            MailKind::Assigned => Some(&mut self.assigned),
            MailKind::ApprovalWaiting => Some(&mut self.approval_waiting),
            _ => None,
        }
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
