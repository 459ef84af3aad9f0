//! Serves a router on a listener until it is cancelled, and finishes what is in
//! flight. Clients that dawdle are cut off, so many have a place at once, and a
//! request that two servers could read in two ways is refused.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::arriving::Arriving;
use super::layers::Ambiguous;
use super::places::{Place, Places};
use super::watched::{Conversation, Watched};

/// For the head of a request from its first byte, and for an answer to be taken on.
const DAWDLE_LIMIT: Duration = Duration::from_secs(10);
/// For a head, in bytes. One with more gets 431, one with a longer address 414.
const HEAD_MAX: usize = 128 * 1024;
const HEADERS_MAX: usize = 100;
/// Open files that are no connections: the database, Redis, mails, and some to spare.
const OTHER_FILES: u64 = 256;
/// Between requests. Longer than proxies keep their connections, so that it is them who close.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// Longer than the time limit of a request.
const DRAIN: Duration = Duration::from_secs(20);
/// After a failed accept, such as one for want of file descriptors, which would fail again at once.
const PAUSE: Duration = Duration::from_millis(50);

/// `connections` is how many there can be at once; it is less where the system has fewer files.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    cancel: CancellationToken,
) -> std::io::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX);
    let places = Places::new(with_files_for(connections));
    let connections = GracefulShutdown::new();
    // Told once, however many come.
    let mut is_full = false;
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
        let conversation = Conversation::default();
        let Some(place) = places.take(peer.ip(), conversation.clone()) else {
            if !is_full {
                tracing::warn!("connections are refused: all there can be are being answered");
            }
            is_full = true;
            continue;
        };
        let place = Arc::new(place);
        let guest = Guest {
            peer,
            conversation: conversation.clone(),
            place: place.clone(),
        };
        let told_of = conversation.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            answer(router.clone(), request, guest.clone())
        });
        // Answers are small; waiting to fill a packet would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
            continue;
        }
        is_full = false;
        let stream = Watched::new(stream, DAWDLE_LIMIT, conversation);
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let mut is_needed = pin!(place.is_needed());
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = is_needed.as_mut() => None,
            };
            // A request may have come in just then; it is answered first, and is the last.
            let ended = match ended {
                None if told_of.is_answering() => Some(connection.await),
                ended => ended,
            };
            match ended {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::debug!(%error, "a connection ended badly"),
                None => tracing::debug!("a connection that waited made room for another"),
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

/// As many of these connections as the system has files for, once it was asked for more.
fn with_files_for(connections: usize) -> usize {
    let wanted = (connections as u64).saturating_add(OTHER_FILES);
    let files = match rlimit::increase_nofile_limit(wanted) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be told");
            return connections;
        }
    };
    if files >= wanted {
        return connections;
    }
    let fitting = files.saturating_sub(OTHER_FILES).max(files / 2);
    tracing::warn!(
        files,
        "the system allows fewer open files than CONNECTIONS needs: at most {fitting} connections"
    );
    usize::try_from(fitting).unwrap_or(connections)
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Guest {
    peer: SocketAddr,
    conversation: Conversation,
    place: Arc<Place>,
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    guest: Guest,
) -> Result<axum::response::Response, Infallible> {
    let Guest {
        peer,
        conversation,
        place,
    } = guest;
    conversation.ask();
    let mut request = request.map(|body| Body::new(Arriving::new(body, conversation.clone())));
    request.extensions_mut().insert(ConnectInfo(peer));
    if conversation.is_ambiguous() {
        request.extensions_mut().insert(Ambiguous);
    }
    let is_last = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut answer = router.oneshot(request).await;
    if (is_last || place.is_lost())
        && let Ok(answer) = &mut answer
    {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    // In this order: between the two, it must not pass for one that has waited for long.
    place.renew();
    conversation.end();
    answer
}
