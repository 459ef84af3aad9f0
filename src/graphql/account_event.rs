//! The history of accounts: the type, and the list.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::access::{self, auth};
use super::connection::{Created, NewestFirst, connection};
use super::muster;
use super::page::PageArguments;
use super::types::{DateTime, Role};
use super::user::User;
use crate::actor::Actor;
use crate::entity;
use crate::entity::account_event::Model;
use crate::error::Result;
use crate::policy;
use crate::store::{self, Position};

/// What happened to an account. More kinds may come with later releases.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::AccountEventKind")]
pub enum AccountEventKind {
    /// Somebody signed up.
    SignedUp,
    /// An admin was made from the command line.
    AdminCreated,
    /// A session was opened.
    LoggedIn,
    /// The password was wrong, or nobody here has this login; then `user` is null.
    LogInFailed,
    /// The password was right, but the account is not open, or may not see the job board that the
    /// log-in was for.
    LogInRefused,
    /// The user ended the session that they were using.
    LoggedOut,
    /// The user ended all of their sessions.
    LoggedOutEverywhere,
    /// The user ended one of their sessions from another.
    SessionRevoked,
    /// An admin ended all sessions of the user, and all their API tokens.
    SessionsRevoked,
    /// A refresh token was presented a second time, as by a thief; its session was ended.
    RefreshTokenReused,
    /// The user changed their password.
    PasswordChanged,
    /// Somebody asked for a mail with a link for a new password; `user` is null when nobody here
    /// has the address.
    PasswordResetRequested,
    /// A new password was set by a mailed link; all sessions and API tokens were ended.
    PasswordReset,
    /// The user set up a second factor; their other sessions and all API tokens were ended.
    SecondFactorEnabled,
    /// The user went back to the password alone.
    SecondFactorDisabled,
    /// An admin took the user's second factor away; all sessions and API tokens were ended.
    SecondFactorReset,
    /// The password was right, and the code of the second factor was asked for. Of these and of
    /// SECOND_FACTOR_FAILED, an account's history tells at most 60 an hour.
    SecondFactorAsked,
    /// A log-in had the right password and a wrong code: somebody may know the password.
    SecondFactorFailed,
    /// The user proved themselves by a recovery code in place of the app.
    RecoveryCodeUsed,
    /// The user had new recovery codes made.
    RecoveryCodesReplaced,
    /// An admin let the user in, as what is in `roleAfter`.
    Approved,
    /// An admin turned the user down.
    Rejected,
    /// An admin set the role; from which to which is in `roleBefore` and `roleAfter`.
    RoleSet,
    /// The user was shut out; all sessions and API tokens were ended.
    Deactivated,
    /// The user was let in again.
    Reactivated,
    /// The username was changed, by the user or by an admin.
    UsernameChanged,
    /// The e-mail address was changed by an admin.
    EmailChanged,
    /// The user made an API token.
    ApiTokenCreated,
    /// An API token was revoked, by its owner or by an admin. What ends all of them at once is told as
    /// itself only, such as a password reset.
    ApiTokenRevoked,
    /// The user asked for a link that confirms their e-mail address.
    EmailConfirmationRequested,
    /// The user confirmed their e-mail address by a mailed link. A password reset does so, too, and
    /// is told as that only.
    EmailConfirmed,
    /// An admin invited somebody, who has no account yet, to join as what is in `roleAfter`; `user` is
    /// null.
    Invited,
    /// An admin took an invitation back; `user` is null.
    InvitationRevoked,
    /// The user joined by an invitation, as what is in `roleAfter`; who invited them is in `invitedBy`.
    InvitationAccepted,
    /// An admin had a mail to the user sent again; `user` is null for one to somebody without an
    /// account.
    DeliveryResent,
    /// An admin called a mail to the user off; `user` is null for one to somebody without an account.
    DeliveryCancelled,
    /// The user, an admin, held mails back.
    MailsPaused,
    /// The user, an admin, let mails go again.
    MailsResumed,
    /// An admin deleted the user.
    Deleted,
}

#[derive(Clone)]
pub struct AccountEvent {
    actor: Actor,
    row: Arc<Model>,
}

