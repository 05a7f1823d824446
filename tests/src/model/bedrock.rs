//! Bedrock's Converse: a model that quotes the learner and returns random scores. Of two comparisons with each earlier assessment
//! one has a wrong number. Its first response is sometimes invalid, and it rarely refuses.

use std::{collections::BTreeMap, time::Duration};

use rand::RngExt;
use serde_json::{Value, json};

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The model.
#[derive(Debug, Default)]
pub struct Bedrock {
    /// Number of responses, by conversation.
    pub answers: BTreeMap<String, u32>,
    /// A fixed response time; `None` for a random one.
    pub response_time: Option<Duration>,
    /// Whether the model refuses the parameters of sampling, as newer ones do.
    pub refuses_sampling: bool,
    /// Number of requests that it refused for a parameter.
    pub refused: u32,
    /// Whether responses are as careless models write them: numbers with a zero fraction, parts as strings, half of a surrogate
    /// pair, and accounting that is no number.
    pub is_careless: bool,
    /// Callers that wait for a response.
    waiting: BTreeMap<u64, Waiter>,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    process: String,
    subject: String,
    since: Duration,
}

/// A process that continues after a freeze may send one more request before it notices that its lease is over.
const NOTICES_WITHIN: Duration = Duration::from_secs(1);

impl State {
    /// Records that a caller waits.
    pub(super) fn begin_converse(&mut self, process: &str, request: &Value) -> u64 {
        let waiter = Waiter { process: process.to_owned(), subject: subject(request), since: self.now() };
        self.bedrock.next += 1;
        self.bedrock.waiting.insert(self.bedrock.next, waiter);
        self.bedrock.next
    }

    /// Records that a caller received its response. Two callers that wait for the same conversation pay twice, which the lease
    /// prevents while clocks agree.
    pub(super) fn pay(&mut self, waiter: u64) {
        let now = self.now();
        let Some(payer) = self.bedrock.waiting.get(&waiter).filter(|_| self.clocks_agree) else { return };
        let also = |(number, other): &(&u64, &Waiter)| {
            **number != waiter && other.subject == payer.subject && other.since + NOTICES_WITHIN <= now
        };
        if let Some((_, other)) = self.bedrock.waiting.iter().find(also) {
            let (one, two) = (&payer.process, &other.process);
            self.violations.push(format!("I6: {one} and {two} have {} assessed concurrently", payer.subject));
        }
    }

    pub(super) fn end_converse(&mut self, waiter: u64) {
        self.bedrock.waiting.remove(&waiter);
    }

    /// Removes the callers of a dead process.
    pub(super) fn forget_waiting(&mut self, process: &str) {
        self.bedrock.waiting.retain(|_, waiter| waiter.process != process);
    }

    /// The time until the response.
    pub(super) fn thinking(&mut self) -> Duration {
        if let Some(response_time) = self.bedrock.response_time {
            return response_time;
        }
        if self.anomaly(0.2) { self.seconds(30.0, 110.0) } else { self.seconds(2.0, 12.0) }
    }
}

pub(super) fn answer(state: &mut State, request: &Value) -> Result<Answer, ServiceError> {
    if state.bedrock.refuses_sampling && request["inferenceConfig"]["temperature"].is_number() {
        state.bedrock.refused += 1;
        let message = "The model returned the following errors: `temperature` is deprecated for this model.";
        return Err(ServiceError::new(400, "ValidationException", message));
    }
    let said = learner(request);
    let quote = said
        .first()
        .cloned()
        .ok_or_else(|| ServiceError::unsupported("a request without a learner's words".to_owned()))?;
    *state.bedrock.answers.entry(subject(request)).or_default() += 1;
    let first = request["messages"].as_array().is_some_and(|messages| messages.len() == 1);
    let refuses = state.anomaly(0.03);
    let nonsense = first && state.anomaly(0.1);
    let mut score = || state.random.random_range(25..=95u32);
    let mut skill = || json!({ "score": score(), "evidence": [{ "quote": quote, "comment": "Clear." }] });
    let skills = json!({
        "fluency": skill(), "vocabulary": skill(), "grammar": skill(), "relevance": skill(),
    });
    let flags = if state.random.random_bool(0.2) { json!(["little_speech"]) } else { json!([]) };
    let overall = if nonsense { 300 } else { state.random.random_range(25..=95u32) };
    let objectives = block(request, "picture")["objectives"].as_array().cloned().unwrap_or_default();
    let objectives = objectives.iter().map(|objective| {
        json!({ "objective": objective, "verdict": "partly_met", "quote": quote, "comment": "A beginning." })
    });
    let earlier = block(request, "earlier").as_array().cloned().unwrap_or_default();
    let comparisons = earlier.iter().flat_map(|earlier| {
        let (id, before) = (&earlier["conversationId"], &earlier["overall"]);
        let comparison = |now| {
            json!({ "conversationId": id, "value": "overall", "earlier": before, "now": now, "comment": "Now." })
        };
        [comparison(overall), comparison(overall + 1)]
    });
    let assessment = json!({
        "overall": overall, "objectives": objectives.collect::<Vec<_>>(),
        "comparisons": comparisons.collect::<Vec<_>>(),
        "skills": skills, "cefr": "B1", "strengths": ["You described the picture."], "corrections": [],
        "recommendations": ["Use the past tense."], "nextObjective": "Tell a story.", "flags": flags,
    });
    let call =
        json!({ "toolUse": { "toolUseId": "call-1", "name": "record_assessment", "input": assessment } });
    let mut response = json!({
        "output": { "message": { "role": "assistant", "content": [call] } },
        "stopReason": if refuses { "guardrail_intervened" } else { "tool_use" },
        "usage": { "inputTokens": 900, "outputTokens": 300, "totalTokens": 1200 },
        "metrics": { "latencyMs": 1 },
        "additionalModelResponseFields": { "simulated": true },
    });
    if !state.bedrock.is_careless {
        return Ok(Answer::json(&response));
    }
    response["usage"]["inputTokens"] = json!("many");
    let input = &mut response["output"]["message"]["content"][0]["toolUse"]["input"];
    input["overall"] = json!(64.0);
    input["skills"] = json!(input["skills"].to_string());
    *input = json!({ "output": input });
    let body = response.to_string().replace("Tell a story.", r"Tell a story \ud83d.");
    Ok(Answer { body: body.into_bytes(), ..Answer::json(&response) })
}

/// The conversation of a request: the first word of the learner's first turn is its id.
fn subject(request: &Value) -> String {
    let said = learner(request);
    said.first().and_then(|text| text.split_whitespace().next()).unwrap_or_default().to_owned()
}

/// The learner's turns in the transcript of a request.
fn learner(request: &Value) -> Vec<String> {
    let turns = block(request, "transcript")["turns"].as_array().cloned().unwrap_or_default();
    turns
        .iter()
        .filter(|turn| turn["speaker"] == "learner")
        .filter_map(|turn| turn["text"].as_str().map(str::to_owned))
        .collect()
}

/// The JSON of the block `name` in a request; null without one.
fn block(request: &Value, name: &str) -> Value {
    let content = request["messages"][0]["content"].as_array().cloned().unwrap_or_default();
    let text: String = content.iter().filter_map(|block| block["text"].as_str()).collect();
    let json =
        text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    json.and_then(|(json, _)| serde_json::from_str(json.trim()).ok()).unwrap_or_default()
}
