//! Serves the model on a port, which other processes reach through `AWS_ENDPOINT_URL`. The state is that of the model in this
//! process; time is the time of the machine. The access key identifies a process.
//!
//! Load tests use it as their cloud, because its receive does not slow down with the backlog. It verifies no signature and
//! injects no network faults.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{Request, Response, StatusCode, request::Parts},
    serve::ListenerExt,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Cloud,
    call::{Arrived, Call, is_read},
    seam::Seam,
};

/// The largest request, in bytes: SQS accepts 1 MiB, and transcripts are smaller.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A served model. It stops when this value is dropped.
#[derive(Debug)]
pub struct Served {
    endpoint: String,
    _server: AbortOnDropHandle<()>,
}

impl Served {
    /// URL without a slash at the end.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Cloud {
    /// Serves the model on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port is free.
    pub async fn serve(&self) -> anyhow::Result<Served> {
        self.serve_on((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Serves the model at this socket address.
    ///
    /// # Errors
    /// The address is in use.
    pub async fn serve_on(&self, address: SocketAddr) -> anyhow::Result<Served> {
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("no port for the model at {address}"))?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(self.clone());
        self.state().follow_the_clock();
        let listener = listener.tap_io(|stream| {
            // Without it responses are only slower.
            let _ = stream.set_nodelay(true);
        });
        let server = tokio::spawn(async move {
            // The task ends when it is aborted: axum continues after each error of a connection.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Served { endpoint, _server: AbortOnDropHandle::new(server) })
    }
}

impl super::State {
    /// Uses the time of the machine from now on.
    fn follow_the_clock(&mut self) {
        let elapsed = SignedDuration::try_from(self.now()).unwrap_or_default();
        let began = Timestamp::now() - elapsed;
        self.epoch_ms = began.as_millisecond().try_into().unwrap_or_default();
    }
}

async fn answer(State(cloud): State<Cloud>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let Some((process, service)) = credential(&parts) else { return plain(StatusCode::FORBIDDEN) };
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, path) =
        if service == "s3" { path.split_once('/').unwrap_or((path, "")) } else { ("", path) };
    let headers = parts.headers.iter().filter(|(name, _)| is_read(name.as_str()));
    let headers = headers
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let (method, query) = (parts.method.as_str(), parts.uri.query().unwrap_or_default());
    let call = Call::read(Arrived { service, bucket, method, path, query, headers, body: body.to_vec() });
    let outcome = Seam { cloud, process: process.to_owned() }.commit(&call).await;
    let answer = outcome.unwrap_or_else(|refusal| refusal.answer(&call.service));
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(answer.body.into()).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The access key and the service of `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …`.
fn credential(parts: &Parts) -> Option<(&str, &str)> {
    let authorization = parts.headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    let mut scope = credential.split(['/', ',']);
    let key = scope.next()?;
    let service = scope.nth(2)?;
    Some((key, if service == "bedrock" { "bedrock-runtime" } else { service }))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
