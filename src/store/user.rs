//! People. An employee sees themselves and everyone who was let in; managers
//! and admins see everyone.

use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, SqlErr,
};

use super::among::among;
use super::change::changed;
use super::page::Sort;
use super::search;
use super::visible::nothing;
use super::{Engine, Page, Source, Tx, Window, plan};
use crate::actor::Actor;
use crate::entity::user::{Column, Entity, Model};
use crate::entity::{Role, UserId, UserStatus};
use crate::error::{Error, Problem, ProblemCode, Result};

/// Which users a list is about; None is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserFilter {
    pub role: Option<Vec<Role>>,
    pub status: Option<Vec<UserStatus>>,
    pub search: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserOrderField {
    CreatedAt,
    Username,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserOrder {
    pub field: UserOrderField,
    pub descending: bool,
}

/// The rows that exist for this actor.
fn visible_to(actor: &Actor) -> Condition {
    match actor {
        Actor::System => Condition::all(),
        Actor::User(viewer) if viewer.role >= Role::Manager => Condition::all(),
        // Put as "none but", which no index answers: hardly anybody is left out, so SQLite would
        // sort everybody for a page.
        Actor::User(viewer) => Condition::all()
            .add(Column::Id.ne(viewer.id))
            .add(Column::Status.is_not_in([UserStatus::Active, UserStatus::Deactivated]))
            .not(),
        Actor::Anonymous | Actor::Refused => nothing(),
    }
}

fn select(engine: Engine, actor: &Actor, filter: &UserFilter) -> Select<Entity> {
    let mut select = Entity::find().filter(visible_to(actor));
    if let Some(roles) = &filter.role {
        select = select.filter(among(Column::Role, roles, Role::Employee));
    }
    if let Some(statuses) = &filter.status {
        select = select.filter(among(Column::Status, statuses, UserStatus::Active));
    }
    if let Some(text) = &filter.search {
        select = select.filter(search::matches(engine, "users", text));
    }
    select
}

pub async fn find(source: &impl Source, actor: &Actor, id: UserId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .filter(visible_to(actor))
        .one(source.connection())
        .await?)
}

/// The row as it stands in this transaction, held against other writers until its end. Others may
/// write rows that refer to it meanwhile, such as tasks, mails and sessions.
pub async fn find_to_change(tx: &Tx, actor: &Actor, id: UserId) -> Result<Option<Model>> {
    find_locked(tx, actor, id, LockType::NoKeyUpdate).await
}

/// As `find_to_change`, held also against those who write rows that refer to it: whatever they write
/// is there before the user goes, or not at all.
pub async fn find_to_delete(tx: &Tx, actor: &Actor, id: UserId) -> Result<Option<Model>> {
    find_locked(tx, actor, id, LockType::Update).await
}

/// Kept from being deleted until the transaction's end, so that rows can refer to it. It may be
/// changed meanwhile, and waits for nobody but whoever deletes it: two people can refer to each other
/// at once.
pub async fn find_to_refer_to(tx: &Tx, actor: &Actor, id: UserId) -> Result<Option<Model>> {
    find_locked(tx, actor, id, LockType::KeyShare).await
}

async fn find_locked(tx: &Tx, actor: &Actor, id: UserId, lock: LockType) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id)
        .filter(visible_to(actor))
        .lock(lock)
        .one(tx.connection())
        .await?)
}

pub async fn find_many(source: &impl Source, actor: &Actor, ids: &[UserId]) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(visible_to(actor))
        .all(source.connection())
        .await?)
}

/// These people, kept from being changed or deleted until the transaction's end, for who writes down
/// what their rows say, but for those whom somebody is changing just now.
pub async fn find_many_to_keep(tx: &Tx, ids: &[UserId]) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .lock_with_behavior(LockType::Share, LockBehavior::SkipLocked)
        .all(tx.connection())
        .await?)
}

/// By case-folded username or e-mail address. For the log-in and the like, which have no actor yet.
pub async fn find_by_login(source: &impl Source, key: &str) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(
            Condition::any()
                .add(Column::UsernameKey.eq(key))
                .add(Column::EmailKey.eq(key)),
        )
        .one(source.connection())
        .await?)
}

/// By the key of the e-mail address. For the password reset, which has no actor.
pub async fn find_by_email(source: &impl Source, key: &str) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::EmailKey.eq(key))
        .one(source.connection())
        .await?)
}

