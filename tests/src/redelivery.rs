//! An HTTP proxy in front of the local cloud that makes SQS deliver every message at least twice.
//!
//! SQS may return a message even after a successful delete. The local cloud never does, so the proxy does: the first delete of
//! a message succeeds, but only sets its visibility timeout to zero. The message returns with a new receipt handle, and only
//! its second delete is carried out. All other calls pass unchanged, with the `Host` header that the client signed.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{Request, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The largest request or response that passes, in bytes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The proxy. It stops when it is dropped.
pub struct Redelivery {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    forward: Client<HttpConnector, Full<Bytes>>,
    sqs: aws_sdk_sqs::Client,
    messages: Mutex<Messages>,
}

#[derive(Default)]
struct Messages {
    /// Receipt handle to message id of the received messages.
    received: HashMap<String, String>,
    /// Message id to the number of deletes.
    deletes: HashMap<String, u32>,
}

impl Redelivery {
    /// Listens on a free loopback port and forwards to `upstream`, an `http://host:port`. `sqs` needs the permission to delete.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(upstream: &str, sqs: aws_sdk_sqs::Client) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.context("failed to open a port for the proxy")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.trim_end_matches('/').to_owned(),
            forward: Client::builder(TokioExecutor::new()).build_http(),
            sqs,
            messages: Mutex::default(),
        });
        let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the redelivery proxy stopped");
            }
        });
        Ok(Self { address, shared, server })
    }

    /// The endpoint to give to a worker as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of redelivered messages.
    #[must_use]
    pub fn redelivered(&self) -> usize {
        self.shared.lock().deletes.len()
    }
}

impl Drop for Redelivery {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    match answer(&shared, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "a request did not pass the proxy");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

async fn answer(shared: &Shared, request: Request<Body>) -> anyhow::Result<Response> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.context("failed to read the request")?;
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match target {
        "AmazonSQS.DeleteMessage" => {
            let request: Value = serde_json::from_slice(&body)?;
            shared.delete(text(&request, "QueueUrl")?, text(&request, "ReceiptHandle")?).await?;
            Ok(aws_json(&json!({})))
        }
        "AmazonSQS.DeleteMessageBatch" => {
            let request: Value = serde_json::from_slice(&body)?;
            let queue_url = text(&request, "QueueUrl")?;
            let mut successful = Vec::new();
            for entry in request["Entries"].as_array().context("a delete without entries")? {
                shared.delete(queue_url, text(entry, "ReceiptHandle")?).await?;
                successful.push(json!({"Id": text(entry, "Id")?}));
            }
            Ok(aws_json(&json!({"Successful": successful, "Failed": []})))
        }
        "AmazonSQS.ReceiveMessage" => {
            let (status, headers, body) = shared.pass(head, body).await?;
            if status.is_success() {
                shared.remember(&serde_json::from_slice(&body)?);
            }
            Ok((status, headers, body).into_response())
        }
        _ => Ok(shared.pass(head, body).await?.into_response()),
    }
}

impl Shared {
    async fn pass(
        &self,
        mut head: http::request::Parts,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, http::HeaderMap, Bytes)> {
        let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        head.uri = format!("{}{path}", self.upstream).parse::<Uri>()?;
        head.version = http::Version::HTTP_11;
        head.headers.remove(header::TRANSFER_ENCODING);
        let response = self.forward.request(Request::from_parts(head, Full::new(body))).await?;
        let (mut head, body) = response.into_parts();
        head.headers.remove(header::TRANSFER_ENCODING);
        head.headers.remove(header::CONNECTION);
        let body = to_bytes(Body::new(body), BODY_BYTES_MAX).await.context("failed to read the response")?;
        Ok((head.status, head.headers, body))
    }

    fn remember(&self, response: &Value) {
        let mut messages = self.lock();
        for message in response["Messages"].as_array().into_iter().flatten() {
            if let (Some(handle), Some(id)) =
                (message["ReceiptHandle"].as_str(), message["MessageId"].as_str())
            {
                messages.received.insert(handle.to_owned(), id.to_owned());
            }
        }
    }

    async fn delete(&self, queue_url: &str, receipt_handle: &str) -> anyhow::Result<()> {
        let deletes = {
            let mut messages = self.lock();
            let id = messages.received.get(receipt_handle).cloned();
            let id = id.context("a delete of a message that was not received through the proxy")?;
            let deletes = messages.deletes.entry(id).or_default();
            *deletes += 1;
            *deletes
        };
        if deletes == 1 {
            let change = self.sqs.change_message_visibility().queue_url(queue_url);
            change.receipt_handle(receipt_handle).visibility_timeout(0).send().await?;
        } else {
            self.sqs.delete_message().queue_url(queue_url).receipt_handle(receipt_handle).send().await?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    value[name].as_str().with_context(|| format!("{name} is missing"))
}

fn aws_json(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], value.to_string()).into_response()
}
