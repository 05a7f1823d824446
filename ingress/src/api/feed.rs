//! `GET /api/results`: the results of all learners as they are counted, as server-sent events, for analysts. A lost stream
//! resumes with `Last-Event-ID`, up to a day later.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use futures_util::stream;
use http::HeaderMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{sync::broadcast, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    audit,
    caller::Analyst,
    problem::{ApiError, Code},
    results::{EVENT_STREAM, last_event_id, sse, typed},
    route::{Route, get},
};
use crate::{
    account::sessions::SessionWatch,
    app::AppState,
    results::{STREAM_MAX, feed::LearnerResult, permits::StreamPermit},
};

/// An event of the stream: its name is `event`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum FeedEvent {
    /// Something was counted for a learner.
    Result(LearnerResult),
}

/// Results of all learners.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/results", "followAllResults", feed)
            .summary(
                "Follow the results of all learners",
                "Server-sent events named `result`: a learner for whom something was counted, with name, scores and the totals \
                 after it. Two results of a learner within a few seconds are sent as one. `Last-Event-ID` resumes a stream, up to \
                 a day later; a resumed stream with more than 66 results to send ends after them, and is resumed again. A \
                 stream is open for at most ten minutes.",
            )
            .returns_content::<FeedEvent>(
                200,
                EVENT_STREAM,
                "The events. The schema has the name of an event as `event` and its data as `data`.",
            )
            .problems(&[Code::TooManyRequests, Code::Busy]),
    ]
}

async fn feed(
    State(app): State<Arc<AppState>>,
    Analyst(user_id): Analyst,
    session: SessionWatch,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    audit::record(&app, &user_id, "followResults", &[]).await?;
    let results = &app.stores.results;
    let permit = results.permits().take(&user_id)?;
    // Subscribing comes first: what is counted meanwhile is then in one of the two.
    let coming = app.stores.feed.follow();
    let past = app.stores.feed.since(last_event_id(&headers), Timestamp::now()).await;
    let (past, is_cut) = past.map_err(ApiError::Internal)?;
    let following = Following {
        past: past.into(),
        is_cut,
        coming,
        deadline: Instant::now() + STREAM_MAX,
        shutdown: results.shutdown().clone(),
        _permit: permit,
    };
    Ok(sse(stream::unfold(following, next), session))
}

/// One open stream.
struct Following {
    past: VecDeque<LearnerResult>,
    /// Whether more is past than a request may read: the stream ends, and the client resumes it.
    is_cut: bool,
    coming: broadcast::Receiver<Arc<LearnerResult>>,
    deadline: Instant,
    shutdown: CancellationToken,
    _permit: StreamPermit,
}

async fn next(mut following: Following) -> Option<(Result<Event, Infallible>, Following)> {
    if let Some(result) = following.past.pop_front() {
        return Some((Ok(event(&result)), following));
    }
    if following.is_cut {
        return None;
    }
    tokio::select! {
        // A stream that is too far behind is closed; the client resumes with the id of its last event.
        result = following.coming.recv() => result.ok().map(|result| (Ok(event(&result)), following)),
        () = tokio::time::sleep_until(following.deadline) => None,
        () = following.shutdown.cancelled() => None,
    }
}

fn event(result: &LearnerResult) -> Event {
    typed(&FeedEvent::Result(result.clone())).id(result.event_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{results::permits::StreamPermits, store::progress::Total};

    #[tokio::test]
    async fn whoever_is_too_far_behind_is_let_go() {
        let (sender, coming) = broadcast::channel(2);
        let caller = "analyst-1".parse().unwrap();
        let mut following = Following {
            past: VecDeque::new(),
            is_cut: false,
            coming,
            deadline: Instant::now() + STREAM_MAX,
            shutdown: CancellationToken::new(),
            _permit: StreamPermits::default().take(&caller).unwrap(),
        };
        let result = LearnerResult {
            user_id: "learner-1".parse().unwrap(),
            name: "Mina".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            conversation_id: None,
            scored: None,
            total: Total::default(),
        };
        let send = || assert_eq!(sender.send(Arc::new(result.clone())).unwrap(), 1);
        send();
        following = next(following).await.unwrap().1;
        (0..3).for_each(|_| send());
        assert!(next(following).await.is_none());
    }

    #[tokio::test]
    async fn stream_with_more_past_than_a_request_may_read_ends_after_it() {
        let (_sender, coming) = broadcast::channel(2);
        let caller = "analyst-1".parse().unwrap();
        let result = LearnerResult {
            user_id: "learner-1".parse().unwrap(),
            name: "Mina".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            conversation_id: None,
            scored: None,
            total: Total::default(),
        };
        let following = Following {
            past: VecDeque::from([result]),
            is_cut: true,
            coming,
            deadline: Instant::now() + STREAM_MAX,
            shutdown: CancellationToken::new(),
            _permit: StreamPermits::default().take(&caller).unwrap(),
        };
        let following = next(following).await.unwrap().1;
        assert!(next(following).await.is_none());
    }
}
