//! Decisions on sign-ups: the type, the list, and the verbs of `service::approval`.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::access::{self, auth};
use super::connection::{Created, NewestFirst, connection};
use super::long_text::long_text;
use super::muster;
use super::page::PageArguments;
use super::payload::{UserError, payloads, settle};
use super::types::{ApprovalDecision, DateTime, Role};
use super::user::User;
use crate::actor::Actor;
use crate::entity::approval::Model;
use crate::error::Result;
use crate::service;
use crate::store::{self, Position};

#[derive(Clone)]
pub struct Approval {
    actor: Actor,
    row: Arc<Model>,
}

impl Approval {
    pub fn new(actor: Actor, row: impl Into<Arc<Model>>) -> Self {
        Self {
            actor,
            row: row.into(),
        }
    }
}

/// One sign-up's way through an admin's decision, which is taken once. Only admins see it.
#[Object]
impl Approval {
    /// Opaque and globally unique: a TypeID such as approval_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// Who asked to join. Null once the user is deleted.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.user_id).await
    }

    /// The role that was asked for.
    async fn requested_role(&self) -> Role {
        self.row.requested_role.into()
    }

    /// The role that was granted; null unless APPROVED.
    async fn granted_role(&self) -> Option<Role> {
        self.row.granted_role.map(Into::into)
    }

    /// Where the decision stands.
    async fn decision(&self) -> ApprovalDecision {
        self.row.decision.into()
    }

    /// The admin who decided; null while PENDING, and once that admin is deleted.
    async fn decided_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.decided_by).await
    }

    /// When it was decided; null while PENDING.
    async fn decided_at(&self) -> Option<DateTime> {
        self.row.decided_at.map(DateTime)
    }

    /// Why the sign-up was turned down, in the admin's words.
    async fn reason(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        long_text(ctx, self.row.reason.as_deref())
    }

    /// When the user signed up.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

type ApprovalList = NewestFirst<store::approval::ApprovalFilter>;

impl Created for store::approval::ApprovalFilter {
    type Row = Model;

    const NAME: &'static str = "approvals";

    fn place(row: &Model) -> Position {
        Position::created(row.created_at, row.id.0)
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        store::approval::count(&muster(ctx).db, &actor, self).await
    }
}

connection!(
    ApprovalConnection,
    ApprovalEdge,
    Approval,
    Model,
    ApprovalList
);

#[derive(Default)]
pub struct ApprovalQuery;

#[Object]
impl ApprovalQuery {
    /// Sign-ups and the decisions on them, newest first. Requires ADMIN.
    #[graphql(directive = auth::apply(access::APPROVALS.into()))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn approvals(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only those with one of these decisions; all when absent, none when empty."
        )]
        decision: Option<Vec<ApprovalDecision>>,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<ApprovalConnection> {
        let actor = access::require(ctx, access::APPROVALS)?;
        let filter = store::approval::ApprovalFilter {
            decision: decision.map(|decisions| decisions.into_iter().map(Into::into).collect()),
        };
        let list = ApprovalList::new(filter);
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list.id)?;
        let page = store::approval::list(&muster(ctx).db, &actor, &list.filter, &window).await?;
        Ok(ApprovalConnection::new(
            actor,
            Arc::new(page.shared()),
            list,
        ))
    }
}

/// Whom to let in. For users who are PENDING; ALREADY_DECIDED for others.
#[derive(InputObject)]
struct ApproveUserInput {
    /// Whom to let in.
    user_id: ID,
    /// The role to grant; the requested one when absent.
    role: Option<Role>,
}

/// The answer to `approveUser`.
#[derive(SimpleObject, Default)]
struct ApproveUserPayload {
    /// The user, ACTIVE now; null when there are userErrors.
    user: Option<User>,
    /// The decision; null when there are userErrors.
    approval: Option<Approval>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Whom to turn down, and why. For users who are PENDING; ALREADY_DECIDED for others.
#[derive(InputObject)]
struct RejectUserInput {
    /// Whom to turn down.
    user_id: ID,
    /// Told to the user by mail; at most 1,000 characters.
    reason: Option<String>,
}

/// The answer to `rejectUser`.
#[derive(SimpleObject, Default)]
struct RejectUserPayload {
    /// The user, REJECTED now; null when there are userErrors.
    user: Option<User>,
    /// The decision; null when there are userErrors.
    approval: Option<Approval>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(ApproveUserPayload, RejectUserPayload);

#[derive(Default)]
pub struct ApprovalMutation;

#[Object]
impl ApprovalMutation {
    /// Lets a user in, with a role. A mail tells them. Requires ADMIN.
    #[graphql(directive = auth::apply(access::APPROVE_USER.into()))]
    async fn approve_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to let in, and as what.")] input: ApproveUserInput,
    ) -> Option<Result<ApproveUserPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::APPROVE_USER)?;
                let id = input.user_id.parse().ok();
                let role = input.role.map(Into::into);
                let cx = muster(ctx);
                let verb = || service::approval::approve(cx, &actor, id, role);
                let answer = cx.retried(verb).await;
                settle(answer, |(user, approval)| ApproveUserPayload {
                    user: Some(User::new(actor, user)),
                    approval: Some(Approval::new(actor, approval)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Turns a user down. A mail tells them, with the reason if there is one. Requires ADMIN.
    #[graphql(directive = auth::apply(access::REJECT_USER.into()))]
    async fn reject_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to turn down, and why.")] input: RejectUserInput,
    ) -> Option<Result<RejectUserPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REJECT_USER)?;
                let id = input.user_id.parse().ok();
                let reason = input.reason.as_deref();
                let cx = muster(ctx);
                let verb = || service::approval::reject(cx, &actor, id, reason);
                let answer = cx.retried(verb).await;
                settle(answer, |(user, approval)| RejectUserPayload {
                    user: Some(User::new(actor, user)),
                    approval: Some(Approval::new(actor, approval)),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
