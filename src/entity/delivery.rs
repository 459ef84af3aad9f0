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
    pub created_at: DateTimeUtc,
    /// Not to be tried before this.
    pub due_at: DateTimeUtc,
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
    /// Never meant to be sent: a reset was asked for an address that nobody here has.
    #[sea_orm(string_value = "SUPPRESSED")]
    Suppressed,
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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
