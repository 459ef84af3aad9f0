//! The body of a request on its way: it tells the connection when all of it is here,
//! so that whoever keeps one back is not taken for somebody who is being answered.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::watched::Conversation;

pub(super) struct Arriving<B = Incoming> {
    body: B,
    conversation: Conversation,
}

impl<B: Body> Arriving<B> {
    pub fn new(body: B, conversation: Conversation) -> Self {
        if body.is_end_stream() {
            conversation.answer();
        }
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
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
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
    use http_body_util::{BodyExt, Empty, Full};

    use super::*;

    fn conversation() -> Conversation {
        let conversation = Conversation::default();
        conversation.listen();
        conversation
    }

    #[tokio::test]
    async fn the_answer_begins_when_the_body_has_ended() {
        let told = conversation();
        let mut body = Arriving::new(Full::new(Bytes::from_static(b"{}")), told.clone());
        assert!(!told.is_answering());
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "{}");
        assert!(told.is_answering());
    }

    #[test]
    fn there_may_be_none_and_nobody_may_want_it() {
        let told = conversation();
        let body = Arriving::new(Empty::<Bytes>::new(), told.clone());
        assert!(told.is_answering());
        drop(body);
        let told = conversation();
        let body = Arriving::new(Full::new(Bytes::from_static(b"{}")), told.clone());
        assert!(!told.is_answering());
        drop(body);
        assert!(told.is_answering());
    }
}
