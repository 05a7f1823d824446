//! Serves one connection, HTTP/1.1 or HTTP/2, until it is closed, stalls, has to yield, or the task stops. The deadlines are
//! those of its [`Place`].

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, service_fn};

use super::{
    connections::{Access, CONNECTION_AGE_MAX, InFlight, Place},
    unread_body,
};

/// Buffer of an HTTP/1.1 connection, in bytes: the longest head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Longest header list of an HTTP/2 request, in bytes.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// Concurrent requests of an HTTP/2 connection.
const HTTP2_STREAMS_MAX: u32 = 100;

/// Streams of an HTTP/2 connection that the client has reset before they were served (CVE-2023-44487).
const HTTP2_RESETS_MAX: usize = 20;

/// Interval and timeout of the pings on an HTTP/2 connection.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// A socket with its place, which is free when the socket is closed.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    _place: Arc<Place>,
}

/// A response body that counts as in flight until it is dropped.
#[derive(Debug)]
pub(super) struct InFlightBody {
    body: Body,
    request: InFlight,
}

/// Serves `stream` with `router`.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    place: Arc<Place>,
    router: Router,
    stopped: CancellationToken,
) {
    let io = TokioIo::new(Socket { stream, _place: Arc::clone(&place) });
    let service = {
        let place = Arc::clone(&place);
        service_fn(move |request: Request<Incoming>| {
            respond(router.clone(), Arc::clone(&place), peer, request)
        })
    };
    let builder = builder();
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, TowerToHyperService::new(service)));
    let closes_at = Instant::now() + CONNECTION_AGE_MAX;
    let mut is_closing = false;
    loop {
        let deadline = place.deadline();
        tokio::select! {
            // A failed connection is its client's; nothing is to be done.
            _ = connection.as_mut() => return,
            () = place.evicted() => return,
            () = stopped.cancelled(), if !is_closing => {}
            () = sleep_until(closes_at), if !is_closing => {}
            () = sleep_until(deadline) => {
                if place.deadline() <= Instant::now() {
                    return;
                }
                continue;
            }
        }
        is_closing = true;
        connection.as_mut().graceful_shutdown();
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The deadlines of the place also cover what hyper's timeout of headers does not: the time before the first byte, and
    // HTTP/2.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING);
    builder
}

async fn respond(
    router: Router,
    place: Arc<Place>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<InFlightBody>, Infallible> {
    let in_flight = place.begin();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response =
        unread_body::respond(request, async move |request| match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        })
        .await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        place.keep();
    }
    if place.access() == Access::HealthCheck {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| InFlightBody { body, request: in_flight }))
}

impl HttpBody for InFlightBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.request.progressed();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
