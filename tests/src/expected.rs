//! PURE. The oracle of the pipeline: the results that follow from journalled conversations and their events, computed
//! without the workers and compared with the actual ones. A test collects the [`Actual`] state by its own means.
//!
//! Each finding begins with the invariant that is violated:
//!
//! - I1: each conversation has ended, is published, and has one transcript, which is its journal word for word: every
//!   acknowledged turn, in order, without gaps.
//! - I2: each has one accepted analysis, or one reason why there is none.
//! - I3: the progress counters are the sums over distinct conversations.
//! - I4: each alert is recorded once and sent, and repeated only where a worker could not know that it was sent.
//! - I5: the queues are empty except for messages that wait for a newer worker, and the dead letters are the messages that
//!   no worker can handle, each with its reason.
//! - I6: two holders of one message or conversation have one effect: no object is overwritten, all publishers of an event
//!   publish the same, and where clocks agree no two workers pay for one analysis at once (`tests::model`).
//! - I7: no message that can be handled is received so often that its queue gives it up, however long an outage lasts.
//! - I8: a process that is asked to stop does so in time and keeps no message. The tests check it while they run.
//! - I9: after an erasure no data of the learner remains, and one mark that prevents new data. The simulation adds the
//!   rest of this check.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    contract::{
        ConversationId, EndReason, Envelope, Event, EventId, Milestone, Scores, Speaker, StoredAnalysis,
        TraceParent, Transcript, Turn,
    },
    journal::Conversation,
};
use serde_json::Value;
use uuid::Uuid;

use crate::journalled::Acknowledged;

mod sums;
#[cfg(test)]
mod tests;

pub use sums::{Sums, progress, progress_difference};

/// Below this overall score there is an alert.
const LOW_OVERALL: u8 = 40;

/// The state after a run.
#[derive(Clone, Debug, Default)]
pub struct Actual {
    /// What clients know of their conversations.
    pub acknowledged: BTreeMap<ConversationId, Acknowledged>,
    /// The journal.
    pub journal: BTreeMap<ConversationId, Conversation>,
    /// Transcripts whose readable text is stored, too.
    pub transcripts: BTreeMap<ConversationId, Transcript>,
    /// Stored assessments.
    pub analyses: BTreeMap<ConversationId, StoredAnalysis>,
    /// UserProgress.
    pub progress: Sums,
    /// The `detail` of each event on the bus, with all repetitions.
    pub events: Vec<Value>,
    /// How often each alert was sent, by alert id.
    pub alerts: BTreeMap<String, u32>,
    /// Ids of the alerts that are recorded as finished.
    pub finished_alerts: BTreeSet<String>,
    /// The queues by name.
    pub queues: BTreeMap<String, QueueContent>,
    /// Learners whose accounts are deleted.
    pub deleted: BTreeSet<String>,
}

/// The messages of a queue and of its dead-letter queue.
#[derive(Clone, Debug, Default)]
pub struct QueueContent {
    /// Bodies of the messages.
    pub messages: BTreeSet<String>,
    /// Dead letters.
    pub dead_letters: Vec<DeadLetter>,
}

/// A dead letter.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Body.
    pub body: String,
    /// The reason that the worker gave; `None` if the queue gave the message up.
    pub reason: Option<String>,
}

/// Deviations from a faultless run that the test caused.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Messages that no worker can handle, by queue.
    pub poison: Vec<(String, String)>,
    /// Messages that wait for a newer worker, by queue.
    pub parked: Vec<(String, String)>,
    /// How many alerts may be sent again, because a worker could not know that they were sent.
    pub repeated_alerts_max: u32,
}

/// Compares the actual state with the expected one. Returns all differences.
#[must_use]
pub fn compare(actual: &Actual, planned: &Planned) -> Vec<String> {
    let mut comparison = Comparison { actual, found: Vec::new(), events: BTreeMap::new() };
    comparison.read_events();
    comparison.journal();
    comparison.transcripts();
    comparison.analyses();
    comparison.progress();
    comparison.alerts(planned.repeated_alerts_max);
    comparison.queues(planned);
    comparison.found
}

/// The distinct events among `details`. Findings are appended to `found`.
pub fn distinct_events<'a>(
    details: impl IntoIterator<Item = &'a Value>,
    found: &mut Vec<String>,
) -> BTreeMap<EventId, Envelope> {
    let mut events: BTreeMap<EventId, Envelope> = BTreeMap::new();
    for detail in details {
        match Envelope::decode(&detail.to_string()) {
            Err(error) => found.push(format!("I6: {detail} on the bus is no event: {error}")),
            Ok(envelope) => match events.get(&envelope.id) {
                Some(other) if *other != envelope => {
                    found.push(format!("I6: two different events have one id: {other:?} and {envelope:?}"));
                }
                Some(_) => {}
                None => {
                    events.insert(envelope.id, envelope);
                }
            },
        }
    }
    trace_differences(events.values(), found);
    events
}

