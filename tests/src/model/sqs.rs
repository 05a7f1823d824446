//! SQS with all anomalies that it allows itself: copies, messages that return after their delete, deletes with an old receipt
//! that succeed without an effect, empty polls, any order, and batches that fail partly.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::RngExt;
use serde_json::{Value, json};

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The account of all names.
const ACCOUNT: &str = "000000000000";

/// The queues.
#[derive(Debug, Default)]
pub struct Sqs {
    /// By name.
    pub queues: BTreeMap<String, Queue>,
    next: u64,
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    visibility: Duration,
    redrive: Option<(String, u32)>,
    /// Receives after which the queue of a mutant gives a message up, in place of its declared number.
    pub gives_up_after: Option<u32>,
    /// How often a message was deleted.
    pub deleted: u64,
    /// Messages, visible or not.
    pub messages: Vec<Message>,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// Message id, the same for copies.
    pub id: String,
    /// Body.
    pub body: String,
    /// Attribute names and values.
    pub attributes: BTreeMap<String, String>,
    /// How often it was received.
    pub receives: u32,
    /// From when on it can be received, since the start.
    pub visible_at: Duration,
    /// The last receiver, until it deletes or returns the message.
    pub holder: Option<String>,
    sent: Duration,
    receipt: String,
    /// Whether it is a copy. Copies are not copied again.
    copy: bool,
}

/// The URL of the queue `name`.
#[must_use]
pub fn queue_url(name: &str) -> String {
    format!("https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}")
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
}

impl Sqs {
    /// Creates a queue and its dead-letter queue.
    pub(super) fn create(&mut self, name: &str, visibility: Duration, receives_max: u32) {
        let dead = format!("{name}-dlq");
        let redrive = Some((dead.clone(), receives_max));
        let queue =
            |redrive| Queue { visibility, redrive, gives_up_after: None, deleted: 0, messages: Vec::new() };
        self.queues.insert(name.to_owned(), queue(redrive));
        self.queues.insert(dead, queue(None));
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn queue(&mut self, request: &Value) -> Result<(String, &mut Queue), ServiceError> {
        let url = request["QueueUrl"].as_str().unwrap_or_default();
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let missing = || ServiceError::new(400, "QueueDoesNotExist", url);
        let queue = self.queues.get_mut(&name).ok_or_else(missing)?;
        Ok((name, queue))
    }
}

impl State {
    /// Puts a message into a queue, `delay` from now.
    pub(super) fn enqueue(
        &mut self,
        queue: &str,
        body: &str,
        attributes: BTreeMap<String, String>,
        delay: Duration,
    ) -> String {
        let now = self.now();
        let id = format!("message-{}", self.sqs.number());
        let message = Message {
            id: id.clone(),
            body: body.to_owned(),
            attributes,
            receives: 0,
            visible_at: now + delay,
            holder: None,
            sent: now,
            receipt: String::new(),
            copy: false,
        };
        let late = self.anomaly(0.04).then(|| self.seconds(0.0, 200.0));
        if let Some(queue) = self.sqs.queues.get_mut(queue) {
            if let Some(late) = late.filter(|_| queue.redrive.is_some()) {
                let visible_at = message.visible_at + late;
                queue.messages.push(Message { visible_at, copy: true, ..message.clone() });
            }
            queue.messages.push(message);
        }
        self.sent.notify_waiters();
        id
    }

    /// When the next message of the queue becomes visible.
    pub(super) fn next_visible(&mut self, request: &Value) -> Option<Duration> {
        let (_, queue) = self.sqs.queue(request).ok()?;
        queue.messages.iter().map(|message| message.visible_at).min()
    }

    /// Receives the visible messages.
    pub(super) fn receive(&mut self, process: &str, request: &Value) -> Result<Vec<Value>, ServiceError> {
        let now = self.now();
        let epoch_ms = self.epoch_ms;
        let (_, queue) = self.sqs.queue(request)?;
        let visibility = queue.visibility;
        if let Some((dead, said)) = queue.redrive.clone() {
            let most = queue.gives_up_after.unwrap_or(said);
            let spent = |message: &mut Message| message.visible_at <= now && message.receives >= most;
            let spent: Vec<_> = queue.messages.extract_if(.., spent).collect();
            if let Some(dead) = self.sqs.queues.get_mut(&dead) {
                dead.messages.extend(spent);
            }
        }
        if self.anomaly(0.05) {
            return Ok(Vec::new());
        }
        let most = usize::try_from(request["MaxNumberOfMessages"].as_u64().unwrap_or(1)).unwrap_or(1);
        let mut taken = Vec::new();
        let mut seen = BTreeSet::new();
        while taken.len() < most {
            let pick: u64 = self.random.random();
            let receipt = format!("receipt-{}", self.sqs.number());
            let (_, queue) = self.sqs.queue(request)?;
            let mut visible: Vec<_> = queue
                .messages
                .iter_mut()
                .filter(|message| message.visible_at <= now && !seen.contains(&message.id))
                .collect();
            if visible.is_empty() {
                break;
            }
            let count = u64::try_from(visible.len()).unwrap_or(1);
            let message = &mut visible[usize::try_from(pick % count).unwrap_or(0)];
            seen.insert(message.id.clone());
            message.receives += 1;
            message.visible_at = now + visibility;
            message.holder = Some(process.to_owned());
            message.receipt = receipt;
            taken.push(json!({
                "MessageId": message.id,
                "ReceiptHandle": message.receipt,
                "Body": message.body,
                "Attributes": {
                    "ApproximateReceiveCount": message.receives.to_string(),
                    "SentTimestamp": (epoch_ms + millis(message.sent)).to_string(),
                },
            }));
        }
        Ok(taken)
    }

