//! PURE. The log of the proxy: calls, faults, and for each SQS message its receiver and the end of its visibility timeout. Times
//! are since the start of the proxy.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;

use super::{
    call::{CONVERSE, Call, RECEIVE},
    fault::{Fault, Kind},
};

/// The calls of all clients.
#[derive(Clone, Debug, Default)]
pub struct CallLog {
    /// Calls that arrived at the proxy, by client and operation.
    pub calls: BTreeMap<(String, String), u32>,
    /// Faults by client and kind.
    pub faults: BTreeMap<(String, Kind), u32>,
    /// Faults after which the client does not know the effect of its call, by client.
    pub ambiguous: BTreeMap<String, u32>,
    /// The requests that reached the model.
    pub model_requests: Vec<Bytes>,
    /// Messages by id.
    pub messages: BTreeMap<String, ReceivedMessage>,
    /// Ids of the messages that were deleted through a redelivering proxy.
    pub redelivered: BTreeSet<String>,
    /// Receipt handle to id.
    handles: HashMap<String, String>,
}

/// A message that was received through the proxy.
#[derive(Clone, Debug)]
pub struct ReceivedMessage {
    /// The last receiver.
    pub client: String,
    /// Receives that SQS has counted, also those whose response was lost.
    pub receives: u64,
    /// End of its visibility timeout while a client handles it; `None` after it was deleted or returned, with any delay.
    pub invisible_until: Option<Duration>,
}

impl CallLog {
    /// The number of faults of `kind`.
    #[must_use]
    pub fn of_kind(&self, kind: Kind) -> u32 {
        self.faults.iter().filter(|((_, of), _)| *of == kind).map(|(_, count)| count).sum()
    }

    /// The messages that a client handles at `now`, by id.
    pub fn in_flight(&self, now: Duration) -> impl Iterator<Item = (&String, &ReceivedMessage)> {
        self.messages
            .iter()
            .filter(move |(_, message)| message.invisible_until.is_some_and(|until| until > now))
    }

    /// The number of messages by number of receives.
    #[must_use]
    pub fn receives(&self) -> BTreeMap<u64, u32> {
        let mut receives = BTreeMap::new();
        for message in self.messages.values() {
            *receives.entry(message.receives).or_default() += 1;
        }
        receives
    }

    pub(super) fn called(&mut self, client: &str, call: &Call) {
        let operation = format!("{} {}", call.service, call.operation);
        *self.calls.entry((client.to_owned(), operation)).or_default() += 1;
    }

    pub(super) fn met(&mut self, client: &str, fault: &Fault) {
        *self.faults.entry((client.to_owned(), fault.kind())).or_default() += 1;
        if fault.is_ambiguous() {
            *self.ambiguous.entry(client.to_owned()).or_default() += 1;
        }
    }

    /// Records the effect of a call, also if its response is lost. `visibility` is the visibility timeout of every queue.
    pub(super) fn done(
        &mut self,
        client: &str,
        call: &Call,
        answer: &Bytes,
        (now, visibility): (Duration, Duration),
    ) {
        match call.operation.as_str() {
            RECEIVE => self.received(client, answer, now + visibility),
            "DeleteMessage" => self.ended(call.input["ReceiptHandle"].as_str(), None),
            "ChangeMessageVisibilityBatch" | "DeleteMessageBatch" => {
                let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
                let succeeded = |id: &Value| {
                    answer["Successful"].as_array().into_iter().flatten().any(|entry| entry["Id"] == *id)
                };
                let entries = call.input["Entries"].as_array().into_iter().flatten();
                for entry in entries.filter(|entry| succeeded(&entry["Id"])) {
                    let extended = entry["VisibilityTimeout"].as_u64() == Some(visibility.as_secs());
                    let until = extended.then_some(now + visibility);
                    self.ended(entry["ReceiptHandle"].as_str(), until);
                }
            }
            _ => {}
        }
    }

    pub(super) fn asked(&mut self, call: &Call, body: &Bytes) {
        if call.operation == CONVERSE {
            self.model_requests.push(body.clone());
        }
    }

    /// Records a delete. Returns whether it is the first one of its message.
    pub(super) fn is_first_delete(&mut self, handle: &str) -> bool {
        self.handles.get(handle).is_some_and(|id| self.redelivered.insert(id.clone()))
    }

    fn received(&mut self, client: &str, answer: &Bytes, until: Duration) {
        for message in &messages(answer) {
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            let (id, client) = (text("MessageId"), client.to_owned());
            self.handles.insert(text("ReceiptHandle"), id.clone());
            self.messages.insert(
                id,
                ReceivedMessage { client, receives: receives(message), invisible_until: Some(until) },
            );
        }
    }

    fn ended(&mut self, handle: Option<&str>, invisible_until: Option<Duration>) {
        let id = handle.and_then(|handle| self.handles.get(handle));
        if let Some(message) = id.and_then(|id| self.messages.get_mut(id)) {
            message.invisible_until = invisible_until;
        }
    }
}

/// The messages in the response to a poll.
pub(super) fn messages(answer: &[u8]) -> Vec<Value> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

/// The number of receives of a message.
pub(super) fn receives(message: &Value) -> u64 {
    let count = message["Attributes"]["ApproximateReceiveCount"].as_str();
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const VISIBILITY: Duration = Duration::from_secs(10);

    fn call(operation: &str, input: Value) -> Call {
        Call { service: "sqs", operation: operation.to_owned(), input }
    }

    #[test]
    fn message_is_in_flight_from_its_receive_to_its_delete_or_its_return() {
        let mut call_log = CallLog::default();
        let at = Duration::from_secs;
        let message = |id: &str, receives: &str| {
            json!({"MessageId": id, "ReceiptHandle": format!("handle-{id}"),
                "Attributes": {"ApproximateReceiveCount": receives}})
        };
        let answer = json!({"Messages": [message("a", "1"), message("b", "3")]}).to_string();
        let poll = call(RECEIVE, Value::Null);
        call_log.done("alerts", &poll, &answer.into(), (at(0), VISIBILITY));
        assert_eq!(call_log.in_flight(at(9)).count(), 2);
        assert_eq!(call_log.in_flight(at(10)).count(), 0);
        let entry = |id: &str, seconds: u32| json!({"Id": id, "ReceiptHandle": format!("handle-{id}"), "VisibilityTimeout": seconds});
        let change =
            call("ChangeMessageVisibilityBatch", json!({"Entries": [entry("a", 10), entry("b", 0)]}));
        let both = Bytes::from(r#"{"Successful":[{"Id":"a"},{"Id":"b"}]}"#);
        call_log.done("alerts", &change, &both, (at(5), VISIBILITY));
        assert_eq!(call_log.in_flight(at(14)).map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a"]);
        let delete = call("DeleteMessageBatch", json!({"Entries": [entry("a", 0)]}));
        call_log.done("alerts", &delete, &Bytes::from(r#"{"Failed":[{"Id":"a"}]}"#), (at(6), VISIBILITY));
        assert_eq!(call_log.in_flight(at(6)).count(), 1, "a message that was not deleted is still in flight");
        call_log.done("alerts", &delete, &both, (at(7), VISIBILITY));
        assert_eq!(call_log.in_flight(at(7)).count(), 0);
        assert_eq!(call_log.receives(), BTreeMap::from([(1, 1), (3, 1)]));
    }
}
