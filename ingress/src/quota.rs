//! Quotas of one learner, counted over all tasks that share a Redis: requests, tickets, decoding and conversation. A quota refuses
//! with the time until it counts from zero again.

use std::time::Duration;

use events::contract::UserId;

use crate::coordination::{Coordination, RateLimitError};

/// Requests of one learner to the API.
pub const REQUESTS: Quota = Quota { name: "requests", max: 6_000, window: Duration::from_secs(60) };

/// Tickets, to start a conversation and to return to one.
pub const TICKETS: Quota = Quota { name: "tickets", max: 120, window: Duration::from_secs(600) };

/// Time of decoders for uploaded turns, in milliseconds. A turn of half a minute takes less than one second.
pub const DECODING_MS: Quota = Quota { name: "decoding", max: 120_000, window: Duration::from_secs(3_600) };

/// Duration of live conversations, in seconds.
pub const CONVERSATION_LENGTH: Quota =
    Quota { name: "conversation", max: 14_400, window: Duration::from_secs(86_400) };

/// Something that a learner may use up to `max` of within `window`, which begins with the first use.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    pub name: &'static str,
    pub max: u32,
    pub window: Duration,
}

impl Quota {
    /// Uses `amount`; 0 checks whether the quota was exceeded before.
    ///
    /// # Errors
    /// [`RateLimitError::Exceeded`] beyond the quota.
    pub async fn spend(
        self,
        coordination: &Coordination,
        user_id: &UserId,
        amount: u32,
    ) -> Result<(), RateLimitError> {
        let key = format!("quota/{}/{user_id}", self.name);
        coordination.limit_spending(&key, amount, self.max, self.window).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn quotas_are_of_one_learner_and_count_from_zero_after_their_window() {
        let coordination = Coordination::in_process();
        let [mina, jisu]: [UserId; 2] = ["mina", "jisu"].map(|name| name.parse().unwrap());
        for quota in [REQUESTS, TICKETS, DECODING_MS, CONVERSATION_LENGTH] {
            assert_eq!(quota.spend(&coordination, &mina, quota.max).await, Ok(()));
            assert_eq!(quota.spend(&coordination, &mina, 0).await, Ok(()), "all of it may be used");
            let refused = quota.spend(&coordination, &mina, 1).await;
            assert_eq!(refused, Err(RateLimitError::Exceeded { after: quota.window }));
            assert!(quota.spend(&coordination, &mina, 0).await.is_err());
            assert_eq!(quota.spend(&coordination, &jisu, 1).await, Ok(()));
            tokio::time::advance(quota.window).await;
            assert_eq!(quota.spend(&coordination, &mina, 0).await, Ok(()));
        }
    }
}
