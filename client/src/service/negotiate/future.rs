use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use http::Response;
use http::header::{HeaderValue, WWW_AUTHENTICATE};

/// The response of [`super::Negotiate`] and [`super::RequireRole`], once it is there.
#[derive(Debug)]
pub struct ResponseFuture<F, B>(Kind<F, B>);

#[derive(Debug)]
enum Kind<F, B> {
    // The inner service's, and what is added to it.
    Inner(Pin<Box<F>>, Option<HeaderValue>),
    Ready(Option<Response<B>>),
}

impl<F, B> ResponseFuture<F, B> {
    pub(super) fn inner(future: F, proof: Option<HeaderValue>) -> Self {
        Self(Kind::Inner(Box::pin(future), proof))
    }

    pub(super) const fn ready(response: Response<B>) -> Self {
        Self(Kind::Ready(Some(response)))
    }
}

// Nothing in here is pinned but what is in the box.
impl<F, B> Unpin for ResponseFuture<F, B> {}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Kind::Inner(future, proof) => {
                let mut response = ready!(future.as_mut().poll(cx))?;
                if let Some(proof) = proof.take() {
                    response.headers_mut().append(WWW_AUTHENTICATE, proof);
                }
                Poll::Ready(Ok(response))
            }
            // A future that was polled to its end is not polled again.
            Kind::Ready(response) => response
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        }
    }
}
