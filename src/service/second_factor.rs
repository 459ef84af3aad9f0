//! The second factor: setting up an authenticator app, proving oneself by it or
//! by a recovery code, and doing without it again. A code is good once: the step
//! that it is of, or the code itself, is used up in the transaction of whatever
//! it opens.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::delivery::{Notice, enqueue};
use super::history::record;
use super::password::{begin_proven, prove};
use super::{Context, user};
use crate::actor::{Actor, HELD_BACK, Viewer};
pub use crate::credential::RecoveryCode;
use crate::credential::{SecondFactorCode, TotpSecret};
use crate::entity::recovery_code::Model as StoredCode;
use crate::entity::second_factor::Model as SecondFactor;
use crate::entity::user::Model as User;
use crate::entity::{AccountEventKind, MailKind, Role, SecondFactorChange, UserId};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::event::Event;
use crate::policy;
use crate::store::{self, Source, Tx};

/// How long a secret that was started waits for its first code.
pub const PENDING_LIFE: TimeDelta = TimeDelta::minutes(15);

/// A secret for an authenticator app, shown this once.
pub struct Started {
    pub secret: TotpSecret,
    pub uri: String,
}

/// Recovery codes, shown this once, and whose they are.
pub struct Issued {
    pub recovery_codes: Vec<RecoveryCode>,
    pub user: User,
}

/// What somebody proved themselves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Totp,
    RecoveryCode,
}

/// The viewer as far as they may go: where their role needs a second factor that they do not have,
/// it is held back. Looked up at each request, so it counts from the next one on, everywhere.
pub(super) fn in_force(cx: &Context, viewer: Viewer, has_second_factor: bool) -> Viewer {
    if is_required(cx, viewer.role) && !has_second_factor {
        viewer.without_second_factor()
    } else {
        Viewer {
            lacks_second_factor: false,
            ..viewer
        }
    }
}

/// As `in_force`, of people who are not asking: who stand behind an invitation, or are to be mailed.
/// Their rows are to be read, and never written back, since the role in them is the one in force.
pub(super) async fn all_in_force(
    cx: &Context,
    source: &impl Source,
    users: impl IntoIterator<Item = User>,
) -> Result<Vec<User>> {
    let mut users: Vec<User> = users.into_iter().collect();
    let asked: Vec<UserId> = users
        .iter()
        .filter(|user| is_required(cx, user.role))
        .map(|user| user.id)
        .collect();
    if asked.is_empty() {
        return Ok(users);
    }
    let having = store::second_factor::find_enabled(source, &asked).await?;
    for user in &mut users {
        if asked.contains(&user.id) && !having.contains(&user.id) {
            user.role = HELD_BACK;
        }
    }
    Ok(users)
}

fn is_required(cx: &Context, role: Role) -> bool {
    policy::second_factor::is_required(role, cx.settings.admin_second_factor)
}

/// Makes a secret for somebody who knows their password, in the place of one that they started
/// before. Nothing changes until they confirm it.
pub async fn start(cx: &Context, actor: &Actor, current_password: &str) -> Result<Started> {
    let proven = prove(cx, actor, current_password).await?;
    let now = cx.now();
    let secret = cx.second_factors.new_secret();
    let (tx, _, user) = begin_proven(cx, actor, &proven).await?;
    let before = store::second_factor::find_to_change(&tx, user.id).await?;
    if before.is_some_and(|before| before.enabled_at.is_some()) {
        return Err(enabled_already());
    }
    let uri = secret.uri(&user.username)?;
    let encrypted = cx.second_factors.encrypt(user.id, &secret)?;
    let pending = SecondFactor {
        user_id: user.id,
        key_id: encrypted.key_id,
        secret: encrypted.bytes,
        started_at: now,
        enabled_at: None,
        last_step: None,
    };
    store::second_factor::replace_pending(&tx, pending).await?;
    tx.commit().await?;
    Ok(Started { secret, uri })
}