pub async fn list(
    source: &impl Source,
    actor: &Actor,
    filter: &UserFilter,
    order: UserOrder,
    window: &Window,
) -> Result<Page<Model>> {
    let column = match order.field {
        UserOrderField::CreatedAt => Column::CreatedAt,
        UserOrderField::Username => Column::UsernameKey,
    };
    let sort = Sort {
        key: Expr::col(column),
        id: Expr::col(Column::Id),
        descending: order.descending,
        missing: None,
    };
    let rows = sort
        .apply(select(source.engine(), actor, filter), window)
        .all(source.connection())
        .await?;
    Ok(Page::new(rows, window))
}

pub async fn count(source: &impl Source, actor: &Actor, filter: &UserFilter) -> Result<u64> {
    Ok(select(source.engine(), actor, filter)
        .count(source.connection())
        .await?)
}

/// Whether there is any user at all.
pub async fn exists_any(source: &impl Source) -> Result<bool> {
    Ok(Entity::find()
        .limit(1)
        .one(source.connection())
        .await?
        .is_some())
}

/// Active admins other than this user.
pub async fn count_other_active_admins(tx: &Tx, id: UserId) -> Result<u64> {
    Ok(Entity::find()
        .filter(Column::Role.eq(Role::Admin))
        .filter(Column::Status.eq(UserStatus::Active))
        .filter(Column::Id.ne(id))
        .count(tx.connection())
        .await?)
}

/// All active admins, in one order, so that no two who write to all of them wait for each other.
pub async fn list_active_admins(tx: &Tx) -> Result<Vec<UserId>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Role.eq(Role::Admin))
        .filter(Column::Status.eq(UserStatus::Active))
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(tx.connection())
        .await?)
}

/// The problems with these names and this address of a user: whoever else has one of them. The
/// database decides in the end; this tells all problems at once.
pub async fn find_taken(tx: &Tx, user: &Model) -> Result<Vec<Problem>> {
    let others = Entity::find()
        .filter(Column::Id.ne(user.id))
        .filter(
            Condition::any()
                .add(Column::UsernameKey.eq(&user.username_key))
                .add(Column::UsernameSkeleton.eq(&user.username_skeleton))
                .add(Column::EmailKey.eq(&user.email_key)),
        )
        .all(tx.connection())
        .await?;
    let has_username = others.iter().any(|other| {
        other.username_key == user.username_key || other.username_skeleton == user.username_skeleton
    });
    let has_email = others.iter().any(|other| other.email_key == user.email_key);
    let problems = [(has_username, username_taken()), (has_email, email_taken())];
    Ok(problems
        .into_iter()
        .filter_map(|(is_taken, problem)| is_taken.then_some(problem))
        .collect())
}

/// Adds a user, for whom the planner looks out from now on; a name or address that is taken is a
/// problem of its field.
pub async fn insert(tx: &Tx, user: Model) -> Result<()> {
    let (id, now) = (user.id, user.created_at);
    Entity::insert(user.into_active_model().reset_all())
        .exec_without_returning(tx.connection())
        .await
        .map_err(|error| taken(&error).unwrap_or_else(|| error.into()))?;
    plan::insert_of(tx, id, now).await
}

/// Writes what differs; a name or address that is taken is a problem of its field.
pub async fn update(tx: &Tx, before: &Model, after: &Model) -> Result<()> {
    if before == after {
        return Ok(());
    }
    Entity::update(changed::<Entity>(before, after))
        .exec(tx.connection())
        .await
        .map_err(|error| taken(&error).unwrap_or_else(|| error.into()))?;
    let is_told_anew = before.status != after.status;
    if is_told_anew || (before.role, &before.time_zone) != (after.role, &after.time_zone) {
        plan::look_again(tx, after.id, is_told_anew, after.updated_at).await?;
    }
    Ok(())
}

pub async fn delete(tx: &Tx, id: UserId) -> Result<()> {
    Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}

/// The database decides what is unique, so that two at once cannot both be told that a name is free.
fn taken(error: &sea_orm::DbErr) -> Option<Error> {
    let Some(SqlErr::UniqueConstraintViolation(constraint)) = error.sql_err() else {
        return None;
    };
    if constraint.contains("email") {
        Some(email_taken().into())
    } else if constraint.contains("username") {
        Some(username_taken().into())
    } else {
        None
    }
}

fn username_taken() -> Problem {
    Problem::new(
        "username",
        ProblemCode::UsernameTaken,
        "This username, or one that looks like it, is taken. Choose another.",
    )
}

fn email_taken() -> Problem {
    Problem::new(
        "email",
        ProblemCode::EmailTaken,
        "This e-mail address has an account already. Log in, or reset the password.",
    )
}
