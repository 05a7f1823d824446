//! Many conversations at once: nothing is lost, nothing is counted twice, nothing crosses from one learner to another.

use tests::system::{Delivery, System};

use crate::{beside_others, talk};

/// Conversations that are held at once.
const AT_ONCE: usize = 20;

/// Learners who come back for a second conversation on the same day.
const COME_BACK: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_conversations_at_once_leave_exactly_their_results() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("many", Delivery::Once).await?;
    let learners = talk::learners(&system, AT_ONCE).await?;
    let mut talked = talk::talk_at_once(&learners).await?;
    talk::check_results(&system, &talked).await?;
    // Two conversations of one learner share a day.
    talked.extend(talk::talk_at_once(&learners[..COME_BACK]).await?);
    talk::check_results(&system, &talked).await?;
    talk::check_pipeline(&system, talked.len()).await?;
    system.stop().await
}
