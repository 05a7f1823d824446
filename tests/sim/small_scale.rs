//! The environment of tests of one worker without the rest of the pipeline: virtual time, no faults, and its queues, tables
//! and topics.

use std::sync::Arc;

use aws_config::SdkConfig;
use events::{
    contract::{ConversationId, Envelope},
    journal::WATCH_DELAY_SECONDS,
    runtime::{
        consumer::{EventHandler, Events, Handler, consume},
        env::{self, Simulated},
    },
    workers::Worker,
};
use jiff::Timestamp;
use tests::{
    deployment::{BUS, consumer, outputs},
    journalled::{self, Writer},
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
        Self::consuming(worker, sdk, Events(handler))
    }

    /// The same for a worker whose messages are no events.
    pub(crate) fn consuming(worker: Worker, sdk: SdkConfig, handler: impl Handler) -> Self {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let consumer =
            tokio::spawn(async move { consume(worker.name(), &consumer(worker), &sdk, stop, handler).await });
        Self { shutdown, consumer }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.consumer.await.expect("it does not panic").expect("it stops without an error");
    }
}

/// The learner of [`ended`].
pub(crate) const LEARNER: &str = "learner-1";

/// A conversation of four turns in the journal, which has ended and whose event is on the bus.
pub(crate) async fn ended(cloud: &Cloud) -> Envelope {
    let sdk = cloud.sdk_config("ingress");
    let journal = journalled::journal(&sdk, &outputs(), WATCH_DELAY_SECONDS);
    let writer = Writer::new(journal, journalled::bus(&sdk, &outputs()), &Arc::default(), 0);
    let id = ConversationId::new(env::now(), [7; 10]);
    let start = journalled::start(id, LEARNER.parse().expect("a valid user id"), "UTC", "ingress");
    let owned = writer.start(&start).await.expect("the id is new");
    let turns = (0..4).map(|index| journalled::turn(id, index, false, "the bridge"));
    let completed = writer.write(&mut (), &owned, Vec::new(), turns).await.expect("nothing fails");
    writer.publish(&mut (), id, completed.clone()).await.expect("nothing fails");
    completed
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
