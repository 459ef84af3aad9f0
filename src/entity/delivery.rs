//! The truth about each mail: a row written in the transaction that causes the
//! mail, and unique by that cause.

use sea_orm::entity::prelude::*;

use super::{DeliveryId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeliveryId,
    pub kind: MailKind,
    /// What happened, such as the id of the approval. Unique together with kind and recipient.
    pub cause: String,
    /// None for an address without an account, and where there is nobody to send anything to.
    pub recipient_id: Option<UserId>,
    /// The one address that this mail goes to.
    pub address: String,
    /// What the template needs beyond the recipient: ids and figures, never a secret.
    pub params: Json,
    pub state: DeliveryState,
    /// Greater ones go first. Follows from the kind.
    pub priority: i32,
    pub created_at: DateTimeUtc,
    /// Not to be tried before this.
    pub due_at: DateTimeUtc,
    /// Not worth sending any more from then on.
    pub expires_at: Option<DateTimeUtc>,
    /// Until then a job for this row is taken to be on its way, and the sweep leaves it alone.
    pub announced_until: DateTimeUtc,
    /// Until then the worker that claimed it is taken to be at work.
    pub leased_until: Option<DateTimeUtc>,
    /// Grows with each claim; a worker that lost its lease cannot finish the row with an old one.
    pub fence: i32,
    /// Claims, counted when claimed, so that a mail that kills its worker ends, too.
    pub attempts: i32,
    /// Since when it is tried: a backlog is no reason to give up early.
    pub first_attempt_at: Option<DateTimeUtc>,
    /// Attempts that came back with an answer worth a retry.
    pub failures: i32,
    /// The message as it was first built, so that a retry sends the same bytes.
    pub message: Option<Vec<u8>>,
    /// What the mail server said last, for admins.
    pub last_answer: Option<String>,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum DeliveryState {
    /// To be sent at `due_at`.
    #[sea_orm(string_value = "DUE")]
    Due,
    /// Claimed by a worker until `leased_until`.
    #[sea_orm(string_value = "SENDING")]
    Sending,
    #[sea_orm(string_value = "SENT")]
    Sent,
    /// Given up.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// There was nothing to say any more, or nobody to say it to.
    #[sea_orm(string_value = "SUPPRESSED")]
    Suppressed,
    /// The connection was lost when the server had the message but had not answered: it may have
    /// been sent. Left so where a mail that comes twice is worse than one that may not come.
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
    /// Called off by an admin.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

impl DeliveryState {
    /// Whether nothing more happens to it by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Due | Self::Sending)
    }
}

/// The kinds of mail; the stored value is also the `X-Muster-Mail` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum MailKind {
    #[sea_orm(string_value = "welcome")]
    Welcome,
    #[sea_orm(string_value = "approved")]
    Approved,
    #[sea_orm(string_value = "rejected")]
    Rejected,
    #[sea_orm(string_value = "password-reset")]
    PasswordReset,
    #[sea_orm(string_value = "password-changed")]
    PasswordChanged,
    #[sea_orm(string_value = "second-factor-changed")]
    SecondFactorChanged,
    #[sea_orm(string_value = "email-confirmation")]
    EmailConfirmation,
    #[sea_orm(string_value = "email-changed")]
    EmailChanged,
    #[sea_orm(string_value = "invitation")]
    Invitation,
    #[sea_orm(string_value = "task-report")]
    TaskReport,
    #[sea_orm(string_value = "approval-waiting")]
    ApprovalWaiting,
    #[sea_orm(string_value = "assigned")]
    Assigned,
    #[sea_orm(string_value = "daily-reminder")]
    DailyReminder,
}

impl MailKind {
    /// As it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
            Self::SecondFactorChanged => "second-factor-changed",
            Self::EmailConfirmation => "email-confirmation",
            Self::EmailChanged => "email-changed",
            Self::Invitation => "invitation",
            Self::TaskReport => "task-report",
            Self::ApprovalWaiting => "approval-waiting",
            Self::Assigned => "assigned",
            Self::DailyReminder => "daily-reminder",
        }
    }

    /// All of them, the one that goes first at the beginning.
    pub const PRIORITIES: [i32; 3] = [2, 1, 0];

    /// Greater ones go first: 2 for what somebody waits for, or must hear of at once; 0 for what
    /// nobody waits for.
    pub fn priority(self) -> i32 {
        match self {
            Self::PasswordReset
            | Self::PasswordChanged
            | Self::SecondFactorChanged
            | Self::EmailConfirmation
            | Self::EmailChanged
            | Self::Invitation => 2,
            Self::Welcome
            | Self::Approved
            | Self::Rejected
            | Self::ApprovalWaiting
            | Self::Assigned => 1,
            Self::TaskReport | Self::DailyReminder => 0,
        }
    }

    /// Whether it is about its reader's account. Such mails cannot be switched off, and come again
    /// when it is unknown whether they came: nobody misses a reminder that may have come, but twice
    /// a new password does less harm than never.
    pub fn is_about_account(self) -> bool {
        match self {
            Self::Welcome
            | Self::Approved
            | Self::Rejected
            | Self::PasswordReset
            | Self::PasswordChanged
            | Self::SecondFactorChanged
            | Self::EmailConfirmation
            | Self::EmailChanged
            | Self::Invitation => true,
            Self::TaskReport | Self::ApprovalWaiting | Self::Assigned | Self::DailyReminder => {
                false
            }
        }
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};

    use super::MailKind;

    #[test]
    fn a_kind_is_stored_by_its_name() {
        for kind in MailKind::iter() {
            assert_eq!(kind.name(), kind.to_value());
        }
    }
}
