//! What is known of a request apart from its operation, and how it is let in: who
//! asks is looked up, and turned away who asks too often, before the body is read.
//! It may be long, or never come.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::Instant;

use super::record::{Record, Seen};
use crate::error::Result;
use crate::graphql::Caller;
use crate::http::Shared;
use crate::http::accept::{MediaType, NOT_ACCEPTABLE};
use crate::http::caller::{Peer, Visitor};
use crate::http::layers::RequestId;

/// Whoever takes longer over a body is looked up again: their session may have ended.
const BODY_IS_LATE_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Incoming {
    pub headers: HeaderMap,
    pub caller: Caller,
    pub by_get: bool,
    visitor: Visitor,
    /// When the caller was looked up.
    entered: Instant,
}

impl Incoming {
    pub async fn admit(
        shared: &Shared,
        peer: Peer,
        headers: HeaderMap,
        request_id: RequestId,
    ) -> Result<(Self, Record), Response> {
        let media_type = MediaType::negotiate(&headers);
        let mut record = Record::new(request_id, media_type.unwrap_or(MediaType::Json));
        let visitor = Visitor::new(&shared.cx, &shared.proxies, peer, &headers);
        let entered = Box::pin(record.work(visitor.enter(&shared.cx))).await;
        let caller = match entered.and_then(|entered| entered) {
            Ok(caller) => caller,
            Err(error) => return Err(record.fail(shared, &Seen::default(), error)),
        };
        if media_type.is_none() {
            return Err(record.refuse(shared, &Seen::default(), &NOT_ACCEPTABLE));
        }
        let incoming = Self {
            headers,
            by_get: false,
            visitor,
            caller,
            entered: Instant::now(),
        };
        Ok((incoming, record))
    }

    /// Looks up who asks once more, if that is a while ago.
    pub async fn look_again(&mut self, shared: &Shared) -> Result<()> {
        if self.entered.elapsed() > BODY_IS_LATE_AFTER {
            self.caller.actor = self.visitor.actor(&shared.cx).await?;
        }
        Ok(())
    }
}
