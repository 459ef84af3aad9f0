//! Log-in, and everything that keeps or ends a session. Whoever holds a session
//! is looked up in the store at each request: nothing about rights is in the
//! token.

use chrono::{DateTime, TimeDelta, Utc};

use super::history::record;
use super::input::login_key;
use super::second_factor::Proof;
use super::{Context, api_token, attempt, job_board, second_factor};
use crate::actor::{Actor, SignedInBy, Viewer};
pub use crate::credential::RefreshToken;
use crate::credential::{AccessToken, ApiToken, Claims, Verdict};
use crate::entity::refresh_token::Model as StoredToken;
use crate::entity::session::Model as Session;
use crate::entity::user::{Model as User, PasswordHash};
use crate::entity::{AccountEventKind, SessionId, UserId, UserStatus};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::event::Event;
use crate::policy;
use crate::store::session::Standing;
use crate::store::{self, Tx};

/// The oldest session beyond these ends at the next log-in (OWASP ASVS 5.0, 7.1.2).
const SESSIONS_MAX: u64 = 50;

/// A refresh token that is presented again this soon, while its successor is unused, gets the
/// same successor: an answer can get lost on the way.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// What a client keeps.
pub struct Tokens {
    pub access: AccessToken,
    pub refresh: RefreshToken,
    /// When the refresh token is of no use any more, unless it is used before.
    pub expires_at: DateTime<Utc>,
}

pub struct LogIn {
    /// Username or e-mail address.
    pub login: String,
    pub password: String,
    /// Of the authenticator app, or a recovery code.
    pub code: Option<String>,
    /// What this browser held so far: its session ends, since the new one takes its place (OWASP
    /// ASVS 5.0, 7.2.4).
    pub replaces: Option<RefreshToken>,
    pub purpose: Purpose,
}

/// What a session is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For a client of the API, which is handed the session's tokens.
    Api,
    /// To look at the job board, for whoever may.
    JobBoard,
}

/// A token that may stand for somebody.
pub enum Presented {
    /// An access token of ours, whose time has not passed.
    Access(Claims),
    /// What looks like an API token. Only the store can tell.
    Api(ApiToken),
    /// A pass of ours to the job board, for this session.
    BoardPass(SessionId),
}

/// None for a token that stands for nobody, whatever is in the store.
pub fn presented(cx: &Context, token: &str) -> Option<Presented> {
    let api_token = ApiToken::parse(token).map(Presented::Api);
    api_token.or_else(|| cx.tokens.verify_access(token).map(Presented::Access))
}

/// Who stands behind this token now. An error only when the store cannot tell.
pub async fn authenticate(cx: &Context, presented: &Presented) -> Result<Actor> {
    let (session_id, user_id) = match presented {
        Presented::Access(claims) => (claims.session_id, Some(claims.user_id)),
        Presented::BoardPass(session_id) => (*session_id, None),
        Presented::Api(token) => return api_token::authenticate(cx, token).await,
    };
    let standing = store::session::find_standing(&cx.db, session_id).await?;
    Ok(standing
        .filter(|standing| standing.is_of(user_id.unwrap_or(standing.user_id), cx.now()))
        .map_or(Actor::Refused, |standing| {
            Actor::User(viewer(cx, session_id, &standing))
        }))
}

/// The user of a session, as far as they may go.
pub(super) fn viewer(cx: &Context, id: SessionId, standing: &Standing) -> Viewer {
    let viewer = Viewer {
        id: standing.user_id,
        role: standing.role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::Session(id),
    };
    second_factor::in_force(cx, viewer, standing.second_factor_enabled_at.is_some())
}

/// Who logged in, as they see themselves.
pub struct LoggedIn {
    pub tokens: Tokens,
    pub user: User,
    pub viewer: Viewer,
}

/// Opens a session. An unknown login and a wrong password get the same answer, after the same
/// single run of Argon2; only the right password learns why an account is closed, or that it takes
/// a code besides.
pub async fn log_in(cx: &Context, input: &LogIn) -> Result<LoggedIn> {
    let user = store::user::find_by_login(&cx.db, &login_key(&input.login)).await?;
    match open(cx, input, user.as_ref()).await {
        Err(refusal) => {
            note_failure(cx, user.map(|user| user.id), &refusal).await;
            Err(refusal)
        }
        opened => opened,
    }
}

