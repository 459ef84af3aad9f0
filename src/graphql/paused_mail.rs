//! Kinds of mail that are held back: what is, and the verbs of `service::delivery`
//! that begin and end it.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::access::{self, auth};
use super::delivery::all;
use super::muster;
use super::payload::{UserError, payloads, settle};
use super::types::{DateTime, MailKind};
use super::user::User;
use crate::actor::Actor;
use crate::entity;
use crate::entity::paused_mail::Model as PausedMailRow;
use crate::error::Result;
use crate::service;
use crate::store;

/// A kind of mail that is held back.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct PausedMail {
    /// Which mails wait.
    kind: MailKind,
    /// Since when.
    paused_at: DateTime,
    #[graphql(skip)]
    actor: Actor,
    #[graphql(skip)]
    row: PausedMailRow,
}

#[async_graphql::ComplexObject]
impl PausedMail {
    /// The admin who held them back. Null once that admin is deleted.
    async fn paused_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.paused_by).await
    }
}

impl PausedMail {
    fn all(actor: Actor, rows: Vec<PausedMailRow>) -> Vec<Self> {
        rows.into_iter()
            .map(|row| Self {
                kind: row.kind.into(),
                paused_at: DateTime(row.paused_at),
                actor,
                row,
            })
            .collect()
    }
}

#[derive(Default)]
pub struct PausedMailQuery;

#[Object]
impl PausedMailQuery {
    /// The kinds of mail that are held back, longest first. Requires ADMIN.
    #[graphql(directive = auth::apply(access::PAUSED_MAILS.into()))]
    async fn paused_mails(&self, ctx: &Context<'_>) -> Result<Vec<PausedMail>> {
        let actor = access::require(ctx, access::PAUSED_MAILS)?;
        let rows = store::paused_mail::list(&muster(ctx).db).await?;
        Ok(PausedMail::all(actor, rows))
    }
}

/// Which mails to hold back.
#[derive(InputObject)]
struct PauseMailsInput {
    /// Kinds that are held back already stay so.
    kinds: Vec<MailKind>,
}

/// The answer to `pauseMails`.
#[derive(SimpleObject, Default)]
struct PauseMailsPayload {
    /// Everything that is held back now.
    paused_mails: Vec<PausedMail>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which mails to let go.
#[derive(InputObject)]
struct ResumeMailsInput {
    /// Kinds that are not held back are passed over.
    kinds: Vec<MailKind>,
}

/// The answer to `resumeMails`.
#[derive(SimpleObject, Default)]
struct ResumeMailsPayload {
    /// Everything that is still held back.
    paused_mails: Vec<PausedMail>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(PauseMailsPayload, ResumeMailsPayload);

#[derive(Default)]
pub struct PausedMailMutation;

#[Object]
impl PausedMailMutation {
    /// Holds mails of some kinds back, for all workers, until they are let go: those that come
    /// meanwhile wait. What is being sent just now goes out. Requires ADMIN.
    #[graphql(directive = auth::apply(access::PAUSE_MAILS.into()))]
    async fn pause_mails(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mails to hold back.")] input: PauseMailsInput,
    ) -> Option<Result<PauseMailsPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::PAUSE_MAILS)?;
                let kinds: Vec<entity::MailKind> = all(input.kinds);
                let cx = muster(ctx);
                let verb = || service::delivery::pause(cx, &actor, &kinds);
                let answer = cx.retried(verb).await;
                settle(answer, |rows| PauseMailsPayload {
                    paused_mails: PausedMail::all(actor, rows),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Lets mails of some kinds go again. Requires ADMIN.
    #[graphql(directive = auth::apply(access::RESUME_MAILS.into()))]
    async fn resume_mails(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mails to let go.")] input: ResumeMailsInput,
    ) -> Option<Result<ResumeMailsPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::RESUME_MAILS)?;
                let kinds: Vec<entity::MailKind> = all(input.kinds);
                let cx = muster(ctx);
                let verb = || service::delivery::resume(cx, &actor, &kinds);
                let answer = cx.retried(verb).await;
                settle(answer, |rows| ResumeMailsPayload {
                    paused_mails: PausedMail::all(actor, rows),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
