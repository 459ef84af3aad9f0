//! Log-in: whoever shows the password, and the code where there is a second
//! factor, gets a session. What is wrong is told only to whom it belongs.

use super::{Tokens, end_session_of, expiry, insert_token};
use crate::actor::{Actor, SignedInBy, Viewer};
use crate::credential::{RefreshToken, Verdict};
use crate::entity::session::Model as Session;
use crate::entity::user::{Model as User, PasswordHash};
use crate::entity::{AccountEventKind, SessionId, UserId, UserStatus};
use crate::error::{Error, ProblemCode, Result};
use crate::event::Event;
use crate::service::history::record;
use crate::service::input::login_key;
use crate::service::second_factor::Proof;
use crate::service::{Context, attempt, job_board, second_factor};
use crate::store;

/// The oldest session beyond these ends at the next log-in (OWASP ASVS 5.0, 7.1.2).
pub const SESSIONS_MAX: u64 = 50;

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
    let is_noted = match (kind, user_id) {
        (AccountEventKind::SecondFactorAsked | AccountEventKind::SecondFactorFailed, Some(id)) => {
            attempt::is_code_failure_noted(cx, id).await
        }
        _ => true,
    };
    let written = async {
        if !is_noted {
            return Ok(());
        }
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
    match input.code.as_deref() {
        Some(code) if !code.trim().is_empty() => {
            attempt::guess_code(cx, user.id, code, opening).await
        }
        _ => opening.await,
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
        end_session_of(cx, &tx, replaced, now).await?;
    }
    store::session::insert(&tx, session.clone()).await?;
    store::session::delete_oldest_of(&tx, user.id, SESSIONS_MAX).await?;
    let refresh = cx.tokens.first_refresh(session.id);
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
