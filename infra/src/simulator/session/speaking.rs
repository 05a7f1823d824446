//! PURE. How a stream speaks: answers wait for each other, for the result of a tool, and for their samples; a learner who
//! begins to speak stops them.

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, Delivery, Reply};
use super::{ANSWERS_MAX, Output, Session};
use crate::simulator::tutor::Met;

/// Real time that an answer waits for its samples; then it is in tones.
pub(in crate::simulator) const SAMPLES_LIMIT: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn answer_with(&mut self, met: Option<Met>, sentences: Vec<String>) {
        if !self.mute && !sentences.is_empty() && self.waiting.len() < ANSWERS_MAX {
            let met = met.filter(|_| self.objective_tool.is_some());
            self.waiting.push_back(Reply { met, sentences, by_voice: self.by_voice });
        }
    }

    /// The client's tool has returned: the answer goes on.
    pub(super) fn resume(&mut self) {
        if let Some(reply) = self.awaiting_result.take() {
            self.waiting.push_front(reply);
        }
    }

    /// Continues the answer; `false` when nothing is due.
    pub(super) fn speak(&mut self, now: Duration) -> bool {
        if self.answer.as_ref().is_none_or(Answer::is_over) {
            self.answer = None;
            if self.awaiting_result.is_some() {
                return false;
            }
            let Some(mut reply) = self.waiting.pop_front() else {
                return false;
            };
            self.start_completion();
            if let Some(met) = reply.met.take() {
                self.report(&met, reply);
                return true;
            }
            self.begin(reply, now);
            return true;
        }
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.due().is_some_and(|due| due <= now))
        else {
            return false;
        };
        let events = answer.step(&mut self.emitter, now);
        if answer.is_audible() {
            self.answer_delays.extend(self.turn_ended.take().map(|ended| now.saturating_sub(ended)));
        }
        self.send(events);
        true
    }

    /// The samples of a request of [`Output::Speak`]; `None` when there is no result.
    pub(crate) fn spoken(&mut self, id: u32, samples: Option<Vec<i16>>, now: Duration) {
        if let Some(answer) = &mut self.answer {
            answer.spoken(id, samples);
            self.request_samples(now);
        }
    }

    /// Requests the samples of the next sentence: those of later sentences would delay another stream.
    fn request_samples(&mut self, now: Duration) {
        let id = self.next_request();
        let until = now + self.settings.samples_limit;
        if let Some(text) = self.answer.as_mut().and_then(|answer| answer.request(id, until)) {
            let (sample_rate, text) = (self.output_rate, text.to_owned());
            self.output.push_back(Output::Speak { id, sample_rate, text });
        }
    }

    pub(super) fn interrupt(&mut self, now: Duration) {
        self.waiting.clear();
        self.awaiting_result = None;
        if let Some(answer) = self.answer.take().filter(|answer| !answer.is_over()) {
            let events = answer.interrupt(&mut self.emitter, now);
            self.send(events);
        }
    }

    fn begin(&mut self, reply: Reply, now: Duration) {
        let delivery = Delivery {
            sample_rate: self.output_rate,
            pace: self.settings.pace,
            interruption: self.settings.interruption,
            stamps_from: self.stamps_from,
        };
        self.answer = Some(Answer::new(reply.sentences, reply.by_voice, delivery, now));
        self.request_samples(now);
    }

    /// Calls the client's tool; the answer waits for the result.
    fn report(&mut self, met: &Met, reply: Reply) {
        let name = self.objective_tool.as_deref().unwrap_or_default();
        let arguments = json!({ "objective": met.objective, "quote": met.quote });
        let (id, events) = self.emitter.tool_use(name, &arguments);
        self.order.called(id);
        self.awaiting_result = Some(reply);
        self.send(events);
    }
}
