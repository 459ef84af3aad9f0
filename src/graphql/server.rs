//! What a sign-up or log-in form needs to know about this server.

use async_graphql::{Context, Object, SimpleObject};

use super::access::public;
use super::types::DateTime;
use super::{muster, request_time};

/// What a sign-up or log-in form needs to know.
#[derive(SimpleObject)]
pub struct ServerInfo {
    /// The version of Muster.
    version: &'static str,
    /// Whether `signUp` takes people, perhaps with addresses of certain domains only; when false it
    /// answers NOT_ALLOWED.
    sign_up_open: bool,
    /// The least number of characters of a password.
    password_min_length: i32,
    /// The server's clock, to reckon deadlines and token expiry by.
    time: DateTime,
}

#[derive(Default)]
pub struct ServerQuery;

#[Object]
impl ServerQuery {
    /// What a sign-up or log-in form needs to know. Public.
    #[graphql(directive = public::apply())]
    async fn server(&self, ctx: &Context<'_>) -> ServerInfo {
        let settings = &muster(ctx).settings;
        ServerInfo {
            version: env!("CARGO_PKG_VERSION"),
            sign_up_open: settings.sign_up_open,
            password_min_length: i32::try_from(settings.password_min_length).unwrap_or(i32::MAX),
            time: DateTime(request_time(ctx)),
        }
    }
}
