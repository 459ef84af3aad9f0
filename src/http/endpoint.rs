//! `/graphql`, by the GraphQL-over-HTTP draft: POST runs operations, GET runs
//! queries. async-graphql's stock handler answers 200 to everything, runs
//! mutations by GET and from plain text, and shows its parser's errors; this one
//! decides all of that itself.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::Duration;

use async_graphql::Response as GraphqlResponse;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::Shared;
use super::accept::MediaType;
use super::answer::{mutation_by_get, not_acceptable, refuse, write};
use super::body::{discard, read};
use super::caller::Visitor;
use super::cookie::browser_session;
use super::layers::RequestId;
use super::params::Params;
use crate::error::Error;
use crate::graphql::{self, Caller, error, limits};
use crate::metrics::{Answered, counting_statements};

/// For a body to arrive, and again for everything else: to look up who asks, and to run the
/// operation.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Whoever takes longer over a body is looked up again: their session may have ended.
const BODY_IS_LATE_AFTER: Duration = Duration::from_secs(1);

type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

pub(super) async fn post(
    State(shared): State<Shared>,
    peer: Peer,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(media_type) = MediaType::negotiate(&headers) else {
        return not_acceptable();
    };
    let mut incoming = match Incoming::admit(&shared, peer, headers, request_id, media_type).await {
        Ok(incoming) => incoming,
        Err(answer) => {
            discard(body).await;
            return answer;
        }
    };
    let began = tokio::time::Instant::now();
    let params = match read(&incoming.headers, body, TIME_LIMIT).await {
        Ok(body) => Params::from_body(&incoming.headers, &body),
        Err(malformed) => Err(malformed),
    };
    incoming.is_late = began.elapsed() > BODY_IS_LATE_AFTER;
    match params {
        Ok(params) => Box::pin(answer(&shared, incoming, params)).await,
        Err(malformed) => refuse(media_type, &malformed),
    }
}

pub(super) async fn get(
    State(shared): State<Shared>,
    peer: Peer,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(media_type) = MediaType::negotiate(&headers) else {
        return not_acceptable();
    };
    let mut incoming = match Incoming::admit(&shared, peer, headers, request_id, media_type).await {
        Ok(incoming) => incoming,
        Err(answer) => return answer,
    };
    incoming.by_get = true;
    match Params::from_query(&query.unwrap_or_default()) {
        Ok(params) => Box::pin(answer(&shared, incoming, params)).await,
        Err(malformed) => refuse(media_type, &malformed),
    }
}

pub(super) async fn other_method() -> Response {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "GET, POST")],
        "Use POST, or GET for queries.\n",
    )
        .into_response()
}

/// What is known of a request apart from its operation.
struct Incoming {
    visitor: Visitor,
    caller: Caller,
    headers: HeaderMap,
    request_id: RequestId,
    media_type: MediaType,
    by_get: bool,
    /// Whether the caller was looked up a while ago.
    is_late: bool,
    /// What it took to look the caller up.
    took: Duration,
    statements: u64,
}

impl Incoming {
    /// Looks up who asks, and turns those away who ask too often, before their body is read: it may
    /// be long, or never come.
    async fn admit(
        shared: &Shared,
        peer: Peer,
        headers: HeaderMap,
        request_id: RequestId,
        media_type: MediaType,
    ) -> Result<Self, Response> {
        let began = tokio::time::Instant::now();
        let peer = peer.map(|Extension(ConnectInfo(peer))| peer);
        let visitor = Visitor::new(&shared.cx, &shared.proxies, peer, &headers);
        let entrance = Box::pin(bounded(TIME_LIMIT, visitor.enter(&shared.cx)));
        let (entered, statements) = counting_statements(entrance).await;
        let caller = match entered.and_then(|entered| entered) {
            Ok(caller) => caller,
            Err(error) => {
                let mut response = failed(error);
                let schema_is_shown = shared.cx.settings.introspection;
                error::finish(&mut response, &request_id.0, schema_is_shown);
                let seen = Seen::default();
                count(shared, &response, &seen, began.elapsed(), statements);
                return Err(write(media_type, response));
            }
        };
        Ok(Self {
            visitor,
            caller,
            headers,
            request_id,
            media_type,
            by_get: false,
            is_late: false,
            took: began.elapsed(),
            statements,
        })
    }
}

