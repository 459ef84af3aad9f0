//! Runs the operation of a request that was let in.

use async_graphql::Response as GraphqlResponse;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use axum::http::StatusCode;
use axum::response::Response;
use tracing::Instrument;

use super::incoming::Incoming;
use super::record::{Record, Seen};
use crate::error::Error;
use crate::graphql::{self, error, limits};
use crate::http::Shared;
use crate::http::cookie::browser_session;
use crate::http::params::{Malformed, Params};

const MUTATION_BY_GET: Malformed = Malformed {
    status: StatusCode::METHOD_NOT_ALLOWED,
    code: error::BAD_USER_INPUT,
    message: "GET runs queries only: send mutations by POST.",
};

pub(super) async fn run(
    shared: &Shared,
    incoming: Incoming,
    mut record: Record,
    params: Result<Params, Malformed>,
) -> Response {
    let seen = Seen::default();
    let params = match params {
        Ok(params) => params,
        Err(malformed) => return record.refuse(shared, &seen, &malformed),
    };
    let execution = Box::pin(execute(shared, incoming, params, &seen));
    match record.work(execution).await {
        Ok(Outcome::Executed(response)) => record.answer(shared, &seen, *response),
        Ok(Outcome::NotUnderstood(malformed)) => record.refuse(shared, &seen, &malformed),
        Ok(Outcome::Failed(error)) | Err(error) => record.fail(shared, &seen, error),
    }
}

enum Outcome {
    Executed(Box<GraphqlResponse>),
    NotUnderstood(Malformed),
    Failed(Error),
}

async fn execute(shared: &Shared, mut incoming: Incoming, params: Params, seen: &Seen) -> Outcome {
    let executed = |response| Outcome::Executed(Box::new(response));
    if let Err(error) = incoming.look_again(shared).await {
        return Outcome::Failed(error);
    }
    let Incoming {
        caller,
        by_get,
        headers,
        ..
    } = incoming;
    let role = caller.actor.viewer().map(|viewer| viewer.role);
    if let Some(role) = role {
        seen.role.get_or_init(|| role.name());
    }
    let name = params.operation_name.as_deref();
    let document = match limits::check(&params.query, name, &params.variables, role) {
        Ok(document) => document,
        Err(error) => return executed(GraphqlResponse::from_errors(vec![error])),
    };
    if by_get && !is_query(&document) {
        return Outcome::NotUnderstood(MUTATION_BY_GET);
    }
    let operation = name.or_else(|| only_name(&document));
    let span = tracing::info_span!(
        "operation",
        graphql.operation.name = operation.unwrap_or("unnamed")
    );
    if let Some(operation) = operation {
        seen.operation.get_or_init(|| operation.to_owned());
    }
    let browser_session = browser_session(&shared.cx.settings, &headers);
    let mut request = params.into_request().data(browser_session);
    request.set_parsed_query(document);
    let request = graphql::request(&shared.cx, request, caller);
    executed(shared.schema.execute(request).instrument(span).await)
}

/// The name of the operation, where it has one: the limits leave no other.
fn only_name(document: &ExecutableDocument) -> Option<&str> {
    let (name, _) = document.operations.iter().next()?;
    name.map(async_graphql::Name::as_str)
}

fn is_query(document: &ExecutableDocument) -> bool {
    let mut operations = document.operations.iter();
    operations.all(|(_, operation)| operation.node.ty == OperationType::Query)
}
