//! The control interface `/simulator/control`: settings and faults at run time, and a record of each stream.
//!
//! - `GET /simulator/control`: settings, planned faults, streams open and opened.
//! - `POST /simulator/control`: changes any of [`Change`]'s fields, for streams opened from then on.
//! - `GET /simulator/control/latency`: the delays of stamped input audio; `DELETE` resets them.
//! - `GET /simulator/control/streams`: a summary of each recorded stream, oldest first.
//! - `GET /simulator/control/streams/{sessionId}`: everything a client sent on it, audio by its amount.
//! - `POST /simulator/control/streams/{sessionId}` with `{"fault":"cut"}`: a fault in a stream that is open.

mod record;
mod routes;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Tuning;
use super::faults::{Fault, PlannedFault, UnknownFaultError};
use super::latency::Delays;
use super::session::answer::Interruption;
use super::session::output::session_id;
pub use record::{StreamEndedError, StreamRecord};
pub(crate) use routes::routes;

/// Recorded streams; older records are dropped.
pub(crate) const STREAMS_REMEMBERED_MAX: usize = 1_000;
/// Pieces of speech whose words are remembered; older ones are forgotten.
const RECOGNISED_REMEMBERED_MAX: usize = 1_000;

/// State that all requests share.
#[derive(Debug)]
pub(crate) struct Control {
    inner: Mutex<Inner>,
    delays: Mutex<Delays>,
    recognised: Mutex<VecDeque<String>>,
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
pub(crate) struct QuotaError;

/// A permit under the stream quota, released on drop.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    control: Arc<Control>,
    pub(crate) record: Arc<StreamRecord>,
    pub(crate) seed: Uuid,
    pub(crate) tuning: Tuning,
    /// Faults requested while the stream is open.
    pub(crate) faults: mpsc::Receiver<Fault>,
}

/// Settings to change; an absent field keeps its value.
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
    /// Replaces all planned faults.
    faults: Option<Vec<String>>,
}

impl Control {
    pub(crate) fn new(tuning: Tuning, faults: Vec<PlannedFault>) -> Arc<Self> {
        let inner = Inner { tuning, faults, streams: VecDeque::new(), open: 0, opened: 0 };
        Arc::new(Self { inner: Mutex::new(inner), delays: Mutex::default(), recognised: Mutex::default() })
    }

    /// Whether a recogniser wrote `text` or a part of it.
    pub(crate) fn has_recognised(&self, text: &str) -> bool {
        lock(&self.recognised).iter().any(|words| text.contains(words.as_str()))
    }

    /// Takes the planned faults that apply to the next request.
    pub(crate) fn take_faults(&self, concerns: impl Fn(Fault) -> bool) -> Vec<PlannedFault> {
        let mut inner = lock(&self.inner);
        let mut taken = Vec::new();
        for planned in inner.faults.iter_mut().filter(|planned| concerns(planned.fault)) {
            taken.push(*planned);
            planned.times = planned.times.map(|times| times.saturating_sub(1));
        }
        inner.faults.retain(|planned| planned.times != Some(0));
        taken
    }

    pub(crate) fn open(self: &Arc<Self>, model: &str) -> Result<StreamPermit, QuotaError> {
        let mut inner = lock(&self.inner);
        if inner.open >= inner.tuning.streams_max {
            return Err(QuotaError);
        }
        inner.open += 1;
        inner.opened += 1;
        if inner.streams.len() == STREAMS_REMEMBERED_MAX {
            inner.streams.pop_front();
        }
        let seed = Uuid::now_v7();
        let (record, faults) = StreamRecord::new(session_id(seed), model);
        let record = Arc::new(record);
        inner.streams.push_back(Arc::clone(&record));
        Ok(StreamPermit { control: Arc::clone(self), record, seed, tuning: inner.tuning, faults })
    }

    /// Queues a fault for the next streams.
    pub(crate) fn plan(&self, fault: PlannedFault) {
        lock(&self.inner).faults.push(fault);
    }

