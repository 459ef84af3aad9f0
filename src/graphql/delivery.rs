//! Mails on their way, and those that went: the type, the list, and the verbs of
//! `service::delivery`.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::access::{self, auth};
use super::connection::{Created, NewestFirst, connection};
use super::muster;
use super::page::PageArguments;
use super::payload::{UserError, payloads, settle};
use super::types::{DateTime, MailKind};
use super::user::User;
use crate::actor::Actor;
use crate::entity;
use crate::entity::delivery::Model;
use crate::error::Result;
use crate::service;
use crate::store::{self, Position};

/// How far a mail is.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::DeliveryState")]
pub enum DeliveryState {
    /// To be sent at `dueAt`, or as soon as a worker gets to it.
    Due,
    /// Being handed to the mail server.
    Sending,
    /// Taken by the mail server.
    Sent,
    /// Given up: refused for good, tried for a day in vain, or too late to be of use.
    Failed,
    /// Not sent: there was nothing to say any more, or nobody to say it to.
    Suppressed,
    /// Perhaps sent: the connection was lost before the mail server answered. Only kinds of which
    /// two are worse than none stay so; others are sent again.
    Unknown,
    /// Called off by an admin.
    Cancelled,
}

#[derive(Clone)]
pub struct Delivery {
    actor: Actor,
    row: Arc<Model>,
}

impl Delivery {
    pub fn new(actor: Actor, row: impl Into<Arc<Model>>) -> Self {
        Self {
            actor,
            row: row.into(),
        }
    }
}

/// One mail to one address. Kept for 30 days after its end. Only admins see it.
#[Object]
impl Delivery {
    /// Opaque and globally unique: a TypeID such as delivery_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What kind of mail it is.
    async fn kind(&self) -> MailKind {
        self.row.kind.into()
    }

    /// Whom it is for. Null for somebody who has no account.
    async fn recipient(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.recipient_id).await
    }

    /// The address that it goes to.
    async fn address(&self) -> &str {
        &self.row.address
    }

    /// How far it is.
    async fn state(&self) -> DeliveryState {
        self.row.state.into()
    }

    /// How often it was tried, the try that is being made included.
    async fn attempts(&self) -> i32 {
        self.row.attempts
    }

    /// What the mail server said last, or what went wrong; without addresses and secrets. Null
    /// before the first try.
    async fn last_answer(&self) -> Option<&str> {
        self.row.last_answer.as_deref()
    }

    /// When it was caused.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it is tried next; null unless DUE.
    async fn due_at(&self) -> Option<DateTime> {
        let is_due = self.row.state == entity::DeliveryState::Due;
        is_due.then_some(DateTime(self.row.due_at))
    }

    /// When it came to its end; null while DUE or SENDING.
    async fn finished_at(&self) -> Option<DateTime> {
        self.row.finished_at.map(DateTime)
    }
}

/// A mail as its reader sees it.
#[derive(SimpleObject)]
pub struct MailPreview {
    /// The subject line.
    subject: String,
    /// For mail programs that show plain text.
    text: String,
    /// A whole HTML document. Show it in a frame with the attribute `sandbox`.
    html: String,
}

impl From<service::delivery::Rendered> for MailPreview {
    fn from(mail: service::delivery::Rendered) -> Self {
        Self {
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
        }
    }
}

type DeliveryList = NewestFirst<store::delivery::DeliveryFilter>;

impl Created for store::delivery::DeliveryFilter {
    type Row = Model;

    const NAME: &'static str = "deliveries";

    fn place(row: &Model) -> Position {
        Position::created(row.created_at, row.id.0)
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        store::delivery::count(&muster(ctx).db, &actor, self).await
    }
}

connection!(
    DeliveryConnection,
    DeliveryEdge,
    Delivery,
    Model,
    DeliveryList
);

/// Which mails a list is about. Fields are joined by AND; null is as good as absent.
#[derive(InputObject, Default)]
struct DeliveryFilter {
    /// Mails of any of these kinds; an empty list matches nothing.
    kind: Option<Vec<MailKind>>,
    /// Mails in any of these states; an empty list matches nothing.
    state: Option<Vec<DeliveryState>>,
    /// Mails to this user; an unknown one has none.
    recipient_id: Option<ID>,
}

