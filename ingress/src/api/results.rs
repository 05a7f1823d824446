//! `GET /api/conversations/{id}/results`: the results of a conversation as server-sent events, each once: `transcript`,
//! `assessment` or `failed`, `progress` twice (for the conversation, then for its scores), and finally `complete`.
//!
//! A client that lost the stream reconnects with the header `Last-Event-ID` and receives the rest from any task; without it, it
//! receives all results so far. The access token is in a header, so browsers read the stream with `fetch`: `EventSource` cannot
//! send one.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use events::contract::ConversationId;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    caller::Learner,
    extract::Path,
    history::own,
    problem::{ApiError, Code},
    route::{Route, get},
};
use crate::{
    account::sessions::SessionWatch,
    app::AppState,
    results::{
        STREAM_MAX, Seen,
        permits::{StreamLimitError, StreamPermit},
        snapshot::{
            AssessmentFailed, AssessmentReady, Complete, Fact, ProgressCounted, SentFacts, TranscriptReady,
        },
    },
};

/// The header with which a client resumes a stream.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// The media type of a stream.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Interval of keep-alive comments: below the idle timeout of the load balancer (60 s).
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `Retry-After` for a caller with too many streams.
const CALLER_RETRY_AFTER: Duration = Duration::from_secs(5);

/// An event of the stream: its name is `event`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum ResultEvent {
    /// The transcript is stored.
    Transcript(TranscriptReady),
    /// The assessment is stored.
    Assessment(AssessmentReady),
    /// There will be no assessment.
    Failed(AssessmentFailed),
    /// The conversation, or its scores, is counted.
    Progress(ProgressCounted),
    /// The stream has ended.
    Complete(Complete),
}

/// Results of a conversation.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/conversations/{id}/results", "followResults", results)
            .summary(
                "Follow the results of a conversation",
                "Server-sent events: `transcript`, `assessment` or `failed`, `progress` when the conversation is counted and \
                 again when its scores are, and `complete`, after which the stream ends. `Last-Event-ID` resumes a stream. \
                 A stream is open for at most ten minutes; a caller has at most four.",
            )
            .returns_content::<ResultEvent>(
                200,
                EVENT_STREAM,
                "The events. The schema has the name of an event as `event` and its data as `data`.",
            )
            .returns(204, "The client has received all events.")
            .problems(&[Code::TooManyRequests, Code::Busy]),
    ]
}

async fn results(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    session: SessionWatch,
    Path(id): Path<ConversationId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    own(&app, &user_id, id).await?;
    let sent = SentFacts::parse(last_event_id(&headers));
    if sent.is_complete() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let results = &app.stores.results;
    let permit = results.permits().take(&user_id)?;
    let following = Following {
        id,
        sent,
        seen: results.watch(id),
        waiting: VecDeque::new(),
        deadline: Instant::now() + STREAM_MAX,
        shutdown: results.shutdown().clone(),
        over: false,
        _permit: permit,
    };
    Ok(sse(stream::unfold(following, next), session))
}

/// One open stream.
struct Following {
    id: ConversationId,
    sent: SentFacts,
    seen: watch::Receiver<Seen>,
    waiting: VecDeque<Fact>,
    deadline: Instant,
    shutdown: CancellationToken,
    /// The stream ends after the waiting facts.
    over: bool,
    _permit: StreamPermit,
}

async fn next(mut following: Following) -> Option<(Result<Event, Infallible>, Following)> {
    loop {
        if let Some(fact) = following.waiting.pop_front() {
            let event = Event::default().event(fact.name).id(fact.id).data(fact.data);
            return Some((Ok(event), following));
        }
        if following.over {
            return None;
        }
        let gone = {
            let seen = following.seen.borrow_and_update();
            following.waiting.extend(seen.snapshot.take_unsent(following.id, &mut following.sent));
            seen.gone
        };
        following.over = gone || following.sent.is_complete();
        if following.over || !following.waiting.is_empty() {
            continue;
        }
        tokio::select! {
            changed = following.seen.changed() => following.over = changed.is_err(),
            () = tokio::time::sleep_until(following.deadline) => following.over = true,
            () = following.shutdown.cancelled() => following.over = true,
        }
    }
}

/// The event whose schema is that of `value`: a name in `event`, and its `data`.
pub(super) fn typed(value: &impl Serialize) -> Event {
    let value = serde_json::to_value(value).expect("events have string keys and finite numbers only");
    Event::default().event(value["event"].as_str().unwrap_or_default()).data(value["data"].to_string())
}

