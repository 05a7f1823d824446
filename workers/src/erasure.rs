//! Deletes an account and everything that is held about its learner.
//!
//! - Consumes `account.deletion_requested`, and delayed copies of it (see `events::account`).
//! - Effect: the learner's conversations with their turns and the marks that the pipeline left of them, all versions of
//!   their transcripts, assessments and recordings, their progress, the user of the pool, and last the Users record. A
//!   conversation that is still held is taken from its holder.
//! - Idempotent because it deletes whatever it finds, and what is deleted is not found again. It begins with the lease
//!   `erasure#<userId>` in the Effects table, which keeps other attempts away while it is held, and stays.
//!
//! While that item stands, transcript, analysis and progress leave nothing of the learner, however late an event comes:
//! progress by a condition in its transaction, the others by a look after they wrote (see `withdrawal`). What they are at,
//! and what a ticket that was good when the learner asked has begun, is over within `NOVA_ERASURE_SETTLE_SECONDS`: the data
//! is looked for again and again until a look after that time finds nothing. Only then does the account go. The item names
//! the learner by an id that leads nowhere any more, and leaves the table after 90 days, later than any event can come.
//!
//! Not deleted here: alerts that were sent, and what the Effects table notes of them for 90 days, which name the learner
//! by that id alone; and the backups of the tables, which age out within 35 days.

use anyhow::Context as _;
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    account::{DELAY_SECONDS_MAX, ErasureQueue},
    contract::{ConversationId, Envelope, Event, EventId, UserId},
    dynamo::delete_items,
    journal::{Eraser, Journal, JournalError, JournalReader},
    pipeline::names::{alerts_effect, analysis_effect, erasure_effect, progress_effect},
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        env,
        failure::{Failure, describe},
    },
};
use jiff::Timestamp;

use crate::{
    boot,
    effects::{Claim, Effects, Item, text},
    objects,
};
use account::{Account, Accounts};
use decision::{Found, Next, next};

mod account;
mod decision;

/// The erasure worker's configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "erasure", about = "Deletes accounts and everything that is held about their learners")]
pub struct Config {
    /// The queue.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Users table.
    #[arg(long, env = "NOVA_USERS_TABLE", value_name = "NOVA_USERS_TABLE")]
    pub users_table: String,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
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
    /// Seconds within which everything that was under way when a learner asked has come to its end.
    #[arg(
        long,
        env = "NOVA_ERASURE_SETTLE_SECONDS",
        value_name = "NOVA_ERASURE_SETTLE_SECONDS",
        default_value_t = DELAY_SECONDS_MAX,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(DELAY_SECONDS_MAX))
    )]
    pub erasure_settle_seconds: i32,
}

/// The handler.
#[derive(Debug)]
pub struct Erasure {
    accounts: Accounts,
    journal: JournalReader,
    conversations: Eraser,
    dynamodb: aws_sdk_dynamodb::Client,
    progress_table: String,
    effects: Effects,
    s3: aws_sdk_s3::Client,
    logs_bucket: String,
    audio_bucket: String,
    queue: ErasureQueue,
    settle_seconds: i32,
}

