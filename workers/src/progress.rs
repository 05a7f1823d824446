//! Counts what a learner did and how it was assessed, by day and in all.
//!
//! - Consumes `conversation.completed` (activity) and `conversation.analyzed` (scores).
//! - Effect: UserProgress, then `progress.updated` with where the learner stands and the milestones that were reached.
//! - Idempotent because a marker for the event is written in the same transaction as the sums; the marker keeps what was
//!   reached and where the learner stood, so a repetition publishes the same `progress.updated` again. Whatever the order
//!   and the number of deliveries, the table ends the same.
//!
//! Of a learner whose data is erased nothing is counted and nothing published.
//!
//! Items of UserProgress, key `userId` (S) and `date` (S): one for each day on which a conversation of the learner
//! started, `YYYY-MM-DD` in the time zone of that conversation, and one with the reserved date `total` over all days. A
//! range of days never meets it: it sorts behind every date.
//!
//! Of a day and of the total, numbers, missing where nothing was added yet:
//!
//! | attribute | sum of |
//! |---|---|
//! | `conversations` | conversations |
//! | `turns` | turns of both sides |
//! | `learnerSpeechMs` | the learner's speech, milliseconds |
//! | `durationMs` | from start to end, milliseconds |
//! | `scored` | assessed conversations |
//! | `overallSum`, `fluencySum`, `vocabularySum`, `grammarSum`, `relevanceSum` | scores, each 0 to 100 |
//! | `cefrA1`, `cefrA2`, `cefrB1`, `cefrB2`, `cefrC1`, `cefrC2` | assessments at that level |
//!
//! Averages are the reader's, and exact: `overallSum / scored`. Of the total alone:
//!
//! | attribute | what it is |
//! |---|---|
//! | `streakDays`, `longestStreakDays` (N), `lastDay` (S) | days in a row up to the last day; the longest of all; the last day |
//! | `level`, `levelDirection` (S) | the trend over the latest ten assessments (see `trend`), missing without any |
//! | `milestones` (S) | names of the milestones that were reached, a JSON array |
//! | `activeDays` (S) | all days with a conversation, as runs (see `days`) |
//! | `latestAssessments` (S) | the latest ten, a JSON array |
//! | `revision` (N) | events counted |
//! | `updatedAt` (S) | when it was last written, UTC with milliseconds; the sort key of `date-updatedAt-index` |
//! | `updatedBy` (S) | the conversation whose event was counted then |
//!
//! The index has the totals alone, because only they have `updatedAt`: whoever asks for the learners that were active since
//! a moment, or for the results as they come, reads one partition in its order and no table as a whole. The last two
//! attributes say who came last; everything else is the same whatever the order.

use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{Envelope, Event, ProgressUpdated},
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        failure::Failure,
    },
};

use crate::{boot, effects::Effects};
use counts::change;
use store::{Applied, Store};

mod counts;
mod days;
mod store;
mod total;
mod transaction;
mod trend;

/// The progress worker's configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "progress", about = "Counts what a learner did and how it was assessed, by day")]
pub struct Config {
    /// The queue.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The UserProgress table.
    #[arg(long, env = "NOVA_PROGRESS_TABLE", value_name = "NOVA_PROGRESS_TABLE")]
    pub progress_table: String,
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
}

/// The handler.
#[derive(Debug)]
pub struct Progress {
    store: Store,
    bus: Bus,
}

impl Progress {
    /// The handler on the stores that `config` names.
    ///
    /// # Errors
    /// A table is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let Config { progress_table, effects_table, event_bus, .. } = config;
        boot::table(&dynamodb, "NOVA_PROGRESS_TABLE", progress_table, boot::PROGRESS).await?;
        boot::table(&dynamodb, "NOVA_EFFECTS_TABLE", effects_table, boot::EFFECTS).await?;
        let effects = Effects::new(dynamodb.clone(), effects_table.clone());
        Ok(Self {
            store: Store::new(dynamodb, progress_table.clone(), effects),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), event_bus, "nova.progress"),
        })
    }
}

impl EventHandler for Progress {
    async fn handle(&self, event: &Envelope, _delivery: &Delivery) -> Result<(), Failure> {
        // An unknown time zone is a rejection: counting on a guessed day could not be undone, and the message can
        // be sent again to a build that knows the zone.
        let change = change(&event.event).map_err(|error| Failure::reject(error.to_string()))?;
        let applied = self.store.apply(event.id, event.occurred_at, &change).await?;
        let Some(Applied { milestones, standing }) = applied else {
            tracing::info!(event.id = %event.id, "the learner's data is erased: nothing is counted");
            return Ok(());
        };
        let updated = Event::ProgressUpdated(ProgressUpdated {
            conversation_id: change.conversation_id,
            user_id: change.user_id,
            date: change.day.to_string(),
            milestones,
            standing,
        });
        let cause = event.event.schema();
        let envelope = Envelope::caused_by(cause, updated, event.occurred_at, event.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)
    }
}
