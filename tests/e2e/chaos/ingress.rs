//! An ingress that journals conversations all the time. Its calls go through the proxy and meet faults, and a conversation
//! may stop at any call, as if its process were killed.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use aws_config::retry::RetryConfig;
use events::{
    contract::{ConversationId, UserId},
    journal::{Journal, LEASE_SECONDS},
    runtime::aws,
};
use infra::local::{Cloud, Outputs, root_sdk_config};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tests::journalled::{self, Acknowledgements, Owned, Process, Writer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Seconds between two checks of a conversation by the watchdog.
pub(crate) const WATCH_DELAY_SECONDS: i32 = 5;

/// Seconds from the start of a conversation to the end of its owner's lease. The clock of the owner is slow by the rest of
/// the lease, so that the watchdog ends a lost conversation during the test.
const LEASE_LEFT_SECONDS: i64 = 15;

/// Learners who have conversations.
const LEARNERS: u32 = 12;

/// Milliseconds between the starts of two conversations.
const PAUSE_MS: std::ops::Range<u64> = 500..1500;

/// Milliseconds between two calls of a conversation.
const STEP_MS: std::ops::Range<u64> = 20..300;

/// Retries of a write whose outcome is unknown. After them the conversation is left to the watchdog.
const RETRIES_MAX: u32 = 3;

/// Journals conversations.
pub(crate) struct Ingress {
    writer: Writer,
    /// The journal without faults, for the start. The header must exist at the first check of the watchdog, which otherwise
    /// waits for eleven minutes.
    faultless: Journal,
    acknowledgements: Arc<Acknowledgements>,
}

impl Ingress {
    /// An ingress whose calls go to `endpoint`.
    pub(crate) fn new(endpoint: &str, cloud: &Cloud, outputs: &Outputs) -> Arc<Self> {
        let sdk = root_sdk_config(endpoint)
            .to_builder()
            .timeout_config(aws::timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(aws::ATTEMPTS_MAX))
            .build();
        let journal = journalled::journal(&sdk, outputs, WATCH_DELAY_SECONDS);
        let acknowledgements = Arc::default();
        let writer = Writer::new(journal, journalled::bus(&sdk, outputs), &acknowledgements, RETRIES_MAX);
        let faultless = journalled::journal(&cloud.root(), outputs, WATCH_DELAY_SECONDS);
        Arc::new(Self { writer, faultless, acknowledgements })
    }

    /// Starts conversations until `stop`, waits until they are over and returns what was acknowledged.
    ///
    /// # Errors
    /// A conversation was not started.
    pub(crate) async fn run(
        self: Arc<Self>,
        seed: u64,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Acknowledgements>> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut conversations = JoinSet::new();
        for number in 0.. {
            // Not a wait for a condition: the rate of the conversations.
            let pause = Duration::from_millis(random.random_range(PAUSE_MS));
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
            let (ingress, random) = (Arc::clone(&self), StdRng::seed_from_u64(random.random()));
            conversations.spawn(async move { ingress.converse(number, random).await });
        }
        for result in conversations.join_all().await {
            result?;
        }
        Ok(Arc::clone(&self.acknowledgements))
    }

    async fn converse(&self, number: u32, mut random: StdRng) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let id = ConversationId::new(now, random.random());
        let time_zone = ["Asia/Seoul", "UTC", "America/New_York"][number as usize % 3];
        let user_id: UserId = format!("learner-{}", number % LEARNERS).parse()?;
        let start = journalled::start(id, user_id.clone(), time_zone, &format!("ingress-{number}"));
        let slow = SignedDuration::from_secs(LEASE_SECONDS - LEASE_LEFT_SECONDS);
        let own = self.faultless.start(&start, now - slow).await.context("a conversation was not started")?;
        self.acknowledgements.started(id, &user_id);
        let owned = Owned { own, user_id };
        let is_silent = random.random_bool(0.1);
        let turns = random.random_range(2..7);
        // One in four stops before a turn, the end, the event or the note that it is published.
        let calls_left = random.random_bool(0.25).then(|| random.random_range(0..turns + 3));
        let mut process = MortalProcess { random, calls_left };
        let turns = (0..turns).map(|index| journalled::turn(id, index, is_silent, "the market"));
        // The watchdog does what is left undone here.
        if let Ok(completed) = self.writer.write(&mut process, &owned, Vec::new(), turns).await {
            let _ = self.writer.publish(&mut process, id, completed).await;
        }
        Ok(())
    }
}

/// A process that may be killed before a call.
struct MortalProcess {
    random: StdRng,
    calls_left: Option<u32>,
}

impl Process for MortalProcess {
    async fn before_call(&mut self) -> anyhow::Result<()> {
        // Not a wait for a condition: the time between two calls.
        tokio::time::sleep(Duration::from_millis(self.random.random_range(STEP_MS))).await;
        ensure!(self.calls_left != Some(0), "the process was killed");
        self.calls_left = self.calls_left.map(|left| left.saturating_sub(1));
        Ok(())
    }
}
