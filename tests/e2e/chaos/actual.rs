//! What must hold after the quiet: the invariants I1 to I8 of the simulation (`tests/sim/oracle.rs`), by what is stored
//! and by the call log of the proxy. Each finding begins with the invariant that it breaks.

use events::workers::Worker;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::{ConversationId, Envelope, Event, EventId, Milestone, StoredAnalysis, Transcript, Turn},
    journal::Journal,
};
use serde_json::Value;
use tests::{expected, fault_proxy::CallLog, inbox::Alert, system::System, tap};

use super::{plan::POISON, talk::All};

/// Questions to the model about one conversation: each receive may ask twice, and be killed for it.
const QUESTIONS_MAX: usize = 8;

/// Everything there is to see.
pub(crate) struct Seen {
    told: All,
    /// The journal's turns, by conversation that has ended and is known to be published.
    journal: BTreeMap<ConversationId, Vec<Turn>>,
    transcripts: BTreeMap<ConversationId, Transcript>,
    analyses: BTreeMap<ConversationId, StoredAnalysis>,
    progress: BTreeMap<(String, String), std::collections::HashMap<String, u64>>,
    events: Vec<Value>,
    alerts: Vec<Alert>,
    /// Ids of alerts that are noted as finished.
    finished: BTreeSet<String>,
    /// By queue: text and reason.
    letters: BTreeMap<&'static str, Vec<(String, Option<String>)>>,
    call_log: CallLog,
}

/// Numbers for the report.
#[derive(Debug)]
#[expect(dead_code, reason = "they are shown")]
pub(crate) struct Numbers {
    conversations: usize,
    assessed: usize,
    events: usize,
    distinct_events: usize,
    alerts: usize,
    repeated_alerts: usize,
    dead_letters: usize,
    questions: usize,
    most_questions_about_one: usize,
}

/// Looks at everything.
///
/// # Errors
/// Something cannot be read, or an object was written twice.
pub(crate) async fn look(system: &System, told: All, call_log: CallLog) -> anyhow::Result<Seen> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let reader = Journal::reader(dynamodb.clone(), &system.stack.outputs().conversations_table);
    let mut journal = BTreeMap::new();
    for id in told.keys() {
        let conversation =
            reader.load(*id).await?.with_context(|| format!("I1: {id} is not in the journal"))?;
        if conversation.header.ended.is_some() && conversation.header.published_at.is_some() {
            journal.insert(*id, conversation.turns);
        }
    }
    let mut letters = BTreeMap::new();
    for (worker, queue) in system.queues() {
        letters.insert(worker.name(), letters_of(system, &queue.dead_letter_url).await?);
    }
    letters.insert("events", letters_of(system, &system.stack.outputs().events_dead_letter_url).await?);
    Ok(Seen {
        told,
        journal,
        transcripts: system.results.transcripts().await.context("I6: transcripts")?,
        analyses: system.results.analyses().await.context("I6: analyses")?,
        progress: system.results.progress().await?,
        events: system.tap.drain().await?,
        alerts: system.inbox.drain().await?,
        finished: finished(&dynamodb, &system.stack.outputs().effects_table).await?,
        letters,
        call_log,
    })
}

/// What is wrong. `deaths_of_alerts` is how often something was done to an alerts worker.
pub(crate) fn judge(seen: &Seen, deaths_of_alerts: u32) -> (Vec<String>, Numbers) {
    let mut judge = Judge { seen, found: Vec::new(), events: BTreeMap::new() };
    judge.events();
    judge.transcripts();
    judge.analyses();
    judge.progress();
    judge.alerts(deaths_of_alerts);
    judge.letters();
    let numbers = judge.numbers();
    (judge.found, numbers)
}

struct Judge<'a> {
    seen: &'a Seen,
    found: Vec<String>,
    /// Distinct events of the bus.
    events: BTreeMap<EventId, Envelope>,
}

