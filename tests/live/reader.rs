//! A caller of the API: plain requests, and streams of server-sent events.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use ingress::account::auth::Roles;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tests::{live::Live, sse::Stream};

/// A caller with an access token.
pub(crate) struct Reader<'a> {
    live: &'a Live,
    token: String,
}

impl<'a> Reader<'a> {
    pub(crate) fn learner(live: &'a Live, user_id: &str) -> Self {
        Self { live, token: live.token(user_id).unwrap() }
    }

    pub(crate) fn analyst(live: &'a Live) -> Self {
        let roles = Roles { analyst: true, ..Roles::default() };
        Self { live, token: live.token_with("analyst-1", roles).unwrap() }
    }

    pub(crate) fn operator(live: &'a Live) -> Self {
        let roles = Roles { operator: true, ..Roles::default() };
        Self { live, token: live.token_with("operator-1", roles).unwrap() }
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
        Stream::new(response)
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
