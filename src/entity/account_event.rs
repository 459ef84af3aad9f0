//! What happened to an account: who did what to whom, when, and from where. Rows
//! are only ever added, and cleared away when they are old.

use sea_orm::entity::prelude::*;

use super::{AccountEventId, Role, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountEventId,
    pub kind: AccountEventKind,
    /// Whose account it is, also once it is deleted. None for a log-in that nobody here has.
    pub user_id: Option<UserId>,
    /// Who did it. None for strangers, and for what was done from the command line.
    pub actor_id: Option<UserId>,
    /// None where there was none before.
    pub role_before: Option<Role>,
    /// What was granted, or offered.
    pub role_after: Option<Role>,
    /// Of somebody who joined by an invitation: the admin who stood behind it, also once they are
    /// deleted.
    pub invited_by: Option<UserId>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTimeUtc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum AccountEventKind {
    SignedUp,
    AdminCreated,
    LoggedIn,
    LogInFailed,
    LogInRefused,
    LoggedOut,
    LoggedOutEverywhere,
    SessionRevoked,
    SessionsRevoked,
    RefreshTokenReused,
    PasswordChanged,
    PasswordResetRequested,
    PasswordReset,
    SecondFactorEnabled,
    SecondFactorDisabled,
    SecondFactorReset,
    SecondFactorAsked,
    SecondFactorFailed,
    RecoveryCodeUsed,
    RecoveryCodesReplaced,
    Approved,
    Rejected,
    RoleSet,
    Deactivated,
    Reactivated,
    UsernameChanged,
    EmailChanged,
    ApiTokenCreated,
    ApiTokenRevoked,
    EmailConfirmationRequested,
    EmailConfirmed,
    Invited,
    InvitationRevoked,
    InvitationAccepted,
    DeliveryResent,
    DeliveryCancelled,
    MailsPaused,
    MailsResumed,
    Deleted,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
