//! Invitations: the type, the list, and the verbs of `service::invitation`.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::access::{self, auth, public};
use super::connection::{Created, NewestFirst, connection};
use super::page::PageArguments;
use super::payload::{UserError, payloads, settle};
use super::types::{DateTime, Role};
use super::user::User;
use super::{muster, request_time};
use crate::actor::Actor;
use crate::entity;
use crate::entity::invitation::Model;
use crate::error::Result;
use crate::service;
use crate::store::{self, Position};

/// Where an invitation stands.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::InvitationState")]
pub enum InvitationState {
    /// Can be accepted, unless whoever sent it has to set up a second factor first.
    Pending,
    /// Somebody joined by it.
    Accepted,
    /// An admin took it back or sent a newer one, or whoever sent it is no admin any more, or has set
    /// up a second factor since.
    Revoked,
    /// Nobody answered in time.
    Expired,
}

#[derive(Clone)]
pub struct Invitation {
    actor: Actor,
    row: Arc<Model>,
}

impl Invitation {
    pub fn new(actor: Actor, row: impl Into<Arc<Model>>) -> Self {
        Self {
            actor,
            row: row.into(),
        }
    }
}

/// An admin's offer to whoever reads the mails to an address: to join, with a role, by a mailed link
/// that is good once. Kept for 90 days after it expires. Only admins see it.
#[Object]
impl Invitation {
    /// Opaque and globally unique: a TypeID such as invitation_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The address that the link was mailed to.
    async fn email(&self) -> &str {
        &self.row.email
    }

    /// What the new user may do.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// Where the invitation stands now.
    async fn state(&self, ctx: &Context<'_>) -> InvitationState {
        self.row.state(request_time(ctx)).into()
    }

    /// The admin who invited. Null once that admin is deleted.
    async fn invited_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.invited_by).await
    }

    /// The link is no good from this instant on.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }

    /// When the invitation was sent.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When somebody joined by it; null unless ACCEPTED.
    async fn accepted_at(&self) -> Option<DateTime> {
        self.row.accepted_at.map(DateTime)
    }

    /// Who joined by it. Null unless ACCEPTED, and once they are deleted.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.user_id).await
    }
}

type InvitationList = NewestFirst<store::invitation::InvitationFilter>;

impl Created for store::invitation::InvitationFilter {
    type Row = Model;

    const NAME: &'static str = "invitations";

    fn place(row: &Model) -> Position {
        Position::created(row.created_at, row.id.0)
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        let now = request_time(ctx);
        store::invitation::count(&muster(ctx).db, &actor, self, now).await
    }
}

connection!(
    InvitationConnection,
    InvitationEdge,
    Invitation,
    Model,
    InvitationList
);

#[derive(Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
    /// Invitations, newest first. Requires ADMIN.
    #[graphql(directive = auth::apply(access::INVITATIONS.into()))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in one of these states; all when absent, none when empty.")]
        state: Option<Vec<InvitationState>>,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<InvitationConnection> {
        let actor = access::require(ctx, access::INVITATIONS)?;
        let filter = store::invitation::InvitationFilter {
            state: state.map(|states| states.into_iter().map(Into::into).collect()),
        };
        let list = InvitationList::new(filter);
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list.id)?;
        let (db, now) = (&muster(ctx).db, request_time(ctx));
        let page = store::invitation::list(db, &actor, &list.filter, now, &window).await?;
        Ok(InvitationConnection::new(
            actor,
            Arc::new(page.shared()),
            list,
        ))
    }
}

/// Whom to invite, and as what.
#[derive(InputObject)]
struct InviteUserInput {
    /// Where to send the link; at most 254 characters. EMAIL_TAKEN when somebody has an account with
    /// it; an invitation that it got before ends.
    email: String,
    /// What the new user may do.
    role: Role,
    /// Until when the link is good, at most 30 days ahead; 7 days when absent.
    expires_at: Option<DateTime>,
}

/// The answer to `inviteUser`.
#[derive(SimpleObject, Default)]
struct InviteUserPayload {
    /// The invitation, on its way by mail; null when there are userErrors.
    invitation: Option<Invitation>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which invitation to take back.
#[derive(InputObject)]
struct RevokeInvitationInput {
    /// Which one; NOT_ALLOWED unless it is PENDING.
    invitation_id: ID,
}

/// The answer to `revokeInvitation`.
#[derive(SimpleObject, Default)]
struct RevokeInvitationPayload {
    /// The invitation, REVOKED now; null when there are userErrors.
    invitation: Option<Invitation>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// What somebody who was invited fills in to join.
#[derive(InputObject)]
struct AcceptInvitationInput {
    /// The token from the mailed link, after `#token=`.
    #[graphql(secret)]
    token: String,
    /// As in `signUp`.
    username: String,
    /// From `server.passwordMinLength` to 128 characters of any kind, and hard to guess.
    #[graphql(secret)]
    password: String,
    /// At most 100 characters.
    first_name: Option<String>,
    /// At most 100 characters.
    last_name: Option<String>,
    /// IANA name, such as Asia/Dhaka; the server's zone when absent.
    time_zone: Option<String>,
}

/// The answer to `acceptInvitation`.
#[derive(SimpleObject, Default)]
struct AcceptInvitationPayload {
    /// The new user, ACTIVE already; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(
    InviteUserPayload,
    RevokeInvitationPayload,
    AcceptInvitationPayload
);

#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Invites somebody by mail, also while sign-ups are closed or kept to other domains. To send the
    /// mail again, invite again. Requires ADMIN.
    #[graphql(directive = auth::apply(access::INVITE_USER.into()))]
    async fn invite_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to invite, and as what.")] input: InviteUserInput,
    ) -> Option<Result<InviteUserPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::INVITE_USER)?;
                let input = service::invitation::Invite {
                    email: input.email,
                    role: input.role.into(),
                    expires_at: input.expires_at.map(|at| at.0),
                };
                let cx = muster(ctx);
                let verb = || service::invitation::invite(cx, &actor, &input);
                let answer = cx.retried(verb).await;
                settle(answer, |invitation| InviteUserPayload {
                    invitation: Some(Invitation::new(actor, invitation)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Takes an invitation back: its link is no good from then on. Requires ADMIN.
    #[graphql(directive = auth::apply(access::REVOKE_INVITATION.into()))]
    async fn revoke_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation to take back.")] input: RevokeInvitationInput,
    ) -> Option<Result<RevokeInvitationPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REVOKE_INVITATION)?;
                let id = input.invitation_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::invitation::revoke(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |invitation| RevokeInvitationPayload {
                    invitation: Some(Invitation::new(actor, invitation)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Joins by an invitation, ACTIVE at once and with the role that it offers; log in afterwards.
    /// INVALID_TOKEN when it is not PENDING any more, and EMAIL_TAKEN of no field when somebody got an
    /// account with its address meanwhile. A form that is refused does not use it up. Public.
    #[graphql(directive = public::apply())]
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and the form.")] input: AcceptInvitationInput,
    ) -> Option<Result<AcceptInvitationPayload>> {
        let input = service::invitation::AcceptInvitation {
            token: input.token,
            username: input.username,
            password: input.password,
            first_name: input.first_name,
            last_name: input.last_name,
            time_zone: input.time_zone,
        };
        let cx = muster(ctx);
        let verb = || service::invitation::accept(cx, &input);
        let verb = Box::pin(cx.retried(verb));
        let answer = service::attempt::accept_invitation(cx, verb).await;
        Some(settle(answer, |user| AcceptInvitationPayload {
            user: Some(User::as_viewer(cx, user)),
            ..Default::default()
        }))
    }
}
