//! A queue, its dead-letter queue and the table of attempts in memory, as an HTTP client of the SDK: the real SDK client
//! encodes, signs and decodes, and time is tokio's, so a test of hours takes milliseconds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sqs::config::{
    RuntimeComponents,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::runtime::{consumer::ConsumerConfig, delivery::FAILURES_MAX};

pub(super) const VISIBILITY: Duration = Duration::from_secs(60);
pub(super) const RECEIVE_COUNT_MAX: u32 = 100;

#[derive(Clone, Debug, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) messages: Vec<Message>,
    /// Bodies and reasons of messages dead-lettered by the consumer.
    pub(super) rejected: Vec<(String, String)>,
    /// Bodies of messages dead-lettered by the queue.
    pub(super) exhausted: Vec<String>,
    pub(super) fault: Fault,
    /// Writes of the table of attempts.
    pub(super) notes: u32,
    attempts: BTreeMap<String, serde_json::Map<String, Value>>,
    receipts: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// Leases cannot be extended: the call fails.
    NoExtension,
    /// Leases cannot be extended: the call has no response.
    SilentExtension,
    /// Deletes are acknowledged and not carried out.
    ForgottenDeletes,
    /// The first attempt at each delete fails for one entry.
    PartialDeletes,
    /// Polls have no response.
    SilentPolls,
    /// The table of attempts rejects all writes.
    NoNotes,
    /// The table of attempts rejects reports of attempts.
    NoReports,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) body: String,
    pub(super) receives: u32,
    pub(super) visible_at: Instant,
    receipt: String,
}

impl Fake {
    pub(super) fn with(bodies: impl IntoIterator<Item = String>) -> Self {
        let fake = Self::default();
        for body in bodies {
            fake.send(body);
        }
        fake
    }

    /// Messages with `receives` earlier receives.
    pub(super) fn with_received(bodies: impl IntoIterator<Item = String>, receives: u32) -> Self {
        let fake = Self::with(bodies);
        fake.state().messages.iter_mut().for_each(|message| message.receives = receives);
        fake
    }

    pub(super) fn send(&self, body: String) {
        let message = Message { body, receives: 0, visible_at: Instant::now(), receipt: String::new() };
        self.state().messages.push(message);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(SharedHttpClient::new(self.clone()))
            .build()
    }

    pub(super) fn config(concurrency: u32, drain_seconds: u64) -> ConsumerConfig {
        ConsumerConfig {
            queue_url: "https://sqs.us-east-1.amazonaws.com/1/queue".to_owned(),
            dead_letter_queue_url: "https://sqs.us-east-1.amazonaws.com/1/queue-dlq".to_owned(),
            attempts_table: "attempts".to_owned(),
            concurrency: concurrency.try_into().unwrap(),
            failures_max: FAILURES_MAX,
            poll_seconds: 20,
            health_addr: None,
            drain_seconds,
        }
    }

