//! The startup check: the AWS resources of a process exist and tables have the expected key. It creates nothing. A process
//! that fails the check does not start. A response that arrives damaged is no failed check: the call is repeated.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::{KeySchemaElement, KeyType, TableDescription},
};
use tokio::time::Instant;

use super::{
    failure::describe,
    retry::{Retry, RetryPolicy, retry},
};

/// Attempts of a call whose response arrives damaged. The SDK retries every other failure that may pass.
const DAMAGED: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(1), attempts_max: 5 };

/// Until when an attempt may start, after the first one.
const DAMAGED_WITHIN: Duration = Duration::from_secs(10);

/// A table of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Environment variable with its name.
    pub variable: &'static str,
    /// Partition key attribute.
    pub partition: &'static str,
    /// Sort key attribute, if the table has one.
    pub sort: Option<&'static str>,
}

pub const CONVERSATIONS: Table =
    Table { variable: "NOVA_CONVERSATIONS_TABLE", partition: "sessionId", sort: Some("timestamp") };
pub const IMAGES: Table = Table { variable: "NOVA_IMAGES_TABLE", partition: "imageId", sort: None };
pub const USERS: Table = Table { variable: "NOVA_USERS_TABLE", partition: "userId", sort: None };
pub const PROGRESS: Table =
    Table { variable: "NOVA_PROGRESS_TABLE", partition: "userId", sort: Some("date") };
pub const EFFECTS: Table = Table { variable: "NOVA_EFFECTS_TABLE", partition: "effectId", sort: None };

pub const SESSIONS: Table =
    Table { variable: "NOVA_SESSIONS_TABLE", partition: "userId", sort: Some("sessionId") };

/// Checks that `expected`, whose name is `name`, exists and has its key.
///
/// # Errors
/// The table is missing, inaccessible or has another key.
pub async fn table(dynamodb: &aws_sdk_dynamodb::Client, expected: Table, name: &str) -> anyhow::Result<()> {
    let Table { variable, partition, sort } = expected;
    let description =
        found(|| dynamodb.describe_table().table_name(name).send(), variable, "table", name).await?;
    let schema = description.table().map(TableDescription::key_schema).unwrap_or_default();
    let attribute = |kind: KeyType| {
        schema.iter().find(|element| *element.key_type() == kind).map(KeySchemaElement::attribute_name)
    };
    let found = (attribute(KeyType::Hash), attribute(KeyType::Range));
    ensure!(
        found == (Some(partition), sort),
        "{variable}: the table {name:?} has the key {found:?}, expected is {:?}",
        (partition, sort)
    );
    Ok(())
}

/// Checks that the bucket `bucket`, the value of `variable`, exists.
///
/// # Errors
/// The bucket is missing or inaccessible.
pub async fn bucket(s3: &aws_sdk_s3::Client, variable: &str, bucket: &str) -> anyhow::Result<()> {
    found(|| s3.head_bucket().bucket(bucket).send(), variable, "bucket", bucket).await.map(|_| ())
}

/// Checks that the queue at `url`, the value of `variable`, exists.
///
/// # Errors
/// The queue is missing or inaccessible.
pub async fn queue(sqs: &aws_sdk_sqs::Client, variable: &str, url: &str) -> anyhow::Result<()> {
    let arn = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = || sqs.get_queue_attributes().queue_url(url).attribute_names(arn.clone()).send();
    found(attributes, variable, "queue", url).await.map(|_| ())
}

/// Checks that the event bus `name`, the value of `variable`, exists.
///
/// # Errors
/// The event bus is missing or inaccessible.
pub async fn bus(bridge: &aws_sdk_eventbridge::Client, variable: &str, name: &str) -> anyhow::Result<()> {
    found(|| bridge.describe_event_bus().name(name).send(), variable, "event bus", name).await.map(|_| ())
}

/// The response of `call`, which reads the properties of a `kind` of resource.
///
/// # Errors
/// The call failed, or each of its responses was damaged.
pub async fn found<T, E, Fut>(
    mut call: impl FnMut() -> Fut,
    variable: &str,
    kind: &str,
    name: &str,
) -> anyhow::Result<T>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    Fut: Future<Output = Result<T, SdkError<E>>>,
{
    let read = retry(DAMAGED, Instant::now() + DAMAGED_WITHIN, || {
        let response = call();
        async { response.await.map_err(|error| by_damage(error)) }
    });
    let read = read.await.map_err(|error| describe(&error));
    read.with_context(|| format!("{variable}: failed to find the {kind} {name:?}"))
}

/// A response with a successful status that cannot be read was damaged on its way.
fn by_damage<E>(error: SdkError<E>) -> Retry<SdkError<E>> {
    let is_damaged = error.raw_response().is_some_and(|response| response.status().is_success());
    if is_damaged { Retry::transient(error) } else { Retry::Permanent(error) }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use aws_sdk_dynamodb::{
        Client,
        config::{
            BehaviorVersion, Credentials, Region, RuntimeComponents,
            http::{HttpRequest, HttpResponse},
        },
    };
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_types::body::SdkBody;

    use super::*;

    const DESCRIPTION: &str = r#"{"Table":{"KeySchema":[{"AttributeName":"userId","KeyType":"HASH"}]}}"#;

    /// Sends the responses in turn, then the last one.
    #[derive(Clone, Debug)]
    struct Responses {
        all: Vec<(u16, &'static str)>,
        calls: Arc<AtomicUsize>,
    }

    impl HttpConnector for Responses {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let (status, body) = self.all[call.min(self.all.len() - 1)];
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn damaged_response_is_read_again_and_a_refusal_is_final() {
        let half = &DESCRIPTION[..DESCRIPTION.len() / 2];
        assert_eq!(check(&[(200, half), (200, half), (200, DESCRIPTION)]).await, (3, None));
        let (calls, error) = check(&[(200, half)]).await;
        assert_eq!(u32::try_from(calls), Ok(DAMAGED.attempts_max));
        assert!(error.unwrap().starts_with("NOVA_USERS_TABLE: failed to find the table"));
        let missing = r#"{"__type":"com.amazonaws.dynamodb#ResourceNotFoundException","message":"no table"}"#;
        let (calls, error) = check(&[(400, missing), (200, DESCRIPTION)]).await;
        assert_eq!(calls, 1);
        assert!(error.unwrap().contains("no table"));
    }

    /// The number of calls and the error of a check that receives `responses`.
    async fn check(responses: &[(u16, &'static str)]) -> (usize, Option<String>) {
        let responses = Responses { all: responses.to_vec(), calls: Arc::default() };
        let connector = SharedHttpConnector::new(responses.clone());
        let http_client =
            http_client_fn(move |_: &HttpConnectorSettings, _: &RuntimeComponents| connector.clone());
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http_client);
        let checked = table(&Client::from_conf(config.build()), USERS, "nova-users").await;
        let calls = responses.calls.load(Ordering::Relaxed);
        (calls, checked.err().map(|error| format!("{error:#}")))
    }
}