/// Each conversation and each learner has a trace of its own, and each event about it a span of its own. Only a stall has
/// none: the audit publishes it, which is not part of the conversation.
fn trace_differences<'a>(events: impl Iterator<Item = &'a Envelope>, found: &mut Vec<String>) {
    let mut traces: BTreeMap<String, String> = BTreeMap::new();
    let mut spans = BTreeSet::new();
    for event in events {
        let span = event.traceparent.as_deref().and_then(|text| text.parse::<TraceParent>().ok());
        let Some(span) = span else {
            found.push(format!("I6: an event has no trace: {event:?}"));
            continue;
        };
        let trace = traces.entry(event.event.subject()).or_insert_with(|| span.trace_id());
        if *trace != span.trace_id() {
            found.push(format!("I6: two traces of {}: {event:?}", event.event.subject()));
        }
        if event.event.as_stalled().is_none() && !spans.insert(span.to_string()) {
            found.push(format!("I6: the span of another event: {event:?}"));
        }
    }
    let distinct: BTreeSet<_> = traces.values().collect();
    if distinct.len() != traces.len() {
        found.push(format!("I6: two conversations or learners have one trace: {traces:?}"));
    }
}

/// The ids of the alerts that `event` raises.
fn alert_ids(event: &Envelope) -> Vec<String> {
    let mut rules = Vec::new();
    let mut raise = |applies: bool, rule: &str| {
        if applies {
            rules.push(rule.to_owned());
        }
    };
    let about = &event.event;
    let is_abnormal = about.as_completed().is_some_and(|data| data.reason == EndReason::IngressLost);
    raise(is_abnormal, "conversation.abnormal-end");
    raise(about.as_analysis_failed().is_some(), "analysis.failed");
    raise(about.as_stalled().is_some(), "conversation.stalled");
    raise(about.as_analyzed().is_some_and(|data| data.scores.overall < LOW_OVERALL), "analysis.low-score");
    raise(about.as_analyzed().is_some_and(|data| !data.flags.is_empty()), "analysis.flagged");
    for milestone in about.as_progress_updated().into_iter().flat_map(|data| &data.milestones) {
        let name = serde_json::json!(milestone);
        raise(true, &format!("milestone.{}", name.as_str().unwrap_or_default().replace('_', "-")));
    }
    rules.iter().map(|rule| Uuid::new_v5(&event.id.uuid(), rule.as_bytes()).to_string()).collect()
}

struct Comparison<'a> {
    actual: &'a Actual,
    found: Vec<String>,
    events: BTreeMap<EventId, Envelope>,
}

