//! The schema: one file per noun with its type, queries and mutations. A read is
//! resolver or loader, then `store`; a write is resolver, `service`, `store`.
//! Nothing here decides rights: see `access`, `policy` and `store`.
//!
//! In the pinned version of async-graphql an `Err` from `Result<Option<T>>` nulls
//! the field's *parent*. So nullable fields return `Option<Result<T>>`, which
//! nulls the field alone, as the specification wants.

#![allow(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "these comments are the descriptions in the SDL, where codes stand as they are"
)]

mod access;
mod account_event;
mod api_token;
mod approval;
mod connection;
pub mod cookie;
mod dashboard;
mod delivery;
mod email_confirmation;
pub mod error;
mod figures;
mod invitation;
pub mod limits;
mod loader;
mod long_text;
mod node;
mod notification;
mod page;
mod password;
mod paused_mail;
mod payload;
mod report;
mod second_factor;
mod server;
mod session;
mod stats;
mod task;
mod types;
mod user;

use std::sync::LazyLock;

use async_graphql::{
    Context, EmptySubscription, MergedObject, Request, SDLExportOptions, Schema as GraphqlSchema,
};
use chrono::{DateTime, Utc};

use crate::actor::Actor;
use crate::config::Settings;
use crate::service::{self, Client};
use loader::Loaders;
use long_text::LongTexts;

pub type Schema = GraphqlSchema<Query, Mutation, EmptySubscription>;

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    server::ServerQuery,
    user::ViewerQuery,
    node::NodeQuery,
    dashboard::DashboardQuery,
    session::SessionQuery,
    user::UserQuery,
    approval::ApprovalQuery,
    invitation::InvitationQuery,
    task::TaskQuery,
    stats::StatsQuery,
    account_event::AccountEventQuery,
    api_token::ApiTokenQuery,
    notification::NotificationQuery,
    delivery::DeliveryQuery,
    paused_mail::PausedMailQuery,
);

/// Everything that can be changed. Root fields are nullable, so that one that fails leaves the
/// answers of its siblings standing. What a form got wrong is in the payload's `userErrors`.
#[derive(MergedObject, Default)]
pub struct Mutation(
    user::SignUpMutation,
    session::SessionMutation,
    password::PasswordMutation,
    api_token::ApiTokenMutation,
    second_factor::SecondFactorMutation,
    email_confirmation::EmailConfirmationMutation,
    user::ProfileMutation,
    approval::ApprovalMutation,
    invitation::InvitationMutation,
    user::UserMutation,
    task::TaskMutation,
    report::ReportMutation,
    notification::NotificationMutation,
    delivery::DeliveryMutation,
    paused_mail::PausedMailMutation,
);

/// Who sent a request, and from where.
pub struct Caller {
    pub actor: Actor,
    pub client: Client,
}

/// One instant for the whole request, so that its parts agree on what is overdue.
struct RequestTime(DateTime<Utc>);

/// The schema as it is served.
pub fn schema(settings: &Settings) -> Schema {
    if settings.introspection {
        builder().finish()
    } else {
        builder()
            .disable_introspection()
            .disable_suggestions()
            .finish()
    }
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    GraphqlSchema::build(Query::default(), Mutation::default(), EmptySubscription)
}

/// The schema as text: the contents of `schema.graphql`. Written once, since whoever asks for it
/// need not be anybody.
pub fn sdl() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let options = SDLExportOptions::new()
            .include_specified_by()
            .use_space_ident();
        let schema = builder().finish();
        format!("{}\n", schema.sdl_with_options(options).trim())
    });
    &TEXT
}

/// Attaches what the resolvers of one request share.
pub fn request(cx: &service::Context, request: Request, caller: Caller) -> Request {
    request
        .data(caller.actor)
        .data(RequestTime(cx.now()))
        .data(Loaders::new(&cx.db))
        .data(LongTexts::default())
        .data(cx.asked_by(caller.client))
}

fn muster<'a>(ctx: &Context<'a>) -> &'a service::Context {
    ctx.data_unchecked()
}

fn loaders<'a>(ctx: &Context<'a>) -> &'a Loaders {
    ctx.data_unchecked()
}

fn request_time(ctx: &Context<'_>) -> DateTime<Utc> {
    ctx.data_unchecked::<RequestTime>().0
}
