//! One worker by itself, without the rest of the pipeline: virtual time, no faults, and the queues, tables and topics
//! that it needs.

use events::{runtime::env::Simulated, workers::Worker};
use jiff::Timestamp;
use tests::{
    deployment::{BUS, EFFECTS, PROGRESS, TOPICS, create_queues_and_rules},
    model::{Cloud, EPOCH_MS},
};

/// A runtime on virtual time.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing")
}

/// The time at which a simulation starts.
pub(crate) fn epoch() -> Timestamp {
    let millis = i64::try_from(EPOCH_MS).expect("it lies in this century");
    Timestamp::from_millisecond(millis).expect("it lies in this century")
}

/// A cloud without faults. The world ends with the second value.
pub(crate) fn cloud(seed: u64) -> (Cloud, Simulated) {
    let world = Simulated::start(epoch(), seed);
    let cloud = Cloud::new(seed);
    let mut state = cloud.state();
    create_queues_and_rules(&mut state, &Worker::ALL);
    state.create_table(EFFECTS, "effectId", None);
    state.create_table(PROGRESS, "userId", Some("date"));
    TOPICS.iter().for_each(|topic| state.create_topic(topic));
    state.create_bus(BUS, Vec::new());
    drop(state);
    (cloud, world)
}
