//! The HTTP client of `Converse`, which brings a response into a form that the SDK reads. The SDK refuses a whole response,
//! paid for as it is, for an escaped surrogate without its partner in a text, and for a count of tokens that is not a whole
//! number. What is essential is repaired, and accounting that cannot be read is dropped.

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    shared::IntoShared as _,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use events::json::{lossy, with_integers};
use serde_json::Value;

/// Counts of a response that are only for accounting, with their fields. All of them are 32-bit integers but the latency.
const ACCOUNTING: [(&str, &[&str]); 2] =
    [("usage", &["inputTokens", "outputTokens", "totalTokens"]), ("metrics", &["latencyMs"])];

/// `client`, with responses repaired.
pub(super) fn repairing(client: SharedHttpClient) -> SharedHttpClient {
    Repairing(client).into_shared()
}

#[derive(Debug)]
struct Repairing<T>(T);

impl HttpClient for Repairing<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        Repairing(self.0.http_connector(settings, components)).into_shared()
    }
}

impl HttpConnector for Repairing<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let responding = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = responding.await?;
            let body = ByteStream::new(response.take_body()).collect().await;
            let body = body.map_err(|error| ConnectorError::io(error.into()))?.to_vec();
            *response.body_mut() = SdkBody::from(repaired(body));
            Ok(response)
        })
    }
}

/// The body of a response as the SDK reads it. What is not a JSON object stays as it is.
fn repaired(body: Vec<u8>) -> Vec<u8> {
    let Ok(Value::Object(fields)) = serde_json::from_str(&lossy(&body)) else {
        return body;
    };
    let mut response = with_integers(Value::Object(fields));
    for (name, counts) in ACCOUNTING {
        if response.get(name).is_some_and(|given| !is_readable(given, counts)) {
            tracing::warn!(field = name, "the accounting in a response of the model is unreadable");
            if let Some(fields) = response.as_object_mut() {
                fields.remove(name);
            }
        }
    }
    response.to_string().into_bytes()
}

/// Whether `given` has `counts`, and all its numbers can be read.
fn is_readable(given: &Value, counts: &[&str]) -> bool {
    let is_count = |value: &Value| value.as_i64().is_some_and(|count| i32::try_from(count).is_ok());
    let has = |name: &&str| given.get(name).is_some_and(is_count);
    let optional = |value: &Value| !value.is_number() || is_count(value);
    counts.iter().all(has) && given.as_object().is_some_and(|fields| fields.values().all(optional))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn repaired_text(body: &str) -> String {
        String::from_utf8(repaired(body.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn surrogates_and_integers_are_repaired() {
        let body = r#"{"output":{"text":"a\ud83d \ud83d\ude00"},"usage":{"inputTokens":12.0,"outputTokens":5,"totalTokens":17}}"#;
        let response: Value = serde_json::from_str(&repaired_text(body)).unwrap();
        assert_eq!(response["output"]["text"], "a\u{fffd} 😀");
        assert_eq!(response["usage"]["inputTokens"], json!(12));
    }

    #[test]
    fn unreadable_accounting_is_dropped_and_the_rest_stays() {
        for usage in [
            json!({ "inputTokens": 12.5, "outputTokens": 5, "totalTokens": 17 }),
            json!({ "inputTokens": "12", "outputTokens": 5, "totalTokens": 17 }),
            json!({ "inputTokens": 12, "outputTokens": 5 }),
            json!({ "inputTokens": 12, "outputTokens": 5, "totalTokens": 17, "cacheReadInputTokens": 1e12 }),
            json!([]),
            json!(null),
        ] {
            let body = json!({ "output": 1, "usage": usage, "metrics": { "latencyMs": 0.5 } });
            let response: Value = serde_json::from_str(&repaired_text(&body.to_string())).unwrap();
            assert_eq!(response, json!({ "output": 1 }), "{usage}");
        }
        let good =
            json!({ "usage": { "inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "cacheDetails": [] } });
        assert_eq!(serde_json::from_str::<Value>(&repaired_text(&good.to_string())).unwrap(), good);
    }

    proptest! {
        #[test]
        fn what_is_not_an_object_stays_as_it_is(body in prop::collection::vec(any::<u8>(), 0..60)) {
            if serde_json::from_slice::<serde_json::Map<String, Value>>(&body).is_err() {
                prop_assert_eq!(repaired(body.clone()), body);
            }
        }
    }
}