    async fn respond(&self, operation: &str, input: &Value) -> Result<Value, &'static str> {
        match operation {
            "GetQueueAttributes" => Ok(json!({ "Attributes": {
                "VisibilityTimeout": VISIBILITY.as_secs().to_string(),
                "QueueArn": if input["QueueUrl"].as_str().unwrap().ends_with("-dlq") { "dlq" } else { "queue" },
                "RedrivePolicy": json!({
                    "deadLetterTargetArn": "dlq", "maxReceiveCount": RECEIVE_COUNT_MAX,
                }).to_string(),
            }})),
            "ReceiveMessage" => Ok(self.receive(input).await),
            "ChangeMessageVisibilityBatch" => {
                if self.state().fault == Fault::SilentExtension {
                    std::future::pending::<()>().await;
                }
                self.state().change_visibility(input)
            }
            "DeleteMessageBatch" => Ok(self.state().delete(input)),
            "SendMessage" => {
                assert!(input["QueueUrl"].as_str().unwrap().ends_with("-dlq"));
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let reason = text(&input["MessageAttributes"]["reason"]["StringValue"]);
                self.state().rejected.push((text(&input["MessageBody"]), reason));
                Ok(json!({ "MessageId": "dead" }))
            }
            "DescribeTable" => Ok(json!({ "Table": { "KeySchema": [
                { "AttributeName": "effectId", "KeyType": "HASH" },
            ]}})),
            "UpdateItem" if self.state().fault == Fault::NoNotes => Err("InternalServerError"),
            // The SDK does not retry this error.
            "UpdateItem"
                if self.state().fault == Fault::NoReports && input.get("ConditionExpression").is_some() =>
            {
                Err("TransactionConflictException")
            }
            "UpdateItem" => self.state().note(input),
            _ => panic!("{operation} is not expected"),
        }
    }

    async fn receive(&self, input: &Value) -> Value {
        if self.state().fault == Fault::SilentPolls {
            std::future::pending::<()>().await;
        }
        let until = Instant::now() + Duration::from_secs(input["WaitTimeSeconds"].as_u64().unwrap());
        let count = usize::try_from(input["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
        loop {
            let messages = self.state().take(count);
            if !messages.is_empty() || Instant::now() >= until {
                return json!({ "Messages": messages });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl State {
    pub(super) fn in_flight(&self) -> usize {
        let now = Instant::now();
        self.messages.iter().filter(|message| message.visible_at > now && message.receives > 0).count()
    }

    fn take(&mut self, count: usize) -> Vec<Value> {
        let now = Instant::now();
        let exhausted =
            |message: &Message| message.visible_at <= now && message.receives >= RECEIVE_COUNT_MAX;
        self.exhausted
            .extend(self.messages.extract_if(.., |message| exhausted(message)).map(|gone| gone.body));
        let mut taken = Vec::new();
        for message in self.messages.iter_mut().filter(|message| message.visible_at <= now).take(count) {
            self.receipts += 1;
            message.receipt = self.receipts.to_string();
            message.receives += 1;
            message.visible_at = now + VISIBILITY;
            taken.push(json!({
                "MessageId": format!("id of {}", message.body),
                "ReceiptHandle": message.receipt,
                "Body": message.body,
                "Attributes": {
                    "ApproximateReceiveCount": message.receives.to_string(), "SentTimestamp": "1700000000000",
                },
            }));
        }
        taken
    }

    fn change_visibility(&mut self, input: &Value) -> Result<Value, &'static str> {
        let now = Instant::now();
        let entries = input["Entries"].as_array().unwrap();
        assert!((1..=10).contains(&entries.len()));
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let seconds = Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap());
            if self.fault == Fault::NoExtension && seconds == VISIBILITY {
                return Err("InternalError");
            }
            let receipt = entry["ReceiptHandle"].as_str().unwrap();
            let ours = |message: &&mut Message| message.receipt == receipt && message.visible_at > now;
            match self.messages.iter_mut().find(ours) {
                Some(message) => {
                    message.visible_at = now + seconds;
                    successful.push(json!({ "Id": entry["Id"] }));
                }
                None => failed
                    .push(json!({ "Id": entry["Id"], "SenderFault": true, "Code": "MessageNotInflight" })),
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }

    fn delete(&mut self, input: &Value) -> Value {
        let entries = input["Entries"].as_array().unwrap();
        assert!((1..=10).contains(&entries.len()));
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        let fault = self.fault;
        if fault == Fault::PartialDeletes {
            self.fault = Fault::None;
        }
        for (position, entry) in entries.iter().enumerate() {
            if fault == Fault::PartialDeletes && position == 0 {
                failed.push(json!({ "Id": entry["Id"], "SenderFault": false, "Code": "InternalError" }));
                continue;
            }
            let receipt = entry["ReceiptHandle"].as_str().unwrap();
            let known = self.messages.iter().any(|message| message.receipt == receipt);
            if fault != Fault::ForgottenDeletes {
                self.messages.retain(|message| message.receipt != receipt);
            }
            // Like the emulator. AWS reports success.
            let result = if known { &mut successful } else { &mut failed };
            result.push(json!({ "Id": entry["Id"], "SenderFault": true, "Code": "ReceiptHandleIsInvalid" }));
        }
        json!({ "Successful": successful, "Failed": failed })
    }
}

impl State {
    /// `SET name = :value, name = if_not_exists(other, :value)` under `name = :value`: the requests of the ledger.
    fn note(&mut self, input: &Value) -> Result<Value, &'static str> {
        self.notes += 1;
        let text = |name: &str| input[name].as_str().unwrap_or_default();
        let value = |placeholder: &str| input["ExpressionAttributeValues"][placeholder].clone();
        let before =
            self.attempts.entry(input["Key"]["effectId"]["S"].as_str().unwrap().to_owned()).or_default();
        if let Some((name, placeholder)) = text("ConditionExpression").split_once(" = ")
            && before.get(name) != Some(&value(placeholder))
        {
            return Err("ConditionalCheckFailedException");
        }
        let mut after = before.clone();
        let assignments = text("UpdateExpression").strip_prefix("SET ").unwrap().replace(", :", "; :");
        for assignment in assignments.split(", ") {
            let (name, new) = assignment.split_once(" = ").unwrap();
            let new = match new.strip_prefix("if_not_exists(").and_then(|new| new.strip_suffix(")")) {
                Some(new) => {
                    let (other, default) = new.split_once("; ").unwrap();
                    before.get(other).cloned().unwrap_or_else(|| value(default))
                }
                None => value(new),
            };
            assert!(new.is_object(), "{assignment}");
            after.insert(name.to_owned(), new);
        }
        *before = after.clone();
        Ok(json!({ "Attributes": after }))
    }
}

impl HttpClient for Fake {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fake = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap().to_owned();
            let input = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let (_, operation) = target.split_once('.').unwrap();
            let (status, body) = match fake.respond(operation, &input).await {
                Ok(output) => (200, output),
                Err(code @ "ConditionalCheckFailedException") => (400, json!({ "__type": code })),
                Err(code) => (500, json!({ "__type": code })),
            };
            let mut response = HttpResponse::new(
                u16::try_from(status).unwrap().try_into().unwrap(),
                SdkBody::from(body.to_string()),
            );
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}