impl Judge<'_> {
    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(what());
        }
    }

    /// I6: whoever publishes a fact publishes the same, and it fits its schema and its trace.
    fn events(&mut self) {
        if let Err(error) = tap::check(&self.seen.events) {
            self.found.push(format!("I6: {error:#}"));
        }
        for event in &self.seen.events {
            match Envelope::decode(&event["detail"].to_string()) {
                Err(error) => self.found.push(format!("I6: what is no event is on the bus: {error}")),
                Ok(envelope) => {
                    let other = self.events.insert(envelope.id, envelope.clone());
                    self.check(other.is_none_or(|other| other == envelope), || {
                        format!("I6: two different events have one id: {envelope:?}")
                    });
                }
            }
        }
    }

    /// I1: each conversation has ended, is published and has one transcript, which is its journal word for word: every
    /// turn that was acknowledged, in order, without gaps.
    fn transcripts(&mut self) {
        let seen = self.seen;
        for (id, told) in &seen.told {
            let Some(turns) = seen.journal.get(id) else {
                self.found.push(format!("I1: {id} has not ended, or is not known to be published"));
                continue;
            };
            self.check(told.turns.iter().all(|turn| turns.contains(turn)), || {
                format!("I1: {id} lost a turn")
            });
            self.check(turns.iter().zip(0..).all(|(turn, n)| turn.index == n), || {
                format!("I1: the turns of {id} have gaps")
            });
            let said: Option<Vec<&Turn>> = seen
                .transcripts
                .get(id)
                .map(|transcript| transcript.turns.iter().map(|turn| &turn.turn).collect());
            let right = said.as_ref().is_some_and(|said| said.iter().copied().eq(turns));
            self.check(right, || {
                format!("I1: the transcript of {id} is not its journal: {said:?} {turns:?}")
            });
            let completed = self.of(id).any(|event| matches!(event, Event::ConversationCompleted(_)));
            self.check(completed, || format!("I1: {id} has no conversation.completed"));
        }
        let (transcripts, told) = (seen.transcripts.len(), seen.told.len());
        self.check(transcripts == told, || format!("I1: {transcripts} transcripts of {told}"));
    }

    /// I2: each has one accepted analysis, which is the published one, or one reason why there is none.
    fn analyses(&mut self) {
        let seen = self.seen;
        for (id, told) in &seen.told {
            let stored = seen.analyses.get(id);
            let analyzed: Vec<u8> = self
                .of(id)
                .filter_map(|event| match event {
                    Event::ConversationAnalyzed(event) => Some(event.scores.overall),
                    Event::ConversationCompleted(_)
                    | Event::TranscriptStored(_)
                    | Event::AnalysisFailed(_)
                    | Event::ProgressUpdated(_)
                    | Event::ConversationStalled(_)
                    | Event::AccountDeletionRequested(_) => None,
                })
                .collect();
            let failed = self.of(id).filter(|event| matches!(event, Event::AnalysisFailed(_))).count();
            self.check(analyzed.len() + failed == 1, || {
                format!("I2: {id} has {} analyses and {failed} reasons", analyzed.len())
            });
            let published = analyzed.first().copied();
            let overall = stored.map(|stored| stored.assessment.overall);
            self.check(published == overall, || {
                format!("I2: the analysis of {id}: published {published:?}, stored {overall:?}")
            });
            let asked = self.questions(&told.card);
            self.check(asked <= QUESTIONS_MAX, || {
                format!("I2: the model was asked {asked} times about {id}")
            });
        }
    }

    /// I3: the progress counters are the sums over distinct conversations.
    fn progress(&mut self) {
        let seen = self.seen;
        let all = seen.transcripts.iter().filter_map(|(id, transcript)| {
            let assessment = seen.analyses.get(id).map(|stored| &stored.assessment);
            Some((transcript, seen.told.get(id)?.time_zone, assessment))
        });
        match expected::progress(all) {
            Ok(due) => {
                self.found.extend(expected::missing(&due, &seen.progress).map(|what| format!("I3: {what}")));
            }
            Err(error) => self.found.push(format!("I3: {error:#}")),
        }
        let is_first = |event: &&Envelope| {
            matches!(&event.event, Event::ProgressUpdated(event)
                if event.milestones.contains(&Milestone::FirstConversation))
        };
        let firsts = self.events.values().filter(is_first).count();
        let learners: BTreeSet<_> = seen.transcripts.values().map(|transcript| &transcript.user_id).collect();
        let learners = learners.len();
        self.check(firsts == learners, || format!("I3: {firsts} first conversations of {learners} learners"));
    }

    /// I4: each alert that follows from the events is sent, noted once, and repeated only where a worker could not know.
    fn alerts(&mut self, deaths: u32) {
        let due: BTreeSet<String> = self.events.values().flat_map(expected::alert_ids).collect();
        let mut sent: BTreeMap<String, u32> = BTreeMap::new();
        let mut dead_letters = 0;
        for alert in &self.seen.alerts {
            if alert.rule == "queue.dead-letters" {
                dead_letters += 1;
            } else {
                *sent.entry(alert.id.clone()).or_default() += 1;
            }
        }
        let ids: BTreeSet<String> = sent.keys().cloned().collect();
        self.check(ids == due, || {
            let (lost, more): (Vec<_>, Vec<_>) =
                (due.difference(&ids).collect(), ids.difference(&due).collect());
            format!("I4: alerts that were not sent: {lost:?}; that nothing gave cause for: {more:?}")
        });
        self.check(dead_letters > 0, || "I4: nobody was told of the dead letters".to_owned());
        let open: Vec<_> = due.difference(&self.seen.finished).collect();
        self.check(open.is_empty(), || format!("I4: alerts that are not finished: {open:?}"));
        let again: u32 = sent.values().map(|count| count - 1).sum();
        let unknown = self.seen.call_log.ambiguous.get(Worker::Alerts.name()).copied().unwrap_or(0);
        self.check(again <= unknown + deaths, || {
            format!("I4: {again} repetitions after {unknown} ambiguous calls and {deaths} deaths")
        });
    }

    /// I5 and I7: the dead letters are the messages that nobody can handle, each with its reason.
    fn letters(&mut self) {
        for (queue, letters) in &self.seen.letters {
            let poison: BTreeSet<&str> = POISON
                .iter()
                .filter(|(service, _)| service.name() == *queue)
                .map(|(_, body)| *body)
                .collect();
            for (body, reason) in letters {
                let broken = if reason.is_some() { "I5" } else { "I7" };
                self.check(poison.contains(body.as_str()), || {
                    format!("{broken}: {queue} gave up {body} for the reason {reason:?}")
                });
            }
            for body in poison {
                let told = letters.iter().any(|(letter, reason)| letter == body && reason.is_some());
                self.check(told, || format!("I5: {queue} did not give up {body:?} with a reason"));
            }
        }
    }

    fn of<'b>(&'b self, id: &'b ConversationId) -> impl Iterator<Item = &'b Event> {
        self.events.values().map(|event| &event.event).filter(|event| event.conversation_id() == Some(*id))
    }

    fn questions(&self, card: &str) -> usize {
        let about = |body: &&bytes::Bytes| body.windows(card.len()).any(|words| words == card.as_bytes());
        self.seen.call_log.questions.iter().filter(about).count()
    }

    fn numbers(&self) -> Numbers {
        let distinct: BTreeSet<_> = self.seen.alerts.iter().map(|alert| &alert.id).collect();
        let asked = self.seen.told.values().map(|told| self.questions(&told.card));
        Numbers {
            conversations: self.seen.told.len(),
            assessed: self.seen.analyses.len(),
            events: self.seen.events.len(),
            distinct_events: self.events.len(),
            alerts: distinct.len(),
            repeated_alerts: self.seen.alerts.len() - distinct.len(),
            dead_letters: self.seen.letters.values().map(Vec::len).sum(),
            questions: self.seen.call_log.questions.len(),
            most_questions_about_one: asked.max().unwrap_or(0),
        }
    }
}

