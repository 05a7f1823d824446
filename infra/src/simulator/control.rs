//! What the simulator can be told at run time, and what it remembers of each stream: `/simulator/control`.
//!
//! - `GET /simulator/control`: settings, planned faults, streams open and opened.
//! - `POST /simulator/control`: changes any of [`Change`]'s fields, for streams opened from then on.
//! - `GET /simulator/control/latency`: how long stamped audio took to get here; `DELETE` begins anew.
//! - `GET /simulator/control/streams`: a summary of each remembered stream, oldest first.
//! - `GET /simulator/control/streams/{sessionId}`: everything a client sent on it, audio by its amount.
//! - `POST /simulator/control/streams/{sessionId}` with `{"fault":"cut"}`: a fault in a stream that is open.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Tuning;
use super::faults::{Fault, PlannedFault, UnknownFault};
use super::latency::{Delays, Latency};
use super::session::InputKind;
use super::session::answer::Interruption;
use super::session::output::session_id;

/// Remembered streams; older ones are forgotten.
pub(crate) const STREAMS_REMEMBERED_MAX: usize = 1_000;
/// Remembered input events of a stream; later ones are only counted.
pub(crate) const EVENTS_REMEMBERED_MAX: usize = 1_000;
/// Faults that wait for a stream at once.
const FAULTS_WAITING_MAX: usize = 8;

/// State that all requests share.
#[derive(Debug)]
pub(crate) struct Control {
    inner: Mutex<Inner>,
    delays: Mutex<Delays>,
}

#[derive(Debug)]
struct Inner {
    tuning: Tuning,
    faults: Vec<PlannedFault>,
    streams: VecDeque<Arc<StreamRecord>>,
    open: usize,
    opened: u64,
}

/// Why a stream cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuotaExceeded;

/// A place under the quota, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    control: Arc<Control>,
    pub(crate) record: Arc<StreamRecord>,
    pub(crate) seed: Uuid,
    pub(crate) tuning: Tuning,
    /// Faults asked for while it is open.
    pub(crate) faults: mpsc::Receiver<Fault>,
}

/// What is remembered of a stream.
#[derive(Debug)]
pub(crate) struct StreamRecord {
    session_id: String,
    model: String,
    opened_at: Timestamp,
    faults: mpsc::Sender<Fault>,
    details: Mutex<Details>,
}

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
    #[serde(skip)]
    input: Vec<Value>,
}

/// Settings to change; what is left out stays.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Change {
    pace: Option<f64>,
    endpointing_scale: Option<f64>,
    clock_scale: Option<f64>,
    stream_limit_seconds: Option<f64>,
    idle_limit_seconds: Option<f64>,
    streams_max: Option<usize>,
    interruption: Option<Interruption>,
    /// Takes the place of all planned faults.
    faults: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultNow {
    fault: String,
}

type Refused = (StatusCode, Json<Value>);

impl Control {
    pub(crate) fn new(tuning: Tuning, faults: Vec<PlannedFault>) -> Arc<Self> {
        let inner = Inner { tuning, faults, streams: VecDeque::new(), open: 0, opened: 0 };
        Arc::new(Self { inner: Mutex::new(inner), delays: Mutex::default() })
    }

    /// Takes the next request's share of the planned faults.
    pub(crate) fn take_faults(&self) -> Vec<PlannedFault> {
        let mut inner = lock(&self.inner);
        let taken = inner.faults.clone();
        for planned in &mut inner.faults {
            planned.times = planned.times.map(|times| times.saturating_sub(1));
        }
        inner.faults.retain(|planned| planned.times != Some(0));
        taken
    }

