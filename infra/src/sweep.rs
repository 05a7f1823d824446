//! Finds every conversation that has stopped, in the whole journal, and sends what is missing. `nova ops sweep` and `nova failover`
//! use it.
//!
//! Whether a conversation has stopped, and since when, is the rule of the watchdog's audit. What has no published end gets
//! the watchdog's message, a missing stage gets the conversation's event again. Both may be repeated: the receivers
//! recognise what they did.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{operation::delete_item::DeleteItemError, types::AttributeValue};
use events::{
    bus::Bus,
    contract::{ConversationId, Stage},
    journal::{Header, Journal, JournalConfig, WATCH_DELAY_SECONDS, Watch},
    pipeline::{Found, Limits, PipelineReader, PipelineStores, Stall, names::analysis_effect},
    runtime::env,
    workers::Worker,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;

use crate::local::Outputs;

/// Conversations whose stages are read at once.
const AT_ONCE: usize = 8;

/// What counts as stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepScope {
    /// What is overdue by these limits.
    Overdue(Limits),
    /// Everything that is not complete: the queues are lost, and with them each message on its way. A conversation that goes on
    /// gets a watchdog's message, too.
    LostQueues,
}

/// Nothing is on its way.
const NOTHING_ON_ITS_WAY: Limits = Limits { complete_seconds: 0, stage_seconds: 0 };

/// Reads the journal of one region and sends there what is missing.
#[derive(Debug)]
pub struct Sweep {
    dynamodb: aws_sdk_dynamodb::Client,
    effects_table: String,
    journal: Journal,
    pipeline: PipelineReader,
    bus: Bus,
}

/// What a sweep has found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Whether what is missing was sent.
    pub applied: bool,
    /// Conversations that were looked at.
    pub conversations: usize,
    /// Items of the journal that are no header of this version.
    pub unreadable: usize,
    /// Whether the limit was reached before the end of the journal.
    pub truncated: bool,
    pub gaps: Vec<Gap>,
}

/// A conversation that has stopped.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    pub conversation_id: ConversationId,
    pub missing: Vec<&'static str>,
    pub since: Timestamp,
    /// What is sent: `watch` or `replay`.
    pub send: Mending,
    /// Whether the assessment may have been made and lost with its region.
    #[serde(skip)]
    has_lost_analysis: bool,
    #[serde(skip)]
    header: Header,
}

/// What brings a conversation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mending {
    /// The watchdog's message: it ends and publishes the conversation.
    Watch,
    /// The conversation's event.
    Replay,
}

impl Mending {
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Watch => "the watchdog's message",
            Self::Replay => "conversation.completed",
        }
    }
}

