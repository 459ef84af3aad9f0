//! The composition root: builds everything once, and hands out the router and the
//! worker. Called by the command line and by tests.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::credential::{Passwords, SecondFactors, Tokens};
use crate::event::{self, Events, Transport};
use crate::generator::Generator;
use crate::limit::Limiter;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::redis::Redis;
use crate::service::api_token::Uses;
use crate::service::{Context, Process};
use crate::store::{self, Address, Db, JobPool};
use crate::worker::{self, Worker};
use crate::worker_health::WorkerHealth;
use crate::{graphql, http};

#[derive(Clone)]
pub struct App {
    pub cx: Context,
    mailer: Mailer,
    redis: Option<Redis>,
    board: JobPool,
}

impl App {
    /// Opens the database and brings its schema up to date. The error is one line for whoever
    /// started the program.
    pub async fn open(
        settings: Settings,
        clock: Clock,
        generator: Generator,
        mailer: Mailer,
    ) -> Result<Self, String> {
        let db = Db::open(Address::of(&settings)).await?;
        store::migrate_up(&db)
            .await
            .map_err(|error| format!("the database cannot be migrated: {error}"))?;
        Self::assemble(settings, clock, generator, mailer, db).await
    }

    /// As `open`, for a process that leaves the schema to another one.
    pub async fn attach(
        settings: Settings,
        clock: Clock,
        generator: Generator,
        mailer: Mailer,
    ) -> Result<Self, String> {
        let db = Db::open(Address::of(&settings)).await?;
        store::refuse_newer(&db)
            .await
            .map_err(|error| error.to_string())?;
        db.ready()
            .await
            .map_err(|error| format!("{error}; run `muster migrate` first"))?;
        Self::assemble(settings, clock, generator, mailer, db).await
    }

    async fn assemble(
        settings: Settings,
        clock: Clock,
        generator: Generator,
        mailer: Mailer,
        db: Db,
    ) -> Result<Self, String> {
        store::settle_copy(&db, clock.now())
            .await
            .map_err(|error| error.to_string())?;
        let secret = config::signing_secret(&settings, &generator)?;
        let tokens = Tokens::new(
            &secret,
            &settings.jwt_previous_secrets,
            &settings,
            clock.clone(),
            generator.clone(),
        );
        let second_factors =
            SecondFactors::new(&secret, &settings.jwt_previous_secrets, generator.clone());
        let metrics = Metrics::default();
        let redis = match &settings.redis_url {
            Some(url) => Some(Redis::new(url.expose(), metrics.clone())?),
            None => None,
        };
        // Processes on one SQLite file could share it, too, but so could strangers to that file.
        let shared = redis.clone().filter(|_| settings.is_on_postgres());
        let limiter = if settings.rate_limit {
            Limiter::new(&secret, clock.clone(), redis.clone(), metrics.clone())
        } else {
            Limiter::off()
        };
        let cx = Context::new(Process {
            db,
            clock,
            passwords: Passwords::new(&settings, generator.clone())
                .map_err(|error| error.to_string())?,
            generator,
            tokens,
            second_factors,
            settings: Arc::new(settings),
            events: Events::default(),
            cache: Cache::new(shared, metrics.clone()),
            limiter,
            metrics,
            worker_health: WorkerHealth::default(),
            api_token_uses: Uses::default(),
        });
        let board = cx.db.job_board_pool().map_err(|error| error.to_string())?;
        Ok(Self {
            cx,
            mailer,
            redis,
            board,
        })
    }

    pub fn router(&self) -> axum::Router {
        let schema = graphql::schema(&self.cx.settings);
        http::router(self.cx.clone(), schema, worker::board(&self.board))
    }

    /// For those who watch over a process that only works.
    pub fn watch_router(&self) -> axum::Router {
        http::watch_router(self.cx.clone())
    }

    /// Carries events to and from the other processes on this database, until it is cancelled.
    pub async fn relay(&self, cancel: CancellationToken) {
        let transport = match &self.redis {
            Some(redis) => Transport::Redis(redis.clone()),
            None if self.cx.settings.is_on_postgres() => Transport::Postgres(self.cx.db.clone()),
            // One process, or one that looks by itself every two seconds.
            None => return,
        };
        event::relay(self.cx.events.clone(), transport, cancel).await;
    }

    /// Waits, for a while, for what was begun beside answers. No more requests come.
    pub async fn finish(&self) {
        self.cx.api_token_uses.finish().await;
    }

    pub fn worker(&self) -> Worker {
        Worker::new(self.cx.clone(), self.mailer.clone())
    }
}