async fn answer(shared: &Shared, incoming: Incoming, params: Params) -> Response {
    let request_id = incoming.request_id.0.clone();
    let media_type = incoming.media_type;
    let (took, looked_up_by) = (incoming.took, incoming.statements);
    let began = tokio::time::Instant::now();
    let seen = Seen::default();
    let time_left = TIME_LIMIT.saturating_sub(took);
    let execution = execute(shared, incoming, params, &seen);
    let execution = Box::pin(bounded(time_left, execution));
    let (outcome, statements) = counting_statements(execution).await;
    let mut response = match outcome {
        Ok(Outcome::Executed(response)) => *response,
        Ok(Outcome::MutationByGet) => return mutation_by_get(media_type),
        Err(error) => failed(error),
    };
    let schema_is_shown = shared.cx.settings.introspection;
    error::finish(&mut response, &request_id, schema_is_shown);
    let (took, statements) = (took + began.elapsed(), looked_up_by + statements);
    count(shared, &response, &seen, took, statements);
    write(media_type, response)
}

fn count(
    shared: &Shared,
    response: &GraphqlResponse,
    seen: &Seen,
    took: Duration,
    statements: u64,
) {
    shared.cx.metrics.answered(&Answered {
        operation: seen.operation.get().map(String::as_str),
        role: seen.role.get().copied(),
        outcome: response
            .errors
            .first()
            .and_then(error::code)
            .unwrap_or("ok"),
        took,
        statements,
    });
}

/// What came to light of a request before it ended, however it did.
#[derive(Default)]
struct Seen {
    /// The name of an operation that was found good enough to run.
    operation: OnceLock<String>,
    role: OnceLock<&'static str>,
}

/// Waits for an operation no longer than this, and survives its panic. One that is dropped rolls
/// its transaction back.
async fn bounded<T>(limit: Duration, execution: impl Future<Output = T>) -> Result<T, Error> {
    let caught = AssertUnwindSafe(execution).catch_unwind();
    match tokio::time::timeout(limit, caught).await {
        Ok(outcome) => outcome.map_err(|_| Error::internal("a resolver panicked")),
        Err(_) => Err(Error::Unavailable(
            "the time limit of a request was reached".into(),
        )),
    }
}

enum Outcome {
    Executed(Box<GraphqlResponse>),
    MutationByGet,
}

async fn execute(shared: &Shared, incoming: Incoming, params: Params, seen: &Seen) -> Outcome {
    let executed = |response| Outcome::Executed(Box::new(response));
    let mut caller = incoming.caller;
    if incoming.is_late {
        caller.actor = match incoming.visitor.actor(&shared.cx).await {
            Ok(actor) => actor,
            Err(error) => return executed(failed(error)),
        };
    }
    let role = caller.actor.viewer().map(|viewer| viewer.role);
    if let Some(role) = role {
        seen.role.get_or_init(|| role.name());
    }
    let name = params.operation_name.as_deref();
    let document = match limits::check(&params.query, name, &params.variables, role) {
        Ok(document) => document,
        Err(error) => return executed(GraphqlResponse::from_errors(vec![error])),
    };
    if incoming.by_get && is_mutation(&document, name) {
        return Outcome::MutationByGet;
    }
    let operation = name.or_else(|| only_name(&document)).unwrap_or("unnamed");
    let span = tracing::info_span!("operation", graphql.operation.name = operation);
    if operation != "unnamed" {
        seen.operation.get_or_init(|| operation.to_owned());
    }
    let browser_session = browser_session(&shared.cx.settings, &incoming.headers);
    let mut request = params.into_request().data(browser_session);
    request.set_parsed_query(document);
    let request = graphql::request(&shared.cx, request, caller);
    executed(shared.schema.execute(request).instrument(span).await)
}

/// The name of the only operation, where it has one.
fn only_name(document: &ExecutableDocument) -> Option<&str> {
    let mut operations = document.operations.iter();
    let (name, _) = operations.next()?;
    let name = name.map(async_graphql::Name::as_str)?;
    operations.next().is_none().then_some(name)
}

/// Whether the operation that would run is anything but a query.
fn is_mutation(document: &ExecutableDocument, name: Option<&str>) -> bool {
    document
        .operations
        .iter()
        .filter(|(operation, _)| {
            name.is_none() || operation.map(async_graphql::Name::as_str) == name
        })
        .any(|(_, operation)| operation.node.ty != OperationType::Query)
}

fn failed(error: Error) -> GraphqlResponse {
    GraphqlResponse::from_errors(vec![error::failure(error)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_fault_of_ours_and_nothing_more() {
        let outcome: Result<(), Error> = bounded(TIME_LIMIT, async { panic!("on purpose") }).await;
        assert!(matches!(outcome, Err(Error::Internal(_))));
        assert_eq!(bounded(TIME_LIMIT, async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_takes_too_long_is_given_up() {
        let outcome: Result<(), Error> = bounded(TIME_LIMIT, std::future::pending()).await;
        assert!(matches!(outcome, Err(Error::Unavailable(_))));
    }
}
