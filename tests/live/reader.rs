//! A caller of the API: plain requests, and streams of server-sent events.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tests::live::Live;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Somebody with an access token.
pub(crate) struct Reader<'a> {
    live: &'a Live,
    token: String,
}

/// A stream of events.
pub(crate) struct Stream {
    response: Response,
    read: String,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl<'a> Reader<'a> {
    pub(crate) fn learner(live: &'a Live, user_id: &str) -> Self {
        Self { live, token: live.token(user_id).unwrap() }
    }

    pub(crate) fn analyst(live: &'a Live) -> Self {
        let claims = json!({ "cognito:groups": ["analysts"] });
        Self { live, token: live.token_with("analyst-1", &claims).unwrap() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.live.http().request(method, format!("{}{path}", self.live.url())).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// The text of a good answer in this form.
    pub(crate) async fn text(&self, path: &str, accept: &str) -> String {
        let response = self.request(Method::GET, path).header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with(accept), "{path} is {kind}");
        response.text().await.unwrap()
    }

    /// Opens a stream, behind the event with this id.
    pub(crate) async fn follow(&self, path: &str, last_event_id: &str) -> Stream {
        let response = self.stream(path, last_event_id).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { response, read: String::new() }
    }

    /// The answer to the wish for a stream.
    pub(crate) async fn stream(&self, path: &str, last_event_id: &str) -> Response {
        let mut request = self.request(Method::GET, path);
        if !last_event_id.is_empty() {
            request = request.header("last-event-id", last_event_id);
        }
        request.send().await.unwrap()
    }
}

impl Stream {
    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let event = parse(block);
                self.read = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream goes on");
            self.read.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// All events until the stream ends.
    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

/// `None` of a comment.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(':') {
            Some(("event", name)) => name.trim().clone_into(&mut event.name),
            Some(("id", id)) => id.trim().clone_into(&mut event.id),
            Some(("data", data)) => event.data = serde_json::from_str(data.trim()).unwrap(),
            Some(("", _)) => {}
            other => panic!("no line of an event: {other:?}"),
        }
    }
    (!event.name.is_empty()).then_some(event)
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let mut body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    // It differs from answer to answer.
    if let Some(problem) = body.as_object_mut().filter(|_| !status.is_success()) {
        problem.remove("requestId");
    }
    (status, body)
}
