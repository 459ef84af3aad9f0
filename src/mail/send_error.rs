//! How sending can fail, told apart by what to do next.

/// Why a mail was not sent. The texts name no secret and no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{answer}")]
pub struct SendError {
    /// This mail will never be taken. Anything else is worth another try.
    pub permanent: bool,
    /// The connection was lost between the first byte of the message and the answer to its last:
    /// it may have been taken. Whether a mail that comes twice is worse than one that never comes
    /// depends on its kind.
    pub unknown: bool,
    /// What the server said, or what happened, for admins.
    pub answer: String,
}

impl SendError {
    pub fn transient(answer: impl Into<String>) -> Self {
        Self {
            permanent: false,
            unknown: false,
            answer: answer.into(),
        }
    }

    pub fn permanent(answer: impl Into<String>) -> Self {
        Self {
            permanent: true,
            ..Self::transient(answer)
        }
    }

    pub fn unknown(answer: impl Into<String>) -> Self {
        Self {
            unknown: true,
            ..Self::transient(answer)
        }
    }
}