impl Comparison<'_> {
    fn check(&mut self, holds: bool, finding: impl FnOnce() -> String) {
        if !holds {
            self.found.push(finding());
        }
    }

    fn read_events(&mut self) {
        self.events = distinct_events(&self.actual.events, &mut self.found);
    }

    fn events_of(&self, id: ConversationId) -> impl Iterator<Item = &Event> {
        self.events
            .values()
            .map(|event| &event.event)
            .filter(move |event| event.conversation_id() == Some(id))
    }

    /// The journal holds every acknowledged turn of every learner whose account exists.
    fn journal(&mut self) {
        for (id, Acknowledged { user_id, turns }) in &self.actual.acknowledged {
            let stored = self.actual.journal.get(id);
            if self.actual.deleted.contains(user_id.as_str()) {
                self.check(stored.is_none(), || format!("I9: {id} of {user_id} is still in the journal"));
                continue;
            }
            self.check(stored.is_some(), || format!("I1: {id} was started and is not in the journal"));
            let stored = stored.map(|stored| stored.turns.as_slice()).unwrap_or_default();
            let lost: Vec<_> = turns.iter().filter(|turn| !stored.contains(turn)).collect();
            self.check(lost.is_empty(), || format!("I1: {id} lost the turns {lost:?}"));
        }
    }

    fn transcripts(&mut self) {
        for (id, Conversation { header, turns }) in &self.actual.journal {
            self.check(header.ended.is_some(), || format!("I1: {id} has not ended"));
            self.check(header.published_at.is_some(), || format!("I1: {id} is not marked as published"));
            let completed = self.events_of(*id).filter_map(Event::as_completed).count();
            self.check(completed == 1, || format!("I1: {id} has {completed} conversation.completed"));
            let is_gapless = turns.iter().zip(0..).all(|(turn, index)| turn.index == index);
            self.check(is_gapless, || format!("I1: the turns of {id} have gaps: {turns:?}"));
            let transcript = self.actual.transcripts.get(id);
            let transcript: Option<Vec<&Turn>> =
                transcript.map(|transcript| transcript.turns.iter().map(|turn| &turn.turn).collect());
            let is_equal = transcript.as_ref().is_some_and(|transcript| transcript.iter().copied().eq(turns));
            self.check(is_equal, || {
                format!("I1: the transcript of {id} is not its journal: {transcript:?} {turns:?}")
            });
        }
        let extra: Vec<_> =
            self.actual.transcripts.keys().filter(|id| !self.actual.journal.contains_key(id)).collect();
        self.check(extra.is_empty(), || format!("I1: transcripts without a conversation: {extra:?}"));
    }

    fn analyses(&mut self) {
        for id in self.actual.journal.keys() {
            let analyzed: Vec<Scores> =
                self.events_of(*id).filter_map(Event::as_analyzed).map(|event| event.scores).collect();
            let failed = self.events_of(*id).filter_map(Event::as_analysis_failed).count();
            self.check(analyzed.len() + failed == 1, || {
                format!("I2: {id} has {} analyses and {failed} reasons why there is none", analyzed.len())
            });
            let published = analyzed.first().copied();
            let stored = self.actual.analyses.get(id).map(|stored| Scores::of(&stored.assessment));
            self.check(published == stored, || {
                format!("I2: the analysis of {id}: published {published:?}, stored {stored:?}")
            });
        }
        let extra: Vec<_> =
            self.actual.analyses.keys().filter(|id| !self.actual.journal.contains_key(id)).collect();
        self.check(extra.is_empty(), || format!("I2: analyses without a conversation: {extra:?}"));
    }

    fn progress(&mut self) {
        let Actual { transcripts, journal, analyses, deleted, .. } = self.actual;
        let counted = transcripts.iter().filter_map(|(id, transcript)| {
            Some((transcript, journal.get(id)?.header.start.time_zone.as_str(), analyses.get(id)))
        });
        match progress(counted) {
            Ok(sums) => {
                let difference = progress_difference(&sums, &self.actual.progress, !deleted.is_empty());
                self.found.extend(difference.map(|difference| format!("I3: {difference}")));
            }
            Err(error) => self.found.push(format!("I3: {error:#}")),
        }
        let firsts = self
            .events
            .values()
            .filter_map(|event| event.event.as_progress_updated())
            .filter(|event| event.milestones.contains(&Milestone::FirstConversation))
            .filter(|event| !deleted.contains(event.user_id.as_str()))
            .count();
        let practised = journal
            .values()
            .filter(|stored| stored.turns.iter().any(|turn| turn.speaker == Speaker::Learner));
        let learners: BTreeSet<_> = practised.map(|stored| &stored.header.start.user_id).collect();
        self.check(firsts == learners.len(), || {
            format!("I3: {firsts} first conversations of {} learners", learners.len())
        });
    }

    fn alerts(&mut self, repeated_max: u32) {
        let allowed: BTreeSet<String> = self.events.values().flat_map(alert_ids).collect();
        // An event whose learner's data is erased before it arrives raises nothing.
        let remains = |event: &&Envelope| !self.actual.deleted.contains(event.event.user_id().as_str());
        let expected: BTreeSet<String> = self.events.values().filter(remains).flat_map(alert_ids).collect();
        let sent: BTreeSet<String> = self.actual.alerts.keys().cloned().collect();
        self.check(sent.is_superset(&expected) && sent.is_subset(&allowed), || {
            let lost: Vec<_> = expected.difference(&sent).collect();
            let extra: Vec<_> = sent.difference(&allowed).collect();
            format!("I4: alerts that were not sent: {lost:?}; alerts without a cause: {extra:?}")
        });
        let open: Vec<_> = expected.difference(&self.actual.finished_alerts).collect();
        self.check(open.is_empty(), || format!("I4: alerts that are not finished: {open:?}"));
        let repeated: u32 = self.actual.alerts.values().map(|count| count.saturating_sub(1)).sum();
        self.check(repeated <= repeated_max, || {
            format!("I4: {repeated} repeated alerts, {repeated_max} allowed")
        });
    }

    fn queues(&mut self, planned: &Planned) {
        for (name, queue) in &self.actual.queues {
            let of_queue = |messages: &[(String, String)]| -> BTreeSet<String> {
                messages.iter().filter(|(queue, _)| queue == name).map(|(_, body)| body.clone()).collect()
            };
            let (poison, parked) = (of_queue(&planned.poison), of_queue(&planned.parked));
            for DeadLetter { body, reason } in &queue.dead_letters {
                let invariant = if reason.is_some() { "I5" } else { "I7" };
                self.check(poison.contains(body), || {
                    format!("{invariant}: {name} gave up {body} for the reason {reason:?}")
                });
            }
            for body in poison {
                let mut letters = queue.dead_letters.iter().filter(|letter| letter.body == body).peekable();
                let is_rejected = letters.peek().is_some() && letters.all(|letter| letter.reason.is_some());
                self.check(is_rejected, || format!("I5: {name} did not give up {body:?} with a reason"));
            }
            self.check(queue.messages == parked, || {
                format!("I5: {:?} remain in {name}, expected {parked:?}", queue.messages)
            });
        }
    }
}