/// Enables the secret by a first code of the app, and makes recovery codes. Ends what the password
/// alone has opened, perhaps to whom the second factor is to keep out: the user's other sessions,
/// their API tokens, and their invitations.
pub async fn confirm(cx: &Context, actor: &Actor, code: &str) -> Result<Issued> {
    let viewer = actor.signed_in()?;
    let code = SecondFactorCode::parse(code);
    let now = cx.now();
    let (tx, _, user) = cx.begin_on_self(actor).await?;
    let pending = store::second_factor::find_to_change(&tx, user.id).await?;
    let pending = match pending {
        Some(row) if row.enabled_at.is_some() => return Err(enabled_already()),
        Some(row) if row.started_at + PENDING_LIFE > now => row,
        _ => {
            return Err(Error::refused(
                ProblemCode::NotAllowed,
                "Nothing waits to be confirmed: what was started expires after 15 minutes. Start \
                 again.",
            ));
        }
    };
    let step = match code {
        Some(SecondFactorCode::Totp(digits)) => matching_step(cx, &pending, &digits, now)?,
        _ => None,
    };
    let Some(step) = step else {
        return Err(invalid_code(
            "This code is wrong. Look at the app again, and see that the phone's clock is right.",
        ));
    };
    if !store::second_factor::enable(&tx, user.id, step, now).await? {
        return Err(enabled_already());
    }
    let recovery_codes = issue_recovery_codes(cx, &tx, user.id, now).await?;
    store::session::delete_all_of(&tx, user.id, viewer.session_id()).await?;
    store::api_token::delete_all_of(&tx, user.id).await?;
    store::invitation::revoke_all_by(&tx, user.id, now).await?;
    if cx.settings.admin_second_factor && user.role == Role::Admin {
        // Of those who signed up while the role was held back, nobody has told them.
        store::plan::gather(&tx, &[user.id], MailKind::ApprovalWaiting, now).await?;
    }
    tell(cx, &tx, &user, SecondFactorChange::Enabled, now).await?;
    let (kind, id) = (AccountEventKind::SecondFactorEnabled, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, "a second factor was enabled");
    Ok(Issued {
        recovery_codes,
        user,
    })
}

/// Goes back to the password alone, and says as what the user is left. Where a second factor is asked
/// of them, their role is held back from then on, until they have set up another one.
pub async fn disable(
    cx: &Context,
    actor: &Actor,
    current_password: &str,
    code: &str,
) -> Result<(User, Viewer)> {
    let proven = prove(cx, actor, current_password).await?;
    let now = cx.now();
    let (tx, actor, user) = begin_proven(cx, actor, &proven).await?;
    let viewer = *actor.signed_in()?;
    use_own_code(cx, &tx, &user, code, now).await?;
    store::second_factor::delete_of(&tx, user.id).await?;
    tell(cx, &tx, &user, SecondFactorChange::Disabled, now).await?;
    let (kind, id) = (AccountEventKind::SecondFactorDisabled, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, "a second factor was disabled");
    Ok((user, in_force(cx, viewer, false)))
}

/// Makes new recovery codes in the place of all earlier ones.
pub async fn regenerate_recovery_codes(
    cx: &Context,
    actor: &Actor,
    current_password: &str,
    code: &str,
) -> Result<Issued> {
    let proven = prove(cx, actor, current_password).await?;
    let now = cx.now();
    let (tx, _, user) = begin_proven(cx, actor, &proven).await?;
    use_own_code(cx, &tx, &user, code, now).await?;
    let recovery_codes = issue_recovery_codes(cx, &tx, user.id, now).await?;
    let change = SecondFactorChange::RecoveryCodesReplaced;
    tell(cx, &tx, &user, change, now).await?;
    let (kind, id) = (AccountEventKind::RecoveryCodesReplaced, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, "recovery codes were replaced");
    Ok(Issued {
        recovery_codes,
        user,
    })
}

