//! What must hold after the quiet. Each finding begins with the invariant that it breaks.
//!
//! - I1: each conversation has one transcript, written once, which is its journal word for word: every turn that was
//!   acknowledged, in order, without gaps.
//! - I2: each has one accepted analysis, or one reason why there is none.
//! - I3: the progress counters are the sums over distinct conversations.
//! - I4: each alert is noted once and sent, and repeated only where a worker could not know that it was sent.
//! - I5: queues are empty but for what waits for a newer worker, and the dead letters are the messages that nobody can
//!   handle, each with its reason.
//! - I6: two who hold the same message or conversation have one effect: no object is overwritten, whoever publishes an
//!   event publishes the same, and where clocks agree nobody pays twice at once (`tests::model`).
//! - I7: no message that can be handled is received so often that its queue gives it up, whatever is out for how long.
//! - I8: a process that is asked to stop does so in time and keeps nothing (`processes`, as it happens).
//! - I9: of a learner who left nothing is there, and one mark that keeps it so; who was promised to be deleted is, and
//!   who did not leave has everything (`leftovers`).

use events::workers::Worker;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use events::{
    contract::{
        ConversationCompleted, Envelope, Event, EventId, Milestone, StoredAnalysis, TraceParent, Transcript,
        Turn,
    },
    document,
};
use tests::{
    expected,
    model::{Cloud, Item, State},
};

use crate::{
    observed::Observed,
    plan::{NEWER, Plan, may_be_left},
};
use tests::deployment::{CONVERSATIONS, EFFECTS, LOGS, PROGRESS};

mod leftovers;

struct Judge<'a> {
    state: &'a State,
    found: Vec<String>,
    /// Distinct events of the bus, by id, with their sources.
    events: BTreeMap<EventId, Envelope>,
    /// Learners whose accounts are gone.
    left: BTreeSet<String>,
}

pub(crate) fn judge(cloud: &Cloud, observed: &Observed, plan: &Plan) -> Vec<String> {
    let state = cloud.state();
    let left = leftovers::learners(&state, plan);
    let mut judge = Judge { state: &state, found: Vec::new(), events: BTreeMap::new(), left };
    judge.read_events();
    judge.left(observed);
    judge.traces();
    judge.conversations(observed);
    judge.progress();
    judge.alerts();
    judge.queues(plan);
    judge.found
}

