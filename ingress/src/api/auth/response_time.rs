//! The time of responses of `/auth`, which must not reveal whether an e-mail address is known: the user pool takes much longer for
//! some of them, as for a mail that it sends. Each response is held back until a multiple of a fixed step has passed since the
//! request came, so all that take less than one step take the same time. The step is above the slowest usual call of the pool.
//!
//! There are no exceptions, also for a request that is refused before any account is looked up: a rule without exceptions reveals
//! nothing, and a held response costs one timer.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

/// Holds the response back until the next multiple of `step`.
pub async fn in_steps(State(step): State<Duration>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    tokio::time::sleep_until(began + next_multiple(began.elapsed(), step)).await;
    response
}

/// The least multiple of `step` that is above 0 and not below `elapsed`.
fn next_multiple(elapsed: Duration, step: Duration) -> Duration {
    let steps = elapsed.as_nanos().div_ceil(step.as_nanos().max(1)).max(1);
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn_with_state, routing::get};
    use tower::ServiceExt as _;

    use super::*;

    const STEP: Duration = Duration::from_millis(500);

    #[tokio::test(start_paused = true)]
    async fn response_takes_a_multiple_of_the_step_whatever_its_handler_takes() {
        for (handler_ms, response_ms) in
            [(0, 500), (6, 500), (103, 500), (500, 500), (501, 1_000), (1_499, 1_500)]
        {
            let handler = move || tokio::time::sleep(Duration::from_millis(handler_ms));
            let router =
                Router::new().route("/", get(handler)).route_layer(from_fn_with_state(STEP, in_steps));
            let began = Instant::now();
            let request = http::Request::get("/").body(Body::empty()).unwrap();
            let response = router.oneshot(request).await.unwrap();
            let took = began.elapsed().as_millis();
            assert_eq!((response.status().as_u16(), took), (200, response_ms), "{handler_ms} ms");
        }
    }

    #[test]
    fn longest_times_do_not_overflow() {
        assert_eq!(
            next_multiple(Duration::MAX, Duration::from_nanos(1)),
            Duration::from_nanos(u32::MAX.into())
        );
        assert_eq!(
            next_multiple(Duration::from_millis(3), Duration::from_millis(2)),
            Duration::from_millis(4)
        );
    }
}
