//! Twenty concurrent conversations: nothing is lost, counted twice or assigned to another learner.

use tests::system::{Delivery, System};

use crate::{beside_others, conversations};

/// Concurrent conversations.
const AT_ONCE: usize = 20;

/// Learners with a second conversation on the same day.
const AGAIN: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_conversations_at_once_leave_exactly_their_results() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("many", Delivery::Once).await?;
    let learners = conversations::learners(&system, AT_ONCE).await?;
    let mut finished = conversations::converse_at_once(&learners).await?;
    conversations::check_results(&system, &finished).await?;
    // Two conversations of one learner share a day.
    finished.extend(conversations::converse_at_once(&learners[..AGAIN]).await?);
    conversations::check_results(&system, &finished).await?;
    conversations::check_pipeline(&system, finished.len()).await?;
    system.stop().await
}
