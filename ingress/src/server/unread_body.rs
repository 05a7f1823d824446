//! What is left of a request body when the response is there. HTTP/1.1 has no way to skip it: either the server reads it, or
//! the connection ends after the response. A short rest is read; otherwise the response says `Connection: close`, so that the
//! client does not send its next request on a connection that does not read it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use http::{HeaderValue, Request, Response, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// The longest rest of a body that is read, in bytes: a whole upload.
const REST_BYTES_MAX: usize = 12 * 1024 * 1024;

/// How long the rest of a body is read.
const REST_TIMEOUT: Duration = Duration::from_millis(500);

/// The body of a request, which comes back when its handler drops it.
struct Borrowed {
    body: Option<Body>,
    back: Option<oneshot::Sender<Body>>,
}

/// Calls `handler`, then reads the rest of the body or closes the connection.
pub(super) async fn respond<F>(
    request: Request<Body>,
    handler: impl FnOnce(Request<Body>) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    if request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
        return handler(request).await;
    }
    // A client that waits for 100 Continue has not sent its body, and does not send it when it gets the response.
    let waits = request.headers().contains_key(header::EXPECT);
    let (back, mut returned) = oneshot::channel();
    let request = request.map(|body| Body::new(Borrowed { body: Some(body), back: Some(back) }));
    let mut response = handler(request).await;
    let is_read = match returned.try_recv() {
        Ok(body) => body.is_end_stream() || (!waits && read(body).await),
        // Its handler reads it as the response goes on.
        Err(_) => false,
    };
    if !is_read {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads a body within the limits. Returns whether it is read.
async fn read(mut body: Body) -> bool {
    let (until, mut left) = (Instant::now() + REST_TIMEOUT, REST_BYTES_MAX);
    loop {
        match timeout_at(until, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => {
                let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
                    return false;
                };
                left = rest;
            }
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
}

impl HttpBody for Borrowed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // The response may have been given up.
            let _ = back.send(body);
        }
    }
}