/// A response that streams `events` until the session of the caller ends.
pub(super) fn sse(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
    session: SessionWatch,
) -> Response {
    let events = events.take_until(async move { session.ended().await });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // A proxy that buffers responses would delay the events.
    response.headers_mut().insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    response
}

/// The id of the last event that the client received.
pub(super) fn last_event_id(headers: &HeaderMap) -> &str {
    headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl From<StreamLimitError> for ApiError {
    fn from(error: StreamLimitError) -> Self {
        match error {
            StreamLimitError::Caller => Self::TooManyRequests { after: CALLER_RETRY_AFTER },
            StreamLimitError::Full => Self::refused(Code::Busy, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{
        permits::StreamPermits,
        snapshot::{Counted, Snapshot},
    };

    fn id() -> ConversationId {
        "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap()
    }

    fn following(seen: watch::Receiver<Seen>) -> Following {
        Following {
            id: id(),
            sent: SentFacts::default(),
            seen,
            waiting: VecDeque::new(),
            deadline: Instant::now() + STREAM_MAX,
            shutdown: CancellationToken::new(),
            over: false,
            _permit: StreamPermits::default().take(&"learner-1".parse().unwrap()).unwrap(),
        }
    }

    #[test]
    fn events_are_those_of_the_schema() {
        let schema = serde_json::to_value(schemars::schema_for!(ResultEvent)).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let counted = |counted| ProgressCounted {
            conversation_id: id(),
            counted,
            date: "2026-11-24".to_owned(),
            milestones: Vec::new(),
            current_streak_days: 1,
            longest_streak_days: 1,
            conversations: 1,
            level: None,
            direction: None,
        };
        let snapshot = Snapshot {
            transcript: Some(TranscriptReady {
                conversation_id: id(),
                turns: 3,
                reason: events::contract::EndReason::Learner,
                href: String::new(),
            }),
            assessment: Some(AssessmentReady {
                conversation_id: id(),
                overall: 70,
                cefr: events::contract::Level::B1,
                simulated: true,
                href: String::new(),
            }),
            failed: Some(AssessmentFailed {
                conversation_id: id(),
                failure: events::contract::AnalysisFailure::Refused,
            }),
            activity: Some(counted(Counted::Activity)),
            scores: Some(counted(Counted::Scores)),
        };
        let facts = snapshot.take_unsent(id(), &mut SentFacts::default());
        assert_eq!(facts.len(), 6);
        for Fact { name, data, .. } in facts {
            let data: serde_json::Value = serde_json::from_str(&data).unwrap();
            let event = serde_json::json!({ "event": name, "data": data });
            assert!(schema.is_valid(&event), "{event}");
            let other = serde_json::json!({ "event": "other", "data": data });
            assert!(!schema.is_valid(&other));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_has_a_longest_time_and_tells_what_comes_until_then() {
        let (sender, seen) = watch::channel(Seen::default());
        let (following, began) = (following(seen), Instant::now());
        let transcript = TranscriptReady {
            conversation_id: id(),
            turns: 3,
            reason: events::contract::EndReason::Learner,
            href: String::new(),
        };
        tokio::spawn(async move {
            tokio::time::sleep(STREAM_MAX / 2).await;
            sender.send_modify(|seen| {
                seen.snapshot = Snapshot { transcript: Some(transcript), ..Snapshot::default() };
            });
            std::future::pending::<()>().await;
        });
        let (_, following) = next(following).await.unwrap();
        assert_eq!(began.elapsed(), STREAM_MAX / 2);
        assert!(next(following).await.is_none());
        assert_eq!(began.elapsed(), STREAM_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_its_conversation_and_with_the_task() {
        let began = Instant::now();
        let (_sender, seen) = watch::channel(Seen { gone: true, ..Seen::default() });
        assert!(next(following(seen)).await.is_none(), "the conversation was deleted");
        let (_sender, seen) = watch::channel(Seen::default());
        let stopping = following(seen);
        stopping.shutdown.cancel();
        assert!(next(stopping).await.is_none());
        let (sender, seen) = watch::channel(Seen::default());
        drop(sender);
        assert!(next(following(seen)).await.is_none(), "the poll has stopped");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_news_says_that_it_is_alive() {
        let (_sender, seen) = watch::channel(Seen::default());
        let response = sse(stream::unfold(following(seen), next), SessionWatch::detached());
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let comments = body.iter().filter(|byte| **byte == b':').count();
        assert_eq!(u64::try_from(comments).unwrap(), STREAM_MAX.as_secs() / KEEP_ALIVE.as_secs() - 1);
    }
}
