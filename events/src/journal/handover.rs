//! Changes of a conversation's owner: on request (one process requests a handover, the owner hands over), or without one,
//! because the owner is dead ([`Journal::take_over`]) or the learner reconnected to another task ([`Journal::seize`]).
//!
//! Each change raises the epoch, a handover by the owner too. So at no moment can two processes write.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::Timestamp;

use super::{Handover, Header, Journal, JournalError, Ownership, Seized, State, item, lease_end, owned};
use crate::{
    contract::ConversationId,
    dynamo::{millis, name, number, text},
    runtime::env,
};

impl Journal {
    /// Requests a handover for the process `requester`. The owner sees it when it renews its lease, and in
    /// [`Journal::is_handover_requested`].
    ///
    /// # Errors
    /// [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn request_handover(&self, id: ConversationId, requester: &str) -> Result<(), JournalError> {
        let requested = self
            .update(id, |update| {
                update
                    .condition_expression("#state = :active")
                    .update_expression("SET wantedBy = :who")
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_values(":active", text(item::ACTIVE))
                    .expression_attribute_values(":who", text(requester))
            })
            .await?;
        match requested {
            Some(_) => Ok(()),
            None if self.header(id).await?.is_some() => Err(JournalError::Ended),
            None => Err(JournalError::NotFound),
        }
    }

    /// Whether another process requested a handover.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Corrupt`],
    /// [`JournalError::Service`].
    pub async fn is_handover_requested(&self, own: &Ownership) -> Result<bool, JournalError> {
        let header = self.header(own.conversation_id).await?.ok_or(JournalError::NotFound)?;
        if header.epoch != own.epoch {
            Err(JournalError::Fenced)
        } else if header.state() == State::Ended {
            Err(JournalError::Ended)
        } else {
            Ok(header.handover_requested_by.is_some())
        }
    }

    /// Gives up a conversation: `own` becomes invalid. Another process may take over until `until`; then the watchdog ends
    /// the conversation.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn hand_over(
        &self,
        own: &Ownership,
        handover: &Handover,
        until: Timestamp,
    ) -> Result<(), JournalError> {
        let change = |update: UpdateItemFluentBuilder| {
            update
                .update_expression(
                    "SET epoch = :next, claim = :claim, leaseUntil = :until, releasedAs = :reason, \
                     progress = :progress REMOVE wantedBy",
                )
                .expression_attribute_values(":until", millis(until))
                .expression_attribute_values(":reason", text(&name(&handover.reason)))
                .expression_attribute_values(":progress", text(&item::json(&handover.progress)))
        };
        match self.raise(own, "epoch = :epoch AND #state = :active", change).await? {
            Raised::Done => Ok(()),
            Raised::Failed(header) if header.epoch == own.epoch => Err(JournalError::Ended),
            Raised::Failed(_) => Err(JournalError::Fenced),
        }
    }

    /// Becomes the owner of a conversation whose lease has expired at `now`. To end it, take over first and then
    /// [`JournalReader::load`](super::JournalReader::load) it: no turn can be appended in between.
    ///
    /// # Errors
    /// [`JournalError::Held`], also if the owner renewed its lease concurrently; [`JournalError::Ended`],
    /// [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn take_over(
        &self,
        id: ConversationId,
        owner: &str,
        now: Timestamp,
    ) -> Result<Ownership, JournalError> {
        let seen = self.header(id).await?.ok_or(JournalError::NotFound)?;
        check_takeover(&seen, now)?;
        let change = |update: UpdateItemFluentBuilder| {
            update
                .update_expression(
                    "SET epoch = :next, #owner = :owner, claim = :claim, leaseUntil = :until REMOVE wantedBy",
                )
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":seen", millis(seen.lease_until))
                .expression_attribute_values(":owner", text(owner))
                .expression_attribute_values(":until", millis(lease_end(now)))
        };
        let former = Ownership { conversation_id: id, epoch: seen.epoch };
        let condition = "epoch = :epoch AND #state = :active AND leaseUntil = :seen";
        match self.raise(&former, condition, change).await? {
            Raised::Done => Ok(Ownership { conversation_id: id, epoch: seen.epoch + 1 }),
            Raised::Failed(stored) => {
                check_takeover(&stored, now)?;
                Err(JournalError::Held { until: stored.lease_until })
            }
        }
    }

    /// Becomes the owner of a conversation regardless of its lease, for the task to which the learner reconnected. An owner
    /// that did not hand over is fenced.
    ///
    /// # Errors
    /// [`JournalError::Held`] if another process became the owner concurrently; [`JournalError::Ended`],
    /// [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn seize(
        &self,
        id: ConversationId,
        owner: &str,
        now: Timestamp,
    ) -> Result<Seized, JournalError> {
        let seen = self.header(id).await?.ok_or(JournalError::NotFound)?;
        if seen.state() == State::Ended {
            return Err(JournalError::Ended);
        }
        let change = |update: UpdateItemFluentBuilder| {
            update
                .update_expression(
                    "SET epoch = :next, #owner = :owner, claim = :claim, leaseUntil = :until \
                     REMOVE wantedBy, releasedAs",
                )
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":owner", text(owner))
                .expression_attribute_values(":until", millis(lease_end(now)))
        };
        let former = Ownership { conversation_id: id, epoch: seen.epoch };
        match self.raise(&former, "epoch = :epoch AND #state = :active", change).await? {
            Raised::Done => {
                let mut progress = seen.progress.unwrap_or_default();
                if seen.handed_over_as.is_none() {
                    (progress.heard_samples, progress.unfinished_audio_key) = (None, None);
                }
                Ok(Seized { own: Ownership { conversation_id: id, epoch: seen.epoch + 1 }, progress })
            }
            Raised::Failed(stored) if stored.state() == State::Ended => Err(JournalError::Ended),
            Raised::Failed(stored) => Err(JournalError::Held { until: stored.lease_until }),
        }
    }

    /// Raises the epoch of `former` under `condition`, together with `change`. A write whose response was lost is
    /// recognised by its claim.
    async fn raise(
        &self,
        former: &Ownership,
        condition: &str,
        change: impl Fn(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Result<Raised, JournalError> {
        let claim = env::random_uuid().to_string();
        let raised = self
            .update(former.conversation_id, |update| {
                change(owned(update, former))
                    .condition_expression(condition)
                    .expression_attribute_values(":next", number(&(former.epoch + 1)))
                    .expression_attribute_values(":claim", text(&claim))
            })
            .await?;
        if raised.is_some() {
            return Ok(Raised::Done);
        }
        let stored = self.header(former.conversation_id).await?.ok_or(JournalError::NotFound)?;
        Ok(if stored.claim == claim { Raised::Done } else { Raised::Failed(Box::new(stored)) })
    }
}

/// The result of raising an epoch.
enum Raised {
    Done,
    /// The condition did not hold for this header.
    Failed(Box<Header>),
}

fn check_takeover(header: &Header, now: Timestamp) -> Result<(), JournalError> {
    if header.state() == State::Ended {
        Err(JournalError::Ended)
    } else if header.is_stale(now) {
        Ok(())
    } else {
        Err(JournalError::Held { until: header.lease_until })
    }
}
