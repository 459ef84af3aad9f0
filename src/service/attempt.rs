//! What is tried, and held to the limits of `limit` before anything is done: how
//! often by whom, and, where a password is checked, how long after wrong ones.
//! Resolvers pass the verb in, `retried` and all, so that what the database makes
//! it do again counts once.
//!
//! Whether there is such an account makes no difference to any of it: names are
//! counted as they were typed, in their normal form, and no statement is sent for
//! one that is not sent for the other.

mod step;

use tokio::time::Instant;

use crate::actor::Actor;
use crate::entity::UserId;
use crate::entity::user::Model as User;
use crate::error::{Error, ProblemCode, Result};
use crate::limit::{Guess, Limit, Refused, Source, Subject};
use crate::store;

use super::input::login_key;
use super::session::LoggedIn;
use super::{Client, Context, second_factor};
use step::at_full_step;

/// A request to the GraphQL endpoint, of whoever turned out to have sent it.
pub async fn request(cx: &Context, actor: &Actor, client: &Client) -> Result<()> {
    match actor {
        Actor::User(viewer) => {
            let user = Subject::User(viewer.id);
            let by_user = (Limit::RequestByUser, user);
            if viewer.is_script() {
                // A token that got into wrong hands shall not keep its owner from ending it.
                return take(cx, [(Limit::RequestByScripts, user), by_user]).await;
            }
            take(cx, [by_user]).await
        }
        Actor::Anonymous | Actor::Refused => {
            let source = Subject::Source(Source::of(client.ip));
            take(cx, [(Limit::RequestBySource, source)]).await
        }
        Actor::System => Ok(()),
    }
}

pub async fn log_in(
    cx: &Context,
    login: &str,
    verb: impl Future<Output = Result<LoggedIn>>,
) -> Result<LoggedIn> {
    let began = Instant::now();
    let (name, source) = (login_key(login), source(cx));
    let by_account = (Limit::LogInByAccount, Subject::NameFrom(&name, source));
    let by_source = (Limit::LogInBySource, Subject::Source(source));
    take(cx, [by_account, by_source]).await?;
    let guess = guess(cx, &name);
    if let Err(error) = start(cx, &guess, &name).await {
        // The sessions of the account may have been looked through, and nobody has any.
        return at_full_step(began, Err(error)).await;
    }
    let outcome = verb.await;
    match &outcome {
        Ok(opened) => forgive(cx, &opened.user, &[guess]).await,
        Err(error) => settle(cx, &guess, error).await,
    }
    match &outcome {
        Err(error) if is_refused_with(error, &[ProblemCode::InvalidCredentials]) => {
            at_full_step(began, outcome).await
        }
        _ => outcome,
    }
}

/// Lets a guess at a password begin that neither the wrong ones before it nor the mass of all log-ins
/// hold up.
async fn start(cx: &Context, guess: &Guess, name: &str) -> Result<()> {
    let account = Account::Named(name);
    let is_known = start_guess(cx, guess, account).await?;
    let joined = join_the_mass(cx, account, is_known).await;
    if joined.is_err() {
        // Whatever it was, an outage included: nobody comes to judge this guess.
        cx.limiter.take_back(guess).await;
    }
    joined
}

/// The mass of all log-ins is strangers' doing, so it does not hold for a source that the account knows.
async fn join_the_mass(cx: &Context, account: Account<'_>, is_known: bool) -> Result<()> {
    let everybody = [(Limit::LogInByStrangers, Subject::Everybody)];
    match cx.limiter.take(everybody).await {
        Err(refused) if !is_known && !knows_source(cx, account).await? => {
            Err(cx.limiter.refuse(refused))
        }
        _ => Ok(()),
    }
}

/// Lets a guess begin that the wrong ones before it do not hold up. What others have guessed wrong
/// does not hold for a source that the account knows; true if it had to be asked whether it does.
async fn start_guess(cx: &Context, guess: &Guess, account: Account<'_>) -> Result<bool> {
    let Err(paused) = cx.limiter.start(guess, false).await else {
        return Ok(false);
    };
    if !paused.is_for_strangers() || !knows_source(cx, account).await? {
        return Err(cx.limiter.refuse(paused.refused()));
    }
    let started = cx.limiter.start(guess, true).await;
    started.map_err(|paused| cx.limiter.refuse(paused.refused()))?;
    Ok(true)
}

