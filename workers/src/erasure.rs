//! Deletes an account and all data of its learner.
//!
//! - Consumes `account.deletion_requested`, and delayed copies of it (see `events::account`).
//! - Effect: deletes the learner's sessions, the conversations with their turns and pipeline effects, all versions of their transcripts,
//!   assessments and recordings, in both regions if there is a standby, the progress, the user of the pool, and last the Users record. A conversation that an
//!   ingress still holds is taken over first.
//! - Idempotent because a sweep deletes what it finds, and deleted data is not found again. The lease `erasure#<userId>` in
//!   the Effects table excludes other attempts while it is held, and stays as a tombstone.
//!
//! While that item exists, transcript, analysis and progress keep no data of the learner, however late an event arrives:
//! progress by a condition in its transaction, the others by a check after the write (see `tombstone`). Handlers in progress,
//! and conversations that a ticket from before the request started, end within `NOVA_ERASURE_SETTLE_SECONDS`. Sweeps are
//! repeated until one that starts after that time finds nothing; then the account is deleted. The item contains only the
//! learner's former id, and expires after 90 days, later than any event can arrive.
//!
//! Not deleted here: sent alerts and their items in the Effects table (90 days), which contain only that id, and the backups
//! of the tables (35 days).

use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use clap::Parser;
use events::{
    account::{DELAY_SECONDS_MAX, ErasureQueue},
    contract::{ConversationId, Envelope, Event, EventId, UserId},
    dynamo::{Item, delete_items, text},
    journal::{Eraser, Journal, JournalError, JournalReader},
    pipeline::{
        names::{alerts_effect, analysis_effect, erasure_effect, progress_effect},
        overview::{RANKINGS, belonging},
    },
    runtime::{
        aws::s3_client,
        consumer::{ConsumerConfig, Delivery, EventHandler},
        env,
        failure::Failure,
        metrics::{Document, Peak, Unit},
    },
};
use jiff::Timestamp;

use crate::{
    effects::{Claim, Effects},
    objects, startup_check,
};
use account::{Account, Accounts};
use decision::{Found, Next, next};

mod account;
mod decision;

/// The configuration of the erasure worker.
#[derive(Clone, Debug, Parser)]
#[command(name = "erasure", about = "Deletes accounts and all data of their learners")]
pub struct Config {
    /// The queue and the limits of its consumer.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Users table.
    #[arg(long, env = "NOVA_USERS_TABLE", value_name = "NOVA_USERS_TABLE")]
    pub users_table: String,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The Sessions table.
    #[arg(long, env = "NOVA_SESSIONS_TABLE", value_name = "NOVA_SESSIONS_TABLE")]
    pub sessions_table: String,
    /// The UserProgress table.
    #[arg(long, env = "NOVA_PROGRESS_TABLE", value_name = "NOVA_PROGRESS_TABLE")]
    pub progress_table: String,
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The bucket of transcripts and assessments.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// The bucket of recordings.
    #[arg(long, env = "NOVA_AUDIO_BUCKET", value_name = "NOVA_AUDIO_BUCKET")]
    pub audio_bucket: String,
    /// The user pool.
    #[arg(long, env = "NOVA_USER_POOL_ID", value_name = "NOVA_USER_POOL_ID")]
    pub user_pool_id: String,
    /// The region with copies of transcripts and assessments; empty for none.
    #[arg(long, env = "NOVA_REPLICA_REGION", value_name = "NOVA_REPLICA_REGION", default_value = "")]
    pub replica_region: String,
    /// The bucket of these copies.
    #[arg(
        long,
        env = "NOVA_REPLICA_LOGS_BUCKET",
        value_name = "NOVA_REPLICA_LOGS_BUCKET",
        default_value = ""
    )]
    pub replica_logs_bucket: String,
    /// Seconds after the request within which everything that was in progress has ended.
    #[arg(
        long,
        env = "NOVA_ERASURE_SETTLE_SECONDS",
        value_name = "NOVA_ERASURE_SETTLE_SECONDS",
        default_value_t = DELAY_SECONDS_MAX,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(DELAY_SECONDS_MAX))
    )]
    pub erasure_settle_seconds: i32,
}

#[derive(Debug)]
pub struct Erasure {
    accounts: Accounts,
    journal: JournalReader,
    conversations: Eraser,
    dynamodb: aws_sdk_dynamodb::Client,
    sessions_table: String,
    progress_table: String,
    effects: Effects,
    /// The folders with objects of learners, each with the client of its region.
    folders: Vec<Folder>,
    queue: ErasureQueue,
    settle_seconds: i32,
    /// Seconds since the request of the account that was swept, the oldest of them.
    age_seconds: Arc<Peak>,
}

