//! An HTTP proxy in front of the local cloud and the model that injects the faults of networks and services: calls are
//! refused, reset, carried out without a response, never answered, delayed, answered by half or carried out twice. `fault`
//! has the probabilities.
//!
//! Each client has its own port, so that faults and the call log are recorded by client. Requests pass unchanged, with the
//! `Host` header that the client signed, except for long polls. The local cloud sends the next message to a poll whose client
//! has disconnected, which SQS does not. So the proxy polls without waiting, repeatedly while the client is connected, with
//! the root key instead of the client's.

mod call;
mod call_log;
mod fault;
mod reply;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
    request::Parts,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use call_log::{CallLog, ReceivedMessage};
pub use fault::Kind;

use call::{Call, DELETE, RECEIVE};
use fault::{Fault, Faults};
use reply::{Reply, half, refused, reset, whole};

/// The largest request or response that passes, in bytes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The time until the connection of an unanswered call is reset: longer than an attempt of any client, except for a poll.
const HANG: Duration = Duration::from_secs(8);

/// The interval of the short polls that replace a long poll.
const POLL_EVERY: Duration = Duration::from_millis(150);

/// The root key of the local cloud, which does not verify the signature.
const ROOT: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0";

/// The proxy. It stops when it is dropped.
pub struct FaultProxy {
    shared: Arc<Shared>,
    cloud: Arc<OnceLock<Upstream>>,
    model: Arc<OnceLock<Upstream>>,
    servers: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Whether each message returns after its first delete.
    redelivers: bool,
    faults: Mutex<Faults>,
    call_log: Mutex<CallLog>,
    calm: CancellationToken,
    began: Instant,
    visibility: Duration,
}

/// The service behind a port.
struct Upstream {
    url: String,
    http: reqwest::Client,
}

/// The port of one client.
#[derive(Clone)]
struct Door {
    client: Arc<str>,
    shared: Arc<Shared>,
    upstream: Arc<OnceLock<Upstream>>,
}

/// A received request.
#[derive(Clone)]
struct Arrived {
    head: Parts,
    body: Bytes,
    call: Call,
}

impl Arrived {
    /// Another call of SQS by the same client, with the root key.
    fn with(&self, operation: &str, input: &Value) -> Self {
        let mut other = self.clone();
        other.body = input.to_string().into();
        let headers = &mut other.head.headers;
        let target = HeaderValue::try_from(format!("AmazonSQS.{operation}"));
        headers.insert("x-amz-target", target.expect("an operation is ASCII"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static(ROOT));
        headers.remove("x-amz-security-token");
        other
    }
}

impl FaultProxy {
    /// A proxy to the local cloud at `cloud`, an `http://host:port`, all of whose queues have this visibility timeout.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(cloud: &str, visibility: Duration, seed: u64) -> anyhow::Result<Self> {
        Self::build(cloud, visibility, seed, false)
    }

    /// A proxy that injects no faults, but returns each message after its first delete. SQS may do so, and the local cloud
    /// never does.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn redelivering(cloud: &str) -> anyhow::Result<Self> {
        let proxy = Self::build(cloud, Duration::ZERO, 0, true)?;
        proxy.calm();
        Ok(proxy)
    }

    fn build(cloud: &str, visibility: Duration, seed: u64, redelivers: bool) -> anyhow::Result<Self> {
        let shared = Shared {
            redelivers,
            faults: Mutex::new(Faults::new(seed)),
            call_log: Mutex::default(),
            calm: CancellationToken::new(),
            began: Instant::now(),
            visibility,
        };
        let upstream = Upstream { url: cloud.to_owned(), http: client(None)? };
        let cloud = Arc::new(OnceLock::from(upstream));
        Ok(Self { shared: Arc::new(shared), cloud, model: Arc::default(), servers: Vec::new() })
    }

    /// Opens a port to the cloud for `client` and returns its `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn open(&mut self, client: &str) -> anyhow::Result<String> {
        let upstream = Arc::clone(&self.cloud);
        self.serve(client, upstream).await
    }

    /// Opens a port to the model for `client` and returns its `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`. Calls fail until
    /// [`FaultProxy::connect_model`] was called.
    ///
    /// # Errors
    /// No port is free.
    pub async fn open_to_model(&mut self, client: &str) -> anyhow::Result<String> {
        let upstream = Arc::clone(&self.model);
        self.serve(client, upstream).await
    }

    /// Sets the URL of the model, an `https://host:port`, and its CA certificates.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn connect_model(&self, url: &str, ca_bundle: &Path) -> anyhow::Result<()> {
        let upstream = Upstream { url: url.to_owned(), http: client(Some(ca_bundle))? };
        // A second call has the same model.
        let _ = self.model.set(upstream);
        Ok(())
    }

    /// Injects no fault from now on. Hanging calls are reset, delayed ones continue.
    pub fn calm(&self) {
        self.shared.calm.cancel();
    }

    /// The call log and its current time.
    #[must_use]
    pub fn call_log(&self) -> (CallLog, Duration) {
        (self.shared.call_log().clone(), self.shared.began.elapsed())
    }

    async fn serve(&mut self, client: &str, upstream: Arc<OnceLock<Upstream>>) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("failed to open a port")?;
        let address = listener.local_addr()?;
        let door = Door { client: client.into(), shared: Arc::clone(&self.shared), upstream };
        self.servers.push(tokio::spawn(accept(listener, door)));
        Ok(url(address))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn client(ca_bundle: Option<&Path>) -> anyhow::Result<reqwest::Client> {
    // Another part of the process may have installed the same provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // HTTP/2 has no `Host` header, but the client has signed one.
    let mut builder = reqwest::Client::builder().no_proxy().http1_only();
    if let Some(path) = ca_bundle {
        let pem = std::fs::read(path).context("failed to read the certificates of the model")?;
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?);
    }
    builder.build().context("cannot make an HTTP client")
}

