//! The streams of all tasks together, which the quota of the AWS account bounds. Each stream is a member of one group of the
//! coordination from its opening to its end. A task that is lost loses its members within [`MEMBER_TTL`]. While Redis is down, the
//! bounds of each task apply alone.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

use crate::coordination::Coordination;

/// The group of the coordination.
const GROUP: &str = "streams";

/// Share of the streams that replacements alone may use, in percent; at least one stream.
pub const ACCOUNT_RESERVE_PERCENT: u32 = 10;

/// Time for which a lost task keeps its streams counted.
pub const MEMBER_TTL: Duration = Duration::from_secs(60);

const RENEW_INTERVAL: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Clone, Debug)]
pub struct AccountStreams {
    coordination: Arc<Coordination>,
    /// `None`: streams are not counted.
    max: Option<u32>,
    own: Arc<Mutex<HashSet<String>>>,
}

/// The place of one stream; dropping it frees the place.
#[derive(Debug)]
pub struct AccountStream {
    streams: AccountStreams,
    member: String,
}

impl AccountStreams {
    /// At most `max` streams over all tasks that share `coordination`, if there is a bound.
    #[must_use]
    pub fn new(coordination: Arc<Coordination>, max: Option<u32>) -> Self {
        Self { coordination, max, own: Arc::default() }
    }

    /// Counts another stream. `None` if there is no room: for the first stream of a conversation below the reserve, for a
    /// replacement at all.
    pub async fn enter(&self, is_first: bool) -> Option<AccountStream> {
        let member = uuid::Uuid::new_v4().to_string();
        let place = AccountStream { streams: self.clone(), member: member.clone() };
        let Some(max) = self.max else { return Some(place) };
        let max = if is_first { first_max(max) } else { max };
        // Without Redis the bounds of this task apply.
        if self.coordination.enter(GROUP, &member, max, MEMBER_TTL).await == Ok(false) {
            return None;
        }
        self.lock().insert(member);
        Some(place)
    }

    /// Whether there is no room for another conversation now.
    pub async fn is_full(&self) -> bool {
        let Some(max) = self.max else { return false };
        let members = self.coordination.members(GROUP).await;
        members.is_ok_and(|members| members >= u64::from(first_max(max)))
    }

    /// Keeps the streams of this task counted.
    pub async fn renew_members(&self) {
        loop {
            tokio::time::sleep(RENEW_INTERVAL).await;
            let own: Vec<_> = self.lock().iter().cloned().collect();
            for member in own {
                // A member that Redis has lost is counted again, whatever the others are.
                if self.coordination.enter(GROUP, &member, u32::MAX, MEMBER_TTL).await.is_err() {
                    break;
                }
                if !self.lock().contains(&member) {
                    // The stream ended during the renewal.
                    let _ = self.coordination.remove_member(GROUP, &member).await;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Streams that first streams may be counted up to.
fn first_max(max: u32) -> u32 {
    let reserve = (u64::from(max) * u64::from(ACCOUNT_RESERVE_PERCENT)).div_ceil(100);
    max.saturating_sub(u32::try_from(reserve).unwrap_or(u32::MAX)).max(1)
}

impl Drop for AccountStream {
    fn drop(&mut self) {
        if !self.streams.lock().remove(&self.member) {
            return;
        }
        // A member that does not leave expires.
        if let Ok(runtime) = Handle::try_current() {
            let (streams, member) = (self.streams.clone(), std::mem::take(&mut self.member));
            runtime.spawn(async move { streams.coordination.remove_member(GROUP, &member).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn streams_of_all_tasks_are_bounded_and_replacements_have_a_reserve() {
        let coordination = Arc::new(Coordination::in_process());
        let [one, other] = [(); 2].map(|()| AccountStreams::new(Arc::clone(&coordination), Some(20)));
        let mut held = Vec::new();
        for number in 0..18 {
            let task = if number % 2 == 0 { &one } else { &other };
            assert!(!task.is_full().await);
            held.push(task.enter(true).await.unwrap());
        }
        assert!(one.is_full().await && one.enter(true).await.is_none());
        let replacements = [other.enter(false).await.unwrap(), one.enter(false).await.unwrap()];
        assert!(other.enter(false).await.is_none(), "twenty is the limit of all");
        drop(replacements);
        held.pop();
        settle().await;
        assert!(other.enter(true).await.is_some(), "a stream that ended leaves its place");
    }

    #[tokio::test(start_paused = true)]
    async fn streams_stay_counted_while_their_task_lives_and_are_free_soon_after() {
        let coordination = Arc::new(Coordination::in_process());
        let [one, other] = [(); 2].map(|()| AccountStreams::new(Arc::clone(&coordination), Some(1)));
        let held = one.enter(true).await.unwrap();
        let renewing = tokio::spawn({
            let one = one.clone();
            async move { one.renew_members().await }
        });
        tokio::time::sleep(10 * MEMBER_TTL).await;
        assert!(other.enter(true).await.is_none());
        renewing.abort();
        tokio::time::sleep(MEMBER_TTL + Duration::from_secs(1)).await;
        assert!(other.enter(true).await.is_some());
        drop(held);
    }
}
