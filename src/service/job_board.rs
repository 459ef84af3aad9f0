//! The way to the job board. An admin logs in by a form, which opens a session of
//! its own, and their browser keeps a pass that names it. The session is one among
//! the others of that person: whatever ends those ends it, too, at the next
//! request. Nobody is handed its tokens, so it can neither be used elsewhere nor be
//! kept going.

use chrono::{DateTime, TimeDelta, Utc};

use super::session::{self, LogIn, Presented, Purpose};
use super::{Context, attempt};
use crate::actor::{Actor, Viewer};
pub use crate::credential::BoardPass;
use crate::error::{Error, ProblemCode, Result};
use crate::policy;

/// A working day. What shows everything that the queue does is not left open for a month.
pub(super) const LIFE: TimeDelta = TimeDelta::hours(12);

/// What the form sends.
pub struct Form {
    /// Username or e-mail address.
    pub login: String,
    pub password: String,
    /// Of the authenticator app, or a recovery code.
    pub code: Option<String>,
}

/// Who got in.
pub struct Opened {
    pub pass: BoardPass,
    pub expires_at: DateTime<Utc>,
}

/// Lets an admin in, by the rules and limits of every log-in.
pub async fn log_in(cx: &Context, form: Form) -> Result<Opened> {
    let input = LogIn {
        login: form.login,
        password: form.password,
        code: form.code,
        replaces: None,
        purpose: Purpose::JobBoard,
    };
    let verb = Box::pin(cx.retried(|| session::log_in(cx, &input)));
    let opened = attempt::log_in(cx, &input.login, verb).await?;
    let session_id = opened.viewer.session_id().ok_or(Error::Unauthenticated)?;
    Ok(Opened {
        pass: cx.tokens.board_pass(session_id),
        expires_at: opened.tokens.expires_at,
    })
}

/// None for a pass that is not one of ours. Who stands behind it now is for `session::authenticate`
/// to say.
pub fn presented(cx: &Context, pass: &str) -> Option<Presented> {
    cx.tokens.verify_board_pass(pass).map(Presented::BoardPass)
}

/// Refuses whoever may not see the board now.
pub fn check(actor: &Actor) -> Result<()> {
    policy::job_board::may_see(actor)
        .map_err(|refusal| Error::refused(ProblemCode::NotAllowed, refusal.0))
}

/// As `check`, for somebody who is about to have a session for this.
pub(super) fn check_log_in(purpose: Purpose, viewer: Viewer) -> Result<()> {
    match purpose {
        Purpose::Api => Ok(()),
        Purpose::JobBoard => check(&Actor::User(viewer)),
    }
}