async fn accept(listener: TcpListener, door: Door) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connected(stream, door.clone()));
    }
}

async fn connected(stream: TcpStream, door: Door) {
    // A connection that this side closes is reset.
    let _ = stream.set_zero_linger();
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request| {
        let door = door.clone();
        async move { door.answer(request).await }
    });
    // An error of a connection is caused by its fault or by its client.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

impl Shared {
    fn call_log(&self) -> MutexGuard<'_, CallLog> {
        self.call_log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the time is over or no more faults are injected.
    async fn wait(&self, how_long: Duration) {
        self.calm.run_until_cancelled(tokio::time::sleep(how_long)).await;
    }
}

impl Door {
    /// An error resets the connection.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), BODY_BYTES_MAX).await.map_err(io::Error::other)?;
        let call = Call::read(&head, &body);
        let fault = self.fault(&call);
        let arrived = Arrived { head, body, call };
        match fault {
            None => Ok(whole(self.carry(arrived, Duration::ZERO).await?)),
            Some(Fault::Refused(answer)) => Ok(refused(answer)),
            Some(Fault::Reset) => Err(reset()),
            Some(Fault::Hung) => {
                self.shared.wait(HANG).await;
                Err(reset())
            }
            Some(Fault::Delayed(by)) => Ok(whole(self.carry(arrived, by).await?)),
            Some(Fault::LostReply) => {
                self.carry(arrived, Duration::ZERO).await?;
                Err(reset())
            }
            Some(Fault::Truncated) => Ok(half(self.carry(arrived, Duration::ZERO).await?)),
            Some(Fault::Twice) => {
                self.carry(arrived.clone(), Duration::ZERO).await?;
                Ok(whole(self.carry(arrived, Duration::ZERO).await?))
            }
        }
    }

    fn fault(&self, call: &Call) -> Option<Fault> {
        let mut call_log = self.shared.call_log();
        call_log.called(&self.client, call);
        if self.shared.calm.is_cancelled() {
            return None;
        }
        let mut faults = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.next(&self.client, call)?;
        call_log.met(&self.client, &fault);
        Some(fault)
    }

    /// Forwards the call after a delay. Each call except for a poll arrives even if its caller is gone.
    async fn carry(&self, arrived: Arrived, after: Duration) -> io::Result<Reply> {
        self.shared.call_log().asked(&arrived.call, &arrived.body);
        if arrived.call.operation == RECEIVE {
            self.shared.wait(after).await;
            return self.poll(&arrived).await;
        }
        let door = self.clone();
        let carried = tokio::spawn(async move {
            door.shared.wait(after).await;
            if door.shared.redelivers && arrived.call.operation.starts_with(DELETE) {
                return door.delete(&arrived).await;
            }
            door.pass(&arrived).await
        });
        carried.await.map_err(io::Error::other)?
    }

    async fn poll(&self, arrived: &Arrived) -> io::Result<Reply> {
        let mut input = arrived.call.input.clone();
        let wait = Duration::from_secs(input["WaitTimeSeconds"].as_u64().unwrap_or(0));
        input["WaitTimeSeconds"] = json!(0);
        let look = arrived.with(RECEIVE, &input);
        let deadline = Instant::now() + wait;
        loop {
            let reply = self.pass(&look).await?;
            let is_empty = reply.status.is_success() && call_log::messages(&reply.body).is_empty();
            if !is_empty || Instant::now() >= deadline {
                return Ok(reply);
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Deletes messages. The first delete of a message only makes it visible again.
    async fn delete(&self, arrived: &Arrived) -> io::Result<Reply> {
        let input = &arrived.call.input;
        let entries = input["Entries"].as_array().map_or(std::slice::from_ref(input), Vec::as_slice);
        let mut successful = Vec::new();
        for entry in entries {
            let handle = &entry["ReceiptHandle"];
            let mut input = json!({ "QueueUrl": input["QueueUrl"], "ReceiptHandle": handle });
            let is_first = self.shared.call_log().is_first_delete(handle.as_str().unwrap_or_default());
            if is_first {
                input["VisibilityTimeout"] = json!(0);
            }
            let operation = if is_first { "ChangeMessageVisibility" } else { DELETE };
            let reply = self.pass(&arrived.with(operation, &input)).await?;
            if !reply.status.is_success() {
                return Ok(reply);
            }
            successful.push(json!({ "Id": entry["Id"] }));
        }
        let body = json!({ "Successful": successful, "Failed": [] }).to_string().into();
        let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
        Ok(Reply {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
            body,
        })
    }

    async fn pass(&self, arrived: &Arrived) -> io::Result<Reply> {
        let upstream = self.upstream.get().ok_or_else(reset)?;
        let path = arrived.head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut headers = arrived.head.headers.clone();
        for name in [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION] {
            headers.remove(name);
        }
        let request = upstream.http.request(arrived.head.method.clone(), format!("{}{path}", upstream.url));
        let response = request.headers(headers).body(arrived.body.clone()).send().await;
        let response = response.map_err(io::Error::other)?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        for name in [TRANSFER_ENCODING, CONNECTION] {
            headers.remove(name);
        }
        let body = response.bytes().await.map_err(io::Error::other)?;
        if status.is_success() {
            let times = (self.shared.began.elapsed(), self.shared.visibility);
            self.shared.call_log().done(&self.client, &arrived.call, &body, times);
        }
        Ok(Reply { status, headers, body })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, collections::HashMap};

    use axum::{Router, extract::State};

    use super::*;

    type Counts = Arc<Mutex<HashMap<String, u32>>>;

    /// The timeout of the client of the test.
    const PATIENCE: Duration = Duration::from_millis(300);

    const ANSWER: &str = "a whole answer";

    async fn count(State(counts): State<Counts>, request: Request<Body>) -> &'static str {
        let number = request.headers()["number"].to_str().unwrap().to_owned();
        *counts.lock().unwrap().entry(number).or_default() += 1;
        ANSWER
    }

    async fn upstream() -> (String, Counts) {
        let counts = Counts::default();
        let app = Router::new().fallback(count).with_state(Arc::clone(&counts));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url(listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, counts)
    }

    /// The status and the body that the client received; `None` without a complete response.
    async fn ask(http: &reqwest::Client, url: &str, number: u32) -> Option<(u16, Option<String>)> {
        let request = http.post(url).header("x-amz-target", "AmazonSQS.SendMessage").header("number", number);
        let response = request.body("{}").send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()))
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says_and_the_same_seed_does_it_again() {
        const SEED: u64 = 5;
        let (cloud, counts) = upstream().await;
        let mut proxy = FaultProxy::new(&cloud, Duration::from_secs(10), SEED).unwrap();
        let url = proxy.open("alerts").await.unwrap();
        let http = reqwest::Client::builder().no_proxy().http1_only().timeout(PATIENCE).build().unwrap();
        let call = Call { service: "sqs", operation: "SendMessage".to_owned(), input: serde_json::json!({}) };
        let (mut planned, mut expected) = (Faults::new(SEED), HashMap::new());
        let mut seen = BTreeSet::new();
        let mut number = 0;
        while seen.len() < Kind::ALL.len() {
            assert!(number < 1000, "only {seen:?}");
            let got = ask(&http, &url, number).await;
            let whole = Some((200, Some(ANSWER.to_owned())));
            let fault = planned.next("alerts", &call);
            seen.extend(fault.as_ref().map(Fault::kind));
            let (right, arrives) = match &fault {
                None => (got == whole, 1),
                Some(Fault::Refused(answer)) => (got.as_ref().is_some_and(|got| got.0 == answer.status), 0),
                Some(Fault::Reset | Fault::Hung) => (got.is_none(), 0),
                Some(Fault::LostReply) => (got.is_none(), 1),
                // A short delay may end before the timeout of the client.
                Some(Fault::Delayed(_)) => (got.is_none() || got == whole, 1),
                Some(Fault::Truncated) => (got == Some((200, None)), 1),
                Some(Fault::Twice) => (got == whole, 2),
            };
            assert!(right, "{fault:?} of call {number}: {got:?}");
            expected.extend((arrives > 0).then(|| (number.to_string(), arrives)));
            number += 1;
        }
        // Delayed calls continue now, and no more faults are injected.
        proxy.calm();
        let deadline = Instant::now() + Duration::from_secs(10);
        while *counts.lock().unwrap() != expected && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(*counts.lock().unwrap(), expected);
        for number in number..number + 100 {
            assert_eq!(ask(&http, &url, number).await, Some((200, Some(ANSWER.to_owned()))));
        }
        let (call_log, _) = proxy.call_log();
        assert_eq!(call_log.calls.values().sum::<u32>(), number + 100);
        assert!(Kind::ALL.iter().all(|kind| call_log.of_kind(*kind) > 0));
    }
}
