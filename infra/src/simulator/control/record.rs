//! The record of one stream: input events, counts of output events, usage and the reason of its end.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use events::contract::{StreamUsage, Usage};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::lock;
use crate::simulator::faults::Fault;
use crate::simulator::session::InputKind;

/// Recorded input events of a stream; later ones are only counted.
pub(crate) const EVENTS_REMEMBERED_MAX: usize = 1_000;
/// Faults that wait for a stream at once.
pub(super) const FAULTS_WAITING_MAX: usize = 8;

#[derive(Debug)]
pub struct StreamRecord {
    pub(super) session_id: String,
    model: String,
    opened_at: Timestamp,
    faults: mpsc::Sender<Fault>,
    details: Mutex<Details>,
}

/// The stream has ended, or too many faults wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream has ended")]
pub struct StreamEndedError;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    /// Why it ended; `null` while it is open.
    end: Option<String>,
    ended_at: Option<Timestamp>,
    input_events: u64,
    audio_events: u64,
    audio_bytes: u64,
    /// Events sent, by name.
    output_events: BTreeMap<String, u64>,
    /// From the end of each spoken turn to the first audio of its answer, in milliseconds of the simulator's clock.
    answer_delays_ms: Vec<u64>,
    /// The total of the last usageEvent that was sent.
    usage: Usage,
    #[serde(skip)]
    input: Vec<Value>,
    #[serde(skip)]
    system: System,
}

/// The system prompt while it arrives.
#[derive(Debug, Default)]
struct System {
    block: Option<Value>,
    text: String,
}

impl StreamRecord {
    /// The record of a new stream of `model`, and the receiver of the faults requested while it is open.
    pub(super) fn new(session_id: String, model: &str) -> (Self, mpsc::Receiver<Fault>) {
        let (sender, faults) = mpsc::channel(FAULTS_WAITING_MAX);
        let record = Self {
            session_id,
            model: model.to_owned(),
            opened_at: Timestamp::now(),
            faults: sender,
            details: Mutex::default(),
        };
        (record, faults)
    }

    /// The system prompt; empty before it has arrived.
    #[must_use]
    pub fn system_prompt(&self) -> String {
        lock(&self.details).system.text.clone()
    }

    /// Why it ended; `None` while it is open.
    #[must_use]
    pub fn end_reason(&self) -> Option<String> {
        lock(&self.details).end.clone()
    }

    /// The usage reported to the client.
    #[must_use]
    pub fn usage(&self) -> Usage {
        lock(&self.details).usage
    }

    /// Bytes of audio that the client sent.
    #[must_use]
    pub fn audio_bytes(&self) -> u64 {
        lock(&self.details).audio_bytes
    }

    /// From the end of each spoken turn to the first audio of its answer, in milliseconds of the simulator's clock.
    #[must_use]
    pub fn answer_delays_ms(&self) -> Vec<u64> {
        lock(&self.details).answer_delays_ms.clone()
    }

    /// The client's events in order; audio between two other events is one entry
    /// `{"audio":{"events","bytes"}}`.
    #[must_use]
    pub fn input_events(&self) -> Vec<Value> {
        lock(&self.details).input.clone()
    }

    /// Injects a fault into the open stream.
    pub fn fault(&self, fault: Fault) -> Result<(), StreamEndedError> {
        self.faults.try_send(fault).map_err(|_| StreamEndedError)
    }

    pub(crate) fn input(&self, event: &[u8], kind: InputKind) {
        let mut details = lock(&self.details);
        details.input_events += 1;
        match kind {
            InputKind::Audio(bytes) => {
                details.audio_events += 1;
                details.audio_bytes += bytes as u64;
                // Audio between two other events is one entry with its amount.
                if let Some(audio) = details.input.last_mut().and_then(|last| last.get_mut("audio")) {
                    let (events, total) = (add(&audio["events"], 1), add(&audio["bytes"], bytes as u64));
                    *audio = json!({ "events": events, "bytes": total });
                } else if details.input.len() < EVENTS_REMEMBERED_MAX {
                    details.input.push(json!({ "audio": { "events": 1, "bytes": bytes } }));
                }
            }
            InputKind::Other if details.input.len() < EVENTS_REMEMBERED_MAX => {
                let text = String::from_utf8_lossy(event);
                let event = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "unparsable": text }));
                details.system.read(&event["event"]);
                details.input.push(event);
            }
            InputKind::Other => {}
        }
    }

    pub(crate) fn output(&self, event: &Value) {
        let Some((name, fields)) = event["event"].as_object().and_then(|event| event.iter().next()) else {
            return;
        };
        let mut details = lock(&self.details);
        if name == "usageEvent" {
            details.usage = usage(&fields["details"]["total"]);
        }
        match details.output_events.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                details.output_events.insert(name.clone(), 1);
            }
        }
    }

    pub(crate) fn answered_after(&self, delays: &[Duration]) {
        if delays.is_empty() {
            return;
        }
        let mut details = lock(&self.details);
        let left = EVENTS_REMEMBERED_MAX - details.answer_delays_ms.len();
        let ms = |delay: &Duration| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        details.answer_delays_ms.extend(delays.iter().take(left).map(ms));
    }

    /// Records why the stream ended.
    pub(crate) fn end(&self, reason: &str) {
        let mut details = lock(&self.details);
        details.end = Some(reason.to_owned());
        details.ended_at = Some(Timestamp::now());
    }

    pub(super) fn summary(&self) -> Value {
        let details = lock(&self.details);
        let mut summary = json!({
            "sessionId": self.session_id, "modelId": self.model, "openedAt": self.opened_at,
        });
        let fields = serde_json::to_value(&*details).unwrap_or_default();
        if let (Value::Object(summary), Value::Object(fields)) = (&mut summary, fields) {
            summary.extend(fields);
        }
        summary
    }

    pub(super) fn whole(&self) -> Value {
        let mut whole = self.summary();
        whole["input"] = Value::from(lock(&self.details).input.clone());
        whole
    }
}

