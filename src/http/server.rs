//! Serves a router on a listener until it is cancelled, and finishes what is in
//! flight. A client that dawdles over its headers is cut off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::head_timeout::{Answering, HeadTimeout};

/// For the head of a request, from its first byte.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Between requests. Longer than proxies keep their connections, so that it is them who close.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// Longer than the time limit of a request.
const DRAIN: Duration = Duration::from_secs(20);
/// After a failed accept, such as one for want of file descriptors, which would fail again at once.
const PAUSE: Duration = Duration::from_millis(50);

pub async fn serve(
    listener: TcpListener,
    router: Router,
    cancel: CancellationToken,
) -> std::io::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_headers(100);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
        };
        let router = router.clone();
        let answering = Answering::default();
        let told = answering.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            answer(router.clone(), request, peer, told.clone())
        });
        // Answers are small; waiting to fill a packet would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
            continue;
        }
        let stream = HeadTimeout::new(stream, HEAD_LIMIT, answering);
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were not finished in time");
    }
    Ok(())
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    answering: Answering,
) -> Result<axum::response::Response, Infallible> {
    answering.set(true);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let answer = router.oneshot(request).await;
    answering.set(false);
    answer
}