impl Judge<'_> {
    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(what());
        }
    }

    /// Whoever publishes a fact publishes the same.
    fn read_events(&mut self) {
        for (source, detail) in &self.state.eventbridge.events {
            let envelope = match Envelope::decode(&detail.to_string()) {
                Ok(envelope) => envelope,
                Err(error) => {
                    self.found.push(format!("{source} published what is no event: {error}"));
                    continue;
                }
            };
            match self.events.get(&envelope.id) {
                Some(other) if *other != envelope => {
                    self.found
                        .push(format!("I6: two different events with one id: {other:?} and {envelope:?}"));
                }
                Some(_) => {}
                None => {
                    self.events.insert(envelope.id, envelope);
                }
            }
        }
    }

    /// Every conversation that began has ended, is published, and has one transcript and one analysis or reason.
    fn conversations(&mut self, observed: &Observed) {
        let table = &self.state.dynamodb.tables[CONVERSATIONS];
        let mut stored: BTreeMap<String, (Option<&Item>, Vec<Turn>)> = BTreeMap::new();
        for ((id, _), item) in &table.items {
            let entry = stored.entry(id.clone()).or_default();
            match item.get("turn").and_then(|turn| serde_json::from_str(turn["S"].as_str()?).ok()) {
                Some(turn) => entry.1.push(turn),
                None => entry.0 = Some(item),
            }
        }
        for ((id, user), turns) in observed.turns.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if self.left.contains(user) {
                self.check(!stored.contains_key(id), || {
                    format!("I9: {id} of {user} is still in the journal")
                });
                continue;
            }
            let kept = stored.get(id).map(|(_, turns)| turns.as_slice()).unwrap_or_default();
            self.check(turns.iter().all(|turn| kept.contains(turn)), || format!("I1: {id} lost a turn"));
            self.check(stored.contains_key(id), || format!("I1: {id} began and is not in the journal"));
        }
        for (id, (header, turns)) in &stored {
            let text =
                |name: &str| header.and_then(|header| header.get(name)?["S"].as_str()).unwrap_or_default();
            self.check(text("state") == "ENDED", || format!("I1: {id} has not ended"));
            let published = header.is_some_and(|header| header.contains_key("publishedAt"));
            self.check(published, || format!("I1: {id} is not known to be published"));
            let (id, user) = (id.clone(), text("userId").to_owned());
            let about = |event: &&Envelope| event.event.subject() == id;
            let events: Vec<Envelope> = self.events.values().filter(about).cloned().collect();
            self.check(events.iter().any(|event| completed(event).is_some()), || {
                format!("I1: {id} has no conversation.completed")
            });
            let gapless = turns.iter().zip(0..).all(|(turn, index)| turn.index == index);
            self.check(gapless, || format!("I1: the turns of {id} have gaps: {turns:?}"));
            self.transcript(&id, &user, turns);
            self.analysis(&id, &user, &events, turns);
        }
    }

    fn object<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let object = self.state.s3.objects.get(&(LOGS.to_owned(), key.to_owned()))?;
        self.check(object.writes == 1, || format!("I6: {key} was overwritten"));
        serde_json::from_slice(&document::read(&object.body).ok()?).ok()
    }

    /// I1.
    fn transcript(&mut self, id: &str, user: &str, turns: &[Turn]) {
        let transcript: Option<Transcript> = self.object(&format!("transcripts/{user}/{id}.json.gz"));
        let said: Option<Vec<Turn>> =
            transcript.map(|transcript| transcript.turns.into_iter().map(|turn| turn.turn).collect());
        self.check(said.as_deref() == Some(turns), || {
            format!("I1: the transcript of {id} is not its journal: {said:?} {turns:?}")
        });
        let text = (LOGS.to_owned(), format!("transcripts/{user}/{id}.txt.gz"));
        self.check(self.state.s3.objects.contains_key(&text), || {
            format!("I1: {id} has no readable transcript")
        });
    }

    /// I2: one accepted analysis, or one reason why there is none.
    fn analysis(&mut self, id: &str, user: &str, events: &[Envelope], turns: &[Turn]) {
        let stored: Option<StoredAnalysis> = self.object(&format!("analyses/{user}/{id}.json.gz"));
        let mut analyzed = None;
        let mut failed = false;
        for event in events {
            match &event.event {
                Event::ConversationAnalyzed(event) => analyzed = Some(event.clone()),
                Event::AnalysisFailed(_) => failed = true,
                Event::ConversationCompleted(_)
                | Event::TranscriptStored(_)
                | Event::ProgressUpdated(_)
                | Event::ConversationStalled(_)
                | Event::AccountDeletionRequested(_) => {}
            }
        }
        self.check(analyzed.is_some() == stored.is_some(), || {
            format!("I2: the analysis of {id}: published {analyzed:?}, stored {stored:?}")
        });
        self.check(analyzed.is_some() != failed, || {
            format!("I2: {id} has both an analysis and a failure, or none ({} turns)", turns.len())
        });
        if let (Some(analyzed), Some(stored)) = (analyzed, stored) {
            self.check(analyzed.scores.overall == stored.assessment.overall, || {
                format!("I2: the published analysis of {id} is not the stored one")
            });
        }
    }

    /// I6: the events of a conversation are spans of one trace, each of its own. What the audit says of it belongs to
    /// no span.
    fn traces(&mut self) {
        let mut traces: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
        let mut found = Vec::new();
        for event in
            self.events.values().filter(|event| !matches!(event.event, Event::ConversationStalled(_)))
        {
            let id = event.event.subject();
            let span = event.traceparent.as_deref().and_then(|text| text.parse::<TraceParent>().ok());
            let Some(span) = span else {
                found.push(format!("I6: an event of {id} has no trace: {event:?}"));
                continue;
            };
            let (trace, spans) = traces.entry(id).or_insert_with(|| (span.trace_id(), BTreeSet::new()));
            if *trace != span.trace_id() || !spans.insert(span.span_id()) {
                found.push(format!("I6: another trace, or a span again: {event:?}"));
            }
        }
        self.found.append(&mut found);
    }

    /// I3: the counters are the sums over distinct conversations.
    fn progress(&mut self) {
        let mut expected: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
        let left = self.left.clone();
        let stays = |event: &&Envelope| !left.contains(event.event.user_id().as_str());
        for event in self.events.values().filter(stays) {
            let (user, at, zone, added) = match &event.event {
                Event::ConversationCompleted(event) => {
                    let lasted = event.ended_at.as_millisecond() - event.started_at.as_millisecond();
                    let added = vec![
                        ("conversations", 1),
                        ("turns", u64::from(event.turns)),
                        ("learnerSpeechMs", event.learner_speech_ms),
                        ("durationMs", u64::try_from(lasted).unwrap_or(0)),
                    ];
                    (&event.user_id, event.started_at, &event.time_zone, added)
                }
                Event::ConversationAnalyzed(event) => {
                    let added = vec![("scored", 1), ("overallSum", u64::from(event.scores.overall))];
                    (&event.user_id, event.started_at, &event.time_zone, added)
                }
                Event::TranscriptStored(_)
                | Event::AnalysisFailed(_)
                | Event::ProgressUpdated(_)
                | Event::ConversationStalled(_)
                | Event::AccountDeletionRequested(_) => continue,
            };
            let day = at.in_tz(zone).map(|local| local.date().to_string()).unwrap_or_default();
            for date in [day, "total".to_owned()] {
                let counts = expected.entry((user.to_string(), date)).or_default();
                for (name, value) in &added {
                    *counts.entry((*name).to_owned()).or_default() += value;
                }
            }
        }
        let mut counted: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
        for (key, item) in &self.state.dynamodb.tables[PROGRESS].items {
            let names = ["conversations", "turns", "learnerSpeechMs", "durationMs", "scored", "overallSum"];
            let count = |name: &&str| item.get(*name).and_then(|value| value["N"].as_str()?.parse().ok());
            let counts = names.iter().filter_map(|name| Some(((*name).to_owned(), count(name)?))).collect();
            counted.insert(key.clone(), counts);
        }
        self.check(counted == expected, || format!("I3: counted {counted:?}, expected {expected:?}"));
    }

    /// I4: each alert that follows from the events is sent, noted once, and repeated only where a worker could not
    /// know.
    fn alerts(&mut self) {
        let expected: BTreeSet<String> = self.events.values().flat_map(expected::alert_ids).collect();
        let mut sent: BTreeMap<String, u32> = BTreeMap::new();
        for published in &self.state.sns.published {
            *sent.entry(published.alert_id.clone()).or_default() += 1;
        }
        let found: BTreeSet<String> = sent.keys().cloned().collect();
        self.check(found == expected, || format!("I4: sent {found:?}, expected {expected:?}"));
        for id in &expected {
            let key = (format!("alert#{id}"), String::new());
            let item = self.state.dynamodb.tables[EFFECTS].items.get(&key);
            let finished = item.is_some_and(|item| item["state"]["S"] == "finished");
            self.check(finished, || format!("I4: the alert {id} is not finished"));
        }
        let again: u32 = sent.values().map(|count| count - 1).sum();
        self.check(again <= self.state.ambiguous, || {
            format!("I4: {again} repetitions after {} ambiguous calls", self.state.ambiguous)
        });
        let is_first = |event: &&Envelope| {
            matches!(&event.event, Event::ProgressUpdated(event)
                if event.milestones.contains(&Milestone::FirstConversation))
        };
        let stays = |event: &&Envelope| !self.left.contains(event.event.user_id().as_str());
        let firsts = self.events.values().filter(is_first).filter(stays);
        let learners: BTreeSet<_> =
            self.events.values().filter(stays).filter_map(completed).map(|event| &event.user_id).collect();
        let (firsts, learners) = (firsts.count(), learners.len());
        self.check(firsts == learners, || format!("I3: {firsts} first conversations of {learners} learners"));
    }

    /// I5 and I7.
    fn queues(&mut self, plan: &Plan) {
        for worker in Worker::ALL {
            let name = worker.queue_name();
            let dead = &self.state.sqs.queues[&format!("{name}-dlq")].messages;
            let (newer, poison): (BTreeSet<&str>, BTreeSet<&str>) = plan
                .poison
                .iter()
                .filter(|(queue, _)| *queue == name)
                .map(|(_, body)| *body)
                .partition(|body| *body == NEWER.1);
            for message in dead.iter().filter(|message| !poison.contains(message.body.as_str())) {
                let reason = message.attributes.get("reason");
                self.found.push(match reason {
                    Some(reason) => format!("I5: {name} gave up {} for {reason:?}", message.body),
                    None => {
                        format!("I7: {name} gave up {} after {} receives", message.body, message.receives)
                    }
                });
            }
            for body in poison {
                let letters: Vec<_> = dead.iter().filter(|message| message.body == body).collect();
                self.check(!letters.is_empty(), || format!("I5: {name} did not give up {body:?}"));
                let has_reason = letters.iter().all(|message| message.attributes.contains_key("reason"));
                self.check(has_reason, || format!("I5: the dead letter {body:?} has no reason"));
            }
            let left = self.state.sqs.queues[&name].messages.iter().map(|message| message.body.as_str());
            let left: BTreeSet<&str> =
                left.filter(|body| *body == NEWER.1 || !may_be_left(self.state, plan, body)).collect();
            self.check(left == newer, || format!("I5: {left:?} is left in {name}, expected {newer:?}"));
        }
    }
}

fn completed(event: &Envelope) -> Option<&ConversationCompleted> {
    if let Event::ConversationCompleted(event) = &event.event { Some(event) } else { None }
}
