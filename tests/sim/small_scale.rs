//! The environment of tests of one worker without the rest of the pipeline: virtual time, no faults, and its queues, tables
//! and topics.

use aws_config::SdkConfig;
use events::{
    runtime::{
        consumer::{EventHandler, Events, consume},
        env::Simulated,
    },
    workers::Worker,
};
use jiff::Timestamp;
use tests::{
    deployment::{BUS, consumer},
    model::{Cloud, EPOCH_MS},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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

/// A running worker.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    consumer: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) fn start(worker: Worker, sdk: SdkConfig, handler: impl EventHandler) -> Self {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let consumer = tokio::spawn(async move {
            consume(worker.name(), &consumer(worker), &sdk, stop, Events(handler)).await
        });
        Self { shutdown, consumer }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.consumer.await.expect("it does not panic").expect("it stops without an error");
    }
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
