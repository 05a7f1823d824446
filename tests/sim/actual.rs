//! The actual state after a run, collected from the model of AWS for the oracle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::{
    contract::{ConversationId, StoredAnalysis, Transcript},
    document,
    journal::Journal,
    workers::Worker,
};
use serde::de::DeserializeOwned;
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, LOGS, PROGRESS},
    expected::{self, Actual, DeadLetter, Planned, QueueContent},
    journalled::Acknowledgements,
    model::{Cloud, State},
};

use crate::{
    leftovers,
    plan::{NEWER, Plan, may_remain},
};

/// Compares the state of `cloud` with the expected one, and returns all differences.
pub(crate) async fn compare(cloud: &Cloud, acknowledgements: &Acknowledgements, plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    cloud.state().traced = false;
    let ids: BTreeSet<String> = {
        let state = cloud.state();
        state.dynamodb.tables[CONVERSATIONS].items.keys().map(|(id, _)| id.clone()).collect()
    };
    let reader = Journal::reader(aws_sdk_dynamodb::Client::new(&cloud.sdk_config("oracle")), CONVERSATIONS);
    let mut journal = BTreeMap::new();
    for id in ids {
        let id: ConversationId = id.parse().expect("the journal writes valid ids");
        match reader.load(id).await {
            Ok(conversation) => journal.extend(conversation.map(|conversation| (id, conversation))),
            Err(error) => found.push(format!("I1: {id} cannot be read from the journal: {error}")),
        }
    }
    let state = cloud.state();
    let mut actual = collect(&state, plan, &mut found);
    actual.acknowledged = acknowledgements.conversations();
    actual.journal = journal;
    found.extend(leftovers::compare(&state, &acknowledgements.deletions(), &actual.deleted));
    let owned = |messages: Vec<&(&str, &str)>| {
        messages.iter().map(|(queue, body)| ((*queue).to_owned(), (*body).to_owned())).collect()
    };
    let (parked, poison) = plan.poison.iter().partition(|message| **message == NEWER);
    let planned =
        Planned { poison: owned(poison), parked: owned(parked), repeated_alerts_max: state.ambiguous };
    found.extend(expected::compare(&actual, &planned));
    found
}

/// Everything except for the journal, which is read through its own reader.
fn collect(state: &State, plan: &Plan, found: &mut Vec<String>) -> Actual {
    let tables = &state.dynamodb.tables;
    let mut alerts = BTreeMap::new();
    for published in &state.sns.published {
        *alerts.entry(published.alert_id.clone()).or_default() += 1;
    }
    let finished =
        tables[EFFECTS].items.iter().filter(|(_, item)| item.get("state").is_some_and(is_finished));
    let transcripts = objects(state, "transcripts/", found);
    let has_text = |transcript: &Transcript| {
        let Transcript { user_id, conversation_id, .. } = transcript;
        let key = format!("transcripts/{user_id}/{conversation_id}.txt.gz");
        state.s3.objects.contains_key(&(LOGS.to_owned(), key))
    };
    Actual {
        transcripts: transcripts
            .into_iter()
            .filter(has_text)
            .map(|transcript: Transcript| (transcript.conversation_id, transcript))
            .collect(),
        analyses: objects(state, "analyses/", found)
            .into_iter()
            .map(|analysis: StoredAnalysis| (analysis.conversation_id, analysis))
            .collect(),
        progress: tables[PROGRESS]
            .items
            .iter()
            .map(|(key, item)| {
                let number = |value: &serde_json::Value| value["N"].as_str()?.parse().ok();
                let numbers = item.iter().filter_map(|(name, value)| Some((name.clone(), number(value)?)));
                (key.clone(), numbers.collect::<HashMap<_, _>>())
            })
            .collect(),
        events: state.eventbridge.events.iter().map(|(_, detail)| detail.clone()).collect(),
        alerts,
        finished_alerts: finished
            .filter_map(|((effect, _), _)| effect.strip_prefix("alert#").map(str::to_owned))
            .collect(),
        queues: Worker::ALL
            .iter()
            .map(|worker| (worker.queue_name(), queue(state, plan, &worker.queue_name())))
            .collect(),
        deleted: leftovers::deleted(state, plan),
        ..Actual::default()
    }
}

fn is_finished(state: &serde_json::Value) -> bool {
    state["S"] == "finished"
}

/// The documents under `prefix` of the logs bucket. An object that was overwritten, is elsewhere or cannot be read is a
/// finding.
fn objects<T: DeserializeOwned>(state: &State, prefix: &str, found: &mut Vec<String>) -> Vec<T> {
    let mut documents = Vec::new();
    for ((bucket, key), object) in &state.s3.objects {
        if bucket != LOGS || !key.starts_with(prefix) {
            continue;
        }
        if object.writes != 1 {
            found.push(format!("I6: {key} was overwritten"));
        }
        if !key.ends_with(".json.gz") {
            continue;
        }
        let content = document::read(&object.body).map_err(anyhow::Error::from);
        match content.and_then(|content| Ok(serde_json::from_slice(&content)?)) {
            Ok(document) => documents.push(document),
            Err(error) => found.push(format!("I1: {key} cannot be read: {error}")),
        }
    }
    documents
}

/// The messages of a queue, without those that may remain, and its dead letters.
fn queue(state: &State, plan: &Plan, name: &str) -> QueueContent {
    let bodies = state.sqs.queues[name].messages.iter().map(|message| message.body.clone());
    let letters = &state.sqs.queues[&format!("{name}-dlq")].messages;
    QueueContent {
        messages: bodies.filter(|body| *body == NEWER.1 || !may_remain(state, plan, body)).collect(),
        dead_letters: letters
            .iter()
            .map(|message| DeadLetter {
                body: message.body.clone(),
                reason: message.attributes.get("reason").cloned(),
            })
            .collect(),
    }
}