/// Writes down every attempt that failed, in the same way whether or not there is such an account. A
/// database that takes no writes changes nothing about the answer.
async fn note_failure(cx: &Context, user_id: Option<UserId>, refusal: &Error) {
    let Error::Refused(problems) = refusal else {
        return;
    };
    let kind = problems.iter().find_map(|problem| match problem.code {
        ProblemCode::InvalidCredentials => Some(AccountEventKind::LogInFailed),
        ProblemCode::NotApproved | ProblemCode::Deactivated | ProblemCode::NotAllowed => {
            Some(AccountEventKind::LogInRefused)
        }
        ProblemCode::SecondFactorRequired => Some(AccountEventKind::SecondFactorAsked),
        ProblemCode::InvalidCode => Some(AccountEventKind::SecondFactorFailed),
        _ => None,
    });
    let Some(kind) = kind else { return };
    let written = async {
        let tx = cx.db.begin().await?;
        record(cx, &tx, kind, user_id, None, cx.now()).await?;
        tx.commit().await
    };
    let ip = cx.client.ip.map(tracing::field::display);
    match written.await {
        Ok(()) => tracing::info!(ip, "a log-in was refused"),
        Err(error) => tracing::warn!(%error, ip, "a log-in was refused, and could not be noted"),
    }
}

async fn open(cx: &Context, input: &LogIn, user: Option<&User>) -> Result<LoggedIn> {
    let hash = user.map(|user| &user.password_hash);
    let verdict = cx.passwords.verify(&input.password, hash).await?;
    let (Some(user), Verdict::Right | Verdict::RightButWeak) = (user, verdict) else {
        return Err(wrong());
    };
    check_status(user.status)?;
    let renewed_hash = match verdict {
        Verdict::RightButWeak => Some(cx.passwords.hash(&input.password).await?),
        Verdict::Right | Verdict::Wrong => None,
    };
    let opening = Box::pin(open_session(cx, input, user, renewed_hash));
    if input.code.is_some() {
        attempt::guess_code(cx, user.id, opening).await
    } else {
        opening.await
    }
}

