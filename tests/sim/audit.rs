//! The real watchdog on virtual time, before a published conversation whose results are missing.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use events::{contract::Envelope, pipeline::names::erasure_effect, workers::Worker};
use tests::deployment::{EFFECTS, config};
use workers::watchdog::{Config, Watchdog};

use crate::small_scale::{self, LEARNER, Running};

/// The number of stages that the watchdog reports as stalled within an hour.
async fn stalls(is_erased: bool) -> usize {
    let (cloud, _world) = small_scale::cloud(1);
    small_scale::ended(&cloud).await;
    let sdk = cloud.sdk_config("watchdog");
    if is_erased {
        // The erasure has begun, and has deleted the results but not yet the header.
        let tombstone = AttributeValue::S(erasure_effect(&LEARNER.parse().expect("a valid user id")));
        let put = aws_sdk_dynamodb::Client::new(&sdk).put_item().table_name(EFFECTS);
        put.item("effectId", tombstone).send().await.expect("nothing fails");
    }
    let settings: Config = config(Worker::Watchdog, &[]);
    let handler = Watchdog::start(&settings, &sdk).await.expect("the stores exist");
    let watchdog = Running::consuming(Worker::Watchdog, sdk, handler);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    watchdog.stop().await;
    let state = cloud.state();
    let events =
        state.eventbridge.events.iter().filter_map(|(_, detail)| Envelope::decode(&detail.to_string()).ok());
    events.filter(|envelope| envelope.event.as_stalled().is_some()).count()
}

#[test]
fn missing_results_of_an_erased_learner_are_no_stall() {
    let count = |is_erased| small_scale::runtime().block_on(Box::pin(stalls(is_erased)));
    assert!(count(false) > 0, "nothing handles the event");
    assert_eq!(count(true), 0);
}
