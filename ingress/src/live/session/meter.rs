//! Counts the time and the cost of one live conversation, in a task of its own, and asks the session loop to end it when the learner's
//! day or a spending limit is used up.

use std::time::Duration;

use events::{
    contract::{Usage, UserId},
    price,
};
use tokio::sync::{mpsc, watch};

use super::{dependencies::Dependencies, inputs::Order};
use crate::{
    coordination::RateLimitError,
    live::conversation::LimitReached,
    quota::CONVERSATION_LENGTH,
    security::{SecurityEvent, security_event},
};

/// How often a conversation is counted.
pub(super) const METER_INTERVAL: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Meter<'a> {
    deps: &'a Dependencies,
    user_id: UserId,
    usage: watch::Receiver<Usage>,
    orders: mpsc::Sender<Order>,
    /// The cost that was counted, in millionths of a US dollar.
    counted_usd_micros: u64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        deps: &'a Dependencies,
        user_id: UserId,
        usage: watch::Receiver<Usage>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        // What was used before this task took the conversation over was counted there.
        let counted_usd_micros = price::speech_cost(&deps.config.sonic_model_id, &usage.borrow());
        Self { deps, user_id, usage, orders, counted_usd_micros }
    }

    /// Counts until a limit is reached.
    pub(super) async fn run(&mut self) {
        loop {
            tokio::time::sleep(METER_INTERVAL).await;
            if let Some(limit) = self.count().await {
                let (kind, detail) = match limit {
                    LimitReached::Day => (SecurityEvent::LimitReached, CONVERSATION_LENGTH.name),
                    LimitReached::Spending => (SecurityEvent::SpendingLimitReached, "live conversation"),
                };
                security_event(&self.deps.metrics, kind, Some(&self.user_id), detail);
                // The loop may be about to end anyway.
                let _ = self.orders.try_send(Order::End(limit));
                return;
            }
        }
    }

    /// Counts what the end of the conversation has used.
    pub(super) async fn finish(mut self) {
        self.count_cost().await;
    }

    async fn count(&mut self) -> Option<LimitReached> {
        let seconds = u32::try_from(METER_INTERVAL.as_secs()).unwrap_or(u32::MAX);
        let counted = CONVERSATION_LENGTH.spend(&self.deps.coordination, &self.user_id, seconds).await;
        if let Err(RateLimitError::Exceeded { .. }) = counted {
            return Some(LimitReached::Day);
        }
        self.count_cost().await;
        self.deps.budget.reached().await.map(|_| LimitReached::Spending)
    }

    async fn count_cost(&mut self) {
        let cost = price::speech_cost(&self.deps.config.sonic_model_id, &self.usage.borrow());
        let added = cost.saturating_sub(self.counted_usd_micros);
        if added > 0 && self.deps.budget.add(added).await {
            self.counted_usd_micros = cost;
            self.deps.metrics.speech_usd_micros.add(added);
        }
    }
}
