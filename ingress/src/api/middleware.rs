//! Middleware of all routes: request id, timeout, CORS, and the response headers that protect a browser.

use std::time::Duration;

use axum::{Router, extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue, Method, header};
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

use super::problem::{ApiError, REQUEST_ID};

/// Maximum size of a request body, in bytes; a route can set another.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Timeout until the response begins, or a WebSocket is accepted.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a browser caches a CORS preflight.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);

pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of a request id from the caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Request headers that another origin may send, besides the CORS-safelisted ones.
const REQUEST_HEADERS: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-nova-csrf"),
    HeaderName::from_static("x-requested-with"),
    REQUEST_ID_HEADER,
];

/// Response headers that another origin may read, besides the CORS-safelisted ones.
const RESPONSE_HEADERS: [HeaderName; 6] = [
    header::CONTENT_DISPOSITION,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    REQUEST_ID_HEADER,
];

/// Headers of every response, unless its handler sets them.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    // Two years. Browsers ignore it over plain HTTP, as in local development.
    (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Gives every request an id and returns it with the response. An id from the caller is kept if it has only letters, digits
/// and hyphens.
pub async fn request_id(request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID_HEADER).and_then(|value| value.to_str().ok());
    let is_plain = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(allowed)
    };
    let id = given.filter(is_plain).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    response
}

/// Limits the time until a response begins. The stream that follows, e.g. server-sent events, may take longer.
pub async fn timeout(request: Request, next: Next) -> Result<Response, ApiError> {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.map_err(|_| ApiError::Timeout)
}

/// Adds [`HEADERS`] to the responses of `router`.
pub fn default_headers<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    HEADERS.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    })
}

/// Allows pages of `origin`, and of no other, to call the API with cookies and to read the responses. Without this, only
/// pages of the API's own origin can.
pub fn cors(origin: HeaderValue) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list([origin]))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(PREFLIGHT_AGE)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{Router, body::Body, middleware, response::IntoResponse as _, routing::get};
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};
    use http::StatusCode;
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;
    use tower::ServiceExt as _;

    use super::*;

    fn router(origin: Option<&'static str>) -> Router {
        let kept = async || ([(header::CACHE_CONTROL, "private, max-age=5")], "x").into_response();
        let router = Router::new()
            .route("/", get(async || "x"))
            .route("/kept", get(kept))
            .route("/never", get(std::future::pending::<()>))
            .route("/stream", get(stream))
            .layer(middleware::from_fn(timeout));
        let router = match origin {
            Some(origin) => router.layer(cors(HeaderValue::from_static(origin))),
            None => router,
        };
        default_headers(router).layer(middleware::from_fn(request_id))
    }

    /// An event each time, as long as a request may take.
    async fn stream() -> Response {
        let events = stream::unfold((), async |()| {
            tokio::time::sleep(REQUEST_TIMEOUT).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"data: x\n\n")), ()))
        });
        Body::from_stream(events.take(3)).into_response()
    }

    async fn ask(router: Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_answer_has_the_headers_that_protect_a_browser() {
        for path in ["/", "/nothing"] {
            let answer = ask(router(None), Method::GET, path, &[]).await;
            for (name, value) in HEADERS {
                assert_eq!(answer.headers()[&name], value, "{path}: {name}");
            }
        }
        let answer = ask(router(None), Method::GET, "/kept", &[]).await;
        assert_eq!(
            answer.headers()[header::CACHE_CONTROL],
            "private, max-age=5",
            "a handler may say otherwise"
        );
    }

    #[tokio::test]
    async fn only_pages_of_the_configured_origin_may_read_answers() {
        let allowed = async |configured, origin: &str| {
            let answer = ask(router(configured), Method::GET, "/", &[("origin", origin)]).await;
            answer
                .headers()
                .get("access-control-allow-origin")
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let app = "https://app.example.com";
        assert_eq!(allowed(Some(app), app).await.as_deref(), Some(app));
        assert_eq!(allowed(Some(app), "https://evil.example.com").await, None);
        assert_eq!(allowed(None, app).await, None);

        let preflight = [
            ("origin", app),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "authorization,if-match"),
        ];
        let answer = ask(router(Some(app)), Method::OPTIONS, "/", &preflight).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_ascii_lowercase();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header("access-control-allow-origin"), app);
        assert_eq!(header("access-control-allow-credentials"), "true");
        assert!(header("access-control-allow-methods").contains("patch"));
        assert!(header("access-control-allow-headers").contains("if-match"));
        assert_eq!(header("access-control-max-age"), "3600");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_begins_in_time_and_a_stream_goes_on() {
        let begun = Instant::now();
        let answer = ask(router(None), Method::GET, "/never", &[]).await;
        assert_eq!((answer.status(), begun.elapsed()), (StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT));
        let answer = ask(router(None), Method::GET, "/stream", &[]).await;
        let events = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(events.len(), 3 * b"data: x\n\n".len(), "a stream is not cut");
    }

    #[tokio::test]
    async fn a_request_has_the_callers_id_where_it_is_a_plain_one() {
        let id = async |own: &str| {
            let answer = ask(router(None), Method::GET, "/", &[("x-request-id", own)]).await;
            answer.headers()[REQUEST_ID_HEADER].to_str().unwrap().to_owned()
        };
        assert_eq!(id("a-1").await, "a-1");
        let long = "x".repeat(REQUEST_ID_BYTES_MAX + 1);
        for own in ["", "a b", "<script>", long.as_str()] {
            assert!(id(own).await.parse::<uuid::Uuid>().is_ok(), "{own}");
        }
    }
}
