//! Counts the activity and the scores of learners, by day and in total.
//!
//! - Consumes `conversation.completed` (activity) and `conversation.analyzed` (scores).
//! - Effect: UserProgress, then `progress.updated` with the learner's standing and the milestones that were reached.
//! - Idempotent because a marker for the event is written in the same transaction as the sums. The marker holds milestones
//!   and standing, so a repetition publishes the same `progress.updated`. The final content of the table does not depend on
//!   the order and the number of deliveries.
//!
//! A conversation in which the learner took no turn is no practice: it counts nothing, and its `progress.updated` has no
//! milestone. For a learner whose data is erased, nothing is counted or published.
//! A `conversation.completed` that the journal does not confirm is rejected (see `confirmed`).
//!
//! Items of UserProgress, key `userId` (S) and `date` (S): one for each day on which a conversation of the learner
//! started, `YYYY-MM-DD` in the time zone of that conversation, and one with the reserved date `total` over all days, which
//! sorts after every date and is never in a range of days.
//!
//! Numbers of a day and of the total, absent until something was added:
//!
//! | attribute | sum of |
//! |---|---|
//! | `conversations` | conversations |
//! | `turns` | turns of learner and tutor |
//! | `learnerSpeechMs` | duration of the learner's speech, milliseconds |
//! | `durationMs` | duration from start to end, milliseconds |
//! | `scored` | assessed conversations |
//! | `overallSum`, `fluencySum`, `vocabularySum`, `grammarSum`, `relevanceSum` | scores, each 0 to 100 |
//! | `words` | words of the learner in assessed conversations (see `analysis::measures`) |
//! | `spokenWords`, `spokenMs` | words of their turns with speech, and that speech in milliseconds |
//! | `cefrA1`, `cefrA2`, `cefrB1`, `cefrB2`, `cefrC1`, `cefrC2` | assessments at that level |
//!
//! Readers compute averages, for example `overallSum / scored`, and the words per minute from `spokenWords` and `spokenMs`. There
//! are no distinct words of a day: a sum over conversations would count a word twice, and a set would be the learner's words.
//! Attributes of the total alone:
//!
//! | attribute | meaning |
//! |---|---|
//! | `streakDays`, `longestStreakDays` (N), `lastDay` (S) | consecutive days up to the last day; the longest streak; the last day |
//! | `level`, `levelDirection` (S) | the trend over the latest ten assessments (see `trend`), absent without assessments |
//! | `milestones` (S) | names of the milestones that were reached, a JSON array |
//! | `activeDays` (S) | all days with a conversation, as runs (see `days`) |
//! | `latestAssessments` (S) | the latest ten, a JSON array |
//! | `rankings` (S) | the learner's places in the rankings, a JSON object |
//! | `revision` (N) | changes counted |
//! | `updatedAt` (S) | time of the last write, UTC with milliseconds; the sort key of `date-updatedAt-index` |
//! | `updatedBy` (S) | the conversation that caused the last write |
//!
//! The same transaction writes the items about all learners that `events::pipeline::overview` defines. Their sums are of
//! conversations, not of learners, and stay when a learner's data is erased: no one can be found in them. Places, scores and
//! flagged conversations are erased.
//!
//! The index contains only the totals, because only they have `updatedAt`. A query for the learners with activity since a
//! time, or for new results, reads one partition in order instead of the whole table. The last two attributes of the
//! table depend on the order of events; all others do not.

use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{Envelope, Event, ProgressUpdated},
    journal::Journal,
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        failure::Failure,
    },
};

use crate::{confirmed::Confirmation, effects::Effects, startup_check};
use counts::change;
use store::{Applied, Store};

mod counts;
mod days;
mod overview;
mod store;
mod total;
mod transaction;
mod trend;

/// The configuration of the progress worker.
#[derive(Clone, Debug, Parser)]
#[command(name = "progress", about = "Counts the activity and the scores of learners, by day")]
pub struct Config {
    /// The queue and the limits of its consumer.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
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

#[derive(Debug)]
pub struct Progress {
    store: Store,
    confirmation: Confirmation,
    bus: Bus,
}

impl Progress {
    /// The handler with the stores that `config` names.
    ///
    /// # Errors
    /// A table is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let Config { conversations_table, progress_table, effects_table, event_bus, .. } = config;
        startup_check::table(&dynamodb, startup_check::CONVERSATIONS, conversations_table).await?;
        startup_check::table(&dynamodb, startup_check::PROGRESS, progress_table).await?;
        startup_check::table(&dynamodb, startup_check::EFFECTS, effects_table).await?;
        let effects = Effects::new(dynamodb.clone(), effects_table.clone());
        let journal = Journal::reader(dynamodb.clone(), conversations_table);
        Ok(Self {
            confirmation: Confirmation { journal, effects: effects.clone() },
            store: Store::new(dynamodb, progress_table.clone(), effects),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), event_bus, "nova.progress"),
        })
    }
}

impl EventHandler for Progress {
    async fn handle(&self, event: &Envelope, _delivery: &Delivery) -> Result<(), Failure> {
        // An unknown time zone is a rejection: a wrong day could not be corrected later, and the message can be sent
        // again to a build that knows the zone.
        let change = change(&event.event).map_err(|error| Failure::reject(error.to_string()))?;
        let allowed = match event.event.as_completed() {
            Some(completed) => {
                let has_handled = self.store.is_counted(event.id);
                Box::pin(self.confirmation.allows(event, completed, has_handled)).await?
            }
            None => true,
        };
        let applied =
            if allowed { self.store.apply(event.id, event.occurred_at, &change).await? } else { None };
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
