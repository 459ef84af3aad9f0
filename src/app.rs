//! The composition root: builds everything once, and hands out the router and the
//! worker. Called by the command line and by tests.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::credential::{Passwords, Tokens};
use crate::generator::Generator;
use crate::mail::Mailer;
use crate::service::{Context, Wake};
use crate::store::{self, Address, Db};
use crate::worker::Worker;
use crate::{graphql, http};

#[derive(Clone)]
pub struct App {
    pub cx: Context,
    mailer: Mailer,
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
        Self::assemble(settings, clock, generator, mailer, db)
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
        Self::assemble(settings, clock, generator, mailer, db)
    }

    fn assemble(
        settings: Settings,
        clock: Clock,
        generator: Generator,
        mailer: Mailer,
        db: Db,
    ) -> Result<Self, String> {
        let secret = config::signing_secret(&settings, &generator)?;
        let tokens = Tokens::new(
            &secret,
            &settings.jwt_previous_secrets,
            &settings,
            clock.clone(),
            generator.clone(),
        );
        let cx = Context {
            db,
            clock,
            generator,
            passwords: Passwords::new(&settings),
            tokens,
            settings: Arc::new(settings),
            wake: Wake::default(),
        };
        Ok(Self { cx, mailer })
    }

    pub fn router(&self) -> axum::Router {
        http::router(self.cx.clone(), graphql::schema(self.cx.clone()))
    }

    pub fn worker(&self) -> Worker {
        Worker::new(self.cx.clone(), self.mailer.clone())
    }
}
