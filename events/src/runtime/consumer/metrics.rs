//! The metrics of a consumer. `infra/runbooks/metrics.md` documents their names and meaning.

use crate::runtime::{
    delivery::OUTCOMES,
    metrics::{Counter, Document, Timings, Unit},
};

/// Counters and timings of one consumer.
#[derive(Debug)]
pub(super) struct ConsumerMetrics {
    service: &'static str,
    queue: String,
    outcomes: [Counter; OUTCOMES.len()],
    pub(super) handler: Timings,
    pub(super) dwell: Timings,
    pub(super) end_to_end: Timings,
    pub(super) receives: Timings,
    pub(super) extensions: Counter,
    pub(super) failed_extensions: Counter,
    pub(super) failed_polls: Counter,
    pub(super) given_back: Counter,
    pub(super) drain: Timings,
}

/// Values at the moment of writing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauges {
    pub(super) in_flight: usize,
    pub(super) limit: usize,
    pub(super) breaker_is_open: bool,
}

impl Gauges {
    pub(super) const ENDED: Self = Self { in_flight: 0, limit: 0, breaker_is_open: false };
}

impl ConsumerMetrics {
    /// Empty metrics of the consumer `service` of the queue at `url`.
    pub(super) fn new(service: &'static str, url: &str) -> Self {
        Self {
            service,
            queue: url.rsplit('/').next().unwrap_or(url).to_owned(),
            outcomes: [const { Counter::new() }; OUTCOMES.len()],
            handler: Timings::default(),
            dwell: Timings::default(),
            end_to_end: Timings::default(),
            receives: Timings::default(),
            extensions: Counter::default(),
            failed_extensions: Counter::default(),
            failed_polls: Counter::default(),
            given_back: Counter::default(),
            drain: Timings::default(),
        }
    }

    /// Counts a delivery that ended with the outcome of this name.
    pub(super) fn count_outcome(&self, outcome: &str) {
        if let Some(position) = OUTCOMES.iter().position(|name| *name == outcome) {
            self.outcomes[position].increment();
        }
    }

    /// The values since the last call.
    pub(super) fn document(&self, gauges: Gauges) -> Document {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let outcomes: Vec<(&'static str, u64)> =
            OUTCOMES.iter().zip(&self.outcomes).map(|(name, counter)| (*name, counter.take())).collect();
        let occurred = |names: &[&str]| {
            outcomes.iter().filter(|(name, _)| names.contains(name)).map(|(_, occurred)| occurred).sum()
        };
        Document::new(self.service)
            .property("queue", self.queue.clone())
            .property("concurrencyLimit", count(gauges.limit))
            .property("leaseExtensions", self.extensions.take())
            .property("failedLeaseExtensions", self.failed_extensions.take())
            .property("givenBack", self.given_back.take())
            .timings("DrainTime", Unit::Milliseconds, &self.drain)
            .rare("LostLeases", Unit::Count, occurred(&["lease_lost"]))
            .rare("Crashes", Unit::Count, occurred(&["crashed", "panicked"]))
            .number("Messages", Unit::Count, outcomes.iter().map(|(_, occurred)| occurred).sum())
            .counts("outcomes", outcomes)
            .number("InFlight", Unit::Count, count(gauges.in_flight))
            .number("BreakerOpen", Unit::Count, u64::from(gauges.breaker_is_open))
            .number("FailedPolls", Unit::Count, self.failed_polls.take())
            .timings("HandlerTime", Unit::Milliseconds, &self.handler)
            .timings("QueueDwell", Unit::Milliseconds, &self.dwell)
            .timings("EndToEnd", Unit::Milliseconds, &self.end_to_end)
            .timings("ReceiveCount", Unit::Count, &self.receives)
    }
}

#[cfg(test)]
mod tests {
    use crate::runtime::metrics::{assert_documented, assert_valid};

    use super::*;

    #[test]
    fn every_metric_of_a_consumer_is_valid_and_documented() {
        let metrics = ConsumerMetrics::new("test", "https://sqs.us-east-1.amazonaws.com/1/nova-test");
        for timings in
            [&metrics.handler, &metrics.dwell, &metrics.end_to_end, &metrics.receives, &metrics.drain]
        {
            timings.record(7);
        }
        OUTCOMES.iter().for_each(|outcome| metrics.count_outcome(outcome));
        let gauges = Gauges { in_flight: 3, limit: 8, breaker_is_open: true };
        let taken = || metrics.document(gauges).encode("2026-11-24T08:00:00Z".parse().unwrap()).unwrap();
        let document = taken();
        assert_valid(&document);
        assert_documented(&document);
        assert_eq!((&document["service"], &document["queue"]), (&"test".into(), &"nova-test".into()));
        assert_eq!(document["Messages"], OUTCOMES.len());
        assert!(OUTCOMES.iter().all(|outcome| document["outcomes"][outcome] == 1), "{document}");
        assert_eq!((&document["LostLeases"], &document["Crashes"]), (&1.into(), &2.into()));
        let again = taken();
        assert!(["LostLeases", "Crashes", "DrainTime"].iter().all(|name| again.get(name).is_none()));
        assert_eq!((&again["Messages"], again.get("outcomes")), (&0.into(), None), "a value is written once");
    }
}
