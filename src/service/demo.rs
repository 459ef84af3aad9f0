//! Sample people and tasks, for looking around. For the command line only.

use chrono::{DateTime, TimeDelta, Utc};

use super::Context;
use super::input::Form;
use super::newcomer::{Newcomer, Profile};
use super::user::pending_approval;
use crate::entity::task::Model as Task;
use crate::entity::user::PasswordHash;
use crate::entity::{Role, TaskId, TaskStatus, UserId, UserStatus};
use crate::error::{Error, Result};
use crate::store::{self, Tx};

/// Username, first and last name, role, status, time zone.
type Person = (
    &'static str,
    &'static str,
    &'static str,
    Role,
    UserStatus,
    &'static str,
);

const PEOPLE: &[Person] = &[
    (
        "ada",
        "Ada",
        "Lovelace",
        Role::Admin,
        UserStatus::Active,
        "Europe/London",
    ),
    (
        "grace",
        "Grace",
        "Hopper",
        Role::Manager,
        UserStatus::Active,
        "America/New_York",
    ),
    (
        "shahid",
        "Shahid",
        "Rahman",
        Role::Employee,
        UserStatus::Active,
        "Asia/Dhaka",
    ),
    (
        "mina",
        "Mina",
        "Okafor",
        Role::Employee,
        UserStatus::Active,
        "Africa/Lagos",
    ),
    (
        "noor",
        "Noor",
        "Haddad",
        Role::Employee,
        UserStatus::Pending,
        "Asia/Beirut",
    ),
    (
        "tomas",
        "Tomás",
        "Silva",
        Role::Employee,
        UserStatus::Pending,
        "America/Sao_Paulo",
    ),
];

/// Title, status, days until the deadline, assignee.
type Work = (&'static str, TaskStatus, Option<i64>, Option<&'static str>);

const TASKS: &[Work] = &[
    (
        "Order chairs for the reading room",
        TaskStatus::Pending,
        Some(3),
        Some("shahid"),
    ),
    (
        "Write down how the printer is reset",
        TaskStatus::InProgress,
        Some(0),
        Some("shahid"),
    ),
    (
        "Renew the insurance",
        TaskStatus::Pending,
        Some(-2),
        Some("mina"),
    ),
    (
        "Translate the welcome page",
        TaskStatus::Completed,
        Some(-1),
        Some("mina"),
    ),
    (
        "Plan the summer party",
        TaskStatus::Pending,
        None,
        Some("grace"),
    ),
    (
        "Find out why the door sticks",
        TaskStatus::Pending,
        Some(14),
        None,
    ),
];

/// Fills a database that has no users; all of the people get this password. Sends no mail.
pub async fn fill(cx: &Context, password: &str) -> Result<()> {
    let hash = cx.passwords.hash(password).await?;
    let now = cx.now();
    let tx = cx.db.begin().await?;
    if store::user::exists_any(&tx).await? {
        return Err(Error::BadUserInput(
            "the database has users; the demo fills an empty one only".into(),
        ));
    }
    let mut ids = std::collections::HashMap::new();
    for person in PEOPLE {
        ids.insert(person.0, insert_person(cx, &tx, person, &hash, now).await?);
    }
    let creator = ids.get("grace").copied();
    for &(title, status, days, assignee) in TASKS {
        let completed_at = (status == TaskStatus::Completed).then_some(now);
        let task = Task {
            id: TaskId(cx.new_id(now)),
            title: title.to_owned(),
            title_key: title.to_lowercase(),
            description: None,
            status,
            deadline: days.map(|days| now + TimeDelta::days(days)),
            assignee_id: assignee.and_then(|name| ids.get(name).copied()),
            created_by: creator,
            created_at: now,
            updated_at: now,
            completed_at,
            version: 1,
        };
        store::task::insert(&tx, task).await?;
    }
    tx.commit().await
}

/// The usernames with their roles, of those who can log in.
pub fn accounts() -> impl Iterator<Item = (&'static str, Role)> {
    PEOPLE
        .iter()
        .filter(|person| person.4 == UserStatus::Active)
        .map(|person| (person.0, person.3))
}

async fn insert_person(
    cx: &Context,
    tx: &Tx,
    &(username, first_name, last_name, role, status, zone): &Person,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> Result<UserId> {
    let mut form = Form::default();
    let username = form.username(username);
    let email = form.email(&format!("{}@example.com", username.text));
    form.check()?;
    let user = Newcomer {
        username,
        email,
        password_hash: hash.clone(),
        profile: Profile {
            first_name: Some(first_name.to_owned()),
            last_name: Some(last_name.to_owned()),
            time_zone: zone.to_owned(),
        },
        email_verified_at: Some(now),
        role,
        status,
    }
    .into_user(cx, now);
    store::user::insert(tx, user.clone()).await?;
    if status == UserStatus::Pending {
        let approval = pending_approval(cx, &user, Role::Employee, now);
        store::approval::insert(tx, approval).await?;
    }
    Ok(user.id)
}
