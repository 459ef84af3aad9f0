//! The closed lists of values and the scalar that the schema shares between
//! nouns, mirrored from `entity` so that the ground need not know of GraphQL.

use async_graphql::{Enum, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};

use crate::entity;
use crate::error::ProblemCode;

/// What a person may do. Ordered: each role may do all that the ones below it may.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::Role")]
pub enum Role {
    /// Decides on sign-ups and runs people's roles and accounts.
    Admin,
    /// Creates and assigns tasks, and looks after employees.
    Manager,
    /// Sees and finishes the tasks assigned to them.
    Employee,
}

/// Where a user stands. PENDING until an admin decides; only ACTIVE users can log in.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::UserStatus")]
pub enum UserStatus {
    /// Signed up, and waits for an admin's decision.
    Pending,
    /// Let in; can log in.
    Active,
    /// Turned down by an admin; cannot log in.
    Rejected,
    /// Let in once, and shut out by an admin or a manager; can be made active again.
    Deactivated,
}

/// Where an admin's decision on a sign-up stands. It is taken once.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::ApprovalDecision")]
pub enum ApprovalDecision {
    /// Not taken yet.
    Pending,
    /// The user was let in, with the role in `grantedRole`.
    Approved,
    /// The user was turned down, perhaps for the reason in `reason`; or was deleted while they waited.
    Rejected,
}

/// How far a task is.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::TaskStatus")]
pub enum TaskStatus {
    /// Nobody has begun. Every task starts here.
    Pending,
    /// Somebody is at it.
    InProgress,
    /// Done. A completed task is never overdue.
    Completed,
}

/// The direction of a list.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
pub enum OrderDirection {
    /// Smallest, earliest or first in the alphabet first.
    Asc,
    /// Greatest, latest or last in the alphabet first.
    Desc,
}

/// What kind of problem a `UserError` is. Build on these codes; the messages may change.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "ProblemCode")]
pub enum UserErrorCode {
    /// The field cannot be empty.
    Blank,
    /// The text has too few characters.
    TooShort,
    /// The text has too many characters.
    TooLong,
    /// The value has the wrong form.
    Invalid,
    /// The password is too easy to guess.
    WeakPassword,
    /// Somebody has this username, or one that looks like it.
    UsernameTaken,
    /// Somebody has this e-mail address.
    EmailTaken,
    /// There is no such object, or the viewer may not see it.
    NotFound,
    /// This may not be done, or not now; the message says why.
    NotAllowed,
    /// Tasks cannot be given to this user.
    NotAssignable,
    /// The decision was taken already.
    AlreadyDecided,
    /// The object has changed since the version that was expected. Load it again.
    VersionConflict,
    /// Login or password is wrong.
    InvalidCredentials,
    /// The password is right, but no admin has let the user in: they wait (PENDING), or were turned
    /// down (REJECTED).
    NotApproved,
    /// The password is right, but the account is deactivated.
    Deactivated,
    /// The token is unknown, used or expired.
    InvalidToken,
    /// The password is right, and a code is needed besides: log in again with `code`.
    SecondFactorRequired,
    /// The code is wrong, used or expired.
    InvalidCode,
    /// No active admin would be left.
    LastAdmin,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant, RFC 3339, UTC, millisecond precision, such as `2026-11-21T09:30:00.000Z`. As input,
/// any offset and precision are taken, of the years 1 to 9999; what is finer than a millisecond is
/// cut off.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        instant(&value).map(DateTime).ok_or_else(|| {
            InputValueError::custom(
                "This is not an RFC 3339 instant with an offset, such as 2026-11-21T09:30:00Z.",
            )
        })
    }

    // Told before anything is executed, so that no sibling has been carried out by then.
    fn is_valid(value: &Value) -> bool {
        instant(value).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

fn instant(value: &Value) -> Option<chrono::DateTime<Utc>> {
    let Value::String(text) = value else {
        return None;
    };
    let instant = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    // By the count of milliseconds, which knows no leap seconds: they would not sort.
    chrono::DateTime::from_timestamp_millis(instant.timestamp_millis())
        .filter(|instant| is_in_range(*instant))
}

/// Whether an instant is of the years that the schema speaks of.
pub fn is_in_range(instant: chrono::DateTime<Utc>) -> bool {
    (1..=9999).contains(&instant.year())
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LocalDate(pub NaiveDate);

/// A date on somebody's own calendar, such as `2026-11-21`, of the years 1 to 9999.
#[Scalar(name = "LocalDate")]
impl ScalarType for LocalDate {
    fn parse(value: Value) -> InputValueResult<Self> {
        date(&value)
            .map(LocalDate)
            .ok_or_else(|| InputValueError::custom("This is not a date, such as 2026-11-21."))
    }

    fn is_valid(value: &Value) -> bool {
        date(value).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

fn date(value: &Value) -> Option<NaiveDate> {
    let Value::String(text) = value else {
        return None;
    };
    // Nothing shorter or longer is a date of four digits for the year, two and two.
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && (1..=9999).contains(&date.year())).then_some(date)
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LocalTime(pub NaiveTime);

/// A time of day on somebody's own clock, in hours and minutes, such as `08:30`.
#[Scalar(name = "LocalTime")]
impl ScalarType for LocalTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        time(&value)
            .map(LocalTime)
            .ok_or_else(|| InputValueError::custom("This is not a time of day, such as 08:30."))
    }

    fn is_valid(value: &Value) -> bool {
        time(value).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%H:%M").to_string())
    }
}

fn time(value: &Value) -> Option<NaiveTime> {
    let Value::String(text) = value else {
        return None;
    };
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok()?;
    (text.len() == 5).then_some(time)
}

/// A day of the week.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
pub enum Weekday {
    /// The first day of the week.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The last.
    Sunday,
}

macro_rules! weekdays {
    ($($ours:ident $theirs:ident),*) => {
        impl From<Weekday> for chrono::Weekday {
            fn from(day: Weekday) -> Self {
                match day { $(Weekday::$ours => Self::$theirs,)* }
            }
        }

        impl From<chrono::Weekday> for Weekday {
            fn from(day: chrono::Weekday) -> Self {
                match day { $(chrono::Weekday::$theirs => Self::$ours,)* }
            }
        }
    };
}

weekdays!(
    Monday Mon, Tuesday Tue, Wednesday Wed, Thursday Thu, Friday Fri, Saturday Sat, Sunday Sun
);

/// What kind a mail is of. More kinds may come with later releases.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::MailKind")]
pub enum MailKind {
    /// A sign-up arrived, and waits.
    Welcome,
    /// The sign-up was approved.
    Approved,
    /// The sign-up was declined.
    Rejected,
    /// A link for a new password.
    PasswordReset,
    /// The password was changed.
    PasswordChanged,
    /// Something about the second factor was changed.
    SecondFactorChanged,
    /// A link that confirms an e-mail address.
    EmailConfirmation,
    /// The e-mail address was changed; goes to the earlier one.
    EmailChanged,
    /// An invitation to join.
    Invitation,
    /// A report on tasks, on request or weekly. Can be switched off.
    TaskReport,
    /// Sign-ups wait for a decision; to admins. Can be switched off.
    ApprovalWaiting,
    /// Tasks were assigned to the reader. Can be switched off.
    Assigned,
    /// The reader's open tasks. Can be switched off.
    DailyReminder,
}
