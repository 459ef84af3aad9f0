//! What every mutation's payload has in common: problems with the form go into
//! `userErrors`, everything else is a GraphQL error.

use async_graphql::{MaybeUndefined, SimpleObject};

use super::types::UserErrorCode;
use crate::error::{Error, Problem, Result};
use crate::service::Patch;

/// A problem with what the caller sent, for showing beside the form field.
#[derive(SimpleObject)]
pub struct UserError {
    /// The way to the input field, such as ["input", "email"]; null when no one field is to blame.
    field: Option<Vec<String>>,
    /// A sentence for the person at the form. It may change; build on the code.
    message: String,
    /// What kind of problem it is.
    code: UserErrorCode,
}

impl From<Problem> for UserError {
    fn from(problem: Problem) -> Self {
        Self {
            field: problem
                .field
                .map(|field| vec!["input".into(), field.into()]),
            message: problem.message,
            code: problem.code.into(),
        }
    }
}

/// A payload whose other fields say "nothing was done" by default.
pub trait Payload: Default {
    fn user_errors(&mut self) -> &mut Vec<UserError>;
}

macro_rules! payloads {
    ($($payload:ty),* $(,)?) => {
        $(impl $crate::graphql::payload::Payload for $payload {
            fn user_errors(&mut self) -> &mut Vec<$crate::graphql::payload::UserError> {
                &mut self.user_errors
            }
        })*
    };
}

pub(super) use payloads;

/// Turns what a verb answered into its payload.
pub fn settle<T, P: Payload>(answer: Result<T>, fill: impl FnOnce(T) -> P) -> Result<P> {
    match answer {
        Ok(done) => Ok(fill(done)),
        Err(Error::Refused(problems)) => {
            let mut payload = P::default();
            payload
                .user_errors()
                .extend(problems.into_iter().map(UserError::from));
            Ok(payload)
        }
        Err(error) => Err(error),
    }
}

/// A field of an update, with its value converted.
pub fn patch<T, U>(value: MaybeUndefined<T>, convert: impl FnOnce(T) -> U) -> Patch<U> {
    match value {
        MaybeUndefined::Undefined => Patch::Absent,
        MaybeUndefined::Null => Patch::Null,
        MaybeUndefined::Value(value) => Patch::Set(convert(value)),
    }
}
