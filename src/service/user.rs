//! Verbs on people: signing up, one's own profile, and what admins and managers
//! do to others.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Context;
use super::delivery::{Notice, enqueue};
use super::email_confirmation;
use super::history::{Grant, record, record_grant};
use super::input::{Form, Lines, NAME_MAX, Patch, Username};
use super::newcomer::{self, Newcomer, Profile, checked_password, refuse_taken};
use super::password::{check_still_proven, prove};
use crate::actor::Actor;
use crate::entity::approval::Model as Approval;
use crate::entity::user::Model as User;
use crate::entity::{
    AccountEventKind, ApprovalDecision, ApprovalId, MailKind, Role, UserId, UserStatus,
};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::event::Event;
use crate::policy;
use crate::store::{self, Tx};

#[derive(Clone)]
pub struct SignUp {
    pub username: String,
    pub email: String,
    pub password: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub requested_role: Option<Role>,
    pub time_zone: Option<String>,
}

/// Adds a user who waits for an admin's decision, with the welcome mail.
pub async fn sign_up(cx: &Context, input: SignUp) -> Result<User> {
    if !cx.settings.sign_up_open {
        return Err(Error::refused(
            ProblemCode::NotAllowed,
            "This server takes no sign-ups. Ask an admin.",
        ));
    }
    let mut form = Form::default();
    let username = newcomer::username(&mut form, &input.username);
    let email = form.email(&input.email);
    form.refuse_other_domains(&email, &cx.settings.sign_up_domains);
    let profile = Profile::read(
        cx,
        &mut form,
        input.first_name.as_deref(),
        input.last_name.as_deref(),
        input.time_zone.as_deref(),
    );
    let requested_role = input.requested_role.unwrap_or(Role::Employee);
    if requested_role == Role::Admin {
        form.problem(
            "requestedRole",
            ProblemCode::Invalid,
            "Ask for EMPLOYEE or MANAGER; only an admin can make admins.",
        );
    }
    let password_hash =
        checked_password(cx, form, &input.password, &username, &email, &profile).await?;

    let now = cx.now();
    let user = Newcomer {
        username,
        email,
        password_hash,
        profile,
        email_verified_at: None,
        role: Role::Employee,
        status: UserStatus::Pending,
    }
    .into_user(cx, now);
    let approval = pending_approval(cx, &user, requested_role, now);
    let tx = cx.db.begin().await?;
    refuse_taken(&tx, &user).await?;
    store::user::insert(&tx, user.clone()).await?;
    store::approval::insert(&tx, approval).await?;
    let confirmation = email_confirmation::issue(cx, &tx, user.id, now).await?;
    let notice = Notice {
        kind: MailKind::Welcome,
        cause: user.id.to_string(),
        params: json!({ "email_confirmation_id": confirmation }),
    };
    enqueue(cx, &tx, Some(&user), notice, now).await?;
    let admins = store::user::list_active_admins(&tx).await?;
    store::plan::gather(&tx, &admins, MailKind::ApprovalWaiting, now).await?;
    let (kind, id) = (AccountEventKind::SignedUp, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, "somebody signed up");
    Ok(user)
}

pub struct CreateAdmin {
    pub username: String,
    pub email: String,
    pub password: String,
}

/// Adds an active admin. For the command line only: no request reaches it. The address counts as
/// confirmed: whoever runs the command vouches for it, often before any mail can be sent.
pub async fn create_admin(cx: &Context, input: CreateAdmin) -> Result<User> {
    let mut form = Form::default();
    let username = form.username(&input.username);
    let email = form.email(&input.email);
    let profile = Profile::read(cx, &mut form, None, None, None);
    let password_hash =
        checked_password(cx, form, &input.password, &username, &email, &profile).await?;
    let now = cx.now();
    let user = Newcomer {
        username,
        email,
        password_hash,
        profile,
        email_verified_at: Some(now),
        role: Role::Admin,
        status: UserStatus::Active,
    }
    .into_user(cx, now);
    let tx = cx.db.begin().await?;
    refuse_taken(&tx, &user).await?;
    store::user::insert(&tx, user.clone()).await?;
    let kind = AccountEventKind::AdminCreated;
    record(cx, &tx, kind, Some(user.id), None, now).await?;
    tx.commit().await?;
    tracing::info!(user = %user.id, "an admin was created from the command line");
    Ok(user)
}

