//! The access log: one line for each request, with the target `access`, and the counts of all requests.
//!
//! A line has the method, the route with its placeholders, the status, the milliseconds until the response began, the bytes
//! of the body that were sent, and the request id. It has no path, no query string and no header, so that no id of a
//! conversation, ticket or token is in it. It is written when the body has been sent or the client has left; a line
//! without status is a client that left before the response. The line of a WebSocket is written at the upgrade, with the
//! status 101. Lines of the health check have the level debug.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use events::runtime::ACCESS_LOG;
use http::{Method, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::problem::{Code, REQUEST_ID};
use crate::{
    metrics::Metrics,
    security::{SecurityEvent, security_event},
};

/// The route of the health check, whose lines have the level debug.
const HEALTH: &str = "/health";

/// The route of requests that no route matches.
const UNMATCHED: &str = "other";

/// Writes the line of the request and counts it. It belongs inside of the middleware that gives the request its id.
pub async fn log(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let mut line = Line::new(&request);
    let response = next.run(request).await;
    line.took = line.start.elapsed();
    line.status = Some(response.status());
    metrics.request(response.status(), line.took);
    if let Some(kind) = response.extensions().get::<Code>().copied().and_then(security_kind) {
        security_event(&metrics, kind, None, &line.route);
    }
    response.map(|body| Body::new(Counted { body, line }))
}

/// The security event that a problem is. Its caller is unknown here; the line of the access log has the same route.
fn security_kind(code: Code) -> Option<SecurityEvent> {
    let kinds = [
        (Code::TooManyRequests, SecurityEvent::LimitReached),
        (Code::ConversationQuotaReached, SecurityEvent::LimitReached),
        (Code::SpendingLimitReached, SecurityEvent::SpendingLimitReached),
        (Code::RoleMissing, SecurityEvent::RoleMissing),
    ];
    kinds.into_iter().find(|(known, _)| *known == code).map(|(_, kind)| kind)
}

/// The line of one request, written when it is dropped.
#[derive(Debug)]
struct Line {
    method: Method,
    route: String,
    request_id: String,
    start: Instant,
    took: Duration,
    /// `None` before the response begins.
    status: Option<StatusCode>,
    bytes: u64,
}

impl Line {
    fn new(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str);
        Self {
            method: request.method().clone(),
            route: route.to_owned(),
            request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
            start: Instant::now(),
            took: Duration::ZERO,
            status: None,
            bytes: 0,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { route, request_id, bytes, .. } = &*self;
        // A client can send any token as its method.
        let method = if self.route == UNMATCHED { known(&self.method) } else { self.method.as_str() };
        let took = if self.status.is_some() { self.took } else { self.start.elapsed() };
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let status = self.status.map(|status| status.as_u16());
        if route == HEALTH {
            tracing::debug!(target: ACCESS_LOG, method, route, status, ms, bytes, request_id, "request");
        } else {
            tracing::info!(target: ACCESS_LOG, method, route, status, ms, bytes, request_id, "request");
        }
    }
}

/// The name of a standard method.
fn known(method: &Method) -> &str {
    const KNOWN: [Method; 8] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
    ];
    if KNOWN.contains(method) { method.as_str() } else { UNMATCHED }
}

/// A body that counts what was sent of it.
struct Counted {
    body: Body,
    line: Line,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.line.bytes += u64::try_from(data.len()).unwrap_or(u64::MAX);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use axum::{Router, middleware, routing::get};
    use events::runtime::{SECURITY_LOG, log_filter};
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::api::{middleware::request_id, problem::ApiError, role::Role};

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const SECRET: &str = "eyJhbGciOiJSUzI1NiJ9";