/// Takes the second factor of somebody away who has lost phone and codes, and ends their sessions:
/// whoever has the phone now may be in one.
pub async fn reset(cx: &Context, actor: &Actor, user_id: Option<UserId>) -> Result<User> {
    let now = cx.now();
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let user = user::find(&tx, &actor, user_id).await?;
    policy::second_factor::may_reset(&actor, &user).map_err(|refusal| refusal.at("userId"))?;
    if !store::second_factor::delete_of(&tx, user.id).await? {
        return Err(Problem::new(
            "userId",
            ProblemCode::NotAllowed,
            "This user has no second factor.",
        )
        .into());
    }
    store::session::delete_all_of(&tx, user.id, None).await?;
    store::api_token::delete_all_of(&tx, user.id).await?;
    tell(cx, &tx, &user, SecondFactorChange::Reset, now).await?;
    let (kind, by) = (AccountEventKind::SecondFactorReset, actor.user_id());
    record(cx, &tx, kind, Some(user.id), by, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, by = actor.user_id().map(tracing::field::display), "a second factor was reset");
    Ok(user)
}

/// Asks whoever logs in for their second factor, and says what they proved it by; None if they have
/// none. Comes after the password and in the transaction of the session, which holds the user's row.
/// A recovery code is told by mail: call `cx.events.publish(Event::JobsDue)` after the commit.
pub(super) async fn check_log_in(
    cx: &Context,
    tx: &Tx,
    user: &User,
    code: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Proof>> {
    let Some(second_factor) = find_enabled(tx, user.id).await? else {
        return Ok(None);
    };
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        return Err(Error::refused(
            ProblemCode::SecondFactorRequired,
            "Type the code of your authenticator app, or a recovery code.",
        ));
    };
    let proof = use_code(cx, tx, &second_factor, code, now).await?;
    if proof == Proof::RecoveryCode {
        let left = store::second_factor::count_recovery_codes(tx, user.id).await?;
        let change = SecondFactorChange::RecoveryCodeUsed { left };
        tell(cx, tx, user, change, now).await?;
        tracing::info!(user = %user.id, left, "a recovery code was used");
    }
    Ok(Some(proof))
}

/// Encrypts what earlier keys encrypted anew by the current one, so that the earlier signing secrets
/// can be forgotten: the first so many of the users after this one. Says up to which user it went;
/// None when none is left. It goes through all once, whatever cannot be decrypted and whatever
/// another process does at the same time.
pub async fn encrypt_anew(
    cx: &Context,
    after: Option<UserId>,
    limit: u64,
) -> Result<Option<UserId>> {
    let key_ids = cx.second_factors.earlier_key_ids();
    if key_ids.is_empty() {
        return Ok(None);
    }
    let found = store::second_factor::list_encrypted_by(&cx.db, &key_ids, after, limit).await?;
    let Some(last) = found.last().map(|row| row.user_id) else {
        return Ok(None);
    };
    let mut done = 0;
    let tx = cx.db.begin().await?;
    for row in &found {
        let Some(secret) = decrypt(cx, row) else {
            continue;
        };
        let encrypted = cx.second_factors.encrypt(row.user_id, &secret)?;
        // One that was replaced meanwhile has the current key already, or is found the next time.
        let (key_id, bytes) = (encrypted.key_id, encrypted.bytes);
        store::second_factor::update_encryption(&tx, row, key_id, bytes).await?;
        done += 1;
    }
    tx.commit().await?;
    if done > 0 {
        tracing::info!(
            count = done,
            "second factors were encrypted by the current key"
        );
    }
    Ok(Some(last))
}

