//! PURE. What is done to the processes, and when: the same for the same seed.

use events::workers::Worker;
use std::time::Duration;

use infra::local::Instance;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// The visibility timeout of every queue: a fifth of the deployed ones, as everything else happens more often here.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(11);

/// Processes of each worker.
pub(crate) const COPIES: usize = 2;

/// What is sent to the workers' queues and nobody can handle.
pub(crate) const POISON: [(Worker, &str); 5] = [
    (Worker::Transcript, "not an event"),
    (Worker::Analysis, r#"{"schema":"conversation.danced","version":"1.0","id":"x","data":{}}"#),
    (Worker::Progress, "[]"),
    (Worker::Alerts, "{"),
    (Worker::Watchdog, r#"{"conversationId":"nobody","version":"1.0"}"#),
];

/// Between two troubles, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 500..3000;

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// SIGKILL.
    Killed,
    /// SIGTERM.
    Stopped,
    /// SIGSTOP, and after this time SIGCONT.
    Frozen(Duration),
}

/// Something happens to a process, which is started again if it ends of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Since the beginning.
    pub(crate) at: Duration,
    pub(crate) instance: Instance,
    pub(crate) what: What,
}

/// The troubles of a seed within `length`, in their order.
pub(crate) fn troubles(seed: u64, length: Duration) -> Vec<Trouble> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut troubles = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(random.random_range(PAUSE_MS));
        let service = Worker::ALL[random.random_range(0..Worker::ALL.len())].into();
        let instance = Instance { service, copy: random.random_range(0..COPIES) };
        let what = match random.random_range(0..10) {
            0..6 => What::Killed,
            6..8 => What::Stopped,
            // Longer than the lease of an effect.
            8 if random.random_bool(0.5) => What::Frozen(Duration::from_secs(random.random_range(47..56))),
            _ => What::Frozen(VISIBILITY + Duration::from_millis(random.random_range(1000..7000))),
        };
        if at >= length {
            return troubles;
        }
        troubles.push(Trouble { at, instance, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_has_the_same_troubles_of_every_kind_for_every_process() {
        let length = Duration::from_secs(600);
        let plan = troubles(1, length);
        assert_eq!(plan, troubles(1, length));
        assert_ne!(plan, troubles(2, length));
        for worker in Worker::ALL {
            for copy in 0..COPIES {
                let instance = Instance { service: worker.into(), copy };
                assert!(plan.iter().any(|trouble| trouble.instance == instance), "{instance}");
            }
        }
        for is in [
            |what: What| what == What::Killed,
            |what| what == What::Stopped,
            |what| matches!(what, What::Frozen(_)),
        ] {
            assert!(plan.iter().any(|trouble| is(trouble.what)));
        }
    }
}
