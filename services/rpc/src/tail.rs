//! The body of a reply, to its last frame: the deadline holds on, a panic ends the stream and not the
//! connection, a failure in the trailers is put in our terms, and the call keeps its place until the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::calls::InProgress;
use crate::error::Error;
use crate::layer::{Facts, draining, panicked};
use crate::rate::Place;

pub(crate) struct Tail {
    /// `None` once the trailers are out.
    inner: Option<Body>,
    facts: Facts,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Ends a stream whose handler knows nothing of draining: a health watch never ends by itself.
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// `None` once it is counted, which is before its caller can know that it has ended.
    in_progress: Option<InProgress>,
    _place: Option<Place>,
}

impl Tail {
    /// The rest of a reply; `ends_on` says when to end it in the handler's stead, if ever.
    pub(crate) fn new(
        inner: Body,
        facts: Facts,
        place: Option<Place>,
        in_progress: InProgress,
        ends_on: Option<CancellationToken>,
    ) -> Self {
        let deadline = facts.deadline.map(|at| Box::pin(tokio::time::sleep_until(at)));
        let draining = ends_on.map(|token| Box::pin(token.cancelled_owned()));
        Self { inner: Some(inner), facts, deadline, draining, in_progress: Some(in_progress), _place: place }
    }

    fn ended(&mut self, code: Code) {
        if let Some(in_progress) = self.in_progress.take() {
            in_progress.ended(code);
        }
    }

    /// Ends the stream with this failure; what the handler still held is dropped.
    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.inner = None;
        let status = self.facts.failed(status);
        self.ended(status.code());
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }
}

impl http_body::Body for Tail {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(None) };
        if this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return this.fail(Error::deadline().into());
        }
        let span = &this.facts.trace.span;
        let polled = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| Pin::new(inner).poll_frame(cx))));
        let frame = match polled {
            Err(panic) => return this.fail(panicked(panic.as_ref()).into()),
            Ok(Poll::Ready(frame)) => frame,
            Ok(Poll::Pending) => {
                // Only now: what the handler still has to say goes out first.
                let end = this.draining.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready());
                return if end { this.fail(draining().into()) } else { Poll::Pending };
            }
        };
        match frame {
            Some(Ok(frame)) => match frame.trailers_ref().and_then(Status::from_header_map) {
                Some(status) if status.code() != Code::Ok => this.fail(status),
                ended => {
                    if ended.is_some() {
                        this.ended(Code::Ok);
                    }
                    Poll::Ready(Some(Ok(frame)))
                }
            },
            Some(Err(status)) => this.fail(status),
            None => {
                this.ended(Code::Ok);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}
