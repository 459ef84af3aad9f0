//! Everything that opens, keeps or ends a session. Whoever holds one is looked up
//! in the store at each request: nothing about rights is in the token.

mod log_in;

pub use log_in::{LogIn, LoggedIn, Purpose, SESSIONS_MAX, log_in};

use chrono::{DateTime, TimeDelta, Utc};

use super::history::record;
use super::{Context, api_token, second_factor};
use crate::actor::{Actor, SignedInBy, Viewer};
pub use crate::credential::RefreshToken;
use crate::credential::{AccessToken, ApiToken, Claims};
use crate::entity::refresh_token::Model as StoredToken;
use crate::entity::session::Model as Session;
use crate::entity::user::Model as User;
use crate::entity::{AccountEventKind, SessionId, UserId, UserStatus};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::policy;
use crate::store::session::Standing;
use crate::store::{self, Tx};

/// A refresh token that is presented again this soon, while its successor is unused, gets the
/// same successor: an answer can get lost on the way.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Used tokens are known for so long, and then by what is in themselves: as long as they may be answered
/// once more, by processes whose clocks differ a little.
const USED_KNOWN: TimeDelta = TimeDelta::minutes(1);

/// What a client keeps.
pub struct Tokens {
    pub access: AccessToken,
    pub refresh: RefreshToken,
    /// When the refresh token is of no use any more, unless it is used before.
    pub expires_at: DateTime<Utc>,
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

/// Exchanges a refresh token for new tokens. Each is good once: one that is presented again
/// means that two parties hold it, and ends the session for both (RFC 9700, section 4.14).
pub async fn refresh(cx: &Context, presented: &str) -> Result<Tokens> {
    let presented = RefreshToken::parse(presented).ok_or_else(invalid_token)?;
    let now = cx.now();
    let tx = cx.db.begin().await?;
    let (session, token) = find_session_of(cx, &tx, &presented)
        .await?
        // Its life may have been made shorter since it was told.
        .filter(|(session, _)| {
            session.expires_at > now && expiry(cx, session.created_at, session.last_used_at) > now
        })
        .ok_or_else(invalid_token)?;
    let active = store::user::find(&tx, &Actor::System, session.user_id)
        .await?
        .is_some_and(|user| user.status == UserStatus::Active);
    if !active {
        return Err(invalid_token());
    }

    let successor = match token {
        Some(StoredToken {
            token_hash,
            used_at: None,
            ..
        }) => {
            let successor = cx.tokens.successor(&presented, session.id);
            store::session::mark_refresh_token_used(&tx, &token_hash, now).await?;
            store::session::delete_used_refresh_tokens(&tx, session.id, now - USED_KNOWN).await?;
            insert_token(&tx, &successor, session.id, now).await?;
            Some(successor)
        }
        Some(StoredToken {
            used_at: Some(used_at),
            ..
        }) if now - used_at <= GRACE => unused_successor(cx, &tx, &presented, session.id).await?,
        _ => None,
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
    session_id: SessionId,
) -> Result<Option<RefreshToken>> {
    for successor in cx.tokens.successors(presented, session_id) {
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
    let viewer = actor.signed_in()?;
    let (tx, _) = cx.begin(actor).await?;
    if let Some(session_id) = viewer.session_id() {
        store::session::delete(&tx, viewer.id, session_id, cx.now()).await?;
    }
    if let Some(kept) = kept {
        end_session_of(cx, &tx, kept, cx.now()).await?;
    }
    finish_log_out(cx, tx, viewer.id, everywhere).await
}

/// As `log_out`, for whoever holds a refresh token and no access token any more. A used one will
/// do for its own session, which is better ended than left to two who know of it, but not for
/// others.
pub async fn log_out_by_token(cx: &Context, token: &RefreshToken, everywhere: bool) -> Result<()> {
    let tx = cx.db.begin().await?;
    let ended = end_session_of(cx, &tx, token, cx.now())
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
    cx: &Context,
    tx: &Tx,
    token: &RefreshToken,
    now: DateTime<Utc>,
) -> Result<Option<Ended>> {
    let Some((session, token)) = find_session_of(cx, tx, token).await? else {
        return Ok(None);
    };
    let ended = store::session::delete(tx, session.user_id, session.id, now).await?;
    Ok(ended.then_some(Ended {
        user_id: session.user_id,
        token_was_good: token.is_some_and(|token| token.used_at.is_none()),
    }))
}

/// The session that this token is of, held, and what is known of the token: nothing when it was used
/// long ago. The session is sought by the token's hash first, so a token that can be used outlives the
/// signing secret that it was made by.
async fn find_session_of(
    cx: &Context,
    tx: &Tx,
    token: &RefreshToken,
) -> Result<Option<(Session, Option<StoredToken>)>> {
    let hash = token.hash();
    let mut session = store::session::find_to_change(tx, &hash).await?;
    if session.is_none()
        && let Some(id) = cx.tokens.session_of(token)
    {
        session = store::session::find_by_id_to_change(tx, id).await?;
    }
    let Some(session) = session else {
        return Ok(None);
    };
    let known = store::session::find_refresh_token(tx, &hash).await?;
    Ok(Some((session, known)))
}

/// Ends one of the actor's own sessions.
pub async fn revoke(
    cx: &Context,
    actor: &Actor,
    session_id: Option<SessionId>,
) -> Result<SessionId> {
    let viewer = actor.signed_in()?;
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