    fn batch(
        &mut self,
        request: &Value,
        mut one: impl FnMut(&mut Self, &Value) -> Result<(), &'static str>,
    ) -> Result<Answer, ServiceError> {
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        if !(1..=10).contains(&entries.len()) {
            return Err(ServiceError::unsupported(format!("a batch of {} entries", entries.len())));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in &entries {
            let outcome = if self.anomaly(0.04) { Err("InternalError") } else { one(self, entry) };
            match outcome {
                Ok(()) => successful.push(json!({ "Id": entry["Id"] })),
                Err(code) => {
                    failed.push(
                        json!({ "Id": entry["Id"], "Code": code, "SenderFault": code != "InternalError" }),
                    );
                }
            }
        }
        Ok(Answer::json(&json!({ "Successful": successful, "Failed": failed })))
    }

    fn delete(&mut self, request: &Value, entry: &Value) -> Result<(), &'static str> {
        let now = self.now();
        let back = self.anomaly(0.04).then(|| self.seconds(1.0, 200.0));
        let (_, queue) = self.sqs.queue(request).map_err(|_| "QueueDoesNotExist")?;
        let receipt = entry["ReceiptHandle"].as_str().unwrap_or_default();
        // With an old receipt the call succeeds without an effect.
        if let Some(position) = queue.messages.iter().position(|message| message.receipt == receipt) {
            let message = queue.messages.remove(position);
            queue.deleted += 1;
            if let Some(back) = back.filter(|_| !message.copy) {
                let visible_at = now + back;
                queue.messages.push(Message { visible_at, copy: true, holder: None, ..message });
            }
        }
        Ok(())
    }

    fn change_visibility(&mut self, request: &Value, entry: &Value) -> Result<(), &'static str> {
        let now = self.now();
        let silent = self.random.random_bool(0.5);
        let (_, queue) = self.sqs.queue(request).map_err(|_| "QueueDoesNotExist")?;
        let visibility = queue.visibility;
        let receipt = entry["ReceiptHandle"].as_str().unwrap_or_default();
        let after = Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap_or(0));
        let Some(message) = queue.messages.iter_mut().find(|message| message.receipt == receipt) else {
            return if silent { Ok(()) } else { Err("ReceiptHandleIsInvalid") };
        };
        if message.visible_at <= now {
            return Err("MessageNotInflight");
        }
        message.visible_at = now + after;
        if after != visibility {
            message.holder = None;
        }
        Ok(())
    }
}

pub(super) fn answer(state: &mut State, operation: &str, request: &Value) -> Result<Answer, ServiceError> {
    match operation {
        "GetQueueAttributes" => {
            let now = state.now();
            let (name, queue) = state.sqs.queue(request)?;
            let mut attributes = json!({
                "QueueArn": arn(&name), "VisibilityTimeout": queue.visibility.as_secs().to_string(),
            });
            let hidden = |message: &&Message| message.visible_at > now;
            let received = |message: &&Message| message.receives > 0;
            let in_flight = queue.messages.iter().filter(hidden).filter(received).count();
            let delayed = queue.messages.iter().filter(hidden).count() - in_flight;
            for (suffix, count) in [
                ("", queue.messages.len() - in_flight - delayed),
                ("NotVisible", in_flight),
                ("Delayed", delayed),
            ] {
                attributes[format!("ApproximateNumberOfMessages{suffix}")] = count.to_string().into();
            }
            if let Some((dead, most)) = &queue.redrive {
                let policy = json!({ "deadLetterTargetArn": arn(dead), "maxReceiveCount": most });
                attributes["RedrivePolicy"] = policy.to_string().into();
            }
            Ok(Answer::json(&json!({ "Attributes": attributes })))
        }
        "SendMessage" => {
            let (name, _) = state.sqs.queue(request)?;
            let body = request["MessageBody"].as_str().unwrap_or_default();
            let attributes = request["MessageAttributes"].as_object().into_iter().flatten();
            let attributes = attributes
                .map(|(name, value)| {
                    (name.clone(), value["StringValue"].as_str().unwrap_or_default().to_owned())
                })
                .collect();
            let delay = Duration::from_secs(request["DelaySeconds"].as_u64().unwrap_or(0));
            let id = state.enqueue(&name, body, attributes, delay);
            Ok(Answer::json(&json!({ "MessageId": id })))
        }
        "DeleteMessageBatch" => state.batch(request, |state, entry| state.delete(request, entry)),
        "ChangeMessageVisibilityBatch" => {
            state.batch(request, |state, entry| state.change_visibility(request, entry))
        }
        other => Err(ServiceError::unsupported(format!("SQS {other}"))),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
