//! Responses of the proxy to its clients: whole, cut in half, or an error of the service.

use std::{io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};

use crate::model::reply::Answer;

/// The time for half a response to arrive before the connection is reset.
const ARRIVES_WITHIN: Duration = Duration::from_millis(50);

/// A response of the service behind the proxy.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The error that resets a connection.
pub(super) fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// The whole response.
pub(super) fn whole(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    (*response.status_mut(), *response.headers_mut()) = (reply.status, reply.headers);
    response
}

/// Half of the body, and then a reset. A response without a body is lost completely.
pub(super) fn half(mut reply: Reply) -> Response<Body> {
    let length = reply.body.len().max(2);
    let body = reply.body.split_to(reply.body.len() / 2);
    let rest = stream::once(async {
        // Not a wait for a condition: an immediate reset discards data that was not read yet.
        tokio::time::sleep(ARRIVES_WITHIN).await;
        Err(reset())
    });
    let pieces = stream::iter([Ok(body)]).chain(rest);
    let mut response = Response::new(Body::from_stream(pieces));
    (*response.status_mut(), *response.headers_mut()) = (reply.status, reply.headers);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// An error of a service as a response.
pub(super) fn refused(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