    /// Opens a stream.
    pub(crate) fn open(self: &Arc<Self>, model: &str) -> Result<Place, QuotaExceeded> {
        let mut inner = lock(&self.inner);
        if inner.open >= inner.tuning.streams_max {
            return Err(QuotaExceeded);
        }
        inner.open += 1;
        inner.opened += 1;
        if inner.streams.len() == STREAMS_REMEMBERED_MAX {
            inner.streams.pop_front();
        }
        let seed = Uuid::now_v7();
        let (sender, faults) = mpsc::channel(FAULTS_WAITING_MAX);
        let record = Arc::new(StreamRecord {
            session_id: session_id(seed),
            model: model.to_owned(),
            opened_at: Timestamp::now(),
            faults: sender,
            details: Mutex::default(),
        });
        inner.streams.push_back(Arc::clone(&record));
        Ok(Place { control: Arc::clone(self), record, seed, tuning: inner.tuning, faults })
    }

    fn stream(&self, id: &str) -> Result<Arc<StreamRecord>, Refused> {
        let inner = lock(&self.inner);
        let found = inner.streams.iter().find(|record| record.session_id == id).cloned();
        found.ok_or_else(|| refused(StatusCode::NOT_FOUND, "no stream with this session id is remembered"))
    }

    fn change(&self, change: Change) -> Result<(), String> {
        let faults = change.faults.map(|faults| faults.iter().map(|text| text.parse()).collect());
        let faults: Option<Vec<PlannedFault>> =
            faults.transpose().map_err(|error: UnknownFault| error.to_string())?;
        let mut inner = lock(&self.inner);
        let mut tuning = inner.tuning;
        set(&mut tuning.pace, change.pace);
        set(&mut tuning.endpointing_scale, change.endpointing_scale);
        set(&mut tuning.clock_scale, change.clock_scale);
        set(&mut tuning.stream_limit_seconds, change.stream_limit_seconds);
        set(&mut tuning.idle_limit_seconds, change.idle_limit_seconds);
        set(&mut tuning.streams_max, change.streams_max);
        set(&mut tuning.interruption, change.interruption);
        tuning.check()?;
        inner.tuning = tuning;
        set(&mut inner.faults, faults);
        Ok(())
    }

    fn state(&self) -> Value {
        let inner = lock(&self.inner);
        let faults: Vec<String> = inner.faults.iter().map(ToString::to_string).collect();
        json!({ "settings": inner.tuning, "faults": faults, "open": inner.open, "opened": inner.opened })
    }
}

impl Place {
    /// Counts how long pieces of audio took to get here.
    pub(crate) fn heard_after(&self, delays: impl IntoIterator<Item = Duration>) {
        let mut all = lock(&self.control.delays);
        for delay in delays {
            all.record(delay);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.control.inner).open -= 1;
    }
}

impl StreamRecord {
    /// Remembers an input event.
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
                details.input.push(event);
            }
            InputKind::Other => {}
        }
    }

    /// Counts an output event.
    pub(crate) fn output(&self, name: &str) {
        let mut details = lock(&self.details);
        match details.output_events.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                details.output_events.insert(name.to_owned(), 1);
            }
        }
    }

    /// Remembers why the stream ended.
    pub(crate) fn end(&self, reason: &str) {
        let mut details = lock(&self.details);
        details.end = Some(reason.to_owned());
        details.ended_at = Some(Timestamp::now());
    }

    fn summary(&self) -> Value {
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

    fn whole(&self) -> Value {
        let mut whole = self.summary();
        whole["input"] = Value::from(lock(&self.details).input.clone());
        whole
    }
}

pub(crate) async fn get_state(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(control.state())
}

pub(crate) async fn post_state(
    State(control): State<Arc<Control>>,
    Json(change): Json<Change>,
) -> Result<Json<Value>, Refused> {
    control.change(change).map_err(|error| refused(StatusCode::BAD_REQUEST, &error))?;
    Ok(Json(control.state()))
}

pub(crate) async fn get_latency(State(control): State<Arc<Control>>) -> Json<Latency> {
    Json(lock(&control.delays).latency())
}

pub(crate) async fn delete_latency(State(control): State<Arc<Control>>) -> StatusCode {
    lock(&control.delays).clear();
    StatusCode::NO_CONTENT
}

pub(crate) async fn get_streams(State(control): State<Arc<Control>>) -> Json<Value> {
    let streams: Vec<_> = lock(&control.inner).streams.iter().cloned().collect();
    Json(streams.iter().map(|record| record.summary()).collect())
}

