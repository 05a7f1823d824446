//! Presence of learners over all tasks: a learner has one conversation at a time, on any task. The slots of a
//! task ([`crate::live::admission`]) decide on that task; this module adds the other tasks, through [`Coordination`].
//!
//! A claim on the learner is held while the conversation is live, and expires soon after its task was lost. Claims are best
//! effort: without Redis each task knows its own learners only, and the journal alone decides who owns a conversation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::contract::{ConversationId, UserId};
use tokio::runtime::Handle;

use crate::coordination::{Claim, Coordination};

/// Time to live of a claim: the longest time for which a lost task keeps its learners from another conversation.
pub const CLAIM_TTL: Duration = Duration::from_secs(60);

const RENEW_INTERVAL: Duration = Duration::from_secs(20);

/// The claims of this task.
#[derive(Clone, Debug)]
pub struct Presence {
    coordination: Arc<Coordination>,
    task: String,
    own: Arc<Mutex<HashMap<UserId, ConversationId>>>,
}

/// The claim on a learner who is live on this task; dropping it releases the claim.
#[derive(Debug)]
pub struct PresenceClaim {
    presence: Presence,
    user_id: UserId,
    conversation_id: ConversationId,
}

impl Presence {
    /// No claims yet. `task` is the name of this task.
    #[must_use]
    pub fn new(coordination: Arc<Coordination>, task: String) -> Self {
        Self { coordination, task, own: Arc::default() }
    }

    /// The conversation of the learner on another task, as far as this task can find out.
    pub async fn elsewhere(&self, user_id: &UserId) -> Option<ConversationId> {
        // If Redis does not respond, the slots of this task decide.
        let holder = self.coordination.holder(&key(user_id)).await.ok()??;
        let (conversation_id, task) = parse(&holder)?;
        (task != self.task).then_some(conversation_id)
    }

    /// Claims the learner for a conversation that has a slot on this task.
    ///
    /// # Errors
    /// The conversation of the learner on another task.
    pub async fn enter(
        &self,
        user_id: &UserId,
        conversation_id: ConversationId,
    ) -> Result<PresenceClaim, ConversationId> {
        let (key, owner) = (key(user_id), self.owner(conversation_id));
        if let Ok(Claim::Held(holder)) = self.coordination.claim(&key, &owner, CLAIM_TTL).await {
            match parse(&holder) {
                Some((other, task)) if other != conversation_id && task != self.task => return Err(other),
                // The conversation was taken over from another task, or the last one ended on this task: the claim moves.
                Some(_) | None => {
                    // If the claim has expired meanwhile, the next renewal makes a new one.
                    let _ = self.coordination.take(&key, &holder, &owner, CLAIM_TTL).await;
                }
            }
        }
        self.lock().insert(user_id.clone(), conversation_id);
        Ok(PresenceClaim { presence: self.clone(), user_id: user_id.clone(), conversation_id })
    }

    pub async fn renew_claims(&self) {
        loop {
            tokio::time::sleep(RENEW_INTERVAL).await;
            let own: Vec<_> = self.lock().iter().map(|(user, id)| (user.clone(), *id)).collect();
            for (user_id, conversation_id) in own {
                let (key, owner) = (key(&user_id), self.owner(conversation_id));
                // A claim that another task has taken over is left alone; one that was lost is made again.
                if self.coordination.claim(&key, &owner, CLAIM_TTL).await.is_err() {
                    break;
                }
                if self.lock().get(&user_id) != Some(&conversation_id) {
                    // The conversation ended during the renewal.
                    let _ = self.coordination.release(&key, &owner).await;
                }
            }
        }
    }

    fn owner(&self, conversation_id: ConversationId) -> String {
        format!("{conversation_id}@{}", self.task)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, ConversationId>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PresenceClaim {
    fn drop(&mut self) {
        let mut own = self.presence.lock();
        if own.get(&self.user_id) == Some(&self.conversation_id) {
            own.remove(&self.user_id);
        }
        drop(own);
        // A claim that is not released expires.
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
            "the former owner does not release the claim of the next one"
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
        assert_eq!(other.elsewhere(&user).await, Some(conversation(1)), "a lost claim is made again");
        keeping.abort();
        tokio::time::sleep(CLAIM_TTL + Duration::from_secs(1)).await;
        assert_eq!(other.elsewhere(&user).await, None);
        assert!(other.enter(&user, conversation(2)).await.is_ok());
    }
}
