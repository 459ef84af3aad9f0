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
    /// The sign-up arrived, and waits for an admin.
    Welcome,
    Approved {
        role: Role,
    },
    Rejected {
        reason: Option<String>,
    },
    PasswordReset {
        link: ResetLink,
        valid_minutes: u64,
    },
    PasswordChanged {
        at: DateTime<Utc>,
    },
    SecondFactorChanged {
        change: SecondFactorChange,
        at: DateTime<Utc>,
    },
    TaskReport(TaskReport),
}

impl Content {
    pub fn kind(&self) -> MailKind {
        match self {
            Self::Welcome => MailKind::Welcome,
            Self::Approved { .. } => MailKind::Approved,
            Self::Rejected { .. } => MailKind::Rejected,
            Self::PasswordReset { .. } => MailKind::PasswordReset,
            Self::PasswordChanged { .. } => MailKind::PasswordChanged,
            Self::SecondFactorChanged { .. } => MailKind::SecondFactorChanged,
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

/// Whoever has it can choose the password. It does not print.
#[derive(Clone)]
pub struct ResetLink(Url);

impl ResetLink {
    pub fn new(link: Url) -> Self {
        Self(link)
    }

    pub(super) fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for ResetLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetLink(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_link_does_not_print() {
        let content = Content::PasswordReset {
            link: ResetLink::new("https://muster.example/reset#token=s3cret".parse().unwrap()),
            valid_minutes: 30,
        };
        assert!(!format!("{content:?}").contains("s3cret"));
    }
}
