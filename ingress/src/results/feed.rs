//! The results of all learners as they are counted, for analysts. Each task of the ingress has at most one poller of the
//! activity index, however many analysts follow, and none without analysts.
//!
//! The clocks of the workers differ and the index lags, so each poll overlaps with the one before, and what was sent is filtered
//! out. Two results of a learner between two polls are sent as one, with the totals after both.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::{
    contract::{ConversationId, UserId},
    pipeline::{names::sortable, overview::ScoredConversation},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::store::{
    learners::Learners,
    progress::{ActiveLearner, Order, Progress, Total},
};

/// Interval between two polls.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Overlap of a poll with the one before, in seconds.
const OVERLAP_SECONDS: i64 = 30;

/// Learners of one request to the index.
const PAGE: usize = 200;

/// Maximum number of requests of one poll. The rest follows with the next poll.
const PAGES_MAX: usize = 5;

/// Buffered results for a slow analyst. A stream that falls further behind is closed; the client reconnects with the id of
/// its last event.
const BEHIND_MAX: usize = 1_024;

/// Results that a resumed stream sends before it ends, if more follow; the client resumes it again. Each costs three reads: of
/// the total, the learner's record and the scores.
pub const RESUMED_MAX: usize = 66;

/// Learners whose names and scores are read at the same time.
const READS_AT_ONCE: usize = 16;

/// How far back a stream can be resumed, in seconds: a day. An older stream resumes a day ago.
pub const BACK_SECONDS_MAX: i64 = 24 * 60 * 60;

/// A result of a learner.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearnerResult {
    /// The id of the learner.
    pub user_id: UserId,
    /// The name of the learner.
    pub name: String,
    /// Time of the count.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The latest counted conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Its scores; absent until it is assessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scored: Option<ScoredConversation>,
    /// The totals of the learner.
    pub total: Total,
}

#[derive(Clone, Debug)]
pub struct Feed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    progress: Progress,
    learners: Learners,
    /// `Some` while there are analysts.
    results: Mutex<Option<broadcast::Sender<Arc<LearnerResult>>>>,
    shutdown: CancellationToken,
}

