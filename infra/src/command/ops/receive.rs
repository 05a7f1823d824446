//! Messages of a dead-letter queue while the operator holds them. What is not deleted is given back at once.
//!
//! A dead-letter queue has no redrive policy of its own, so being looked at costs a message nothing. If the command is
//! killed, what it holds is visible again after [`HOLD_SECONDS`].

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName};
use events::runtime::failure::describe;
use jiff::Timestamp;

use super::dead_letter::Letter;

/// How long a message stays invisible to others while it is looked at.
const HOLD_SECONDS: i32 = 120;

/// Messages of one receive, and entries of one batch (service limit).
const BATCH_MAX: usize = 10;

/// How long a receive waits for messages: a wait asks every server of the queue, so an empty answer means empty.
const WAIT_SECONDS: i32 = 1;

/// A dead letter that the operator holds.
#[derive(Debug)]
pub(super) struct ReceivedLetters {
    pub(super) letter: Letter,
    receipt: String,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct DeadLetterQueue<'a> {
    pub(super) sqs: &'a aws_sdk_sqs::Client,
    pub(super) url: &'a str,
}

impl DeadLetterQueue<'_> {
    /// Takes up to `limit` messages.
    pub(super) async fn take(&self, limit: usize) -> anyhow::Result<Vec<ReceivedLetters>> {
        let mut held: Vec<ReceivedLetters> = Vec::new();
        while held.len() < limit {
            match self.receive((limit - held.len()).min(BATCH_MAX)).await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => held.extend(messages.into_iter().filter_map(read)),
                Err(error) => {
                    self.give_back(&held).await?;
                    return Err(error);
                }
            }
        }
        Ok(held)
    }

    async fn receive(&self, count: usize) -> anyhow::Result<Vec<Message>> {
        let output = self
            .sqs
            .receive_message()
            .queue_url(self.url)
            .max_number_of_messages(i32::try_from(count).context("ten fit")?)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(HOLD_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| describe(&error))
            .with_context(|| format!("cannot read the queue {}", self.url))?;
        Ok(output.messages.unwrap_or_default())
    }

    /// Makes messages visible to others again.
    pub(super) async fn give_back(
        &self,
        held: impl IntoIterator<Item = &ReceivedLetters>,
    ) -> anyhow::Result<()> {
        let receipts: Vec<&str> = held.into_iter().map(|held| held.receipt.as_str()).collect();
        for chunk in receipts.chunks(BATCH_MAX) {
            let entries = chunk
                .iter()
                .enumerate()
                .map(|(position, receipt)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(position.to_string())
                        .receipt_handle(*receipt)
                        .visibility_timeout(0)
                        .build()
                })
                .collect::<Result<Vec<_>, _>>()?;
            let changed = self.sqs.change_message_visibility_batch().queue_url(self.url);
            let changed = changed.set_entries(Some(entries)).send().await.map_err(|error| describe(&error));
            let failed = changed.map(|output| output.failed.len());
            ensure!(
                matches!(failed, Ok(0)),
                "not every message could be given back; they are visible again in {HOLD_SECONDS} s: {failed:?}"
            );
        }
        Ok(())
    }

    pub(super) async fn delete(&self, held: &ReceivedLetters) -> anyhow::Result<()> {
        let delete = self.sqs.delete_message().queue_url(self.url).receipt_handle(&held.receipt);
        delete
            .send()
            .await
            .map(|_| ())
            .map_err(|error| describe(&error))
            .with_context(|| format!("cannot delete the message {}", held.letter.message_id))
    }
}

fn read(message: Message) -> Option<ReceivedLetters> {
    let (message_id, receipt) = message.message_id.zip(message.receipt_handle)?;
    let system = message.attributes.unwrap_or_default();
    let sent_at = system
        .get(&MessageSystemAttributeName::SentTimestamp)
        .and_then(|millis| Timestamp::from_millisecond(millis.parse().ok()?).ok());
    let attributes: BTreeMap<String, String> = message
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect();
    let body = message.body.unwrap_or_default();
    Some(ReceivedLetters { letter: Letter { message_id, body, sent_at, attributes }, receipt })
}