#[derive(Clone)]
pub struct UpdateProfile {
    pub username: Patch<String>,
    pub first_name: Patch<String>,
    pub last_name: Patch<String>,
    pub time_zone: Patch<String>,
}

/// Changes one's own names and time zone. What one may do, and the address that one's password
/// is reset by, are not among them.
pub async fn update_profile(cx: &Context, actor: &Actor, input: UpdateProfile) -> Result<User> {
    let id = actor.signed_in()?.id;
    let mut form = Form::default();
    let username = new_username(&mut form, &input.username);
    let first_name = form.patched_text("firstName", &input.first_name, NAME_MAX, Lines::One);
    let last_name = form.patched_text("lastName", &input.last_name, NAME_MAX, Lines::One);
    let time_zone = match &input.time_zone {
        Patch::Absent => None,
        Patch::Null => Some(form.time_zone(None, cx.settings.time_zone)),
        Patch::Set(text) => Some(form.time_zone(Some(text), cx.settings.time_zone)),
    };
    if username.is_some()
        && let Err(refusal) = policy::user::may_update_own_username(actor)
    {
        form.replace(refusal.at("username"));
    }
    form.check()?;

    let (tx, _, before) = cx.begin_on_self(actor).await?;
    let mut user = before.clone();
    set_username(&mut user, username);
    first_name.apply_to(&mut user.first_name);
    last_name.apply_to(&mut user.last_name);
    if let Some(time_zone) = time_zone {
        user.time_zone = time_zone;
    }
    let now = cx.now();
    save(&tx, &before, &mut user, now).await?;
    record_changes(cx, &tx, (&before, &user), Some(id), now).await?;
    tx.commit().await?;
    Ok(user)
}

#[derive(Clone)]
pub struct UpdateUser {
    /// None when the id is garbled, which is as good as unknown.
    pub user_id: Option<UserId>,
    pub username: Patch<String>,
    pub email: Patch<String>,
    pub first_name: Patch<String>,
    pub last_name: Patch<String>,
    pub active: Patch<bool>,
    /// The actor's own, for changing their own address.
    pub current_password: Option<String>,
}

impl UpdateUser {
    /// The password by which the actor proves themselves for this, if they do: to be counted as a guess,
    /// by `attempt::prove_password`.
    pub fn proof(&self, actor: &Actor) -> Option<&str> {
        let viewer = actor.viewer()?;
        let moves_own = self.user_id == Some(viewer.id) && !self.email.is_absent();
        let password = self.current_password.as_deref()?;
        // No script changes what its owner logs in with, whatever it knows.
        (moves_own && !viewer.is_script()).then_some(password)
    }
}