async fn letters_of(system: &System, url: &str) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let sqs = aws_sdk_sqs::Client::new(&system.stack.cloud().root());
    let mut letters = Vec::new();
    loop {
        let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let received = receive.message_attribute_names("All").send().await?.messages.unwrap_or_default();
        if received.is_empty() {
            return Ok(letters);
        }
        for message in received {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes.get("reason").and_then(|reason| reason.string_value.clone());
            letters.push((message.body.unwrap_or_default(), reason));
        }
    }
}

async fn finished(dynamodb: &aws_sdk_dynamodb::Client, table: &str) -> anyhow::Result<BTreeSet<String>> {
    let scan = dynamodb.scan().table_name(table).consistent_read(true);
    let scan = scan
        .filter_expression("begins_with(effectId, :alert) AND #state = :finished")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":alert", AttributeValue::S("alert#".to_owned()))
        .expression_attribute_values(":finished", AttributeValue::S("finished".to_owned()));
    let mut finished = BTreeSet::new();
    let mut pages = scan.into_paginator().send();
    while let Some(page) = pages.next().await {
        for item in page?.items.unwrap_or_default() {
            let id = item.get("effectId").and_then(|id| id.as_s().ok()).context("an effect without an id")?;
            finished.extend(id.strip_prefix("alert#").map(str::to_owned));
        }
    }
    Ok(finished)
}
