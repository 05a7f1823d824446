//! How a conversation changes its owner: one asks for it, the other lets go; or it is taken without asking, because
//! its owner is dead ([`Journal::take_over`]) or its learner is elsewhere ([`Journal::seize`]).
//!
//! Each change raises the epoch, the owner's own letting go too. So there is no moment in which two may write.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::Timestamp;

use super::{Handover, Header, Journal, JournalError, Ownership, Seized, State, item, lease_end, owned};
use crate::{contract::ConversationId, runtime::env};

impl Journal {
    /// Asks the owner to let go, in the name of `who`. The owner sees it when it renews its lease, and in
    /// [`Journal::is_handover_requested`].
    ///
    /// # Errors
    /// [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn request_handover(&self, id: ConversationId, who: &str) -> Result<(), JournalError> {
        let wanted = self
            .update(id, |update| {
                update
                    .condition_expression("#state = :active")
                    .update_expression("SET wantedBy = :who")
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_values(":active", item::text(&item::ACTIVE))
                    .expression_attribute_values(":who", item::text(&who))
            })
            .await?;
        match wanted {
            Some(_) => Ok(()),
            None if self.header(id).await?.is_some() => Err(JournalError::Ended),
            None => Err(JournalError::NotFound),
        }
    }

    /// Whether somebody asks the owner to let go.
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

    /// Lets go of a conversation: `own` is of no use from now on. Whoever wants it may have it until `until`, then the
    /// watchdog ends it.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn hand_over(
        &self,
        own: &Ownership,
        released: &Handover,
        until: Timestamp,
    ) -> Result<(), JournalError> {
        let change = |update: UpdateItemFluentBuilder| {
            update
                .update_expression(
                    "SET epoch = :next, claim = :claim, leaseUntil = :until, releasedAs = :reason, \
                     progress = :progress REMOVE wantedBy",
                )
                .expression_attribute_values(":until", item::millis(until))
                .expression_attribute_values(":reason", item::text(&item::name(&released.reason)))
                .expression_attribute_values(":progress", item::text(&item::json(&released.progress)))
        };
        match self.raise(own, "epoch = :epoch AND #state = :active", change).await? {
            Raised::Done => Ok(()),
            Raised::Refused(header) if header.epoch == own.epoch => Err(JournalError::Ended),
            Raised::Refused(_) => Err(JournalError::Fenced),
        }
    }

    /// Becomes the owner of a conversation whose owner's lease is over at `now`. To end it, take over first and
    /// [`Journal::load`] then: no turn comes in between.
    ///
    /// # Errors
    /// [`JournalError::Held`], also when the owner renewed in this very moment; [`JournalError::Ended`],
    /// [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn take_over(
        &self,
        id: ConversationId,
        owner: &str,
        now: Timestamp,
    ) -> Result<Ownership, JournalError> {
        let seen = self.header(id).await?.ok_or(JournalError::NotFound)?;
        takeable(&seen, now)?;
        let change = |update: UpdateItemFluentBuilder| {
            update
                .update_expression(
                    "SET epoch = :next, #owner = :owner, claim = :claim, leaseUntil = :until REMOVE wantedBy",
                )
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":seen", item::millis(seen.lease_until))
                .expression_attribute_values(":owner", item::text(&owner))
                .expression_attribute_values(":until", item::millis(lease_end(now)))
        };
        let former = Ownership { conversation_id: id, epoch: seen.epoch };
        let condition = "epoch = :epoch AND #state = :active AND leaseUntil = :seen";
        match self.raise(&former, condition, change).await? {
            Raised::Done => Ok(Ownership { conversation_id: id, epoch: seen.epoch + 1 }),
            Raised::Refused(stored) => {
                takeable(&stored, now)?;
                Err(JournalError::Held { until: stored.lease_until })
            }
        }
    }

    /// Becomes the owner of a conversation whoever holds it: for a task to which its learner has come. An owner that
    /// did not let go is fenced.
    ///
    /// # Errors
    /// [`JournalError::Held`] when somebody else became the owner in this very moment; [`JournalError::Ended`],
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
                .expression_attribute_values(":owner", item::text(&owner))
                .expression_attribute_values(":until", item::millis(lease_end(now)))
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
            Raised::Refused(stored) if stored.state() == State::Ended => Err(JournalError::Ended),
            Raised::Refused(stored) => Err(JournalError::Held { until: stored.lease_until }),
        }
    }

    /// Raises the epoch of `former` under `condition`, and does `change`. A write whose reply was lost is recognised by
    /// its claim.
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
                    .expression_attribute_values(":next", item::number(&(former.epoch + 1)))
                    .expression_attribute_values(":claim", item::text(&claim))
            })
            .await?;
        if raised.is_some() {
            return Ok(Raised::Done);
        }
        let stored = self.header(former.conversation_id).await?.ok_or(JournalError::NotFound)?;
        Ok(if stored.claim == claim { Raised::Done } else { Raised::Refused(Box::new(stored)) })
    }
}

/// What came of raising an epoch.
enum Raised {
    Done,
    /// The condition did not hold for this header.
    Refused(Box<Header>),
}

fn takeable(header: &Header, now: Timestamp) -> Result<(), JournalError> {
    if header.state() == State::Ended {
        Err(JournalError::Ended)
    } else if header.is_stale(now) {
        Ok(())
    } else {
        Err(JournalError::Held { until: header.lease_until })
    }
}