/// Changes somebody, as far as the actor's rights over them go. One's own address takes the current
/// password: by a new one, whoever found an open session could have the password reset, and keep the
/// account.
pub async fn update(cx: &Context, actor: &Actor, input: UpdateUser) -> Result<User> {
    let proven = match input.proof(actor) {
        Some(password) => Some(prove(cx, actor, password).await?),
        None => None,
    };
    let mut form = Form::default();
    let username = new_username(&mut form, &input.username);
    let email = form
        .required_patch("email", &input.email)
        .map(|text| form.email(text));
    let first_name = form.patched_text("firstName", &input.first_name, NAME_MAX, Lines::One);
    let last_name = form.patched_text("lastName", &input.last_name, NAME_MAX, Lines::One);
    let active = form.required_patch("active", &input.active).copied();

    let now = cx.now();
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let actor = &actor;
    let before = find(&tx, actor, input.user_id).await?;
    policy::user::may_update(actor, &before).map_err(|refusal| refusal.at("userId"))?;
    let may_update_log_in = policy::user::may_update_log_in(actor, &before);
    for (field, is_absent) in [
        ("username", input.username.is_absent()),
        ("email", input.email.is_absent()),
    ] {
        if !is_absent && let Err(refusal) = may_update_log_in {
            // What is wrong with it otherwise is not for this actor to mend.
            form.replace(refusal.at(field));
        }
    }
    if let Some(proven) = &proven {
        check_still_proven(proven, &before)?;
    } else if may_update_log_in.is_ok()
        && actor.user_id() == Some(before.id)
        && email
            .as_ref()
            .is_some_and(|email| email.text != before.email)
    {
        form.problem(
            "currentPassword",
            ProblemCode::Blank,
            "Type your current password to change your own e-mail address.",
        );
    }
    if active.is_some()
        && let Err(refusal) = policy::user::may_set_active(actor, &before)
    {
        form.replace(refusal.at("active"));
    }
    form.check()?;

    let mut user = before.clone();
    set_username(&mut user, username);
    if let Some(email) = email {
        user.email = email.text;
        user.email_key = email.key;
    }
    first_name.apply_to(&mut user.first_name);
    last_name.apply_to(&mut user.last_name);
    match active {
        Some(true) => user.status = UserStatus::Active,
        Some(false) => user.status = UserStatus::Deactivated,
        None => {}
    }
    let has_moved = user.email_key != before.email_key;
    if has_moved {
        user.email_verified_at = None;
    }
    save(&tx, &before, &mut user, now).await?;
    if user.status == UserStatus::Deactivated && before.status == UserStatus::Active {
        store::session::delete_all_of(&tx, user.id, None).await?;
        store::api_token::delete_all_of(&tx, user.id).await?;
    }
    if user.status != before.status || has_moved {
        store::reset_token::end_all_of(&tx, user.id, now).await?;
    }
    if has_moved {
        email_confirmation::follow_change(cx, &tx, &before, &user, now).await?;
    }
    record_changes(cx, &tx, (&before, &user), actor.user_id(), now).await?;
    tx.commit().await?;
    if has_moved {
        cx.events.publish(Event::JobsDue);
    }
    tracing::info!(user = %user.id, by = actor.user_id().map(tracing::field::display), "a user was changed");
    Ok(user)
}

/// Sets the role of an active user. There is always an active admin left.
pub async fn set_role(
    cx: &Context,
    actor: &Actor,
    user_id: Option<UserId>,
    role: Role,
) -> Result<User> {
    let now = cx.now();
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let actor = &actor;
    let before = find(&tx, actor, user_id).await?;
    policy::user::may_set_role(actor, &before).map_err(|refusal| refusal.at("userId"))?;
    policy::user::may_grant(actor, role).map_err(|refusal| refusal.at("role"))?;
    if before.role == Role::Admin
        && role != Role::Admin
        && store::user::count_other_active_admins(&tx, before.id).await? == 0
    {
        return Err(Problem::new(
            "userId",
            ProblemCode::LastAdmin,
            "This is the last active admin. Make somebody else an admin first.",
        )
        .into());
    }
    let mut user = before.clone();
    user.role = role;
    save(&tx, &before, &mut user, now).await?;
    if before.role == Role::Admin && role != Role::Admin {
        // What an admin offered is void without the right to offer it, also when they get it back.
        store::invitation::revoke_all_by(&tx, user.id, now).await?;
    }
    if role != before.role {
        let kind = AccountEventKind::RoleSet;
        let grant = Grant {
            before: Some(before.role),
            ..role.into()
        };
        record_grant(cx, &tx, kind, grant, Some(user.id), actor.user_id(), now).await?;
    }
    tx.commit().await?;
    tracing::info!(user = %user.id, by = actor.user_id().map(tracing::field::display), role = ?role, "a role was set");
    Ok(user)
}

