//! The seam: an HTTP client of the SDK whose other end is the model. One for each process, so that a process can be
//! cut off.

use std::{fmt, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};
use tokio::{sync::oneshot, time::Instant};

use super::{
    Cloud, Link, bedrock, dynamodb, eventbridge,
    reply::{Answer, Refusal},
    s3, sns, sqs,
    weather::Fault,
};

/// How often an idle poll looks again, at the least.
const LOOK: Duration = Duration::from_secs(5);

/// The HTTP client of one process.
#[derive(Clone)]
pub(super) struct Seam {
    pub(super) cloud: Cloud,
    pub(super) process: String,
}

/// A call as it arrived.
#[derive(Clone, Debug)]
struct Call {
    service: String,
    operation: String,
    input: Value,
    body: Vec<u8>,
}

type Outcome = Result<Answer, Refusal>;

impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seam").field("process", &self.process).finish_non_exhaustive()
    }
}

impl HttpClient for Seam {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Seam {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let seam = self.clone();
        HttpConnectorFuture::new(async move { seam.exchange(Call::read(&request)).await })
    }
}

impl Seam {
    async fn exchange(self, call: Call) -> Result<HttpResponse, ConnectorError> {
        let fault = self.cloud.state().fault(&call.service, &call.operation, &call.input);
        let latency = self.cloud.state().seconds(0.002, 0.04);
        let waiting = (call.operation == "Converse").then(|| Waiting::begin(&self, &call.input));
        tokio::time::sleep(latency).await;
        self.connected().await;
        if self.cloud.state().is_doomed_now(&self.process) {
            std::future::pending::<()>().await;
        }
        let note = |what: &str| self.cloud.state().note(&self.process, &call.service, &call.operation, what);
        let outcome = match fault {
            Fault::None => self.commit(&call).await,
            Fault::Reset => {
                note("reset");
                return Err(reset());
            }
            Fault::Refused(refusal) => {
                note(&refusal.code);
                Err(refusal)
            }
            Fault::LostReply => {
                // The answer is lost, whatever it was.
                let _ = self.commit(&call).await;
                note("its reply is lost");
                return Err(reset());
            }
            Fault::Late(delay) => {
                note("late");
                let (sender, receiver) = oneshot::channel();
                let (seam, call) = (self.clone(), call.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    // Its caller may have gone.
                    let _ = sender.send(seam.commit(&call).await);
                });
                receiver.await.map_err(|_| reset())?
            }
        };
        if self.cloud.state().dies_of_its_doom(&self.process) {
            std::future::pending::<()>().await;
        }
        self.connected().await;
        drop(waiting);
        Ok(response(&outcome.unwrap_or_else(|refusal| refusal.answer(&call.service))))
    }

    /// Returns once the process is connected; never, when it is dead.
    async fn connected(&self) {
        loop {
            let link = self.cloud.state().link(&self.process);
            match link {
                Link::Up => return,
                Link::Dead => std::future::pending().await,
                Link::Frozen(until) => tokio::time::sleep_until(until).await,
            }
        }
    }

    /// Does what the call asks for.
    async fn commit(&self, call: &Call) -> Outcome {
        if call.operation == "ReceiveMessage" {
            return self.receive(&call.input).await;
        }
        if call.operation == "Converse" {
            let thinking = self.cloud.state().thinking();
            tokio::time::sleep(thinking).await;
        }
        let state = &mut *self.cloud.state();
        let outcome = match call.service.as_str() {
            "sqs" => sqs::answer(state, &call.operation, &call.input),
            "dynamodb" => dynamodb::answer(state, &call.operation, &call.input),
            "s3" => s3::answer(state, &call.operation, &call.input, &call.body),
            "events" => eventbridge::answer(state, &call.operation, &call.input),
            "sns" => sns::answer(state, &call.operation, &call.input),
            "bedrock-runtime" => bedrock::answer(state, &call.input),
            other => Err(Refusal::unsupported(format!("the service {other}"))),
        };
        state.trace_call(&self.process, (&call.service, &call.operation), &call.input, &outcome);
        outcome
    }

    /// A long poll.
    async fn receive(&self, input: &Value) -> Outcome {
        let until = Instant::now() + Duration::from_secs(input["WaitTimeSeconds"].as_u64().unwrap_or(0));
        loop {
            let sent = self.cloud.sent();
            let (messages, next) = {
                let mut state = self.cloud.state();
                let messages = state.receive(&self.process, input)?;
                let next = state.next_visible(input).map(|at| state.started + at);
                (messages, next)
            };
            if !messages.is_empty() || Instant::now() >= until {
                let answer = Ok(Answer::json(&json!({ "Messages": messages })));
                self.cloud.state().trace_call(&self.process, ("sqs", "ReceiveMessage"), input, &answer);
                return answer;
            }
            let soon = Instant::now() + Duration::from_millis(200);
            let look = next.map_or(until, |next| next.max(soon)).min(until).min(Instant::now() + LOOK);
            // Whatever comes first, the queue is looked at again.
            let _ = tokio::time::timeout_at(look, sent.notified()).await;
        }
    }
}

