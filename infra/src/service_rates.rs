//! PURE. Service rates: what a task can do, for the deployment's backlogs and for the simulation of `scaling`. Sources: `infra/LOAD.md` for processor time, `infra/cost/conversation.json` for the calls
//! of a message.

use events::workers::Worker;

/// Processor time of a conversation-second in the ingress, in milliseconds: the slowest of nine runs.
pub(crate) const CONVERSATION_CPU_MS: f64 = 3.44;

/// Processors of a task of the ingress and of a worker.
pub(crate) const INGRESS_VCPU: f64 = 0.5;
pub(crate) const WORKER_VCPU: f64 = 0.25;

/// From the decision for a task until it has work: the start of the container, and two health checks of 30 s.
pub(crate) const START_SECONDS: u32 = 120;

/// How long a message of the pipeline may wait in the queue while the tasks follow the load.
pub(crate) const ACCEPTABLE_DELAY_SECONDS: f64 = 120.0;

/// Seconds of a call of AWS inside a region.
const CALL_SECONDS: f64 = 0.01;

/// Seconds until Claude has written an assessment.
const ASSESSMENT_SECONDS: f64 = 8.0;

/// What one task of a worker can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Messages that a conversation causes.
    pub messages: f64,
    /// Processor time of a message, in milliseconds.
    pub cpu_ms: f64,
    /// Time of a message in its handler.
    pub handler_seconds: f64,
    /// Messages that a task handles at once.
    pub concurrency: f64,
}

impl Rate {
    /// Messages a second, bounded by concurrency or by the processor.
    #[must_use]
    pub fn per_second(self) -> f64 {
        let by_concurrency = self.concurrency / self.handler_seconds;
        let by_processor = WORKER_VCPU * 1000.0 / self.cpu_ms;
        by_concurrency.min(by_processor)
    }
}

/// The rate of a worker.
#[must_use]
pub fn rate(worker: Worker) -> Rate {
    let (messages, cpu_ms, calls) = match worker {
        Worker::Transcript => (1.0, 12.3, 40.0),
        Worker::Analysis => (1.0, 22.1, 13.0),
        Worker::Progress => (2.0, 10.2, 10.0),
        Worker::Alerts => (4.0, 6.9, 6.0),
        Worker::Watchdog => (6.0, 10.6, 5.0),
        // One account; its objects are deleted in batches.
        Worker::Erasure => (0.001, 10.6, 100.0),
    };
    let model_seconds = if worker == Worker::Analysis { ASSESSMENT_SECONDS } else { 0.0 };
    let concurrency = f64::from(worker.spec().concurrency);
    Rate { messages, cpu_ms, handler_seconds: calls * CALL_SECONDS + model_seconds, concurrency }
}

/// The waiting messages a task at which scaling aims, for the acceptable delay.
#[must_use]
pub fn backlog_per_task(worker: Worker) -> u32 {
    let exact = ACCEPTABLE_DELAY_SECONDS * rate(worker).per_second();
    (1..=10_000).take_while(|backlog| f64::from(*backlog) <= exact).last().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_others_is_bounded_by_concurrency_and_everything_else_by_the_processor() {
        for worker in Worker::ALL {
            let rate = rate(worker);
            let is_bounded_by_processor =
                WORKER_VCPU * 1000.0 / rate.cpu_ms <= rate.concurrency / rate.handler_seconds;
            let waits = matches!(worker, Worker::Transcript | Worker::Analysis | Worker::Erasure);
            assert_eq!(is_bounded_by_processor, !waits, "{worker}: {rate:?}");
        }
        assert_eq!(backlog_per_task(Worker::Analysis), 118);
    }
}
