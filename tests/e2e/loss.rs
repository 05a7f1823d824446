//! Twenty conversations with redelivery and lost workers: each event reaches each queue twice, each message returns after its
//! first delete, and each worker is killed once at a random time.

use std::time::Duration;

use anyhow::ensure;
use events::workers::Worker;
use futures_util::future::{try_join, try_join_all};
use infra::local::Instance;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tests::system::{Delivery, System};

use crate::{beside_others, conversations};

/// Concurrent conversations.
const AT_ONCE: usize = 20;

/// The workers are killed within this time after the start of the conversations: while these end and their events are
/// handled.
const KILLED_WITHIN_MS: u64 = 45_000;

#[tokio::test(flavor = "multi_thread")]
async fn twice_delivered_and_killed_at_random_the_results_are_the_same() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let system = System::start("loss", Delivery::Twice).await?;
    let learners = conversations::learners(&system, AT_ONCE).await?;
    let kills =
        Worker::ALL.map(|worker| (worker, Duration::from_millis(random.random_range(0..KILLED_WITHIN_MS))));
    let killing = try_join_all(kills.map(|(worker, after)| {
        let system = &system;
        async move {
            // Not a wait for a condition: the random time.
            tokio::time::sleep(after).await;
            let instance = Instance { service: worker.into(), copy: 0 };
            system.stack.kill(instance).await?;
            system.stack.restart(instance).await
        }
    }));
    let (finished, _) = try_join(conversations::converse_at_once(&learners), killing).await?;
    conversations::check_pipeline(&system, AT_ONCE).await?;
    conversations::check_results(&system, &finished).await?;
    let redelivered = system.redelivery.as_ref().map_or(0, |proxy| proxy.call_log().0.redelivered.len());
    // Each conversation reaches transcript, analysis, progress (twice), alerts (four times) and the watchdog.
    ensure!(redelivered >= AT_ONCE * 9, "only {redelivered} messages were redelivered");
    system.stop().await
}
