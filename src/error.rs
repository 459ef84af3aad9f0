//! The closed list of ways to fail. It knows neither HTTP nor GraphQL; each
//! transport maps it once, at its own edge.

use std::sync::Arc;
use std::time::Duration;

use crate::entity::Role;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The caller sent a form that cannot be carried out. Never empty.
    #[error("refused: {0:?}")]
    Refused(Vec<Problem>),
    #[error("nobody is signed in")]
    Unauthenticated,
    #[error("this needs the role {0:?}")]
    Forbidden(Role),
    /// The role would do, but may not be used without a second factor, and there is none.
    #[error("this needs a second factor")]
    SecondFactorMissing,
    /// The API token may only read.
    #[error("this API token is read-only")]
    ReadOnlyToken,
    /// No API token may do this: it would outlive what it was made by.
    #[error("this needs a session")]
    SessionNeeded,
    /// The request itself is wrong, such as a page size; the text tells what to do.
    #[error("bad input: {0}")]
    BadUserInput(String),
    /// What is asked for is too much to be answered at once.
    #[error("the answer would be too long")]
    AnswerTooLong,
    #[error("too many attempts")]
    RateLimited { retry_after: Duration },
    /// Something that Muster needs is away or busy; the same call may work later.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The database gave the work up in favour of somebody else's; the same work may be done at once.
    #[error("given up in favour of others: {0}")]
    Contended(String),
    /// A fault of ours. Its text is for the log and never for the caller.
    #[error("{0}")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(Arc::from(error.into()))
    }

    /// Refuses with one problem that no single input field is to blame for.
    pub fn refused(code: ProblemCode, message: impl Into<String>) -> Self {
        Self::Refused(vec![Problem {
            field: None,
            code,
            message: message.into(),
        }])
    }
}

/// Whole seconds, rounded up: who comes back earlier is turned away once more.
pub fn in_seconds(wait: Duration) -> u64 {
    let rest = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(rest).max(1)
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(vec![problem])
    }
}

/// What is wrong with one input field, or with the form as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the field in the mutation's input.
    pub field: Option<&'static str>,
    pub code: ProblemCode,
    /// A sentence for the person at the form.
    pub message: String,
}

impl Problem {
    pub fn new(field: &'static str, code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            field: Some(field),
            code,
            message: message.into(),
        }
    }

    /// The object that the field names is not there, or not for this actor to know of.
    pub fn not_found(field: &'static str, noun: &str) -> Self {
        Self::new(
            field,
            ProblemCode::NotFound,
            format!("There is no such {noun}."),
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    Blank,
    TooShort,
    TooLong,
    Invalid,
    WeakPassword,
    UsernameTaken,
    EmailTaken,
    NotFound,
    NotAllowed,
    NotAssignable,
    AlreadyDecided,
    VersionConflict,
    InvalidCredentials,
    NotApproved,
    Deactivated,
    InvalidToken,
    SecondFactorRequired,
    InvalidCode,
    LastAdmin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_that_are_enough() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (11_500, 12)] {
            let wait = Duration::from_millis(millis);
            assert_eq!(in_seconds(wait), seconds, "{millis}");
        }
    }
}
