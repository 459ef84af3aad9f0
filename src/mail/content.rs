//! What there is to say, and to whom: plain facts, filled in by `worker` from
//! the rows as they are when the mail is first composed.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use url::Url;

use crate::entity::{MailKind, Role, SecondFactorChange};

/// The one person that a mail goes to.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub address: String,
    /// As the person typed it; may be empty.
    pub display_name: String,
    /// Instants are shown on this clock.
    pub zone: Tz,
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
    TaskReport(TaskReport),
}

impl Content {
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
            | Self::TaskReport(_) => false,
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
        }
    }
}

/// What happened between two instants, and how things stand at the second.
#[derive(Clone, Copy, Debug)]
pub struct TaskReport {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub created: u64,
    pub completed: u64,
    pub open_pending: u64,
    pub open_in_progress: u64,
    pub overdue: u64,
    pub unassigned: u64,
}

/// Whoever has it can do what its page is for. It does not print.
#[derive(Clone)]
pub struct SecretLink(Url);

impl SecretLink {
    pub fn new(link: Url) -> Self {
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