impl Feed {
    /// A feed of the results in `progress` of `learners`, which ends with `shutdown`.
    #[must_use]
    pub fn new(progress: Progress, learners: Learners, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner { progress, learners, results: Mutex::default(), shutdown }))
    }

    /// Subscribes to the results from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<LearnerResult>> {
        let mut results = self.results();
        if let Some(sender) = results.as_ref() {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BEHIND_MAX);
        *results = Some(sender.clone());
        tokio::spawn(self.clone().poll(sender));
        receiver
    }

    /// Reads the results since the event `last_event_id`, at most [`BACK_SECONDS_MAX`] ago, oldest first; none if the id is
    /// invalid. Also returns whether more than [`RESUMED_MAX`] follow.
    ///
    /// # Errors
    /// A table cannot be read.
    pub async fn since(
        &self,
        last_event_id: &str,
        now: Timestamp,
    ) -> anyhow::Result<(Vec<LearnerResult>, bool)> {
        let Some(last) = resume_after(last_event_id, now) else { return Ok((Vec::new(), false)) };
        let (page, next) = self.0.progress.active(last, Order::OldestFirst, None, RESUMED_MAX).await?;
        let missed = page.into_iter().filter(|active| active.updated_at > last).collect();
        Ok((self.results_of(missed).await?, next.is_some()))
    }

    /// The results of the learners whose accounts exist.
    async fn results_of(&self, active: Vec<ActiveLearner>) -> anyhow::Result<Vec<LearnerResult>> {
        let results: Vec<Option<LearnerResult>> =
            stream::iter(active.into_iter().map(|active| self.result(active)))
                .buffered(READS_AT_ONCE)
                .try_collect()
                .await?;
        Ok(results.into_iter().flatten().collect())
    }

    async fn result(&self, active: ActiveLearner) -> anyhow::Result<Option<LearnerResult>> {
        let ActiveLearner { user_id, updated_at, updated_by, total } = active;
        let Some(user) = self.0.learners.user(&user_id).await? else { return Ok(None) };
        let scored = match updated_by {
            Some(id) => self.0.progress.score(&user_id, id).await?,
            None => None,
        };
        let (name, at, conversation_id) = (user.profile.name, updated_at, updated_by);
        Ok(Some(LearnerResult { user_id, name, at, conversation_id, scored, total }))
    }

    async fn poll(self, sender: broadcast::Sender<Arc<LearnerResult>>) {
        let mut seen = RecentlySent::new(Timestamp::now());
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                () = self.0.shutdown.cancelled() => {}
            }
            {
                // The lock is held so that no analyst joins a poller that stops.
                let mut results = self.results();
                if sender.receiver_count() == 0 || self.0.shutdown.is_cancelled() {
                    *results = None;
                    return;
                }
            }
            match self.new_results(&mut seen).await {
                Ok(results) => {
                    for result in results {
                        // A send without receivers is noticed above.
                        let _ = sender.send(Arc::new(result));
                    }
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "failed to poll the feed of results");
                }
            }
        }
    }

    /// The results that were not sent. After a failure they are not sent either, and come with the next poll.
    async fn new_results(&self, seen: &mut RecentlySent) -> anyhow::Result<Vec<LearnerResult>> {
        let before = seen.clone();
        let new = seen.new_among(self.active(before.from()).await?);
        self.results_of(new).await.inspect_err(|_| *seen = before)
    }

    async fn active(&self, since: Timestamp) -> anyhow::Result<Vec<ActiveLearner>> {
        let (mut all, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let (page, next) =
                self.0.progress.active(since, Order::OldestFirst, after.as_ref(), PAGE).await?;
            all.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        Ok(all)
    }

    fn results(&self) -> MutexGuard<'_, Option<broadcast::Sender<Arc<LearnerResult>>>> {
        self.0.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LearnerResult {
    /// The id of the event: its time, after which a stream resumes.
    #[must_use]
    pub fn event_id(&self) -> String {
        sortable(self.at)
    }
}

/// The recently sent results: those that the next poll can return again.
#[derive(Clone, Debug)]
struct RecentlySent {
    began: Timestamp,
    latest: Timestamp,
    sent: HashMap<UserId, Timestamp>,
}

impl RecentlySent {
    fn new(now: Timestamp) -> Self {
        Self { began: now, latest: now, sent: HashMap::new() }
    }

    /// The start of the next poll.
    fn from(&self) -> Timestamp {
        ago(self.latest, OVERLAP_SECONDS).max(self.began)
    }

    /// Filters out what was sent already.
    fn new_among(&mut self, active: Vec<ActiveLearner>) -> Vec<ActiveLearner> {
        let mut new = Vec::new();
        for active in active {
            let before = self.sent.insert(active.user_id.clone(), active.updated_at);
            self.latest = self.latest.max(active.updated_at);
            if before.is_none_or(|before| before < active.updated_at) {
                new.push(active);
            }
        }
        let from = self.from();
        self.sent.retain(|_, at| *at >= from);
        new
    }
}

/// The time after which a stream resumes; `None` if the id is invalid.
fn resume_after(last_event_id: &str, now: Timestamp) -> Option<Timestamp> {
    let last: Timestamp = last_event_id.parse().ok()?;
    Some(last.max(ago(now, BACK_SECONDS_MAX)))
}

fn ago(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_507_200 + second).unwrap()
    }

    fn active(learner: u32, second: i64) -> ActiveLearner {
        ActiveLearner {
            user_id: format!("learner-{learner}").parse().unwrap(),
            updated_at: at(second),
            updated_by: None,
            total: Total { updated_at: Some(at(second)), ..Total::default() },
        }
    }

    fn told(seen: &mut RecentlySent, active: Vec<ActiveLearner>) -> Vec<(String, Timestamp)> {
        let new = seen.new_among(active).into_iter();
        new.map(|active| (active.user_id.to_string(), active.updated_at)).collect()
    }

    #[test]
    fn a_result_is_told_once_and_one_that_comes_late_into_the_index_too() {
        let mut seen = RecentlySent::new(at(0));
        assert_eq!(seen.from(), at(0), "what was before is not told");
        assert_eq!(told(&mut seen, vec![active(1, 5), active(2, 100)]).len(), 2);
        assert_eq!(seen.from(), at(100 - OVERLAP_SECONDS));
        // The same again, and one whose worker's clock is behind.
        let again = vec![active(3, 80), active(2, 100)];
        assert_eq!(told(&mut seen, again), [("learner-3".to_owned(), at(80))]);
        // Another result of a learner who was told.
        assert_eq!(told(&mut seen, vec![active(2, 101)]), [("learner-2".to_owned(), at(101))]);
    }

    #[test]
    fn what_is_remembered_is_bounded_by_the_overlap() {
        let mut seen = RecentlySent::new(at(0));
        for second in 0..1_000 {
            let learner = u32::try_from(second).unwrap();
            seen.new_among(vec![active(learner, second)]);
        }
        assert!(seen.sent.len() <= usize::try_from(OVERLAP_SECONDS).unwrap() + 1, "{}", seen.sent.len());
    }

    #[test]
    fn a_stream_is_taken_up_at_most_a_day_later() {
        let now = at(2 * BACK_SECONDS_MAX);
        assert_eq!(
            resume_after(&sortable(at(2 * BACK_SECONDS_MAX - 5)), now),
            Some(at(2 * BACK_SECONDS_MAX - 5))
        );
        assert_eq!(resume_after(&sortable(at(0)), now), Some(at(BACK_SECONDS_MAX)));
        assert_eq!(resume_after("", now), None);
        assert_eq!(resume_after("transcript", now), None);
    }

    #[test]
    fn the_id_of_a_result_is_its_moment() {
        let ActiveLearner { user_id, updated_at, total, .. } = active(1, 7);
        let name = "Mina".to_owned();
        let result =
            LearnerResult { user_id, name, at: updated_at, conversation_id: None, scored: None, total };
        assert_eq!(result.event_id().parse::<Timestamp>().unwrap(), at(7));
    }
}