    /// The number of streams opened so far, and the records of those opened after the first `known`.
    pub(crate) fn streams_after(&self, known: u64) -> (u64, Vec<Arc<StreamRecord>>) {
        let inner = lock(&self.inner);
        let new = usize::try_from(inner.opened - known.min(inner.opened)).unwrap_or(usize::MAX);
        let skipped = inner.streams.len().saturating_sub(new);
        (inner.opened, inner.streams.iter().skip(skipped).cloned().collect())
    }

    /// The recorded streams, oldest first.
    fn streams(&self) -> Vec<Arc<StreamRecord>> {
        self.streams_after(0).1
    }

    fn stream(&self, id: &str) -> Option<Arc<StreamRecord>> {
        lock(&self.inner).streams.iter().find(|record| record.session_id == id).cloned()
    }

    fn change(&self, change: Change) -> Result<(), String> {
        let faults = change.faults.map(|faults| faults.iter().map(|text| text.parse()).collect());
        let faults: Option<Vec<PlannedFault>> =
            faults.transpose().map_err(|error: UnknownFaultError| error.to_string())?;
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

impl StreamPermit {
    /// Remembers the words of a piece of speech.
    pub(crate) fn recognised(&self, words: &str) {
        if words.is_empty() {
            return;
        }
        let mut all = lock(&self.control.recognised);
        if all.len() == RECOGNISED_REMEMBERED_MAX {
            all.pop_front();
        }
        all.push_back(words.to_owned());
    }

    /// Records the delays of input audio.
    pub(crate) fn heard_after(&self, delays: impl IntoIterator<Item = Duration>) {
        let mut all = lock(&self.control.delays);
        for delay in delays {
            all.record(delay);
        }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        lock(&self.control.inner).open -= 1;
    }
}

fn set<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

/// A panic elsewhere leaves counters and lists in a readable state.
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
        assert_eq!(control.open("m").unwrap_err(), QuotaError);
        drop(first);
        assert!(control.open("m").is_ok());
    }

    #[test]
    fn recognised_words_are_known_until_many_more_came() {
        let control = control(1);
        let permit = control.open("m").unwrap();
        permit.recognised("");
        permit.recognised("I see a dog.");
        assert!(control.has_recognised("Well. I see a dog.") && !control.has_recognised("I see a cat."));
        for _ in 0..RECOGNISED_REMEMBERED_MAX {
            permit.recognised("other");
        }
        assert!(!control.has_recognised("I see a dog."));
    }

    #[test]
    fn old_streams_are_forgotten() {
        let control = control(1);
        for _ in 0..STREAMS_REMEMBERED_MAX + 5 {
            drop(control.open("m").unwrap());
        }
        assert_eq!(control.streams().len(), STREAMS_REMEMBERED_MAX);
        let (opened, none) = control.streams_after(STREAMS_REMEMBERED_MAX as u64 + 5);
        assert_eq!((opened, none.len()), (STREAMS_REMEMBERED_MAX as u64 + 5, 0));
        assert_eq!(control.streams_after(opened - 2).1.len(), 2);
    }

    #[test]
    fn planned_faults_are_used_up() {
        let faults = ["cut@10*2", "stall**"].map(|text| text.parse().unwrap()).to_vec();
        let control = Control::new(Tuning::default(), faults);
        let taken: Vec<usize> = (0..3).map(|_| control.take_faults(Fault::concerns_streams).len()).collect();
        assert_eq!(taken, [2, 2, 1]);
    }

    #[test]
    fn planned_faults_wait_for_what_they_concern() {
        let faults = ["cut", "filter-image", "throttling"].map(|text| text.parse().unwrap()).to_vec();
        let control = Control::new(Tuning::default(), faults);
        let taken = |concerns: fn(Fault) -> bool| {
            control.take_faults(concerns).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(taken(Fault::concerns_images), ["filter-image@0*1", "throttling@0*1"]);
        assert_eq!(taken(Fault::concerns_streams), ["cut@0*1"]);
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
}
