//! Cuts off a client that dawdles over the head of a request, and leaves one alone
//! that is between requests. hyper has one time limit for both: short, it would
//! close connections that a proxy keeps for its next request, and lose that
//! request; long, it would let dawdlers hold theirs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Told by the handler, read by the connection: whether a request is being answered.
#[derive(Clone, Default)]
pub(super) struct Answering(Arc<AtomicBool>);

impl Answering {
    pub fn set(&self, answering: bool) {
        self.0.store(answering, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection on which a head must be whole this long after its first byte.
pub(super) struct HeadTimeout<S> {
    stream: S,
    answering: Answering,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Whether a head has begun.
    running: bool,
}

impl<S> HeadTimeout<S> {
    pub fn new(stream: S, limit: Duration, answering: Answering) -> Self {
        Self {
            stream,
            answering,
            limit,
            deadline: Box::pin(sleep(limit)),
            running: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.answering.get() {
            this.running = false;
        } else if this.running && this.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && !this.running && !this.answering.get() {
            this.deadline.as_mut().reset(Instant::now() + this.limit);
            this.running = true;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_cut_off() {
        let (mut client, server) = duplex(64);
        let mut server = HeadTimeout::new(server, LIMIT, Answering::default());
        client.write_all(b"GET").await.unwrap();
        let mut buffer = [0; 64];
        assert_eq!(server.read(&mut buffer).await.unwrap(), 3);
        let began = Instant::now();
        let error = server.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_between_requests_may_take_their_time() {
        let (mut client, server) = duplex(64);
        let answering = Answering::default();
        let mut server = HeadTimeout::new(server, LIMIT, answering.clone());
        let mut buffer = [0; 64];
        for _ in 0..2 {
            let idle = tokio::time::timeout(LIMIT * 6, server.read(&mut buffer)).await;
            assert!(idle.is_err(), "cut off while idle");
            client.write_all(b"a whole head").await.unwrap();
            assert_eq!(server.read(&mut buffer).await.unwrap(), 12);
            answering.set(true);
            // The answer, too, may take longer than a head.
            let busy = tokio::time::timeout(LIMIT * 6, server.read(&mut buffer)).await;
            assert!(busy.is_err(), "cut off while answering");
            answering.set(false);
        }
    }
}