/// Deletes somebody. Their tasks stay, unassigned; their sessions and waiting mails go.
pub async fn delete(cx: &Context, actor: &Actor, user_id: Option<UserId>) -> Result<UserId> {
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let actor = &actor;
    let user = match user_id {
        Some(id) => store::user::find_to_delete(&tx, actor, id).await?,
        None => None,
    };
    let user = user.ok_or_else(not_found)?;
    policy::user::may_delete(actor, &user).map_err(|refusal| refusal.at("userId"))?;
    let now = cx.now();
    let waiting = store::approval::find_of_user_to_change(&tx, actor, user.id)
        .await?
        .filter(|approval| approval.decision == ApprovalDecision::Pending);
    if let Some(before) = waiting {
        // Nobody could ever decide it once the user is gone.
        let mut approval = before.clone();
        approval.decision = ApprovalDecision::Rejected;
        approval.decided_by = actor.user_id();
        approval.decided_at = Some(now);
        store::approval::update(&tx, &before, &approval).await?;
    }
    store::task::unassign_all_of(&tx, user.id, now).await?;
    store::user::delete(&tx, user.id).await?;
    let kind = AccountEventKind::Deleted;
    record(cx, &tx, kind, Some(user.id), actor.user_id(), now).await?;
    tx.commit().await?;
    tracing::info!(user = %user.id, by = actor.user_id().map(tracing::field::display), "a user was deleted");
    Ok(user.id)
}

/// The decision that somebody waits for.
pub(super) fn pending_approval(
    cx: &Context,
    user: &User,
    requested_role: Role,
    now: DateTime<Utc>,
) -> Approval {
    Approval {
        id: ApprovalId(cx.new_id(now)),
        user_id: Some(user.id),
        requested_role,
        granted_role: None,
        decision: ApprovalDecision::Pending,
        decided_by: None,
        decided_at: None,
        reason: None,
        created_at: now,
    }
}

/// The user as the transaction sees them; one whom the actor may not see is not there.
pub(super) async fn find(tx: &Tx, actor: &Actor, id: Option<UserId>) -> Result<User> {
    let user = match id {
        Some(id) => store::user::find_to_change(tx, actor, id).await?,
        None => None,
    };
    Ok(user.ok_or_else(not_found)?)
}

fn not_found() -> Problem {
    Problem::not_found("userId", "user")
}

async fn save(tx: &Tx, before: &User, user: &mut User, now: DateTime<Utc>) -> Result<()> {
    if user != before {
        if claimed(user) != claimed(before) {
            refuse_taken(tx, user).await?;
        }
        user.updated_at = now;
        store::user::update(tx, before, user).await?;
    }
    Ok(())
}

/// What nobody else may have. What a name looks like can change with its case alone.
fn claimed(user: &User) -> [&str; 3] {
    [&user.username_key, &user.username_skeleton, &user.email_key]
}

/// Records what of a change is about getting in.
async fn record_changes(
    cx: &Context,
    tx: &Tx,
    (before, after): (&User, &User),
    actor_id: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let status = match after.status {
        UserStatus::Deactivated => AccountEventKind::Deactivated,
        UserStatus::Active | UserStatus::Pending | UserStatus::Rejected => {
            AccountEventKind::Reactivated
        }
    };
    for (kind, happened) in [
        (status, before.status != after.status),
        (
            AccountEventKind::UsernameChanged,
            before.username != after.username,
        ),
        (AccountEventKind::EmailChanged, before.email != after.email),
    ] {
        if happened {
            record(cx, tx, kind, Some(after.id), actor_id, now).await?;
        }
    }
    Ok(())
}

fn new_username(form: &mut Form, patch: &Patch<String>) -> Option<Username> {
    let text = form.required_patch("username", patch)?;
    Some(newcomer::username(form, text))
}

fn set_username(user: &mut User, username: Option<Username>) {
    if let Some(username) = username {
        user.username = username.text;
        user.username_key = username.key;
        user.username_skeleton = username.skeleton;
    }
}
