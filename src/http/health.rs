//! `/healthz` and `/readyz`: whether the process lives, and whether it can do what it
//! is there for. The body is for people; probes go by the status.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::service::Context;

/// A part of a worker that is started again is down for a second or three; what is longer is told.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Of a process that serves. Its worker being down is told, and keeps nobody from being served: the
/// processes beside it work on the same queue, and what is wrong with one is likely wrong with all,
/// so taking them out would make late mails an outage of everything.
pub(super) async fn ready_to_serve(State(cx): State<Context>) -> Response {
    if let Err(answer) = reach_database(&cx).await {
        return answer;
    }
    if worker_is_down(&cx) {
        "ready; the worker of this process is down\n".into_response()
    } else {
        "ready\n".into_response()
    }
}

/// Of a process that does nothing but work.
pub(super) async fn ready_to_work(State(cx): State<Context>) -> Response {
    if let Err(answer) = reach_database(&cx).await {
        return answer;
    }
    if worker_is_down(&cx) {
        let message = "not ready: the worker is down\n";
        return (StatusCode::SERVICE_UNAVAILABLE, message).into_response();
    }
    "ready\n".into_response()
}

async fn reach_database(cx: &Context) -> Result<(), Response> {
    cx.db.ready().await.map_err(|error| {
        tracing::warn!(%error, "not ready");
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    })
}

fn worker_is_down(cx: &Context) -> bool {
    cx.worker_health
        .down_for()
        .is_some_and(|down| down > PATIENCE)
}