/// Uses a code of one's own second factor up.
async fn use_own_code(
    cx: &Context,
    tx: &Tx,
    user: &User,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Proof> {
    let second_factor = find_enabled(tx, user.id).await?.ok_or_else(|| {
        Error::refused(
            ProblemCode::NotAllowed,
            "You have no second factor. Set one up first.",
        )
    })?;
    use_code(cx, tx, &second_factor, code, now).await
}

/// Whether somebody could hit upon such a code by trying. Nobody can upon a recovery code, which has
/// 120 random bits: NIST SP 800-63B-4, section 3.1.2.2, asks for no limit from 64 on.
pub(super) fn can_be_guessed(code: &str) -> bool {
    !matches!(
        SecondFactorCode::parse(code),
        Some(SecondFactorCode::Recovery(_))
    )
}

/// Of several that come with one code at once, the first to get here uses it up for the others.
async fn use_code(
    cx: &Context,
    tx: &Tx,
    second_factor: &SecondFactor,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Proof> {
    let user_id = second_factor.user_id;
    let (proof, is_good) = match SecondFactorCode::parse(code) {
        Some(SecondFactorCode::Totp(digits)) => {
            let is_good = match matching_step(cx, second_factor, &digits, now)? {
                Some(step) => store::second_factor::use_step(tx, user_id, step).await?,
                None => false,
            };
            (Proof::Totp, is_good)
        }
        Some(SecondFactorCode::Recovery(code)) => {
            let hash = code.hash();
            let is_good = store::second_factor::use_recovery_code(tx, user_id, &hash, now).await?;
            (Proof::RecoveryCode, is_good)
        }
        None => (Proof::Totp, false),
    };
    if !is_good {
        return Err(invalid_code(
            "This code is wrong, was used before, or has expired. Type the next one.",
        ));
    }
    if proof == Proof::RecoveryCode {
        let (kind, id) = (AccountEventKind::RecoveryCodeUsed, Some(user_id));
        record(cx, tx, kind, id, id, now).await?;
    }
    Ok(proof)
}

fn matching_step(
    cx: &Context,
    second_factor: &SecondFactor,
    digits: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    match decrypt(cx, second_factor) {
        Some(secret) => secret.matching_step(digits, now),
        // Recovery codes still work, and whoever has one can set the app up again.
        None => Ok(None),
    }
}

fn decrypt(cx: &Context, row: &SecondFactor) -> Option<TotpSecret> {
    let (user_id, key_id) = (row.user_id, row.key_id.as_str());
    let secret = cx.second_factors.decrypt(user_id, key_id, &row.secret);
    if secret.is_none() {
        tracing::warn!(user = %user_id, key_id, "a second factor cannot be decrypted: the signing secret that it was encrypted under is not among JWT_SECRET and JWT_PREVIOUS_SECRETS, or the row was changed");
    }
    secret
}

async fn issue_recovery_codes(
    cx: &Context,
    tx: &Tx,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<RecoveryCode>> {
    let codes = cx.second_factors.new_recovery_codes();
    let stored = codes.iter().map(|code| StoredCode {
        code_hash: code.hash(),
        user_id,
        created_at: now,
        used_at: None,
    });
    store::second_factor::replace_recovery_codes(tx, user_id, stored.collect()).await?;
    Ok(codes)
}

async fn find_enabled(tx: &Tx, user_id: UserId) -> Result<Option<SecondFactor>> {
    let found = store::second_factor::find_to_change(tx, user_id).await?;
    Ok(found.filter(|row| row.enabled_at.is_some()))
}

/// Mails the owner what happened, whoever did it.
async fn tell(
    cx: &Context,
    tx: &Tx,
    user: &User,
    change: SecondFactorChange,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut params = match serde_json::to_value(change).map_err(Error::internal)? {
        Value::Object(params) => params,
        _ => Map::new(),
    };
    params.insert(
        "at".into(),
        serde_json::to_value(now).map_err(Error::internal)?,
    );
    let notice = Notice {
        kind: MailKind::SecondFactorChanged,
        cause: cx.new_id(now).to_string(),
        params: Value::Object(params),
    };
    enqueue(cx, tx, Some(user), notice, now).await
}

fn enabled_already() -> Error {
    Error::refused(
        ProblemCode::NotAllowed,
        "You have a second factor already. Disable it first.",
    )
}

fn invalid_code(message: &str) -> Error {
    Problem::new("code", ProblemCode::InvalidCode, message).into()
}
