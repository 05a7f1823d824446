//! The HTTP client of the SDK whose other end is the model. Each process has its own, so that a process can be disconnected.

use std::{fmt, pin::pin, time::Duration};

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
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::Instant};

use super::{
    Cloud, bedrock,
    call::{Arrived, Call, is_read},
    cloudwatch, cognito, dynamodb, eventbridge,
    fault_model::Fault,
    reply::{Answer, ServiceError},
    s3, ses, sns, sqs,
};

/// The longest interval between two reads of the queue by a long poll.
const LOOK: Duration = Duration::from_secs(5);

/// The HTTP client of one process.
#[derive(Clone)]
pub(super) struct Seam {
    pub(super) cloud: Cloud,
    pub(super) process: String,
}

type Outcome = Result<Answer, ServiceError>;

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
        HttpConnectorFuture::new(async move { seam.exchange(read(&request)).await })
    }
}

impl Seam {
    async fn exchange(self, call: Call) -> Result<HttpResponse, ConnectorError> {
        let fault = self.cloud.state().fault(&call.service, &call.operation);
        let latency = self.cloud.state().seconds(0.002, 0.04);
        let waiting = (call.operation == "Converse").then(|| Waiting::begin(&self, &call.input));
        tokio::time::sleep(latency).await;
        if self.is_cut_off() {
            std::future::pending::<()>().await;
        }
        let note = |what: &str| self.cloud.state().note(&self.process, &call.service, &call.operation, what);
        let outcome = match fault {
            Fault::None => self.arrive(&call, Duration::ZERO).await?,
            Fault::Reset => {
                note("reset");
                return Err(reset());
            }
            Fault::Refused(refusal) => {
                note(&refusal.code);
                Err(refusal)
            }
            Fault::LostReply => {
                // The response is lost.
                let _ = self.arrive(&call, Duration::ZERO).await;
                note("its reply is lost");
                return Err(reset());
            }
            Fault::Late(delay) => {
                note("late");
                self.arrive(&call, delay).await?
            }
        };
        if self.cloud.state().dies_of_its_doom(&self.process) {
            std::future::pending::<()>().await;
        }
        if let Some(waiting) = waiting {
            self.cloud.state().pay(waiting.number);
        }
        Ok(response(&outcome.unwrap_or_else(|refusal| refusal.answer(&call.service))))
    }

    /// Whether its process is dead or is killed now.
    fn is_cut_off(&self) -> bool {
        let mut state = self.cloud.state();
        state.is_dead(&self.process) || state.is_doomed_now(&self.process)
    }

    /// Carries out the call after `delay`, even if its caller is gone. Only a poll ends with its caller, because SQS sends no
    /// message over a closed connection.
    async fn arrive(&self, call: &Call, delay: Duration) -> Result<Outcome, ConnectorError> {
        if call.operation == "ReceiveMessage" && delay.is_zero() {
            return Ok(self.commit(call).await);
        }
        let (sender, receiver) = oneshot::channel();
        let (seam, call) = (self.clone(), call.clone());
        tokio::spawn(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            // The caller may be gone.
            let _ = sender.send(seam.commit(&call).await);
        });
        receiver.await.map_err(|_| reset())
    }

    /// Carries out the call.
    pub(super) async fn commit(&self, call: &Call) -> Outcome {
        if call.operation == "ReceiveMessage" {
            let outcome = self.receive(&call.input).await;
            let mut state = self.cloud.state();
            let before = state.consumed();
            state.metered(&self.process, call, &outcome, before);
            return outcome;
        }
        self.cloud.pass(call).await;
        if call.operation == "Converse" {
            let thinking = self.cloud.state().thinking();
            tokio::time::sleep(thinking).await;
        }
        let state = &mut *self.cloud.state();
        let before = state.consumed();
        let outcome = match call.service.as_str() {
            "sqs" => sqs::answer(state, &call.operation, &call.input),
            "dynamodb" => dynamodb::answer(state, &call.operation, &call.input),
            "s3" => s3::answer(state, &call.operation, &call.input, &call.body),
            "events" => eventbridge::answer(state, &call.operation, &call.input),
            "sns" => sns::answer(state, &call.operation, &call.input),
            "bedrock-runtime" => bedrock::answer(state, &call.input),
            "cognito-identity" => cognito::answer_identity(&call.operation, &call.input),
            "monitoring" => cloudwatch::answer(state, &call.operation, &call.input),
            "cognito-idp" => cognito::answer(state, &call.operation, &call.input),
            "email" => ses::answer(state, &call.operation, &call.body),
            other => Err(ServiceError::unsupported(format!("the service {other}"))),
        };
        state.metered(&self.process, call, &outcome, before);
        state.trace_call(&self.process, (&call.service, &call.operation), &call.input, &outcome);
        outcome
    }

    /// A long poll.
    async fn receive(&self, input: &Value) -> Outcome {
        let until = Instant::now() + Duration::from_secs(input["WaitTimeSeconds"].as_u64().unwrap_or(0));
        loop {
            let sent = self.cloud.sent();
            let mut sent = pin!(sent.notified());
            // The waiter is created before the read, so that no message is missed.
            sent.as_mut().enable();
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
            // In each case the queue is read again.
            let _ = tokio::time::timeout_at(look, sent).await;
        }
    }
}

/// A caller that waits for a response of the model, until this value is dropped.
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

fn read(request: &HttpRequest) -> Call {
    let rest = request.uri().split_once("://").map_or("", |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (service, bucket) = match host.split_once(".s3.") {
        Some((bucket, _)) => ("s3", bucket),
        None => (host.split('.').next().unwrap_or_default(), ""),
    };
    let headers = request.headers().iter().filter(|(name, _)| is_read(name));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = request.body().bytes().unwrap_or_default().to_vec();
    Call::read(Arrived { service, bucket, method: request.method(), path, query, headers, body })
}

fn reset() -> ConnectorError {
    ConnectorError::io("the connection was reset".into())
}

fn response(answer: &Answer) -> HttpResponse {
    let status = StatusCode::try_from(answer.status).expect("the model uses valid HTTP status codes");
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body.clone()));
    for (name, value) in &answer.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}