/// For whoever has shown the password of this user.
async fn open_session(
    cx: &Context,
    input: &LogIn,
    user: &User,
    renewed_hash: Option<PasswordHash>,
) -> Result<LoggedIn> {
    let client = &cx.client;
    let now = cx.now();
    let tx = cx.db.begin().await?;
    // The password was checked outside of the transaction; what it was checked against must still
    // stand. If not, it is checked again: of several who log in at once, the first may have
    // renewed the hash.
    let before = store::user::find_to_change(&tx, &Actor::System, user.id)
        .await?
        .filter(|current| current.password_hash == user.password_hash)
        .ok_or_else(|| Error::Contended("the password's hash changed meanwhile".into()))?;
    check_status(before.status)?;
    let code = input.code.as_deref();
    let proof = second_factor::check_log_in(cx, &tx, &before, code, now).await?;
    let mut user = before.clone();
    if let Some(hash) = renewed_hash {
        user.password_hash = hash;
        store::user::update(&tx, &before, &user).await?;
    }
    let session = Session {
        id: SessionId(cx.new_id(now)),
        user_id: user.id,
        created_at: now,
        last_used_at: now,
        expires_at: match input.purpose {
            Purpose::Api => expiry(cx, now, now),
            Purpose::JobBoard => expiry(cx, now, now).min(now + job_board::LIFE),
        },
        ip_address: client.ip.map(|ip| ip.to_string()),
        user_agent: client.user_agent.as_deref().map(str::to_owned),
    };
    let viewer = Viewer {
        id: user.id,
        role: user.role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::Session(session.id),
    };
    let viewer = second_factor::in_force(cx, viewer, proof.is_some());
    job_board::check_log_in(input.purpose, viewer)?;
    if let Some(replaced) = &input.replaces {
        end_session_of(&tx, replaced, now).await?;
    }
    store::session::insert(&tx, session.clone()).await?;
    store::session::delete_oldest_of(&tx, user.id, SESSIONS_MAX).await?;
    let refresh = cx.tokens.first_refresh();
    insert_token(&tx, &refresh, session.id, now).await?;
    let (kind, id) = (AccountEventKind::LoggedIn, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    let access = cx
        .tokens
        .issue_access(user.id, session.id, session.expires_at)?;
    tx.commit().await?;
    if proof == Some(Proof::RecoveryCode) {
        cx.events.publish(Event::JobsDue);
    }
    tracing::info!(user = %user.id, session = %session.id, ip = client.ip.map(tracing::field::display), "somebody logged in");
    Ok(LoggedIn {
        tokens: Tokens {
            access,
            refresh,
            expires_at: session.expires_at,
        },
        viewer,
        user,
    })
}

fn wrong() -> Error {
    Error::refused(
        ProblemCode::InvalidCredentials,
        "Username, e-mail address or password is wrong.",
    )
}

fn check_status(status: UserStatus) -> Result<()> {
    match status {
        UserStatus::Active => Ok(()),
        UserStatus::Pending => Err(Error::refused(
            ProblemCode::NotApproved,
            "An admin has not decided on this sign-up yet. A mail will tell.",
        )),
        UserStatus::Rejected => Err(Error::refused(
            ProblemCode::NotApproved,
            "An admin turned this sign-up down.",
        )),
        UserStatus::Deactivated => Err(Error::refused(
            ProblemCode::Deactivated,
            "This account is deactivated. Ask an admin.",
        )),
    }
}

/// Exchanges a refresh token for new tokens. Each is good once: one that is presented again
/// means that two parties hold it, and ends the session for both (RFC 9700, section 4.14).
pub async fn refresh(cx: &Context, presented: &str) -> Result<Tokens> {
    let presented = RefreshToken::parse(presented).ok_or_else(invalid_token)?;
    let now = cx.now();
    let tx = cx.db.begin().await?;
    let token = store::session::find_refresh_token(&tx, &presented.hash())
        .await?
        .ok_or_else(invalid_token)?;
    let session = store::session::find_to_change(&tx, token.session_id)
        .await?
        .filter(|session| session.expires_at > now)
        .ok_or_else(invalid_token)?;
    let active = store::user::find(&tx, &Actor::System, session.user_id)
        .await?
        .is_some_and(|user| user.status == UserStatus::Active);
    if !active {
        return Err(invalid_token());
    }

    let successor = match token.used_at {
        None => {
            let successor = cx.tokens.successor(&presented);
            store::session::mark_refresh_token_used(&tx, &token.token_hash, now).await?;
            insert_token(&tx, &successor, session.id, now).await?;
            Some(successor)
        }
        Some(used_at) if now - used_at <= GRACE => unused_successor(cx, &tx, &presented).await?,
        Some(_) => None,
    };
    let Some(successor) = successor else {
        store::session::delete(&tx, session.user_id, session.id, now).await?;
        let (kind, id) = (AccountEventKind::RefreshTokenReused, Some(session.user_id));
        record(cx, &tx, kind, id, None, now).await?;
        tx.commit().await?;
        tracing::warn!(user = %session.user_id, session = %session.id, "a used refresh token was presented again; its session was ended");
        return Err(invalid_token());
    };
    let expires_at = expiry(cx, session.created_at, now);
    store::session::extend(&tx, session.id, now, expires_at).await?;
    let access = cx
        .tokens
        .issue_access(session.user_id, session.id, expires_at)?;
    tx.commit().await?;
    Ok(Tokens {
        access,
        refresh: successor,
        expires_at,
    })
}

/// What this token was exchanged for, unless that was used already.
async fn unused_successor(
    cx: &Context,
    tx: &Tx,
    presented: &RefreshToken,
) -> Result<Option<RefreshToken>> {
    for successor in cx.tokens.successors(presented) {
        let stored = store::session::find_refresh_token(tx, &successor.hash()).await?;
        if let Some(stored) = stored {
            return Ok(stored.used_at.is_none().then_some(successor));
        }
    }
    Ok(None)
}

/// Ends the actor's session, or all of theirs.
/// `kept` is what the browser keeps besides, perhaps of an earlier log-in: it forgets that, too.
pub async fn log_out(
    cx: &Context,
    actor: &Actor,
    kept: Option<&RefreshToken>,
    everywhere: bool,
) -> Result<()> {
    let viewer = actor.viewer().ok_or(Error::Unauthenticated)?;
    let (tx, _) = cx.begin(actor).await?;
    if let Some(session_id) = viewer.session_id() {
        store::session::delete(&tx, viewer.id, session_id, cx.now()).await?;
    }
    if let Some(kept) = kept {
        end_session_of(&tx, kept, cx.now()).await?;
    }
    finish_log_out(cx, tx, viewer.id, everywhere).await
}

/// As `log_out`, for whoever holds a refresh token and no access token any more. A used one will
/// do for its own session, which is better ended than left to two who know of it, but not for
/// others.
pub async fn log_out_by_token(cx: &Context, token: &RefreshToken, everywhere: bool) -> Result<()> {
    let tx = cx.db.begin().await?;
    let ended = end_session_of(&tx, token, cx.now())
        .await?
        .ok_or(Error::Unauthenticated)?;
    finish_log_out(cx, tx, ended.user_id, everywhere && ended.token_was_good).await
}

async fn finish_log_out(cx: &Context, tx: Tx, user_id: UserId, everywhere: bool) -> Result<()> {
    let kind = if everywhere {
        store::session::delete_all_of(&tx, user_id, None).await?;
        AccountEventKind::LoggedOutEverywhere
    } else {
        AccountEventKind::LoggedOut
    };
    let (id, now) = (Some(user_id), cx.now());
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    tracing::info!(user = %user_id, everywhere, "somebody logged out");
    Ok(())
}

/// A session that was ended by one of its tokens.
struct Ended {
    user_id: UserId,
    /// Whether the token could have been exchanged for another one.
    token_was_good: bool,
}

/// Ends the session that this token is of. None when there is none.
async fn end_session_of(
    tx: &Tx,
    token: &RefreshToken,
    now: DateTime<Utc>,
) -> Result<Option<Ended>> {
    let Some(token) = store::session::find_refresh_token(tx, &token.hash()).await? else {
        return Ok(None);
    };
    let Some(session) = store::session::find_to_change(tx, token.session_id).await? else {
        return Ok(None);
    };
    let ended = store::session::delete(tx, session.user_id, session.id, now).await?;
    Ok(ended.then_some(Ended {
        user_id: session.user_id,
        token_was_good: token.used_at.is_none(),
    }))
}

/// Ends one of the actor's own sessions.
pub async fn revoke(
    cx: &Context,
    actor: &Actor,
    session_id: Option<SessionId>,
) -> Result<SessionId> {
    let viewer = actor.viewer().ok_or(Error::Unauthenticated)?;
    let not_found = || Problem::not_found("sessionId", "session");
    let session_id = session_id.ok_or_else(not_found)?;
    let now = cx.now();
    let (tx, _) = cx.begin(actor).await?;
    if !store::session::delete(&tx, viewer.id, session_id, now).await? {
        return Err(not_found().into());
    }
    let (kind, id) = (AccountEventKind::SessionRevoked, Some(viewer.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    tracing::info!(user = %viewer.id, session = %session_id, "a session was revoked");
    Ok(session_id)
}

/// Ends every session and API token of somebody, for an admin.
pub async fn revoke_all_of(cx: &Context, actor: &Actor, user_id: Option<UserId>) -> Result<User> {
    let now = cx.now();
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let user = super::user::find(&tx, &actor, user_id).await?;
    policy::user::may_revoke_sessions(&actor).map_err(|refusal| refusal.at("userId"))?;
    store::session::delete_all_of(&tx, user.id, None).await?;
    store::api_token::delete_all_of(&tx, user.id).await?;
    let kind = AccountEventKind::SessionsRevoked;
    record(cx, &tx, kind, Some(user.id), actor.user_id(), now).await?;
    tx.commit().await?;
    tracing::info!(user = %user.id, by = actor.user_id().map(tracing::field::display), "all sessions of a user were revoked");
    Ok(user)
}

/// A session lasts while it is used, but never longer than its absolute life.
fn expiry(cx: &Context, created_at: DateTime<Utc>, used_at: DateTime<Utc>) -> DateTime<Utc> {
    (used_at + cx.settings.refresh_token_ttl).min(created_at + cx.settings.session_max_age)
}

async fn insert_token(
    tx: &Tx,
    token: &RefreshToken,
    session_id: SessionId,
    now: DateTime<Utc>,
) -> Result<()> {
    let stored = StoredToken {
        token_hash: token.hash(),
        session_id,
        created_at: now,
        used_at: None,
    };
    store::session::insert_refresh_token(tx, stored).await
}

fn invalid_token() -> Error {
    Problem::new(
        "refreshToken",
        ProblemCode::InvalidToken,
        "This token is unknown, used or expired. Log in again.",
    )
    .into()
}
