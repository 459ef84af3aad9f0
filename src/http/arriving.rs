//! The body of a request on its way: it tells the connection when it is waited for,
//! and when all of it is here, so that whoever keeps one back is not taken for
//! somebody who is being answered.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::watched::Conversation;

pub(super) struct Arriving<B = Incoming> {
    body: B,
    conversation: Conversation,
}

impl<B> Arriving<B> {
    pub fn new(body: B, conversation: Conversation) -> Self {
        Self { body, conversation }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Arriving<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() {
            self.conversation.listen();
        } else if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.conversation.answer();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Nobody wants the rest: it is too long, too late, or of no interest.
impl<B> Drop for Arriving<B> {
    fn drop(&mut self) {
        self.conversation.answer();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{FutureExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    type Piece = Result<Frame<Bytes>, Infallible>;

    /// A body that comes as it is sent.
    fn arriving() -> (
        mpsc::Sender<Piece>,
        Conversation,
        Arriving<impl Body<Data = Bytes, Error = Infallible> + Unpin>,
    ) {
        let (sender, mut pieces) = mpsc::channel(8);
        let pieces = stream::poll_fn(move |cx| pieces.poll_recv(cx));
        let conversation = Conversation::default();
        conversation.ask();
        let body = Arriving::new(StreamBody::new(pieces), conversation.clone());
        (sender, conversation, body)
    }

    #[test]
    fn whoever_is_looked_up_first_is_not_waited_for() {
        let (_sender, told, _body) = arriving();
        assert!(told.is_answering());
    }

    #[test]
    fn a_body_is_waited_for_until_it_has_ended() {
        let (sender, told, mut body) = arriving();
        assert!(body.frame().now_or_never().is_none());
        assert!(!told.is_answering());
        let piece = Frame::data(Bytes::from_static(b"{}"));
        sender.try_send(Ok(piece)).unwrap();
        assert!(body.frame().now_or_never().is_some());
        assert!(body.frame().now_or_never().is_none());
        assert!(!told.is_answering());
        drop(sender);
        assert!(matches!(body.frame().now_or_never(), Some(None)));
        assert!(told.is_answering());
    }

    #[test]
    fn nobody_may_want_the_rest_and_says_nothing_about_what_comes_after_it() {
        let (_sender, told, mut body) = arriving();
        assert!(body.frame().now_or_never().is_none());
        drop(body);
        assert!(told.is_answering());
        let (_sender, told, mut body) = arriving();
        assert!(body.frame().now_or_never().is_none());
        told.end();
        drop(body);
        assert!(!told.is_answering());
    }
}
