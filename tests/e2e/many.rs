//! Many conversations at once: nothing is lost, nothing is counted twice, nothing crosses from one learner to another.

use std::time::Duration;

use tests::system::{Delivery, System};

use crate::{beside_others, talk};

/// Conversations that are held at once.
const AT_ONCE: usize = 20;

/// Learners who come back for a second conversation on the same day.
const COME_BACK: usize = 5;

/// The watchdog looks at a conversation until it has ended; until then its message is in the queue.
const QUIET_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn twenty_conversations_at_once_leave_exactly_their_results() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("many", Delivery::Once).await?;
    let learners = talk::learners(&system, AT_ONCE).await?;
    let mut talked = talk::talk_at_once(&learners).await?;
    talk::check_results(&system, &talked).await?;
    talk::check_alerts(&system, AT_ONCE).await?;
    // Two conversations of one learner share a day.
    talked.extend(talk::talk_at_once(&learners[..COME_BACK]).await?);
    talk::check_results(&system, &talked).await?;
    talk::check_events(&system, AT_ONCE + COME_BACK).await?;
    system.await_quiet(QUIET_WITHIN).await?;
    system.stop().await
}