pub(crate) async fn get_stream(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    Ok(Json(control.stream(&id)?.whole()))
}

pub(crate) async fn post_stream(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    Json(FaultNow { fault }): Json<FaultNow>,
) -> Result<StatusCode, Refused> {
    let planned: PlannedFault =
        fault.parse().map_err(|error| refused(StatusCode::BAD_REQUEST, &format!("{error}")))?;
    let sent = control.stream(&id)?.faults.try_send(planned.fault);
    sent.map_err(|_| refused(StatusCode::CONFLICT, "the stream has ended"))?;
    Ok(StatusCode::ACCEPTED)
}

fn refused(status: StatusCode, message: &str) -> Refused {
    (status, Json(json!({ "message": message })))
}

fn set<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

fn add(value: &Value, more: u64) -> u64 {
    value.as_u64().unwrap_or(0) + more
}

/// A panic elsewhere leaves counters and lists that are still good to read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(streams_max: usize) -> Arc<Control> {
        Control::new(Tuning { streams_max, ..Tuning::default() }, Vec::new())
    }

    #[test]
    fn the_quota_is_for_streams_that_are_open() {
        let control = control(2);
        let first = control.open("m").unwrap();
        let _second = control.open("m").unwrap();
        assert_eq!(control.open("m").unwrap_err(), QuotaExceeded);
        drop(first);
        assert!(control.open("m").is_ok());
    }

    #[test]
    fn old_streams_and_late_events_are_forgotten() {
        let control = control(1);
        for _ in 0..STREAMS_REMEMBERED_MAX + 5 {
            drop(control.open("m").unwrap());
        }
        assert_eq!(lock(&control.inner).streams.len(), STREAMS_REMEMBERED_MAX);
        let place = control.open("m").unwrap();
        for _ in 0..EVENTS_REMEMBERED_MAX {
            place.record.input(b"{}", InputKind::Other);
            place.record.input(b"{}", InputKind::Audio(2));
            place.record.input(b"{}", InputKind::Audio(2));
        }
        let whole = place.record.whole();
        assert_eq!(whole["input"].as_array().unwrap().len(), EVENTS_REMEMBERED_MAX);
        assert_eq!(whole["input"][1], json!({ "audio": { "events": 2, "bytes": 4 } }));
        assert_eq!(whole["audioBytes"], EVENTS_REMEMBERED_MAX * 4);
    }

    #[test]
    fn planned_faults_are_used_up() {
        let faults = ["cut@10*2", "stall**"].map(|text| text.parse().unwrap()).to_vec();
        let control = Control::new(Tuning::default(), faults);
        let taken: Vec<usize> = (0..3).map(|_| control.take_faults().len()).collect();
        assert_eq!(taken, [2, 2, 1]);
    }

    #[test]
    fn a_change_that_makes_no_sense_changes_nothing() {
        let control = control(2);
        let change = |json: Value| control.change(serde_json::from_value(json).unwrap());
        assert!(change(json!({ "pace": 1.0, "clockScale": 0.0 })).is_err());
        assert!(change(json!({ "faults": ["never"] })).is_err());
        assert_eq!(lock(&control.inner).tuning, Tuning { streams_max: 2, ..Tuning::default() });
        change(json!({ "pace": 1.0, "faults": ["cut"] })).unwrap();
        change(json!({ "streamsMax": 7 })).unwrap();
        let state = control.state();
        assert_eq!(
            (state["settings"]["pace"].as_f64(), state["settings"]["streamsMax"].as_u64()),
            (Some(1.0), Some(7))
        );
        assert_eq!(state["faults"], json!(["cut@0*1"]));
    }

    #[test]
    fn no_more_faults_wait_than_a_stream_can_take() {
        let control = control(1);
        let place = control.open("m").unwrap();
        let sent = (0..FAULTS_WAITING_MAX + 3).filter(|_| place.record.faults.try_send(Fault::Stall).is_ok());
        assert_eq!(sent.count(), FAULTS_WAITING_MAX);
    }
}
