//! PURE. The oracle accepts the results of the published examples, and finds each kind of wrong result.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    contract::{EndReason, Usage, UserId},
    journal::End,
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::journalled;

const QUEUE: &str = "nova-transcript";

/// A wrong result: how it differs from the right one, and the invariant and a word of the finding.
type Wrong = (fn(&mut Actual), &'static str, &'static str);

const WRONG: [Wrong; 35] = [
    (|actual| actual.journal.clear(), "I1", "not in the journal"),
    (|actual| first(&mut actual.acknowledged).turns[0].text.push('!'), "I1", "lost the turns"),
    (|actual| first(&mut actual.journal).header.ended = None, "I1", "has not ended"),
    (|actual| first(&mut actual.journal).header.published_at = None, "I1", "not marked as published"),
    (|actual| actual.events.retain(|event| event["schema"] != "conversation.completed"), "I1", "has 0"),
    (|actual| first(&mut actual.journal).turns[1].index = 7, "I1", "have gaps"),
    (|actual| drop(first(&mut actual.transcripts).turns.pop()), "I1", "is not its journal"),
    (|actual| actual.transcripts.clear(), "I1", "is not its journal"),
    (|actual| actual.journal.clear(), "I1", "without a conversation"),
    (|actual| actual.events.retain(|event| event["schema"] != "conversation.analyzed"), "I2", "0 analyses"),
    (|actual| add_event(actual, "analysis.failed"), "I2", "1 analyses and 1"),
    (|actual| first(&mut actual.analyses).assessment.skills.fluency.score += 1, "I2", "published"),
    (|actual| actual.analyses.clear(), "I2", "stored None"),
    (|actual| actual.journal.clear(), "I2", "without a conversation"),
    (|actual| _ = first(&mut actual.progress).insert("turns".to_owned(), 99), "I3", "turns of"),
    (|actual| _ = first(&mut actual.progress).insert("scored".to_owned(), 2), "I3", "scored of"),
    (|actual| drop(actual.progress.pop_last()), "I3", "items"),
    (|actual| actual.events.retain(|event| event["schema"] != "progress.updated"), "I3", "0 first"),
    (|actual| drop(actual.alerts.pop_last()), "I4", "not sent"),
    (|actual| _ = actual.alerts.insert("other".to_owned(), 1), "I4", "without a cause: [\"other\"]"),
    (|actual| actual.finished_alerts.clear(), "I4", "not finished"),
    (|actual| *first(&mut actual.alerts) += 2, "I4", "2 repeated"),
    (|actual| letters(actual)[0].reason = None, "I5", "did not give up"),
    (|actual| letters(actual).clear(), "I5", "did not give up"),
    (|actual| letters(actual)[0].body.push('!'), "I5", "for the reason Some"),
    (|actual| letters(actual).push(DeadLetter { body: "{}".to_owned(), reason: None }), "I7", "gave up {}"),
    (|actual| _ = first(&mut actual.queues).messages.insert("{}".to_owned()), "I5", "remain in"),
    (|actual| first(&mut actual.queues).messages.clear(), "I5", "remain in"),
    (|actual| actual.events.push(json!({"schema": "conversation.danced"})), "I6", "is no event"),
    (share_span, "I6", "the span of another event"),
    (|actual| actual.events[1]["traceparent"] = json!(TraceParent::of("x").to_string()), "I6", "two traces"),
    (|actual| actual.events[1]["traceparent"] = Value::Null, "I6", "has no trace"),
    (add_event_in_the_same_trace, "I6", "have one trace"),
    (|actual| repeat_event(actual, "occurredAt", "2026-11-24T09:00:00Z"), "I6", "two different events"),
    (|actual| _ = actual.deleted.insert(first(&mut actual.acknowledged).user_id.to_string()), "I9", "still"),
];

fn first<K: Ord, V>(map: &mut BTreeMap<K, V>) -> &mut V {
    map.values_mut().next().expect("the map is not empty")
}

fn letters(actual: &mut Actual) -> &mut Vec<DeadLetter> {
    &mut first(&mut actual.queues).dead_letters
}

fn repeat_event(actual: &mut Actual, field: &str, value: &str) {
    let mut event = actual.events[0].clone();
    event[field] = json!(value);
    actual.events.push(event);
}

fn share_span(actual: &mut Actual) {
    actual.events[1]["traceparent"] = actual.events[0]["traceparent"].clone();
}

