//! PURE. The plan of a seed: which process is killed, stopped or frozen, and when.

use std::time::Duration;

use events::workers::Worker;
use infra::local::Instance;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// The visibility timeout of every queue: a fifth of the deployed ones, because faults are more frequent.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(11);

/// Processes of each worker.
pub(crate) const COPIES: usize = 2;

/// Messages that no worker can handle, by the worker whose queue they are sent to.
pub(crate) const POISON: [(Worker, &str); 5] = [
    (Worker::Transcript, "not an event"),
    (Worker::Analysis, r#"{"schema":"conversation.danced","version":"1.0","id":"x","data":{}}"#),
    (Worker::Progress, "[]"),
    (Worker::Alerts, "{"),
    (Worker::Watchdog, r#"{"conversationId":"unknown","version":"1.0"}"#),
];

/// Milliseconds between two disturbances.
const PAUSE_MS: std::ops::Range<u64> = 500..3000;

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Stop,
    /// SIGSTOP, and after this time SIGCONT.
    Freeze(Duration),
}

/// An action on a process, which is started again if the action ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disturbance {
    /// Time since the start of the chaos.
    pub(crate) at: Duration,
    pub(crate) instance: Instance,
    pub(crate) action: Action,
}

/// The disturbances of a seed within `length`, in order.
pub(crate) fn disturbances(seed: u64, length: Duration) -> Vec<Disturbance> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut disturbances = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(random.random_range(PAUSE_MS));
        let service = Worker::ALL[random.random_range(0..Worker::ALL.len())].into();
        let instance = Instance { service, copy: random.random_range(0..COPIES) };
        let action = match random.random_range(0..10) {
            0..6 => Action::Kill,
            6..8 => Action::Stop,
            // Longer than the lease of an effect.
            8 if random.random_bool(0.5) => Action::Freeze(Duration::from_secs(random.random_range(47..56))),
            _ => Action::Freeze(VISIBILITY + Duration::from_millis(random.random_range(1000..7000))),
        };
        if at >= length {
            return disturbances;
        }
        disturbances.push(Disturbance { at, instance, action });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_disturbs_every_process_with_the_same_actions_of_every_kind() {
        let length = Duration::from_secs(600);
        let plan = disturbances(1, length);
        assert_eq!(plan, disturbances(1, length));
        assert_ne!(plan, disturbances(2, length));
        for worker in Worker::ALL {
            for copy in 0..COPIES {
                let instance = Instance { service: worker.into(), copy };
                assert!(plan.iter().any(|disturbance| disturbance.instance == instance), "{instance}");
            }
        }
        for is in [
            |action: Action| action == Action::Kill,
            |action| action == Action::Stop,
            |action| matches!(action, Action::Freeze(_)),
        ] {
            assert!(plan.iter().any(|disturbance| is(disturbance.action)));
        }
    }
}
