//! What there is to say, and to whom: plain facts, filled in by `worker` from
//! the rows as they are when the mail is first composed.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use url::Url;

use super::report::TaskReport;
use crate::entity::{MailKind, Role, SecondFactorChange};

/// The one person that a mail goes to.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub address: String,
    /// As the person typed it; may be empty.
    pub display_name: String,
    /// Instants are shown on this clock.
    pub zone: Tz,
    /// Stops mails of this kind, by one click (RFC 8058). None for what cannot be stopped.
    pub unsubscribe: Option<SecretLink>,
}

#[derive(Clone, Debug)]
pub enum Content {
    /// The sign-up arrived, and waits for an admin. Without a link when there is no use for one any
    /// more.
    Welcome {
        link: Option<SecretLink>,
        valid_days: u64,
    },
    Approved {
        role: Role,
    },
    Rejected {
        reason: Option<String>,
    },
    PasswordReset {
        link: SecretLink,
        valid_minutes: u64,
    },
    PasswordChanged {
        at: DateTime<Utc>,
    },
    SecondFactorChanged {
        change: SecondFactorChange,
        at: DateTime<Utc>,
    },
    EmailConfirmation {
        link: SecretLink,
        valid_days: u64,
    },
    /// Goes to the address that was given up.
    EmailChanged {
        at: DateTime<Utc>,
    },
    Invitation {
        link: SecretLink,
        role: Role,
        /// The admin, as they typed their name.
        invited_by: String,
        expires_at: DateTime<Utc>,
    },
    TaskReport(Box<TaskReport>),
    /// To admins.
    ApprovalWaiting {
        sign_ups: Vec<WaitingSignUp>,
        /// How many there are besides.
        more: u64,
        link: Url,
    },
    Assigned {
        tasks: Vec<TaskLine>,
        /// How many there are besides.
        more: u64,
        link: Url,
    },
    DailyReminder {
        /// The recipient's own.
        date: NaiveDate,
        groups: Vec<TaskGroup>,
        /// How many there are besides.
        more: u64,
        link: Url,
    },
}

/// Somebody who waits for an admin's decision.
#[derive(Clone, Debug)]
pub struct WaitingSignUp {
    /// As they typed it.
    pub name: String,
    pub username: String,
    pub requested_role: Role,
    pub created_at: DateTime<Utc>,
}

/// Tasks under one heading.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    pub title: &'static str,
    pub is_overdue: bool,
    pub tasks: Vec<TaskLine>,
}

/// A task as a mail names it.
#[derive(Clone, Debug)]
pub struct TaskLine {
    /// As a manager typed it.
    pub title: String,
    pub deadline: Option<DateTime<Utc>>,
    pub is_in_progress: bool,
    /// The front end's page of it.
    pub link: Option<Url>,
}

impl Content {
    /// Puts a word in the place of everything that would let its reader do something.
    pub fn hide_secrets(&mut self) {
        match self {
            Self::Welcome { link, .. } => {
                *link = link.take().map(SecretLink::hidden);
            }
            Self::PasswordReset { link, .. }
            | Self::EmailConfirmation { link, .. }
            | Self::Invitation { link, .. } => *link = link.clone().hidden(),
            Self::Approved { .. }
            | Self::Rejected { .. }
            | Self::PasswordChanged { .. }
            | Self::SecondFactorChanged { .. }
            | Self::EmailChanged { .. }
            | Self::TaskReport(_)
            | Self::ApprovalWaiting { .. }
            | Self::Assigned { .. }
            | Self::DailyReminder { .. } => {}
        }
    }

    /// Whether it is not for keeping: whoever reads it could do what is for its recipient to do.
    pub fn holds_secret(&self) -> bool {
        match self {
            Self::Welcome { link, .. } => link.is_some(),
            Self::PasswordReset { .. }
            | Self::EmailConfirmation { .. }
            | Self::Invitation { .. } => true,
            Self::Approved { .. }
            | Self::Rejected { .. }
            | Self::PasswordChanged { .. }
            | Self::SecondFactorChanged { .. }
            | Self::EmailChanged { .. }
            | Self::TaskReport(_)
            | Self::ApprovalWaiting { .. }
            | Self::Assigned { .. }
            | Self::DailyReminder { .. } => false,
        }
    }

    pub(super) fn report(&self) -> Option<&TaskReport> {
        match self {
            Self::TaskReport(report) => Some(report),
            _ => None,
        }
    }

    pub fn kind(&self) -> MailKind {
        match self {
            Self::Welcome { .. } => MailKind::Welcome,
            Self::Approved { .. } => MailKind::Approved,
            Self::Rejected { .. } => MailKind::Rejected,
            Self::PasswordReset { .. } => MailKind::PasswordReset,
            Self::PasswordChanged { .. } => MailKind::PasswordChanged,
            Self::SecondFactorChanged { .. } => MailKind::SecondFactorChanged,
            Self::EmailConfirmation { .. } => MailKind::EmailConfirmation,
            Self::EmailChanged { .. } => MailKind::EmailChanged,
            Self::Invitation { .. } => MailKind::Invitation,
            Self::TaskReport(_) => MailKind::TaskReport,
            Self::ApprovalWaiting { .. } => MailKind::ApprovalWaiting,
            Self::Assigned { .. } => MailKind::Assigned,
            Self::DailyReminder { .. } => MailKind::DailyReminder,
        }
    }
}

/// Whoever has it can do what its page is for. It does not print.
#[derive(Clone)]
pub struct SecretLink(Url);

impl SecretLink {
    pub fn new(link: Url) -> Self {
        Self(link)
    }

    /// The same page, without what the link is secret for.
    #[must_use]
    pub fn hidden(self) -> Self {
        let mut link = self.0;
        if link.fragment().is_some() {
            link.set_fragment(Some("token=hidden"));
        }
        if link.query().is_some() {
            link.set_query(Some("token=hidden"));
        }
        Self(link)
    }

    pub(super) fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for SecretLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretLink(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_link_does_not_print() {
        let content = Content::PasswordReset {
            link: SecretLink::new("https://muster.example/reset#token=s3cret".parse().unwrap()),
            valid_minutes: 30,
        };
        assert!(!format!("{content:?}").contains("s3cret"));
    }
}
