//! `GET /api/results`: the results of all learners as they are counted, as server-sent events, for analysts. A stream that
//! was lost is taken up with `Last-Event-ID`, up to a day later.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use futures_util::stream;
use http::HeaderMap;
use jiff::Timestamp;
use tokio::{sync::broadcast, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    results::{EVENT_STREAM, last_event_id, no_place, sse},
    route::{Route, get},
};
use crate::{
    account::auth::Analyst,
    api::problem::{ApiError, Code},
    app::AppState,
    results::{STREAM_MAX, feed::LearnerResult, places::Place},
};

/// The name of an event.
const RESULT: &str = "result";

/// Results of everybody.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/results", "followAllResults", feed)
            .says(
                "Everybody's results as they come",
                "Server-sent events named `result`: a learner of whom something was counted, and where the learner stands \
                 since. Two within a few seconds are told as one. `Last-Event-ID` takes a stream up, up to a day later. A \
                 stream is open for ten minutes at most.",
            )
            .answers_with::<LearnerResult>(200, EVENT_STREAM, "The events; the schema is that of their data.")
            .problems(&[Code::TooManyRequests, Code::Busy]),
    ]
}

/// The stream.
///
/// # Errors
/// 401, 403, 429 for too many streams of the caller, 503 for too many in all.
pub async fn feed(
    State(app): State<Arc<AppState>>,
    Analyst(user_id): Analyst,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let results = &app.stores.results;
    let place = results.places().take(&user_id).map_err(no_place)?;
    // First the stream, then the past: what is counted meanwhile is in one of them.
    let coming = app.stores.feed.follow();
    let past = app.stores.feed.since(last_event_id(&headers), Timestamp::now()).await;
    let past = past.map_err(ApiError::Internal)?;
    let following = Following {
        past: past.into(),
        coming,
        deadline: Instant::now() + STREAM_MAX,
        shutdown: results.shutdown().clone(),
        _place: place,
    };
    Ok(sse(stream::unfold(following, next)))
}

/// One open stream.
struct Following {
    past: VecDeque<LearnerResult>,
    coming: broadcast::Receiver<Arc<LearnerResult>>,
    deadline: Instant,
    shutdown: CancellationToken,
    _place: Place,
}

async fn next(mut following: Following) -> Option<(Result<Event, Infallible>, Following)> {
    if let Some(result) = following.past.pop_front() {
        return Some((Ok(event(&result)), following));
    }
    tokio::select! {
        // Whoever is too far behind is let go, and comes back with the id of the last event.
        result = following.coming.recv() => result.ok().map(|result| (Ok(event(&result)), following)),
        () = tokio::time::sleep_until(following.deadline) => None,
        () = following.shutdown.cancelled() => None,
    }
}

fn event(result: &LearnerResult) -> Event {
    let data = serde_json::to_string(result).expect("a result has string keys and finite numbers only");
    Event::default().event(RESULT).id(result.event_id()).data(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{results::places::Places, store::progress::Total};

    #[tokio::test]
    async fn whoever_is_too_far_behind_is_let_go() {
        let (sender, coming) = broadcast::channel(2);
        let caller = "analyst-1".parse().unwrap();
        let mut following = Following {
            past: VecDeque::new(),
            coming,
            deadline: Instant::now() + STREAM_MAX,
            shutdown: CancellationToken::new(),
            _place: Places::default().take(&caller).unwrap(),
        };
        let result = LearnerResult {
            user_id: "learner-1".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            conversation_id: None,
            total: Total::default(),
        };
        let send = || assert_eq!(sender.send(Arc::new(result.clone())).unwrap(), 1);
        send();
        following = next(following).await.unwrap().1;
        (0..3).for_each(|_| send());
        assert!(next(following).await.is_none());
    }
}