/// What is guessed at: as it was typed, before anybody knows whether there is one, or by its user.
#[derive(Clone, Copy)]
enum Account<'a> {
    Named(&'a str),
    Of(UserId),
}

/// Whether a session of this account that lasts was opened from where this request comes from.
async fn knows_source(cx: &Context, account: Account<'_>) -> Result<bool> {
    let now = cx.now();
    let addresses = match account {
        Account::Named(name) => store::session::find_addresses_of(&cx.db, name, now).await?,
        Account::Of(id) => store::session::find_addresses_of_user(&cx.db, id, now).await?,
    };
    let source = source(cx);
    let mut sources = addresses.iter().filter_map(|text| text.parse().ok());
    Ok(source.is_somewhere() && sources.any(|address| Source::of(Some(address)) == source))
}

pub async fn refresh_session<T>(cx: &Context, verb: impl Future<Output = Result<T>>) -> Result<T> {
    let by_source = (Limit::RefreshSession, Subject::Source(source(cx)));
    take(cx, [by_source]).await?;
    verb.await
}

pub async fn sign_up<T>(cx: &Context, verb: impl Future<Output = Result<T>>) -> Result<T> {
    take(cx, [(Limit::SignUp, Subject::Source(source(cx)))]).await?;
    verb.await
}

pub async fn request_password_reset<T>(
    cx: &Context,
    email: &str,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    let began = Instant::now();
    let name = login_key(email);
    let by_address = (Limit::PasswordResetByAddress, Subject::Name(&name));
    let by_source = (Limit::PasswordResetBySource, Subject::Source(source(cx)));
    take(cx, [by_address, by_source]).await?;
    at_full_step(began, verb.await).await
}

/// Whoever holds the mailed link is the owner: wrong guesses at the old password are forgotten.
pub async fn reset_password(
    cx: &Context,
    verb: impl Future<Output = Result<User>>,
) -> Result<User> {
    take(cx, [(Limit::ResetPassword, Subject::Source(source(cx)))]).await?;
    let user = verb.await?;
    let own = cx.limiter.guess(Subject::User(user.id), None);
    forgive(cx, &user, &[own]).await;
    Ok(user)
}

pub async fn confirm_email<T>(cx: &Context, verb: impl Future<Output = Result<T>>) -> Result<T> {
    take(cx, [(Limit::ConfirmEmail, Subject::Source(source(cx)))]).await?;
    verb.await
}

pub async fn accept_invitation<T>(
    cx: &Context,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    let by_source = (Limit::AcceptInvitation, Subject::Source(source(cx)));
    take(cx, [by_source]).await?;
    verb.await
}

/// Whoever has got hold of a session shall not guess its user's password by it.
pub async fn prove_password<T>(
    cx: &Context,
    user_id: UserId,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    take(cx, [(Limit::OwnProof, Subject::User(user_id))]).await?;
    guess_password(cx, user_id, verb).await
}

/// As `prove_password`, for the first code of a new second factor. Counted apart from the codes that
/// log-ins take: whoever has got hold of a session shall not keep its user from logging in.
pub async fn prove_new_code<T>(
    cx: &Context,
    user_id: UserId,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    take(cx, [(Limit::OwnProof, Subject::User(user_id))]).await?;
    let guess = cx.limiter.guess(Subject::NewCodeOf(user_id), None);
    counted(cx, &guess, ProblemCode::InvalidCode, verb).await
}

/// As `prove_password`, for password and code. They are counted apart: whoever knows one of them
/// shall not make the wrong guesses at the other be forgotten.
pub async fn prove_both<T>(
    cx: &Context,
    user_id: UserId,
    code: &str,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    take(cx, [(Limit::OwnProof, Subject::User(user_id))]).await?;
    guess_password(cx, user_id, guess_code(cx, user_id, code, verb)).await
}