impl AccountEvent {
    pub fn new(actor: Actor, row: impl Into<Arc<Model>>) -> Self {
        Self {
            actor,
            row: row.into(),
        }
    }

    fn may_see_source(&self) -> bool {
        policy::account_event::may_see_source(&self.actor, &self.row)
    }
}

/// Something that happened to an account: a log-in, a failure, a decision, a change of rights. It
/// is never changed, and kept for 400 days, or 7 where a stranger tried to get into an account that
/// nobody has. People see their own, admins all.
#[Object]
impl AccountEvent {
    /// Opaque and globally unique: a TypeID such as account_event_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What happened.
    async fn kind(&self) -> AccountEventKind {
        self.row.kind.into()
    }

    /// Whose account it happened to. Null once they are deleted, and for a login that nobody has.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.user_id).await
    }

    /// The id of that user, which stays when they are deleted.
    async fn user_id(&self) -> Option<ID> {
        self.row.user_id.map(|id| id.to_string().into())
    }

    /// Who did it. Null for strangers, for the command line, and once they are deleted.
    async fn done_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.actor_id).await
    }

    /// The role before, where it is about a role and there was one.
    async fn role_before(&self) -> Option<Role> {
        self.row.role_before.map(Into::into)
    }

    /// The role after, where it is about a role: one that was set, granted by an approval, offered
    /// with an invitation or taken on with it.
    async fn role_after(&self) -> Option<Role> {
        self.row.role_after.map(Into::into)
    }

    /// The admin who had invited the user, where somebody joined by an invitation. Null otherwise, and
    /// once that admin is deleted.
    async fn invited_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, self.row.invited_by).await
    }

    /// Where it came from. Null for the command line, and to users where somebody else did it.
    async fn ip_address(&self) -> Option<&str> {
        self.row
            .ip_address
            .as_deref()
            .filter(|_| self.may_see_source())
    }

    /// What the browser or app called itself. Null as `ipAddress` is.
    async fn user_agent(&self) -> Option<&str> {
        self.row
            .user_agent
            .as_deref()
            .filter(|_| self.may_see_source())
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

/// Which events a list is about. Fields are joined by AND; null is as good as absent.
#[derive(InputObject, Default)]
pub struct AccountEventFilter {
    /// Events of this user, also once they are deleted.
    user_id: Option<ID>,
    /// Events of any of these kinds; an empty list matches nothing.
    kind: Option<Vec<AccountEventKind>>,
    /// Events at this instant or later.
    since: Option<DateTime>,
    /// Events before this instant.
    until: Option<DateTime>,
}

impl From<AccountEventFilter> for store::account_event::AccountEventFilter {
    fn from(filter: AccountEventFilter) -> Self {
        Self {
            user_id: filter.user_id.map(|id| id.parse().ok()),
            kind: filter
                .kind
                .map(|kinds| kinds.into_iter().map(Into::into).collect()),
            since: filter.since.map(|instant| instant.0),
            until: filter.until.map(|instant| instant.0),
        }
    }
}

type AccountEventList = NewestFirst<store::account_event::AccountEventFilter>;

impl Created for store::account_event::AccountEventFilter {
    type Row = Model;

    const NAME: &'static str = "accountEvents";

    fn place(row: &Model) -> Position {
        Position::created(row.created_at, row.id.0)
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        store::account_event::count(&muster(ctx).db, &actor, self).await
    }
}

connection!(
    AccountEventConnection,
    AccountEventEdge,
    AccountEvent,
    Model,
    AccountEventList
);

#[derive(Default)]
pub struct AccountEventQuery;

#[Object]
impl AccountEventQuery {
    /// What happened to accounts, newest first: to everyone's for admins, to one's own for others.
    /// Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::ACCOUNT_EVENTS.into()))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn account_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the events; all of them when absent.")] filter: Option<
            AccountEventFilter,
        >,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<AccountEventConnection> {
        let actor = access::require(ctx, access::ACCOUNT_EVENTS)?;
        let list = AccountEventList::new(filter.unwrap_or_default().into());
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list.id)?;
        let page =
            store::account_event::list(&muster(ctx).db, &actor, &list.filter, &window).await?;
        Ok(AccountEventConnection::new(
            actor,
            Arc::new(page.shared()),
            list,
        ))
    }
}
