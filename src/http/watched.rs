//! One connection, watched: a client that dawdles over the head of a request, or
//! does not take its answer, is cut off, and one that is between requests is left
//! alone. hyper has one time limit for heads and pauses: short, it would close
//! connections that a proxy keeps for its next request, and lose that request;
//! long, it would let dawdlers hold theirs. It has none for answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::framing::Framing;

/// What the handler and the connection tell each other.
#[derive(Clone, Default)]
pub(super) struct Conversation(Arc<State>);

#[derive(Default)]
struct State {
    answering: AtomicBool,
    ambiguous: AtomicBool,
}

impl Conversation {
    pub fn set_answering(&self, answering: bool) {
        self.0.answering.store(answering, Ordering::Release);
    }

    pub fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Acquire)
    }

    /// Whether a request said twice how long it is: nothing on this connection can be trusted to be
    /// what its sender meant.
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous.load(Ordering::Acquire)
    }
}

/// A connection on which a head must be whole this long after its first byte, and each part of an
/// answer taken this long after it was offered.
pub(super) struct Watched<S> {
    stream: S,
    conversation: Conversation,
    framing: Framing,
    limit: Duration,
    head: Pin<Box<Sleep>>,
    /// Whether a head has begun.
    running: bool,
    answer: Pin<Box<Sleep>>,
    /// Whether the client keeps us waiting to write.
    stuck: bool,
}

impl<S> Watched<S> {
    pub fn new(stream: S, limit: Duration, conversation: Conversation) -> Self {
        Self {
            stream,
            conversation,
            framing: Framing::default(),
            limit,
            head: Box::pin(sleep(limit)),
            running: false,
            answer: Box::pin(sleep(limit)),
            stuck: false,
        }
    }

    /// What came of writing, or the end of patience.
    fn written<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stuck = false;
            return outcome;
        }
        if !self.stuck {
            self.answer.as_mut().reset(Instant::now() + self.limit);
            self.stuck = true;
        }
        match self.answer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.conversation.is_answering() {
            this.running = false;
        } else if this.running && this.head.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let news = buffer.filled().get(before..).unwrap_or_default();
        if !news.is_empty() && !this.running && !this.conversation.is_answering() {
            this.head.as_mut().reset(Instant::now() + this.limit);
            this.running = true;
        }
        if this.framing.is_ambiguous_after(news) {
            this.conversation.0.ambiguous.store(true, Ordering::Release);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(outcome, cx)
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
        let mut server = Watched::new(server, LIMIT, Conversation::default());
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
        let conversation = Conversation::default();
        let mut server = Watched::new(server, LIMIT, conversation.clone());
        let mut buffer = [0; 64];
        for _ in 0..2 {
            let idle = tokio::time::timeout(LIMIT * 6, server.read(&mut buffer)).await;
            assert!(idle.is_err(), "cut off while idle");
            client.write_all(b"a whole head").await.unwrap();
            assert_eq!(server.read(&mut buffer).await.unwrap(), 12);
            conversation.set_answering(true);
            // The answer, too, may take longer than a head.
            let busy = tokio::time::timeout(LIMIT * 6, server.read(&mut buffer)).await;
            assert!(busy.is_err(), "cut off while answering");
            conversation.set_answering(false);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_take_their_answer_is_cut_off() {
        let (mut client, server) = duplex(64);
        let mut server = Watched::new(server, LIMIT, Conversation::default());
        let began = Instant::now();
        let error = server.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
        // A slow one that goes on is not.
        let mut buffer = [0; 64];
        client.read_exact(&mut buffer).await.unwrap();
        let slow = async {
            for _ in 0..4 {
                sleep(LIMIT / 2).await;
                client.read_exact(&mut buffer).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(server.write_all(&[0; 5 * 64]), slow);
        written.unwrap();
    }
}
