//! The domain's verbs. One verb is one function is one transaction, and reads
//! always the same: check the input, open the transaction, load, ask the policy,
//! change, write the mail that follows from it, commit. Called by `graphql`,
//! `http`, `worker` and the command line.
//!
//! Nothing slow happens while a transaction is open: no Argon2, no network. On
//! `SQLite` it would stop every writer.

pub mod api_token;
pub mod approval;
pub mod attempt;
pub mod content;
pub mod delivery;
pub mod demo;
pub mod email_confirmation;
pub mod history;
mod input;
pub mod invitation;
pub mod job_board;
pub mod newcomer;
pub mod notification;
pub mod password;
pub mod planner;
pub mod reminder;
pub mod report;
pub mod second_factor;
pub mod session;
pub mod task;
mod task_report;
pub mod user;
pub mod waiting;

pub use input::Patch;

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::actor::{Actor, SignedInBy};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Settings;
use crate::credential::{Passwords, SecondFactors, Tokens};
use crate::entity::user::Model as User;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::generator::Generator;
use crate::limit::Limiter;
use crate::metrics::Metrics;
use crate::store::{self, Db, Lock, Tx};
use crate::worker_health::WorkerHealth;

/// What every verb works with, and where the request came from. Cheap to clone: one per request.
#[derive(Clone)]
pub struct Context {
    process: Arc<Process>,
    /// Nowhere for what Muster does by itself.
    pub client: Client,
}

/// What all requests of this process share.
pub struct Process {
    pub db: Db,
    pub clock: Clock,
    pub generator: Generator,
    pub settings: Arc<Settings>,
    pub passwords: Passwords,
    pub tokens: Tokens,
    pub second_factors: SecondFactors,
    pub events: Events,
    pub cache: Cache,
    pub limiter: Limiter,
    pub metrics: Metrics,
    pub worker_health: WorkerHealth,
    pub api_token_uses: api_token::Uses,
}

impl Deref for Context {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Context {
    pub fn new(process: Process) -> Self {
        Self {
            process: Arc::new(process),
            client: Client::default(),
        }
    }

    /// For one request.
    #[must_use]
    pub fn asked_by(&self, client: Client) -> Self {
        Self {
            process: Arc::clone(&self.process),
            client,
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Opens the transaction of a verb. Who the actor is now is looked up inside of it, so that a
    /// right that was lost since the request began is not used once more.
    async fn begin(&self, actor: &Actor) -> Result<(Tx, Actor)> {
        let tx = self.db.begin().await?;
        let actor = self.standing_of(&tx, actor).await?;
        Ok((tx, actor))
    }

    /// As `begin`, for a verb that changes what people may do. One such is at work at a time, so
    /// that each sees what the one before it left: two admins cannot unmake each other.
    async fn begin_on_rights(&self, actor: &Actor) -> Result<(Tx, Actor)> {
        let tx = self.db.begin().await?;
        tx.lock(Lock::Rights).await?;
        let actor = self.standing_of(&tx, actor).await?;
        Ok((tx, actor))
    }

    /// As `begin_on_rights`, for a verb that gives others a share in the actor's rights. The actor's row is
    /// held: whoever takes back what the actor has given, as a new second factor does, takes this back,
    /// too, or comes first.
    async fn begin_on_own_rights(&self, actor: &Actor) -> Result<(Tx, Actor)> {
        let tx = self.db.begin().await?;
        tx.lock(Lock::Rights).await?;
        if let Some(id) = actor.user_id() {
            store::user::find_to_change(&tx, &Actor::System, id).await?;
        }
        let actor = self.standing_of(&tx, actor).await?;
        Ok((tx, actor))
    }

    /// As `begin`, for a verb on one's own account, with the row of the user. It is held before it is
    /// asked whether the session lasts: whoever ends the session of somebody else holds that row, so
    /// a verb that waits for it is not done any more by a session that has ended meanwhile.
    async fn begin_on_self(&self, actor: &Actor) -> Result<(Tx, Actor, User)> {
        let id = actor.signed_in()?.id;
        let tx = self.db.begin().await?;
        let user = store::user::find_to_change(&tx, &Actor::System, id)
            .await?
            .ok_or(Error::Unauthenticated)?;
        let actor = self.standing_of(&tx, actor).await?;
        Ok((tx, actor, user))
    }

    async fn standing_of(&self, tx: &Tx, actor: &Actor) -> Result<Actor> {
        let Actor::User(viewer) = actor else {
            return Ok(*actor);
        };
        let now = self.now();
        let standing = match viewer.signed_in_by {
            SignedInBy::Session(id) => store::session::find_standing(tx, id)
                .await?
                .filter(|standing| standing.is_of(viewer.id, now))
                .map(|standing| session::viewer(self, id, &standing)),
            SignedInBy::ApiToken { id, .. } => store::api_token::find_standing_of(tx, id)
                .await?
                .filter(|standing| standing.is_good(now))
                .map(|standing| api_token::viewer(self, &standing)),
            SignedInBy::SignUp => None,
        };
        standing.map(Actor::User).ok_or(Error::Unauthenticated)
    }

    /// Does a verb again that the database gave up in favour of another one, as it does with one of
    /// two that wait for each other. Nothing of the first try is left, so this is no repetition.
    pub async fn retried<T, F: Future<Output = Result<T>>>(
        &self,
        verb: impl Fn() -> F,
    ) -> Result<T> {
        const TRIES: u32 = 5;
        let mut tried = 1;
        loop {
            match verb().await {
                Err(Error::Contended(reason)) if tried < TRIES => {
                    tracing::debug!(
                        reason,
                        tried,
                        "the database gave a verb up; it is tried again"
                    );
                    // Not all of those that met come back at the same moment.
                    let [chance] = self.generator.bytes::<1>();
                    let millis = u64::from(chance) * u64::from(tried) / 10;
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    fn new_id(&self, now: DateTime<Utc>) -> Uuid {
        self.generator.uuid(now)
    }
}

/// Where a request came from, shown to people with their sessions and in the history of their
/// account.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<Arc<str>>,
}