fn add_event_in_the_same_trace(actual: &mut Actual) {
    let trace = TraceParent::of(&actual.journal.keys().next().expect("the journal is not empty").to_string());
    let mut other = actual.events[0].clone();
    other["id"] = json!(Uuid::from_u128(1));
    other["data"]["conversationId"] = json!(ConversationId::new(jiff::Timestamp::UNIX_EPOCH, [1; 10]));
    other["traceparent"] = json!(trace.child("other").to_string());
    actual.events.push(other);
}

fn add_event(actual: &mut Actual, name: &str) {
    let id = *actual.journal.keys().next().expect("the journal is not empty");
    actual.events.push(event(name, id));
}

fn read(path: &str) -> String {
    let path = format!("{}/../schemas/example/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the example is published")
}

fn example<T: DeserializeOwned>(path: &str) -> T {
    serde_json::from_str(&read(path)).expect("the example is valid")
}

/// The published example of the event `name` as an event about `id`.
fn event(name: &str, id: ConversationId) -> Value {
    let mut envelope = Envelope::decode(&read(&format!("{name}.json"))).expect("the example is valid");
    let trace = TraceParent::of(&id.to_string());
    envelope.traceparent = Some(trace.child(name).to_string());
    serde_json::from_str(&envelope.encode()).expect("an envelope is JSON")
}

/// The results of one conversation, without any deviation.
fn right() -> (Actual, Planned) {
    let transcript: Transcript = example("transcript.json");
    let analysis: StoredAnalysis = example("stored-analysis.json");
    let id = transcript.conversation_id;
    let user_id: UserId = transcript.user_id.clone();
    let turns: Vec<Turn> = transcript.turns.iter().map(|turn| turn.turn.clone()).collect();
    let end = End::of_turns(EndReason::Learner, Usage::default(), &turns);
    let start = journalled::start(id, user_id.clone(), "Asia/Seoul", "ingress-1");
    let header = journalled::ended(start, transcript.ended_at, end);
    let completed = header.completed().expect("it has ended");
    let mut analyzed = event("conversation.analyzed", id);
    analyzed["data"]["scores"] = json!(Scores::of(&analysis.assessment));
    let mut updated = event("progress.updated", id);
    updated["data"]["milestones"] = json!(["first_conversation"]);
    let completed = serde_json::from_str(&completed.encode()).expect("an envelope is JSON");
    let mut actual = Actual {
        progress: progress([(&transcript, "Asia/Seoul", Some(&analysis))]).expect("a valid time zone"),
        acknowledged: BTreeMap::from([(id, Acknowledged { user_id, turns: turns.clone() })]),
        journal: BTreeMap::from([(id, Conversation { header, turns })]),
        transcripts: BTreeMap::from([(id, transcript)]),
        analyses: BTreeMap::from([(id, analysis)]),
        events: vec![completed, analyzed, updated.clone(), updated],
        queues: BTreeMap::from([(
            QUEUE.to_owned(),
            QueueContent {
                messages: BTreeSet::from(["newer".to_owned()]),
                dead_letters: vec![DeadLetter { body: "poison".to_owned(), reason: Some("text".to_owned()) }],
            },
        )]),
        ..Actual::default()
    };
    let events = distinct_events(&actual.events, &mut Vec::new());
    actual.alerts = events.values().flat_map(alert_ids).map(|id| (id, 1)).collect();
    actual.finished_alerts = actual.alerts.keys().cloned().collect();
    let message = |body: &str| vec![(QUEUE.to_owned(), body.to_owned())];
    let planned = Planned { poison: message("poison"), parked: message("newer"), repeated_alerts_max: 1 };
    (actual, planned)
}

#[test]
fn right_results_have_no_findings() {
    let (mut actual, planned) = right();
    *first(&mut actual.alerts) += 1;
    assert_eq!(compare(&actual, &planned), Vec::<String>::new());
}

#[test]
fn each_wrong_result_is_found() {
    for (number, (damage, invariant, word)) in WRONG.iter().enumerate() {
        let (mut actual, planned) = right();
        damage(&mut actual);
        let found = compare(&actual, &planned);
        let is_found = found.iter().any(|finding| finding.starts_with(invariant) && finding.contains(word));
        assert!(is_found, "wrong result {number} ({invariant}, {word}): {found:#?}");
    }
}