/// A folder of a bucket, in which each learner has one.
#[derive(Clone, Debug)]
struct Folder {
    s3: aws_sdk_s3::Client,
    bucket: String,
    name: &'static str,
}

impl Erasure {
    /// The handler with the stores that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let (s3, sqs) = (s3_client(aws), aws_sdk_sqs::Client::new(aws));
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(aws);
        let Config {
            users_table, sessions_table, conversations_table, progress_table, effects_table, ..
        } = config;
        let Config { logs_bucket, audio_bucket, user_pool_id, .. } = config;
        let queue_url = &config.consumer.queue_url;
        startup_check::table(&dynamodb, startup_check::USERS, users_table).await?;
        startup_check::table(&dynamodb, startup_check::CONVERSATIONS, conversations_table).await?;
        startup_check::table(&dynamodb, startup_check::PROGRESS, progress_table).await?;
        startup_check::table(&dynamodb, startup_check::EFFECTS, effects_table).await?;
        startup_check::table(&dynamodb, startup_check::SESSIONS, sessions_table).await?;
        startup_check::bucket(&s3, "NOVA_LOGS_BUCKET", logs_bucket).await?;
        startup_check::bucket(&s3, "NOVA_AUDIO_BUCKET", audio_bucket).await?;
        let pool = || cognito.describe_user_pool().user_pool_id(user_pool_id).send();
        startup_check::found(pool, "NOVA_USER_POOL_ID", "user pool", user_pool_id).await?;
        Ok(Self {
            accounts: Accounts {
                dynamodb: dynamodb.clone(),
                users_table: users_table.clone(),
                cognito,
                user_pool_id: user_pool_id.clone(),
            },
            journal: Journal::reader(dynamodb.clone(), conversations_table),
            conversations: Eraser::new(dynamodb.clone(), conversations_table),
            sessions_table: sessions_table.clone(),
            progress_table: progress_table.clone(),
            effects: Effects::new(dynamodb.clone(), effects_table.clone()),
            dynamodb,
            folders: folders(config, aws, &s3),
            queue: ErasureQueue::new(sqs, queue_url),
            settle_seconds: config.erasure_settle_seconds,
            age_seconds: Arc::default(),
        })
    }

    /// The oldest request since the last call, for `write_until`. The age of a message is no measure: each sweep sends a new one.
    pub fn metrics(&self) -> impl Fn() -> Vec<Document> + Send + 'static {
        let age_seconds = Arc::clone(&self.age_seconds);
        move || vec![document(&age_seconds)]
    }

    /// Sweeps the learner's data; then deletes the account or schedules another sweep.
    async fn erase(&self, requested: &Envelope, user_id: &UserId, at: Timestamp) -> Result<(), Failure> {
        let started_at = env::now();
        let found = self.sweep(user_id).await?;
        let next = next(&found, at, started_at, self.settle_seconds);
        // The audit record. The event's id can be traced to the learner only while the learner's data exists.
        tracing::info!(
            event.id = %requested.id,
            sessions = found.sessions,
            conversations = found.conversations,
            journal_items = found.journal_items,
            objects = found.objects,
            progress_items = found.progress_items,
            ?next,
            "swept a learner's data"
        );
        match next {
            Next::SweepAgain { after_seconds } => self.queue.send(requested, after_seconds).await,
            Next::DeleteAccount => {
                self.accounts.delete(user_id).await?;
                tracing::info!(event.id = %requested.id, "deleted an account with all data of its learner");
                Ok(())
            }
        }
    }

    /// Deletes all current data of the learner except the account.
    async fn sweep(&self, user_id: &UserId) -> Result<Found, Failure> {
        // A deleted session closes the learner's sockets, so this comes first.
        let mut found = Found {
            sessions: self.items_of_learner(&self.sessions_table, "sessionId", user_id).await?,
            ..Found::default()
        };
        let mut after = None;
        loop {
            // Before the objects, because the holder of a conversation adds to all other data.
            let page =
                self.journal.ids_of_learner(user_id, after).await.map_err(JournalError::into_failure)?;
            for id in page.conversations {
                let items = self.conversation(id).await?;
                found.journal_items += items;
                found.conversations += usize::from(items > 0);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for Folder { s3, bucket, name } in &self.folders {
            found.objects += objects::erase(s3, bucket, &format!("{name}/{user_id}/")).await?;
        }
        found.progress_items = self.items_of_learner(&self.progress_table, "date", user_id).await?;
        Ok(found)
    }

    /// Deletes a conversation and its pipeline effects. The effects first: without its header the conversation is not found
    /// again.
    async fn conversation(&self, id: ConversationId) -> Result<usize, Failure> {
        let counted = |cause: &str| progress_effect(EventId::derive(id, cause));
        let effects = [
            analysis_effect(id),
            alerts_effect(id),
            counted("conversation.completed"),
            counted("conversation.analyzed"),
        ];
        self.effects.delete(&effects).await?;
        self.conversations.erase(id).await
    }

    /// Deletes the items of the learner in `table`, whose sort key is `sort`, and before each what belongs to it in other
    /// partitions. Returns their number.
    async fn items_of_learner(&self, table: &str, sort: &str, user_id: &UserId) -> Result<usize, Failure> {
        let (mut found, mut after) = (0, None);
        loop {
            let page = self
                .dynamodb
                .query()
                .table_name(table)
                .key_condition_expression("userId = :user")
                .projection_expression("userId, #sort, #rankings")
                .expression_attribute_names("#sort", sort)
                .expression_attribute_names("#rankings", RANKINGS)
                .expression_attribute_values(":user", text(user_id))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| Failure::aws(error).context("failed to list a learner's items"))?;
            let mut items: Vec<Item> = page.items.unwrap_or_default();
            found += items.len();
            delete_items(&self.dynamodb, table, items.iter().flat_map(belonging).collect()).await?;
            items.iter_mut().for_each(|item| drop(item.remove(RANKINGS)));
            delete_items(&self.dynamodb, table, items).await?;
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}

/// The folders in both regions. The deletion of a version is not replicated, so the copies are deleted where they are. Recordings are
/// not copied. The other region is not checked at the start: after a failover it is lost, and deletions wait for it.
fn folders(config: &Config, aws: &SdkConfig, s3: &aws_sdk_s3::Client) -> Vec<Folder> {
    let folder = |s3: &aws_sdk_s3::Client, bucket: &str, name| Folder {
        s3: s3.clone(),
        bucket: bucket.to_owned(),
        name,
    };
    let logs = ["transcripts", "analyses"];
    let mut folders: Vec<Folder> = logs.iter().map(|name| folder(s3, &config.logs_bucket, name)).collect();
    folders.push(folder(s3, &config.audio_bucket, "audio"));
    if !config.replica_region.is_empty() {
        let region = Region::new(config.replica_region.clone());
        let there = s3_client(&aws.to_builder().region(region).build());
        folders.extend(logs.iter().map(|name| folder(&there, &config.replica_logs_bucket, name)));
    }
    folders
}

impl EventHandler for Erasure {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        let Event::AccountDeletionRequested(requested) = &event.event else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        let user_id = &requested.user_id;
        let requested_at = match self.accounts.state(user_id).await? {
            Account::Deleting(requested_at) => requested_at,
            Account::Deleted => {
                tracing::info!(event.id = %event.id, "the account was deleted before");
                return Ok(());
            }
            Account::Kept => {
                tracing::warn!(event.id = %event.id, "the Users record has no deletion request: the account stays");
                return Ok(());
            }
        };
        let age = env::now().duration_since(requested_at).as_secs();
        self.age_seconds.record(age.max(0).unsigned_abs());
        let effect_id = erasure_effect(user_id);
        match self.effects.claim(&effect_id, delivery.receive_count, env::now()).await? {
            // This lease is never finished: the Users record says whether the erasure is complete.
            Claim::Finished(_) => Ok(()),
            Claim::Mine(lease) => {
                let erased = Box::pin(lease.hold(self.erase(event, user_id, requested_at))).await;
                lease.release().await;
                erased
            }
        }
    }
}

fn document(age_seconds: &Peak) -> Document {
    Document::new("erasure").rare("ErasureAgeSeconds", Unit::Seconds, age_seconds.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_of_the_oldest_request_is_reported_once_and_documented() {
        let age_seconds = Peak::default();
        [90_000, 60].into_iter().for_each(|age| age_seconds.record(age));
        let document = document(&age_seconds).encode(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(document["ErasureAgeSeconds"], 90_000);
        assert!(super::document(&age_seconds).encode(Timestamp::UNIX_EPOCH).is_none());
        let page = include_str!("../../infra/runbooks/metrics.md");
        assert!(page.contains("| `ErasureAgeSeconds` | Seconds | erasure, rarely |"));
    }
}
