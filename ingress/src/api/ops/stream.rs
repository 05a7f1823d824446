//! `GET /api/ops/events`: what operators see, as server-sent events. Each event is a whole list and replaces the former one, so a
//! lost stream is just opened again.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    account::sessions::SessionWatch,
    api::{
        caller::Operator,
        problem::{ApiError, Code},
        results::{EVENT_STREAM, sse, typed},
        route::{Route, get},
    },
    app::AppState,
    results::{STREAM_MAX, permits::StreamPermit},
    store::ops::{alarms::Alarms, alerts::AlertView, queues::Queues, workers::Workers},
};

/// Interval in which a stream looks for changes. What it looks at is read less often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// An event of the stream: its name is `event`, its data is the list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum OpsEvent {
    /// The queues, without samples.
    Queues(Arc<Queues>),
    /// The workers.
    Workers(Arc<Workers>),
    /// The alarms.
    Alarms(Arc<Alarms>),
    /// The latest alerts, newest first.
    Alerts(Arc<Vec<AlertView>>),
    /// A list that cannot be read at the moment. The former one is out of date.
    Unavailable(Source),
}

/// A list of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Queues,
    Workers,
    Alarms,
    Alerts,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/ops/events", "followOperations", follow)
            .summary(
                "Follow queues, workers, alarms and alerts",
                "Server-sent events, each with a whole list as its data: `queues` (without samples), `workers`, `alarms` and \
                 `alerts` (the latest 20), first all of them and then each that has changed. `unavailable` names a list that \
                 cannot be read at the moment. A stream is open for at most ten minutes; a caller has at most four.",
            )
            .returns_content::<OpsEvent>(
                200,
                EVENT_STREAM,
                "The events. The schema has the name of an event as `event` and its data as `data`.",
            )
            .problems(&[Code::TooManyRequests, Code::Busy]),
    ]
}

async fn follow(
    State(app): State<Arc<AppState>>,
    Operator(user_id): Operator,
    session: SessionWatch,
) -> Result<Response, ApiError> {
    let permit = app.stores.results.permits().take(&user_id)?;
    let following = Following {
        app,
        sent: Sent::default(),
        waiting: VecDeque::new(),
        next_look: Instant::now(),
        deadline: Instant::now() + STREAM_MAX,
        _permit: permit,
    };
    Ok(sse(stream::unfold(following, next), session))
}

/// One open stream.
struct Following {
    app: Arc<AppState>,
    sent: Sent,
    waiting: VecDeque<OpsEvent>,
    next_look: Instant,
    deadline: Instant,
    _permit: StreamPermit,
}

/// What was sent last of each list.
#[derive(Default)]
struct Sent {
    queues: Last<Queues>,
    workers: Last<Workers>,
    alarms: Last<Alarms>,
    alerts: Last<Vec<AlertView>>,
}

/// Nothing yet, or a list that could be read or not.
type Last<T> = Option<Option<Arc<T>>>;

async fn next(mut following: Following) -> Option<(Result<Event, Infallible>, Following)> {
    loop {
        if let Some(event) = following.waiting.pop_front() {
            return Some((Ok(typed(&event)), following));
        }
        let shutdown = following.app.stores.results.shutdown().clone();
        tokio::select! {
            () = tokio::time::sleep_until(following.next_look) => {}
            () = tokio::time::sleep_until(following.deadline) => return None,
            () = shutdown.cancelled() => return None,
        }
        Box::pin(following.look()).await;
        following.next_look = Instant::now() + LOOK_INTERVAL;
    }
}

impl Following {
    async fn look(&mut self) {
        let operations = &self.app.operations;
        let (queues, workers, alarms, alerts) = tokio::join!(
            operations.queues(),
            operations.workers(),
            operations.alarms(),
            operations.latest_alerts()
        );
        let (sent, waiting) = (&mut self.sent, &mut self.waiting);
        waiting.extend(change(&mut sent.alarms, alarms, OpsEvent::Alarms, Source::Alarms));
        waiting.extend(change(&mut sent.queues, queues, OpsEvent::Queues, Source::Queues));
        waiting.extend(change(&mut sent.workers, workers, OpsEvent::Workers, Source::Workers));
        waiting.extend(change(&mut sent.alerts, alerts, OpsEvent::Alerts, Source::Alerts));
    }
}

/// The event of a list that is not what was sent last.
fn change<T: PartialEq>(
    last: &mut Last<T>,
    now: Option<Arc<T>>,
    event: fn(Arc<T>) -> OpsEvent,
    source: Source,
) -> Option<OpsEvent> {
    if last.as_ref() == Some(&now) {
        return None;
    }
    *last = Some(now.clone());
    Some(now.map_or(OpsEvent::Unavailable(source), event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_sent_once_until_it_changes_and_its_loss_is_said_once() {
        let list = || Some(Arc::new(Alarms { items: Vec::new() }));
        let mut last = None;
        let mut look = |now| {
            let event = change(&mut last, now, OpsEvent::Alarms, Source::Alarms);
            event.map(|event| match event {
                OpsEvent::Unavailable(source) => format!("{source:?} unavailable"),
                OpsEvent::Queues(_) | OpsEvent::Workers(_) | OpsEvent::Alarms(_) | OpsEvent::Alerts(_) => {
                    "list".to_owned()
                }
            })
        };
        assert_eq!(look(list()).as_deref(), Some("list"));
        assert_eq!(look(list()), None);
        assert_eq!(look(None).as_deref(), Some("Alarms unavailable"));
        assert_eq!(look(None), None);
        assert_eq!(look(list()).as_deref(), Some("list"));
    }
}
