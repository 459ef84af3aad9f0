//! One connection, watched: a client that dawdles over the head of a request, or
//! does not take its answer, is cut off, and one that is between requests is left
//! alone. hyper has one time limit for heads and pauses: short, it would close
//! connections that a proxy keeps for its next request, and lose that request;
//! long, it would let dawdlers hold theirs. It has none for answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
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
    /// One of the turns.
    turn: AtomicU8,
    /// Requests whose head was whole.
    requests: AtomicU64,
    ambiguous: AtomicBool,
}

/// The client's: nothing was asked, or no whole head came yet.
const SILENCE: u8 = 0;
/// The client's still: more of a body is to come.
const LISTENING: u8 = 1;
/// Ours: we look at the head, or the request is whole.
const ANSWERING: u8 = 2;

impl Conversation {
    /// The head of a request is whole.
    pub fn ask(&self) {
        self.0.requests.fetch_add(1, Ordering::AcqRel);
        self.0.turn.store(ANSWERING, Ordering::Release);
    }

    /// Somebody waits for more of its body.
    pub fn listen(&self) {
        self.turn(ANSWERING, LISTENING);
    }

    /// All of it is here, or as much as anybody wanted.
    pub fn answer(&self) {
        self.turn(LISTENING, ANSWERING);
    }

    /// Whoever lets go of a body late says nothing about what came after it.
    fn turn(&self, from: u8, to: u8) {
        let turn = &self.0.turn;
        turn.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .unwrap_or_default();
    }

    pub fn end(&self) {
        self.0.turn.store(SILENCE, Ordering::Release);
    }

    pub fn is_answering(&self) -> bool {
        self.0.turn.load(Ordering::Acquire) == ANSWERING
    }

    fn is_silent(&self) -> bool {
        self.0.turn.load(Ordering::Acquire) == SILENCE
    }

    fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Acquire)
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
    /// How many requests there were when a head began, the last one to begin. Reading alone does
    /// not show that it has ended: an answer may be given before anything is read again.
    head_after: Option<u64>,
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
            head_after: None,
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
        let is_silent = this.conversation.is_silent();
        let requests = Some(this.conversation.requests());
        let in_head = is_silent && this.head_after == requests;
        if in_head && this.head.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let news = buffer.filled().get(before..).unwrap_or_default();
        if !news.is_empty() && is_silent && !in_head {
            this.head.as_mut().reset(Instant::now() + this.limit);
            this.head_after = requests;
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
            conversation.ask();
            conversation.listen();
            // So may the body, which has a limit of its own, and the answer.
            let body = tokio::time::timeout(LIMIT * 6, server.read(&mut buffer)).await;
            assert!(body.is_err(), "cut off in the body");
            conversation.answer();
            let busy = tokio::time::timeout(LIMIT * 6, server.read(&mut buffer)).await;
            assert!(busy.is_err(), "cut off while answering");
            conversation.end();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_are_answered_at_once_do_not_add_up_to_a_head() {
        let (mut client, server) = duplex(64);
        let conversation = Conversation::default();
        let mut server = Watched::new(server, LIMIT, conversation.clone());
        let mut buffer = [0; 64];
        for _ in 0..10 {
            client.write_all(b"a whole head").await.unwrap();
            assert_eq!(server.read(&mut buffer).await.unwrap(), 12);
            // Nobody reads meanwhile.
            conversation.ask();
            conversation.end();
            sleep(LIMIT / 2).await;
        }
    }

    #[test]
    fn a_body_that_is_let_go_of_late_says_nothing() {
        let conversation = Conversation::default();
        conversation.ask();
        assert!(conversation.is_answering());
        conversation.listen();
        assert!(!conversation.is_answering() && !conversation.is_silent());
        conversation.answer();
        assert!(conversation.is_answering());
        conversation.end();
        conversation.answer();
        assert!(!conversation.is_answering() && conversation.is_silent());
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