impl From<DeliveryFilter> for store::delivery::DeliveryFilter {
    fn from(filter: DeliveryFilter) -> Self {
        Self {
            kind: filter.kind.map(all),
            state: filter.state.map(all),
            recipient: filter
                .recipient_id
                .map(|id| id.parse().ok().into_iter().collect()),
        }
    }
}

pub(super) fn all<T: Into<U>, U>(values: Vec<T>) -> Vec<U> {
    values.into_iter().map(Into::into).collect()
}

#[derive(Default)]
pub struct DeliveryQuery;

#[Object]
impl DeliveryQuery {
    /// Mails on their way, and those that went or failed, newest first. Requires ADMIN.
    #[graphql(directive = auth::apply(access::DELIVERIES.into()))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mails; all when absent.")] filter: Option<DeliveryFilter>,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<DeliveryConnection> {
        let actor = access::require(ctx, access::DELIVERIES)?;
        let filter = filter.unwrap_or_default().into();
        let list = DeliveryList::new(filter);
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list.id)?;
        let page = store::delivery::list(&muster(ctx).db, &actor, &list.filter, &window).await?;
        Ok(DeliveryConnection::new(
            actor,
            Arc::new(page.shared()),
            list,
        ))
    }

    /// What a mail says, or would say if it went now. Links that let their reader do something are
    /// left out. Null when there is nothing to say any more, or no such mail. Requires ADMIN.
    #[graphql(directive = auth::apply(access::DELIVERY_PREVIEW.into()))]
    async fn delivery_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mail.")] delivery_id: ID,
    ) -> Option<Result<MailPreview>> {
        async {
            let actor = access::require(ctx, access::DELIVERY_PREVIEW)?;
            let id = delivery_id.parse().ok();
            let preview = service::delivery::preview(muster(ctx), &actor, id).await?;
            Ok(preview.map(MailPreview::from))
        }
        .await
        .transpose()
    }
}

/// Which mail to send again.
#[derive(InputObject)]
struct ResendDeliveryInput {
    /// Which one; NOT_ALLOWED while it is SENDING.
    delivery_id: ID,
}

/// The answer to `resendDelivery`.
#[derive(SimpleObject, Default)]
struct ResendDeliveryPayload {
    /// The mail, DUE now; null when there are userErrors.
    delivery: Option<Delivery>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which mail to call off.
#[derive(InputObject)]
struct CancelDeliveryInput {
    /// Which one; NOT_ALLOWED unless it is DUE.
    delivery_id: ID,
}

/// The answer to `cancelDelivery`.
#[derive(SimpleObject, Default)]
struct CancelDeliveryPayload {
    /// The mail, CANCELLED now; null when there are userErrors.
    delivery: Option<Delivery>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(ResendDeliveryPayload, CancelDeliveryPayload);

#[derive(Default)]
pub struct DeliveryMutation;

#[Object]
impl DeliveryMutation {
    /// Sends a mail again, or now instead of later. It is the same mail, with the same Message-ID: a
    /// mail program that has it already may not show it twice. Requires ADMIN.
    #[graphql(directive = auth::apply(access::RESEND_DELIVERY.into()))]
    async fn resend_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mail to send again.")] input: ResendDeliveryInput,
    ) -> Option<Result<ResendDeliveryPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::RESEND_DELIVERY)?;
                let id = input.delivery_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::delivery::resend(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |delivery| ResendDeliveryPayload {
                    delivery: Some(Delivery::new(actor, delivery)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Calls a mail off that has not gone yet. Requires ADMIN.
    #[graphql(directive = auth::apply(access::CANCEL_DELIVERY.into()))]
    async fn cancel_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mail to call off.")] input: CancelDeliveryInput,
    ) -> Option<Result<CancelDeliveryPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::CANCEL_DELIVERY)?;
                let id = input.delivery_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::delivery::cancel(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |delivery| CancelDeliveryPayload {
                    delivery: Some(Delivery::new(actor, delivery)),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