/// A caller that waits for a model's answer, until it is dropped.
struct Waiting {
    cloud: Cloud,
    number: u64,
}

impl Waiting {
    fn begin(seam: &Seam, input: &Value) -> Self {
        let number = seam.cloud.state().begin_converse(&seam.process, input);
        Self { cloud: seam.cloud.clone(), number }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.cloud.state().end_converse(self.number);
    }
}

impl Call {
    fn read(request: &HttpRequest) -> Self {
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let rest = request.uri().split_once("://").map_or("", |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.split('?').next().unwrap_or_default();
        if let Some((bucket, _)) = host.split_once(".s3.") {
            return Self::read_s3(request, bucket, path, body);
        }
        let service = host.split('.').next().unwrap_or_default().to_owned();
        let (operation, input) = match request.headers().get("x-amz-target") {
            Some(target) => {
                let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
                (operation, serde_json::from_slice(&body).unwrap_or_default())
            }
            None if service == "sns" => {
                let form = form(&body);
                (form["Action"].as_str().unwrap_or_default().to_owned(), form)
            }
            None if path.ends_with("/converse") => {
                ("Converse".to_owned(), serde_json::from_slice(&body).unwrap_or_default())
            }
            None => (format!("{} {path}", request.method()), Value::Null),
        };
        Self { service, operation, input, body }
    }

    fn read_s3(request: &HttpRequest, bucket: &str, key: &str, body: Vec<u8>) -> Self {
        let operation = match (request.method(), key.is_empty()) {
            ("HEAD", true) => "HeadBucket",
            ("HEAD", false) => "HeadObject",
            ("GET", false) => "GetObject",
            ("PUT", false) => "PutObject",
            (other, _) => other,
        };
        let kept = |name: &str| {
            name.starts_with("x-amz-meta-")
                || matches!(name, "if-none-match" | "if-match" | "content-encoding")
        };
        let headers: Map<String, Value> = request
            .headers()
            .iter()
            .filter(|(name, _)| kept(name))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let input = json!({ "bucket": bucket, "key": key, "headers": headers, "bytes": body.len() });
        Self { service: "s3".to_owned(), operation: operation.to_owned(), input, body }
    }
}

fn form(body: &[u8]) -> Value {
    let url = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(body)));
    let pairs = url.as_ref().map(reqwest::Url::query_pairs).into_iter().flatten();
    let mut form: Map<String, Value> =
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    // The SDK numbers attributes in the order of a hash map: here they have their names.
    let mut attributes = Map::new();
    for number in 1.. {
        let entry = format!("MessageAttributes.entry.{number}");
        let Some(name) = form.remove(&format!("{entry}.Name")) else { break };
        form.remove(&format!("{entry}.Value.DataType"));
        let value = form.remove(&format!("{entry}.Value.StringValue")).unwrap_or_default();
        attributes.insert(name.as_str().unwrap_or_default().to_owned(), value);
    }
    form.insert("MessageAttributes".to_owned(), attributes.into());
    Value::Object(form)
}

fn reset() -> ConnectorError {
    ConnectorError::io("the connection was reset".into())
}

fn response(answer: &Answer) -> HttpResponse {
    let status = StatusCode::try_from(answer.status).expect("the model answers with statuses of HTTP");
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body.clone()));
    for (name, value) in &answer.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}
