//! Twenty concurrent conversations: nothing is lost, counted twice or assigned to another learner.

use tests::system::{Delivery, System};

use crate::{beside_others, talk};

/// Concurrent conversations.
const AT_ONCE: usize = 20;

/// Learners with a second conversation on the same day.
const AGAIN: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_conversations_at_once_leave_exactly_their_results() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("many", Delivery::Once).await?;
    let learners = talk::learners(&system, AT_ONCE).await?;
    let mut talked = talk::talk_at_once(&learners).await?;
    talk::check_results(&system, &talked).await?;
    // Two conversations of one learner share a day.
    talked.extend(talk::talk_at_once(&learners[..AGAIN]).await?);
    talk::check_results(&system, &talked).await?;
    talk::check_pipeline(&system, talked.len()).await?;
    system.stop().await
}