impl System {
    fn read(&mut self, event: &Value) {
        let start = &event["contentStart"];
        if start["role"] == "SYSTEM" {
            self.block = Some(start["contentName"].clone());
        }
        let text = &event["textInput"];
        if self.block.as_ref() == Some(&text["contentName"]) {
            self.text.push_str(text["content"].as_str().unwrap_or_default());
        }
    }
}

fn usage(total: &Value) -> Usage {
    let side = |name: &str| StreamUsage {
        speech_tokens: total[name]["speechTokens"].as_u64().unwrap_or(0),
        text_tokens: total[name]["textTokens"].as_u64().unwrap_or(0),
    };
    Usage { input: side("input"), output: side("output") }
}

fn add(value: &Value, more: u64) -> u64 {
    value.as_u64().unwrap_or(0) + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_events_are_only_counted() {
        let (record, _faults) = StreamRecord::new("s".to_owned(), "m");
        for _ in 0..EVENTS_REMEMBERED_MAX {
            record.input(b"{}", InputKind::Other);
            record.input(b"{}", InputKind::Audio(2));
            record.input(b"{}", InputKind::Audio(2));
        }
        let whole = record.whole();
        assert_eq!(whole["input"].as_array().unwrap().len(), EVENTS_REMEMBERED_MAX);
        assert_eq!(whole["input"][1], json!({ "audio": { "events": 2, "bytes": 4 } }));
        assert_eq!(whole["audioBytes"], EVENTS_REMEMBERED_MAX * 4);
    }

    #[test]
    fn delays_of_answers_are_remembered_up_to_the_limit() {
        let (record, _faults) = StreamRecord::new("s".to_owned(), "m");
        let delays = vec![Duration::from_micros(7_900); EVENTS_REMEMBERED_MAX - 1];
        record.answered_after(&delays);
        record.answered_after(&delays);
        assert_eq!(record.answer_delays_ms(), vec![7; EVENTS_REMEMBERED_MAX]);
    }

    #[test]
    fn no_more_faults_wait_than_a_stream_can_take() {
        let (record, _faults) = StreamRecord::new("s".to_owned(), "m");
        let sent = (0..FAULTS_WAITING_MAX + 3).filter(|_| record.fault(Fault::Stall).is_ok());
        assert_eq!(sent.count(), FAULTS_WAITING_MAX);
    }

    #[test]
    fn the_system_prompt_and_the_last_usage_are_known() {
        let (record, _faults) = StreamRecord::new("s".to_owned(), "m");
        for (name, role) in [("a", "SYSTEM"), ("b", "USER")] {
            let start = json!({ "event": { "contentStart": { "contentName": name, "role": role } } });
            record.input(start.to_string().as_bytes(), InputKind::Other);
            let text = json!({ "event": { "textInput": { "contentName": name, "content": role } } });
            record.input(text.to_string().as_bytes(), InputKind::Other);
        }
        assert_eq!(record.system_prompt(), "SYSTEM");
        for tokens in [1, 5] {
            let side = json!({ "speechTokens": tokens, "textTokens": 0 });
            let total = json!({ "input": side, "output": { "speechTokens": 0, "textTokens": 2 } });
            record.output(&json!({ "event": { "usageEvent": { "details": { "total": total } } } }));
        }
        assert_eq!((record.usage().input.speech_tokens, record.usage().output.text_tokens), (5, 2));
    }
}
