//! `GET /api/conversations/{id}/results`: what comes of a conversation, as server-sent events, each fact once: `transcript`,
//! `assessment` or `failed`, `progress` twice (the conversation is counted, then its scores), and at last `complete`.
//!
//! A page that lost the stream comes back with the header `Last-Event-ID` and is told the rest, by any task. A page without
//! one is told everything that has come so far. Streams are opened with an access token in the header, so a page reads them
//! with `fetch`; `EventSource` cannot send one.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use events::contract::ConversationId;
use futures_util::{Stream, stream};
use http::{HeaderMap, StatusCode};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    extract::Path,
    history::own,
    route::{Route, get},
};
use crate::{
    account::auth::Learner,
    api::problem::{ApiError, Code},
    app::AppState,
    results::{
        STREAM_MAX, Seen,
        places::{NoPlace, Place},
        snapshot::{Fact, Told},
    },
};

/// The header with which a caller takes a stream up.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// The media type of a stream.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// A comment is sent when nothing else was for so long: below the idle timeout of the load balancer (60 s).
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When a caller who has too many streams may try again.
const CALLER_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Results of a conversation.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/conversations/{id}/results", "followResults", results)
            .says(
                "What comes of a conversation",
                "Server-sent events: `transcript`, `assessment` or `failed`, `progress` when the conversation is counted and \
                 again when its scores are, and `complete`, after which the stream ends. `Last-Event-ID` takes a stream \
                 up. A stream is open for ten minutes at most; a caller has four at most.",
            )
            .answers_with::<String>(200, EVENT_STREAM, "The events.")
            .answers(204, "The caller has been told everything.")
            .problems(&[Code::TooManyRequests, Code::Busy]),
    ]
}

/// The stream.
///
/// # Errors
/// 401, 404, 429 for too many streams of the caller, 503 for too many in all.
pub async fn results(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(id): Path<ConversationId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    own(&app, &user_id, id).await?;
    let told = Told::until(last_event_id(&headers));
    if told.is_complete() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let results = &app.stores.results;
    let place = results.places().take(&user_id).map_err(no_place)?;
    let following = Following {
        id,
        told,
        seen: results.watch(id),
        waiting: VecDeque::new(),
        deadline: Instant::now() + STREAM_MAX,
        shutdown: results.shutdown().clone(),
        over: false,
        _place: place,
    };
    Ok(sse(stream::unfold(following, next)))
}

/// One open stream.
struct Following {
    id: ConversationId,
    told: Told,
    seen: watch::Receiver<Seen>,
    waiting: VecDeque<Fact>,
    deadline: Instant,
    shutdown: CancellationToken,
    /// Nothing more will come.
    over: bool,
    _place: Place,
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
            following.waiting.extend(seen.snapshot.tell(following.id, &mut following.told));
            seen.gone
        };
        following.over = gone || following.told.is_complete();
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

/// The answer that is `events`.
pub(super) fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // A proxy that collects an answer before it passes it on would hold events back.
    response.headers_mut().insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    response
}

/// What the caller was told last.
pub(super) fn last_event_id(headers: &HeaderMap) -> &str {
    headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The refusal of a caller for whom there is no place.
pub(super) fn no_place(why: NoPlace) -> ApiError {
    match why {
        NoPlace::Caller => ApiError::TooManyRequests { after: CALLER_RETRY_AFTER },
        NoPlace::Full => ApiError::refused(Code::Busy, why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{
        places::Places,
        snapshot::{Snapshot, TranscriptReady},
    };

    fn id() -> ConversationId {
        "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap()
    }

    fn following(seen: watch::Receiver<Seen>) -> Following {
        Following {
            id: id(),
            told: Told::default(),
            seen,
            waiting: VecDeque::new(),
            deadline: Instant::now() + STREAM_MAX,
            shutdown: CancellationToken::new(),
            over: false,
            _place: Places::default().take(&"learner-1".parse().unwrap()).unwrap(),
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
        assert!(next(following(seen)).await.is_none(), "nobody looks any more");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_news_says_that_it_is_alive() {
        let (_sender, seen) = watch::channel(Seen::default());
        let response = sse(stream::unfold(following(seen), next));
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let comments = body.iter().filter(|byte| **byte == b':').count();
        assert_eq!(u64::try_from(comments).unwrap(), STREAM_MAX.as_secs() / KEEP_ALIVE.as_secs() - 1);
    }
}
