//! Who is live where, over all tasks: a learner has one conversation at a time, whichever task holds it. The seats of a
//! task ([`crate::live::admission`]) decide on that task; this adds what the other tasks say, through [`Coordination`].
//!
//! A claim on the learner is held while the conversation is live, and ends by itself soon after its task was lost. A
//! conversation never depends on it: without Redis each task knows its own, and who takes a conversation over is the
//! journal's business.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::contract::{ConversationId, UserId};
use tokio::runtime::Handle;

use crate::coordination::{Claim, Coordination};

/// How long a claim lasts without being renewed: the longest time for which a task that was lost keeps its learners from
/// another conversation.
pub const CLAIM_TTL: Duration = Duration::from_secs(60);

/// How often claims are renewed.
const RENEW_INTERVAL: Duration = Duration::from_secs(20);

/// What this task knows and tells of who is live.
#[derive(Clone, Debug)]
pub struct Presence {
    coordination: Arc<Coordination>,
    task: String,
    here: Arc<Mutex<HashMap<UserId, ConversationId>>>,
}

/// A learner is live on this task; dropping it tells the others that it is over.
#[derive(Debug)]
pub struct PresenceClaim {
    presence: Presence,
    user_id: UserId,
    conversation_id: ConversationId,
}

impl Presence {
    /// Nobody yet. `task` is the name of this one.
    #[must_use]
    pub fn new(coordination: Arc<Coordination>, task: String) -> Self {
        Self { coordination, task, here: Arc::default() }
    }

    /// The conversation that the learner is in on another task.
    pub async fn elsewhere(&self, user_id: &UserId) -> Option<ConversationId> {
        // Without an answer the seats of this task decide.
        let holder = self.coordination.holder(&key(user_id)).await.ok()??;
        let (conversation_id, task) = parse(&holder)?;
        (task != self.task).then_some(conversation_id)
    }

    /// The learner is live here from now on, in a conversation for which this task has a seat.
    ///
    /// # Errors
    /// The other conversation that the learner is in on another task.
    pub async fn enter(
        &self,
        user_id: &UserId,
        conversation_id: ConversationId,
    ) -> Result<PresenceClaim, ConversationId> {
        let (key, owner) = (key(user_id), self.owner(conversation_id));
        if let Ok(Claim::Held(holder)) = self.coordination.claim(&key, &owner, CLAIM_TTL).await {
            match parse(&holder) {
                Some((other, task)) if other != conversation_id && task != self.task => return Err(other),
                // It came over from another task, or was over on this one: the claim comes along.
                Some(_) | None => {
                    // If it is gone meanwhile, the next renewal makes a new one.
                    let _ = self.coordination.take(&key, &holder, &owner, CLAIM_TTL).await;
                }
            }
        }
        self.lock().insert(user_id.clone(), conversation_id);
        Ok(PresenceClaim { presence: self.clone(), user_id: user_id.clone(), conversation_id })
    }

    /// Keeps the claims for ever.
    pub async fn renew_claims(&self) {
        loop {
            tokio::time::sleep(RENEW_INTERVAL).await;
            let here: Vec<_> = self.lock().iter().map(|(user, id)| (user.clone(), *id)).collect();
            for (user_id, conversation_id) in here {
                let (key, owner) = (key(&user_id), self.owner(conversation_id));
                // One that another task has taken over stays there; one that was lost is made anew.
                if self.coordination.claim(&key, &owner, CLAIM_TTL).await.is_err() {
                    break;
                }
                if self.lock().get(&user_id) != Some(&conversation_id) {
                    // It ended while it was being renewed.
                    let _ = self.coordination.release(&key, &owner).await;
                }
            }
        }
    }

    fn owner(&self, conversation_id: ConversationId) -> String {
        format!("{conversation_id}@{}", self.task)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, ConversationId>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PresenceClaim {
    fn drop(&mut self) {
        let mut here = self.presence.lock();
        if here.get(&self.user_id) == Some(&self.conversation_id) {
            here.remove(&self.user_id);
        }
        drop(here);
        // A claim that is not given up ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            let presence = self.presence.clone();
            let (key, owner) = (key(&self.user_id), presence.owner(self.conversation_id));
            runtime.spawn(async move { presence.coordination.release(&key, &owner).await });
        }
    }
}

fn key(user_id: &UserId) -> String {
    format!("live:{user_id}")
}

fn parse(holder: &str) -> Option<(ConversationId, &str)> {
    let (conversation_id, task) = holder.split_once('@')?;
    Some((conversation_id.parse().ok()?, task))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(n: u8) -> ConversationId {
        ConversationId::new("2026-11-23T10:00:00Z".parse().unwrap(), [n; 10])
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_learner_is_live_on_one_task() {
        let coordination = Arc::new(Coordination::in_process());
        let [one, other] =
            ["one", "other"].map(|task| Presence::new(Arc::clone(&coordination), task.to_owned()));
        let user: UserId = "a".parse().unwrap();
        let present = one.enter(&user, conversation(1)).await.unwrap();
        assert_eq!(one.elsewhere(&user).await, None);
        assert_eq!(other.elsewhere(&user).await, Some(conversation(1)));
        assert_eq!(other.enter(&user, conversation(2)).await.unwrap_err(), conversation(1));
        let moved = other.enter(&user, conversation(1)).await.unwrap();
        assert_eq!(one.elsewhere(&user).await, Some(conversation(1)));
        drop(present);
        settle().await;
        assert_eq!(
            one.elsewhere(&user).await,
            Some(conversation(1)),
            "who let go gives up nothing of the next"
        );
        let next = other.enter(&user, conversation(3)).await.unwrap();
        drop(moved);
        settle().await;
        assert_eq!(one.elsewhere(&user).await, Some(conversation(3)));
        drop(next);
        settle().await;
        assert_eq!(one.elsewhere(&user).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_kept_while_its_task_lives_and_ends_soon_after() {
        let coordination = Arc::new(Coordination::in_process());
        let [one, other] =
            ["one", "other"].map(|task| Presence::new(Arc::clone(&coordination), task.to_owned()));
        let user: UserId = "a".parse().unwrap();
        let _present = one.enter(&user, conversation(1)).await.unwrap();
        let keeping = tokio::spawn({
            let one = one.clone();
            async move { one.renew_claims().await }
        });
        tokio::time::sleep(10 * CLAIM_TTL).await;
        assert_eq!(other.elsewhere(&user).await, Some(conversation(1)));
        coordination.release(&key(&user), &one.owner(conversation(1))).await.unwrap();
        tokio::time::sleep(RENEW_INTERVAL + Duration::from_secs(1)).await;
        assert_eq!(other.elsewhere(&user).await, Some(conversation(1)), "what was lost is made anew");
        keeping.abort();
        tokio::time::sleep(CLAIM_TTL + Duration::from_secs(1)).await;
        assert_eq!(other.elsewhere(&user).await, None);
        assert!(other.enter(&user, conversation(2)).await.is_ok());
    }
}
