//! The environment of tests of one worker without the rest of the pipeline: virtual time, no faults, and its queues, tables
//! and topics.

use events::runtime::env::Simulated;
use jiff::Timestamp;
use tests::{
    deployment::BUS,
    model::{Cloud, EPOCH_MS},
};

use crate::world::furnish;

/// A runtime on virtual time.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built")
}

/// The time at which a simulation starts.
pub(crate) fn epoch() -> Timestamp {
    let millis = i64::try_from(EPOCH_MS).expect("a time of this century");
    Timestamp::from_millisecond(millis).expect("a time of this century")
}

/// A cloud without faults. The simulated environment ends when the second value is dropped.
pub(crate) fn cloud(seed: u64) -> (Cloud, Simulated) {
    let simulated = Simulated::start(epoch(), seed);
    let cloud = Cloud::new(seed);
    furnish(&cloud);
    // The events of a test reach its worker directly.
    cloud.state().create_bus(BUS, Vec::new());
    (cloud, simulated)
}