    /// What was logged.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Written {
        fn lines(&self) -> Vec<Value> {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let text = String::from_utf8(bytes).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn router(metrics: &Arc<Metrics>) -> Router {
        let upgrade = async || StatusCode::SWITCHING_PROTOCOLS;
        Router::new()
            .route("/api/conversations/{id}", get(async || "hello").delete(async || StatusCode::NOT_FOUND))
            .route("/api/conversations/{id}/live", get(upgrade))
            .route("/limited", get(async || ApiError::TooManyRequests { after: Duration::ZERO }))
            .route("/analysts", get(async || ApiError::Forbidden(Role::Analyst)))
            .route("/never", get(std::future::pending::<()>))
            .route(HEALTH, get(async || "ok"))
            .layer(middleware::from_fn_with_state(Arc::clone(metrics), log))
            .layer(middleware::from_fn(request_id))
    }

    fn request(method: &str, uri: &str) -> Request {
        let request = http::Request::builder().method(method).uri(uri);
        let request = request.header("authorization", format!("Bearer {SECRET}"));
        request.header("x-request-id", "request-1").body(Body::empty()).unwrap()
    }

    /// The lines of these requests, whose bodies are read, at the level debug.
    async fn lines_of(requests: &[(&str, String)]) -> Vec<Value> {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(log_filter(Some("debug")).unwrap())
            .with_writer(written.clone());
        let _logged = tracing::subscriber::set_default(subscriber.finish());
        let metrics = Arc::default();
        for (method, uri) in requests {
            let response = router(&metrics).oneshot(request(method, uri)).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
        written.lines()
    }

    #[tokio::test]
    async fn each_request_is_one_line_without_path_query_or_token() {
        let conversation = format!("/api/conversations/{ID}");
        let lines = lines_of(&[
            ("GET", format!("{conversation}?access_token={SECRET}")),
            ("DELETE", conversation.clone()),
            ("POST", conversation.clone()),
            ("GET", format!("{conversation}/live?turns=3&{SECRET}")),
            (SECRET, format!("/{SECRET}/{ID}?token={SECRET}")),
            ("GET", HEALTH.to_owned()),
        ])
        .await;
        let routes: Vec<_> = lines
            .iter()
            .map(|line| {
                let text = |name: &str| line[name].as_str().unwrap().to_owned();
                let number = |name: &str| line[name].as_u64().unwrap();
                (text("method"), text("route"), number("status"), number("bytes"), text("level"))
            })
            .collect();
        let expected = [
            ("GET", "/api/conversations/{id}", 200, 5, "INFO"),
            ("DELETE", "/api/conversations/{id}", 404, 0, "INFO"),
            ("POST", "/api/conversations/{id}", 405, 0, "INFO"),
            ("GET", "/api/conversations/{id}/live", 101, 0, "INFO"),
            (UNMATCHED, UNMATCHED, 404, 0, "INFO"),
            ("GET", HEALTH, 200, 2, "DEBUG"),
        ];
        let expected = expected.map(|(method, route, status, bytes, level)| {
            (method.to_owned(), route.to_owned(), status, bytes, level.to_owned())
        });
        assert_eq!(routes, expected);
        for line in &lines {
            assert_eq!((&line["target"], &line["request_id"]), (&ACCESS_LOG.into(), &"request-1".into()));
            assert!(line["ms"].is_u64(), "{line}");
            let text = line.to_string();
            assert!(!text.contains(SECRET) && !text.contains(ID), "{text}");
        }
    }

    #[tokio::test]
    async fn limit_and_missing_role_are_security_events() {
        let requests = ["/limited", "/analysts", "/health"].map(|path| ("GET", path.to_owned()));
        let lines = lines_of(&requests).await;
        let events: Vec<_> = lines
            .iter()
            .filter(|line| line["target"] == SECURITY_LOG)
            .map(|line| ["event", "detail", "level"].map(|name| line[name].as_str().unwrap()))
            .collect();
        assert_eq!(events, [["limit_reached", "/limited", "WARN"], ["role_missing", "/analysts", "WARN"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_leaves_early_is_a_line_without_status() {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(log_filter(None).unwrap())
            .with_writer(written.clone());
        let _logged = tracing::subscriber::set_default(subscriber.finish());
        let metrics = Arc::default();
        let pending = router(&metrics).oneshot(request("GET", "/never"));
        let waited = tokio::time::timeout(Duration::from_millis(70), pending).await;
        assert!(waited.is_err());
        let lines = written.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!((&lines[0]["status"], &lines[0]["ms"]), (&Value::Null, &70.into()));
    }
}
