//! What all ways of getting an account have in common: names that are free, a
//! password that holds, and the row that comes of them.

use chrono::{DateTime, Utc};

use super::input::{Email, Form, Lines, NAME_MAX, Username};
use super::{Context, second_factor};
use crate::actor::{SignedInBy, Viewer};
use crate::entity::user::{Model as User, PasswordHash};
use crate::entity::{Role, UserId, UserStatus};
use crate::error::{Error, Result};
use crate::store::{self, Tx};

/// Somebody who has no row yet.
pub(super) struct Newcomer {
    pub username: Username,
    pub email: Email,
    pub password_hash: PasswordHash,
    pub profile: Profile,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub role: Role,
    pub status: UserStatus,
}

/// What people tell of themselves, if they like.
pub(super) struct Profile {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub time_zone: String,
}

impl Profile {
    pub fn read(
        cx: &Context,
        form: &mut Form,
        first_name: Option<&str>,
        last_name: Option<&str>,
        time_zone: Option<&str>,
    ) -> Self {
        Self {
            first_name: form.optional_text("firstName", first_name, NAME_MAX, Lines::One),
            last_name: form.optional_text("lastName", last_name, NAME_MAX, Lines::One),
            time_zone: form.time_zone(time_zone, cx.settings.time_zone),
        }
    }
}

/// A newcomer as they see themselves in the answer that tells them of their account. A role that asks
/// for a second factor is held back in it, as it will be at their first log-in.
pub fn viewer(cx: &Context, user: &User) -> Viewer {
    let viewer = Viewer {
        id: user.id,
        role: user.role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::SignUp,
    };
    second_factor::in_force(cx, viewer, false)
}

/// A username for anybody but the house.
pub(super) fn username(form: &mut Form, text: &str) -> Username {
    let username = form.username(text);
    form.refuse_reserved(&username);
    username
}

/// Judges the password last, and together with whatever else is wrong with the form.
pub(super) async fn checked_password(
    cx: &Context,
    mut form: Form,
    password: &str,
    username: &Username,
    email: &Email,
    profile: &Profile,
) -> Result<PasswordHash> {
    let names = [&profile.first_name, &profile.last_name];
    let mut own_words = vec![username.text.as_str(), email.text.as_str()];
    own_words.extend(names.into_iter().filter_map(Option::as_deref));
    if let Some(problem) = cx
        .passwords
        .problem("password", password, &own_words)
        .await?
    {
        form.add(problem);
    }
    form.check()?;
    cx.passwords.hash(password).await
}

impl Newcomer {
    pub fn into_user(self, cx: &Context, now: DateTime<Utc>) -> User {
        User {
            id: UserId(cx.new_id(now)),
            username: self.username.text,
            username_key: self.username.key,
            username_skeleton: self.username.skeleton,
            email: self.email.text,
            email_key: self.email.key,
            email_verified_at: self.email_verified_at,
            password_hash: self.password_hash,
            first_name: self.profile.first_name,
            last_name: self.profile.last_name,
            role: self.role,
            status: self.status,
            time_zone: self.profile.time_zone,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Tells all at once what of a user somebody else has.
pub(super) async fn refuse_taken(tx: &Tx, user: &User) -> Result<()> {
    let problems = store::user::find_taken(tx, user).await?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(problems))
    }
}