async fn guess_password<T>(
    cx: &Context,
    user_id: UserId,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    let guess = cx.limiter.guess(Subject::User(user_id), None);
    counted(cx, &guess, ProblemCode::InvalidCredentials, verb).await
}

/// Counts a guess at a code, besides whatever else holds it up: a new password by mail forgets the
/// wrong guesses at the password, and not these. Nothing holds a recovery code up, which is too long
/// to be guessed: so whoever guesses at codes never keeps the owner out.
pub(super) async fn guess_code<T>(
    cx: &Context,
    user_id: UserId,
    code: &str,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    let here = Subject::CodeFrom(user_id, source(cx));
    let guess = cx.limiter.guess(here, Some(Subject::CodeOf(user_id)));
    if second_factor::can_be_guessed(code) {
        start_guess(cx, &guess, Account::Of(user_id)).await?;
        return judged(cx, &guess, ProblemCode::InvalidCode, verb).await;
    }
    let outcome = verb.await;
    if outcome.is_ok() {
        cx.limiter.forget(&[guess]).await;
    }
    outcome
}

/// Whether the account's history is to tell of one more log-in that had the right password and no right
/// code: whoever knows the password could fill it with them, and hide in it what matters.
pub(super) async fn is_code_failure_noted(cx: &Context, user_id: UserId) -> bool {
    let noted = [(Limit::CodeFailureNoted, Subject::User(user_id))];
    cx.limiter.take(noted).await.is_ok()
}

async fn counted<T>(
    cx: &Context,
    guess: &Guess,
    wrong: ProblemCode,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    let started = cx.limiter.start(guess, false).await;
    started.map_err(|paused| cx.limiter.refuse(paused.refused()))?;
    judged(cx, guess, wrong, verb).await
}

/// A guess that has begun is wrong when the verb says so, and right when the verb is done.
async fn judged<T>(
    cx: &Context,
    guess: &Guess,
    wrong: ProblemCode,
    verb: impl Future<Output = Result<T>>,
) -> Result<T> {
    let outcome = verb.await;
    match &outcome {
        Ok(_) => cx.limiter.forget(&[*guess]).await,
        Err(error) if !is_refused_with(error, &[wrong]) => cx.limiter.take_back(guess).await,
        Err(_) => {}
    }
    outcome
}

async fn take<const N: usize>(cx: &Context, wanted: [(Limit, Subject<'_>); N]) -> Result<()> {
    let refuse = |refused: Refused| cx.limiter.refuse(refused);
    cx.limiter.take(wanted).await.map_err(refuse)
}

/// What becomes of a log-in that did not succeed.
async fn settle(cx: &Context, guess: &Guess, error: &Error) {
    let wrong = &[ProblemCode::InvalidCredentials];
    let right = &[
        ProblemCode::NotApproved,
        ProblemCode::Deactivated,
        ProblemCode::NotAllowed,
    ];
    if is_refused_with(error, right) {
        cx.limiter.forget(&[*guess]).await;
    } else if !is_refused_with(error, wrong) {
        // The password was not looked at, or it was right and is half of what is asked for: that makes
        // nothing be forgotten, and a wrong code is counted where codes are.
        cx.limiter.take_back(guess).await;
    }
}

fn is_refused_with(error: &Error, codes: &[ProblemCode]) -> bool {
    matches!(error, Error::Refused(problems)
        if problems.iter().any(|problem| codes.contains(&problem.code)))
}

/// Forgets the wrong guesses at an account, by either of its names.
async fn forgive(cx: &Context, user: &User, others: &[Guess]) {
    let names = [&user.username_key, &user.email_key];
    let mut guesses = names.map(|name| guess(cx, name)).to_vec();
    guesses.extend(others);
    cx.limiter.forget(&guesses).await;
}

fn guess(cx: &Context, name: &str) -> Guess {
    let here = Subject::NameFrom(name, source(cx));
    cx.limiter.guess(here, Some(Subject::Name(name)))
}

fn source(cx: &Context) -> Source {
    Source::of(cx.client.ip)
}
