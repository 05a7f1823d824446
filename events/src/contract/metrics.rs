//! PURE. What was measured of a conversation as a whole: how long the learner waited for answers, and how often
//! something that carries the conversation was replaced.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Turn;

/// Steps in which latencies are counted, in milliseconds: percentiles are exact to one step.
const STEP_MS: u64 = 10;

/// Longest latency that a percentile distinguishes from longer ones, in milliseconds. With [`STEP_MS`] it bounds
/// the memory of [`Latencies`].
const LATENCY_MS_MAX: u64 = 60_000;

/// What was measured of a conversation, over all processes that held it. What a process had counted when it was
/// lost without a hand-over is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationMetrics {
    /// From the end of the learner's speech to the first audio of the answer; absent without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_latency: Option<AnswerLatency>,
    /// Streams replaced because of their age.
    pub renewals: u32,
    /// Streams that failed or could not be opened, and were replaced.
    pub recoveries: u32,
    /// Times that the learner's socket came back.
    pub reconnects: u32,
    /// Times that another process took the conversation over.
    pub takeovers: u32,
}

/// Answer latencies of a conversation, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnswerLatency {
    /// The median, rounded down to 10 ms.
    pub p50_ms: u64,
    /// The 95th percentile by nearest rank, rounded down to 10 ms.
    pub p95_ms: u64,
    /// The longest, exact.
    pub max_ms: u64,
    /// Answers measured.
    pub count: u32,
}

/// Counts latencies in bounded memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// How many fell into each step.
    steps: BTreeMap<u64, u32>,
    max_ms: u64,
    count: u32,
}

impl Latencies {
    /// The latencies of the answers among `turns`.
    #[must_use]
    pub fn of_turns(turns: &[Turn]) -> Self {
        let mut latencies = Self::default();
        for latency_ms in turns.iter().filter_map(|turn| turn.answer_latency_ms) {
            latencies.add(latency_ms);
        }
        latencies
    }

    pub fn add(&mut self, latency_ms: u64) {
        let step = latency_ms.min(LATENCY_MS_MAX) / STEP_MS;
        let count = self.steps.entry(step).or_default();
        *count = count.saturating_add(1);
        self.max_ms = self.max_ms.max(latency_ms);
        self.count = self.count.saturating_add(1);
    }

    /// The percentiles; `None` if nothing was counted.
    #[must_use]
    pub fn summary(&self) -> Option<AnswerLatency> {
        (self.count > 0).then(|| AnswerLatency {
            p50_ms: self.percentile_ms(50),
            p95_ms: self.percentile_ms(95),
            max_ms: self.max_ms,
            count: self.count,
        })
    }

    /// The lower end of the step in which the percentile lies, by nearest rank.
    fn percentile_ms(&self, percent: u64) -> u64 {
        let rank = (u64::from(self.count) * percent).div_ceil(100);
        let mut seen = 0;
        let step = self.steps.iter().find(|(_, count)| {
            seen += u64::from(**count);
            seen >= rank
        });
        step.map_or(self.max_ms, |(step, _)| step * STEP_MS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(latencies_ms: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        latencies_ms.iter().for_each(|latency_ms| latencies.add(*latency_ms));
        latencies
    }

    #[test]
    fn nothing_measured_is_no_latency() {
        assert_eq!(Latencies::default().summary(), None);
    }

    #[test]
    fn one_answer_is_every_percentile() {
        let expected = AnswerLatency { p50_ms: 840, p95_ms: 840, max_ms: 847, count: 1 };
        assert_eq!(of(&[847]).summary(), Some(expected));
    }

    #[test]
    fn memory_is_bounded_whatever_is_counted() {
        let mut latencies = Latencies::default();
        for latency_ms in (0..2 * LATENCY_MS_MAX).chain([u64::MAX]) {
            latencies.add(latency_ms);
        }
        assert_eq!(latencies.steps.len() as u64, LATENCY_MS_MAX / STEP_MS + 1);
        assert_eq!(latencies.summary().unwrap().max_ms, u64::MAX);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_values_to_one_step(
            mut latencies_ms in proptest::collection::vec(0..LATENCY_MS_MAX, 1..300),
        ) {
            let summary = of(&latencies_ms).summary().unwrap();
            latencies_ms.sort_unstable();
            let exact = |percent: usize| latencies_ms[(latencies_ms.len() * percent).div_ceil(100) - 1];
            prop_assert_eq!(summary.p50_ms, exact(50) / STEP_MS * STEP_MS);
            prop_assert_eq!(summary.p95_ms, exact(95) / STEP_MS * STEP_MS);
            prop_assert_eq!(summary.max_ms, *latencies_ms.last().unwrap());
            prop_assert_eq!(summary.count as usize, latencies_ms.len());
        }
    }
}