impl Erasure {
    /// The handler on the stores that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let (s3, sqs) = (boot::s3(aws), aws_sdk_sqs::Client::new(aws));
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(aws);
        let Config { users_table, conversations_table, progress_table, effects_table, .. } = config;
        let Config { logs_bucket, audio_bucket, user_pool_id, .. } = config;
        let queue_url = &config.consumer.queue_url;
        boot::table(&dynamodb, "NOVA_USERS_TABLE", users_table, boot::USERS).await?;
        boot::table(&dynamodb, "NOVA_CONVERSATIONS_TABLE", conversations_table, boot::CONVERSATIONS).await?;
        boot::table(&dynamodb, "NOVA_PROGRESS_TABLE", progress_table, boot::PROGRESS).await?;
        boot::table(&dynamodb, "NOVA_EFFECTS_TABLE", effects_table, boot::EFFECTS).await?;
        boot::bucket(&s3, "NOVA_LOGS_BUCKET", logs_bucket).await?;
        boot::bucket(&s3, "NOVA_AUDIO_BUCKET", audio_bucket).await?;
        cognito
            .describe_user_pool()
            .user_pool_id(user_pool_id)
            .send()
            .await
            .map_err(|error| describe(&error))
            .with_context(|| format!("NOVA_USER_POOL_ID: failed to find the user pool {user_pool_id:?}"))?;
        Ok(Self {
            accounts: Accounts {
                dynamodb: dynamodb.clone(),
                users_table: users_table.clone(),
                cognito,
                user_pool_id: user_pool_id.clone(),
            },
            journal: Journal::reader(dynamodb.clone(), conversations_table),
            conversations: Eraser::new(dynamodb.clone(), conversations_table),
            progress_table: progress_table.clone(),
            effects: Effects::new(dynamodb.clone(), effects_table.clone()),
            dynamodb,
            s3,
            logs_bucket: logs_bucket.clone(),
            audio_bucket: audio_bucket.clone(),
            queue: ErasureQueue::new(sqs, queue_url),
            settle_seconds: config.erasure_settle_seconds,
        })
    }

    /// Looks for what is held about the learner and deletes it; then deletes the account, or asks for another look.
    async fn erase(&self, requested: &Envelope, user_id: &UserId, at: Timestamp) -> Result<(), Failure> {
        let looked_at = env::now();
        let found = self.sweep(user_id).await?;
        let next = next(&found, at, looked_at, self.settle_seconds);
        // The record of what was done, in numbers. The event's id leads to the learner only while there is one.
        tracing::info!(
            event.id = %requested.id,
            conversations = found.conversations,
            journal_items = found.journal_items,
            objects = found.objects,
            progress_items = found.progress_items,
            ?next,
            "a learner's data was looked for and deleted"
        );
        match next {
            Next::LookAgain { after_seconds } => self.queue.send(requested, after_seconds).await,
            Next::DeleteAccount => {
                self.accounts.delete(user_id).await?;
                tracing::info!(event.id = %requested.id, "an account and everything about its learner is deleted");
                Ok(())
            }
        }
    }

    /// Deletes whatever is held about the learner now, but the account.
    async fn sweep(&self, user_id: &UserId) -> Result<Found, Failure> {
        let mut found = Found::default();
        let mut after = None;
        loop {
            // First, because who holds a conversation adds to everything else.
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
        for (bucket, folder) in [
            (&self.logs_bucket, "transcripts"),
            (&self.logs_bucket, "analyses"),
            (&self.audio_bucket, "audio"),
        ] {
            found.objects += objects::erase(&self.s3, bucket, &format!("{folder}/{user_id}/")).await?;
        }
        found.progress_items = self.progress(user_id).await?;
        Ok(found)
    }

    /// Deletes a conversation and the marks of its way through the pipeline. The marks first: without its header the
    /// conversation is not found again.
    async fn conversation(&self, id: ConversationId) -> Result<usize, Failure> {
        let counted = |cause: &str| progress_effect(EventId::derive(id, cause));
        let marks = [
            analysis_effect(id),
            alerts_effect(id),
            counted("conversation.completed"),
            counted("conversation.analyzed"),
        ];
        self.effects.forget(&marks).await?;
        self.conversations.erase(id).await
    }

    /// Deletes the learner's progress. Returns how many items there were.
    async fn progress(&self, user_id: &UserId) -> Result<usize, Failure> {
        let (mut found, mut after) = (0, None);
        loop {
            let page = self
                .dynamodb
                .query()
                .table_name(&self.progress_table)
                .key_condition_expression("userId = :user")
                .projection_expression("userId, #date")
                .expression_attribute_names("#date", "date")
                .expression_attribute_values(":user", text(user_id))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| Failure::aws(error).context("failed to list a learner's progress"))?;
            let keys: Vec<Item> = page.items.unwrap_or_default();
            found += keys.len();
            delete_items(&self.dynamodb, &self.progress_table, keys).await?;
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}

impl EventHandler for Erasure {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        let Event::AccountDeletionRequested(requested) = &event.event else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        let user_id = &requested.user_id;
        let requested_at = match self.accounts.look(user_id).await? {
            Account::Leaving(requested_at) => requested_at,
            Account::Gone => {
                tracing::info!(event.id = %event.id, "the account is deleted already");
                return Ok(());
            }
            Account::Kept => {
                tracing::warn!(event.id = %event.id, "the deletion of an account was not recorded: it stays");
                return Ok(());
            }
        };
        let effect_id = erasure_effect(user_id);
        match self.effects.claim(&effect_id, delivery.receive_count, env::now()).await? {
            // It is never finished: the account's own record says whether it is over.
            Claim::Finished(_) => Ok(()),
            Claim::Mine(lease) => {
                let erased = Box::pin(lease.hold(self.erase(event, user_id, requested_at))).await;
                lease.release().await;
                erased
            }
        }
    }
}