impl Sweep {
    /// A sweep of the stores of `outputs`.
    ///
    /// # Errors
    /// The watchdog has no queue there.
    pub fn new(sdk: &SdkConfig, s3: aws_sdk_s3::Client, outputs: &Outputs) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let config = JournalConfig {
            table: outputs.conversations_table.clone(),
            effects_table: outputs.effects_table.clone(),
            watchdog_queue_url: outputs.queue(Worker::Watchdog)?.url.clone(),
            watch_delay_seconds: WATCH_DELAY_SECONDS,
        };
        Ok(Self {
            dynamodb: dynamodb.clone(),
            effects_table: outputs.effects_table.clone(),
            journal: Journal::new(dynamodb.clone(), aws_sdk_sqs::Client::new(sdk), config),
            pipeline: PipelineReader::new(PipelineStores {
                dynamodb,
                s3,
                conversations_table: outputs.conversations_table.clone(),
                effects_table: outputs.effects_table.clone(),
                logs_bucket: outputs.logs_bucket.clone(),
            }),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(sdk), &outputs.bus_name, "nova.ops"),
        })
    }

    /// Reads the journal page by page, at most `conversations_max` of it. `note` gets the numbers of conversations that were looked
    /// at and that have stopped.
    ///
    /// # Errors
    /// A store cannot be read.
    pub async fn look(
        &self,
        scope: SweepScope,
        conversations_max: usize,
        mut note: impl FnMut(usize, usize),
    ) -> anyhow::Result<SweepReport> {
        let mut report = SweepReport::default();
        let mut after = None;
        loop {
            let mut page = self.journal.scan(after).await.context("cannot read the journal")?;
            let left = conversations_max - report.conversations;
            report.truncated =
                page.headers.len() > left || (page.headers.len() == left && page.next.is_some());
            page.headers.truncate(left);
            report.conversations += page.headers.len();
            report.unreadable += page.unreadable;
            let looked = stream::iter(page.headers.into_iter().map(|header| async move {
                // The list is from an index that may be behind.
                let found = self.pipeline.find(header.start.conversation_id).await;
                anyhow::Ok(found?.and_then(|found| gap(found, env::now(), scope)))
            }));
            let gaps: Vec<Option<Gap>> = looked
                .buffered(AT_ONCE)
                .try_collect()
                .await
                .context("cannot read the stages of a conversation")?;
            report.gaps.extend(gaps.into_iter().flatten());
            note(report.conversations, report.gaps.len());
            after = page.next;
            if after.is_none() || report.truncated {
                return Ok(report);
            }
        }
    }

    /// Sends what is missing of each conversation of `report`.
    ///
    /// # Errors
    /// A message or an event cannot be sent; the error says how many were.
    pub async fn send(&self, report: &mut SweepReport) -> anyhow::Result<()> {
        for (sent, gap) in report.gaps.iter().enumerate() {
            self.send_one(gap)
                .await
                .with_context(|| format!("stopped after {sent} of {} conversations", report.gaps.len()))?;
        }
        report.applied = true;
        Ok(())
    }

    async fn send_one(&self, gap: &Gap) -> anyhow::Result<()> {
        match gap.send {
            Mending::Watch => {
                let watch = Watch::new(gap.conversation_id);
                self.journal.watch(&watch, 0).await.context("cannot send the watchdog's message")
            }
            Mending::Replay => {
                if gap.has_lost_analysis {
                    self.forget_lost_analysis(gap.conversation_id).await?;
                }
                let completed = gap.header.completed().context("a published conversation has ended")?;
                self.bus.publish(&[completed]).await.context("cannot publish the event")
            }
        }
    }

    /// Deletes the marker of an assessment that is not stored: marker and document are replicated apart, and a region may be lost
    /// between them. While the marker stands, the assessment would not be made again.
    async fn forget_lost_analysis(&self, id: ConversationId) -> anyhow::Result<()> {
        let delete = self.dynamodb.delete_item().table_name(&self.effects_table);
        let deleted = delete
            .key("effectId", AttributeValue::S(analysis_effect(id)))
            .condition_expression("#state = :finished")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":finished", AttributeValue::S(FINISHED.to_owned()))
            .send()
            .await;
        match deleted {
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            other => other.map(drop).context("cannot delete the marker of a lost assessment"),
        }
    }
}

/// How an effect says that it is finished.
const FINISHED: &str = "finished";

/// Where the conversation has stopped, and what brings it on; `None` if it is complete or on its way in time.
fn gap(found: Found, now: Timestamp, scope: SweepScope) -> Option<Gap> {
    let trail = found.trail();
    let limits = match scope {
        SweepScope::Overdue(limits) => limits,
        SweepScope::LostQueues => NOTHING_ON_ITS_WAY,
    };
    let mut stalls = trail.stalled_at(now, limits);
    if stalls.is_empty() && scope == SweepScope::LostQueues && found.header.ended.is_none() {
        let lease_until = found.header.lease_until;
        stalls.push(Stall { stage: Stage::Ended, since: lease_until, due: lease_until });
    }
    let since = stalls.iter().map(|stall| stall.since).min()?;
    let is_unpublished = |stall: &Stall| matches!(stall.stage, Stage::Ended | Stage::Published);
    let send = if stalls.iter().any(is_unpublished) { Mending::Watch } else { Mending::Replay };
    Some(Gap {
        conversation_id: trail.conversation_id,
        missing: stalls.iter().map(|stall| stall.stage.name()).collect(),
        since,
        send,
        has_lost_analysis: scope == SweepScope::LostQueues
            && stalls.iter().any(|stall| stall.stage == Stage::Analysis),
        header: found.header,
    })
}
