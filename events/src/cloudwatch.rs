//! CloudWatch as operators need it: series of metrics and the states of alarms. The same calls work on AWS and on the local
//! cloud.
//!
//! The SDK crate of CloudWatch demands features of the shared SDK crates that nothing else needs. So the calls are made here in
//! its JSON protocol (AWS JSON 1.0), with the SDK's own client runtime, signer, credentials, timeouts and HTTP client.

use std::time::SystemTime;

use anyhow::Context as _;
use aws_config::{SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime::client::{
    orchestrator::operation::Operation,
    retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::runtime::aws::{ATTEMPTS_MAX, timeouts};

/// Version of the protocol, before the name of the operation.
const VERSION: &str = "GraniteServiceVersion20100801";

/// The name under which CloudWatch's requests are signed, and which its host begins with.
const SIGNING_NAME: &str = "monitoring";

/// Pages of one response that are read. Beyond them the list is incomplete, which is an error.
const PAGES_MAX: usize = 10;

/// Alarms of a page (service limit).
const ALARMS_OF_PAGE: u32 = 100;

/// Queries of one call (service limit).
pub const QUERIES_MAX: usize = 500;

/// Calls CloudWatch.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    sdk: SdkConfig,
    region: String,
    endpoint: String,
}

/// A metric with one dimension, and the statistic of each period that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub namespace: &'static str,
    pub metric: &'static str,
    /// Name and value of the dimension.
    pub dimension: (&'static str, String),
    /// `Sum`, `Maximum`, `SampleCount`, `p95` and so on.
    pub statistic: &'static str,
}

/// The part of time of [`CloudWatch::series`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    /// Not included.
    pub to: Timestamp,
    pub period_seconds: u32,
}

/// The statistic of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// Start of the period.
    pub at: Timestamp,
    pub value: f64,
}

/// An alarm of metrics or of other alarms, with the names of the API reference, `MetricAlarm` and `CompositeAlarm`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alarm {
    pub alarm_name: String,
    pub alarm_arn: String,
    #[serde(default)]
    pub alarm_description: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state_value: String,
    #[serde(default)]
    pub state_reason: String,
    /// When the state last changed.
    #[serde(deserialize_with = "moment")]
    pub state_updated_timestamp: Timestamp,
    /// ARNs of topics.
    #[serde(default)]
    pub alarm_actions: Vec<String>,
    #[serde(default, rename = "OKActions")]
    pub ok_actions: Vec<String>,
    #[serde(default)]
    pub insufficient_data_actions: Vec<String>,
    /// Absent for metric math.
    pub namespace: Option<String>,
    pub metric_name: Option<String>,
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
    pub statistic: Option<String>,
    pub extended_statistic: Option<String>,
    pub period: Option<u32>,
    #[serde(default)]
    pub evaluation_periods: usize,
    pub datapoints_to_alarm: Option<usize>,
    pub threshold: Option<f64>,
    #[serde(default)]
    pub comparison_operator: String,
    pub treat_missing_data: Option<String>,
    pub unit: Option<String>,
    /// Of a composite alarm only.
    pub alarm_rule: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    pub name: String,
    pub value: String,
}

/// CloudWatch refused a call.
#[derive(Debug, thiserror::Error)]
#[error("CloudWatch refuses the call with status {status}: {message}")]
struct RefusedError {
    status: u16,
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricData {
    metric_data_results: Vec<Series>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    id: String,
    timestamps: Vec<Moment>,
    values: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarms {
    #[serde(default)]
    metric_alarms: Vec<Alarm>,
    #[serde(default)]
    composite_alarms: Vec<Alarm>,
    next_token: Option<String>,
}

/// A time. AWS sends seconds since the epoch, the local cloud sometimes a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Seconds(f64),
    Text(Timestamp),
}

impl CloudWatch {
    /// CloudWatch at the endpoint of `sdk`, or in its region.
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        let region = sdk.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        let aws = || format!("https://{SIGNING_NAME}.{region}.amazonaws.com");
        let endpoint = sdk.endpoint_url().map_or_else(aws, |url| url.trim_end_matches('/').to_owned());
        Self { sdk: sdk.clone(), region, endpoint }
    }

    /// The series of each of `queries`, in their order, from the earliest datapoint to the latest. Periods without data have none.
    ///
    /// # Errors
    /// CloudWatch cannot be reached or refuses the call.
    ///
    /// # Panics
    /// There are more than [`QUERIES_MAX`] queries.
    pub async fn series(&self, queries: &[Query], window: Window) -> anyhow::Result<Vec<Vec<Datapoint>>> {
        assert!(queries.len() <= QUERIES_MAX, "the callers ask for a bounded number of series");
        let mut series = vec![Vec::new(); queries.len()];
        let mut input = metric_data_input(queries, window);
        for _ in 0..PAGES_MAX {
            let page: MetricData = self.call("GetMetricData", &input).await?;
            for Series { id, timestamps, values } in page.metric_data_results {
                let position = id.strip_prefix('q').and_then(|digits| digits.parse::<usize>().ok());
                let of = position.and_then(|position| series.get_mut(position));
                let points = timestamps.iter().zip(values);
                let points = points.filter_map(|(at, value)| Some(Datapoint { at: at.timestamp()?, value }));
                of.context("a series of no query")?.extend(points);
            }
            let Some(token) = page.next_token else {
                series.iter_mut().for_each(|points| points.sort_by_key(|point| point.at));
                return Ok(series);
            };
            input["NextToken"] = token.into();
        }
        anyhow::bail!("the series fill more than {PAGES_MAX} pages")
    }

    /// The alarms of both types whose names begin with `prefix`, by name.
    ///
    /// # Errors
    /// As [`CloudWatch::series`].
    pub async fn alarms(&self, prefix: &str) -> anyhow::Result<Vec<Alarm>> {
        let mut alarms = Vec::new();
        let mut input = json!({
            "AlarmNamePrefix": prefix, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": ALARMS_OF_PAGE,
        });
        for _ in 0..PAGES_MAX {
            let page: Alarms = self.call("DescribeAlarms", &input).await?;
            alarms.extend(page.metric_alarms);
            alarms.extend(page.composite_alarms);
            let Some(token) = page.next_token else {
                alarms.sort_by(|one, other| one.alarm_name.cmp(&other.alarm_name));
                return Ok(alarms);
            };
            input["NextToken"] = token.into();
        }
        anyhow::bail!("the alarms fill more than {PAGES_MAX} pages")
    }

    /// Calls an operation of the API with its input in JSON. The SDK's attempts and timeouts apply.
    ///
    /// # Errors
    /// There are no credentials, CloudWatch cannot be reached, or it refuses the call.
    pub async fn call<O: DeserializeOwned>(
        &self,
        operation: &'static str,
        input: &Value,
    ) -> anyhow::Result<O> {
        let provider = self.sdk.credentials_provider().context("there are no credentials")?;
        let credentials = provider.provide_credentials().await.context("cannot get credentials")?;
        let time = self.sdk.time_source().map_or_else(SystemTime::now, |source| source.now());
        let request = self.signed(operation, credentials, time, input.to_string())?;
        let mut call = Operation::builder()
            .service_name("cloudwatch")
            .operation_name(operation)
            .http_client(self.sdk.http_client().context("there is no HTTP client")?)
            .endpoint_url(&self.endpoint)
            .no_auth()
            .standard_retry(&RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .retry_classifier(TransientErrorClassifier::<RefusedError>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .timeout_config(timeouts());
        if let Some(sleep) = self.sdk.sleep_impl() {
            call = call.sleep_impl(sleep);
        }
        let call = call
            .serializer(|request: http::Request<String>| {
                Ok(HttpRequest::try_from(request.map(SdkBody::from))?)
            })
            .deserializer(read)
            .build();
        let body = call.invoke(request).await;
        let body = body.map_err(|error| anyhow::Error::new(error).context(format!("{operation} fails")))?;
        serde_json::from_slice(&body).with_context(|| format!("the response of {operation} is unreadable"))
    }

    /// The request, signed at `time`. Its URI is relative to the endpoint.
    fn signed(
        &self,
        operation: &str,
        credentials: Credentials,
        time: SystemTime,
        body: String,
    ) -> anyhow::Result<http::Request<String>> {
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SIGNING_NAME)
            .time(time)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let uri = format!("{}/", self.endpoint);
        let target = format!("{VERSION}.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target.as_str())];
        let signable =
            SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = http::Request::post("/");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(body)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

impl Moment {
    fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::Text(at) => Some(*at),
            Self::Seconds(seconds) => {
                let seconds = jiff::SignedDuration::try_from_secs_f64(*seconds).ok()?;
                Timestamp::from_duration(seconds).ok()
            }
        }
    }
}

/// The input of `GetMetricData`: one query for each series.
fn metric_data_input(queries: &[Query], window: Window) -> Value {
    let query = |(position, query): (usize, &Query)| {
        let (name, value) = &query.dimension;
        json!({ "Id": format!("q{position}"), "MetricStat": {
            "Metric": {
                "Namespace": query.namespace, "MetricName": query.metric,
                "Dimensions": [{ "Name": name, "Value": value }],
            },
            "Period": window.period_seconds, "Stat": query.statistic,
        }})
    };
    let queries: Vec<Value> = queries.iter().enumerate().map(query).collect();
    json!({
        "StartTime": window.from.as_second(), "EndTime": window.to.as_second(),
        "ScanBy": "TimestampAscending", "MetricDataQueries": queries,
    })
}

fn read(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<RefusedError>> {
    let body = response.body().bytes().unwrap_or_default();
    let status = response.status();
    if status.is_success() {
        return Ok(body.to_vec());
    }
    let fault: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| fault[name].as_str().unwrap_or_default();
    let message = format!("{} {}", text("__type"), text("message"));
    Err(OrchestratorError::operation(RefusedError { status: status.as_u16(), message }))
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let moment = Moment::deserialize(deserializer)?;
    moment.timestamp().ok_or_else(|| serde::de::Error::custom("no time in this era"))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    fn query(queue: &str) -> Query {
        Query {
            namespace: "AWS/SQS",
            metric: "ApproximateAgeOfOldestMessage",
            dimension: ("QueueName", queue.to_owned()),
            statistic: "Maximum",
        }
    }

    #[test]
    fn input_names_each_metric_and_the_window() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = Window { from: at(1_800_000_000), to: at(1_800_000_600), period_seconds: 60 };
        let names = ["nova-transcript", "nova-alerts"];
        let input = metric_data_input(&names.map(query), window);
        assert_eq!((&input["StartTime"], &input["EndTime"]), (&json!(1_800_000_000), &json!(1_800_000_600)));
        for (position, name) in names.iter().enumerate() {
            let query = &input["MetricDataQueries"][position];
            assert_eq!(query["Id"], format!("q{position}"));
            assert_eq!(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"], *name);
            assert_eq!(query["MetricStat"]["Period"], 60);
        }
    }

    /// The services check the signature; here, that it covers everything that says what is asked.
    #[test]
    fn request_is_signed_with_its_operation() {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .endpoint_url("http://127.0.0.1:4566/")
            .build();
        let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test");
        let request = CloudWatch::new(&sdk)
            .signed("DescribeAlarms", credentials, SystemTime::UNIX_EPOCH, "{}".to_owned())
            .unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(header("x-amz-target"), "GraniteServiceVersion20100801.DescribeAlarms");
        assert_eq!(header("x-amz-security-token"), "session");
        let authorization = header("authorization");
        for part in ["AKID/19700101/eu-west-1/monitoring/", "content-type;host;", "x-amz-target"] {
            assert!(authorization.contains(part), "{part}: {authorization}");
        }
    }

    #[test]
    fn times_are_read_as_seconds_and_as_text() {
        let page = br#"{"MetricDataResults": [{"Id": "q1", "Timestamps": [2.5, "1970-01-01T00:00:01Z"], "Values": [61.0, 1.0]}]}"#;
        let page: MetricData = serde_json::from_slice(page).unwrap();
        let times = page.metric_data_results[0].timestamps.iter().map(|at| at.timestamp().unwrap());
        assert_eq!(times.map(Timestamp::as_millisecond).collect::<Vec<_>>(), [2_500, 1_000]);
    }

    #[test]
    fn alarm_of_metric_math_is_read_without_a_metric() {
        let alarm = json!({
            "AlarmName": "nova-errors", "AlarmArn": "arn", "StateValue": "OK", "StateUpdatedTimestamp": 7,
            "EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Metrics": [],
        });
        let alarm: Alarm = serde_json::from_value(alarm).unwrap();
        assert_eq!((alarm.metric_name, alarm.state_updated_timestamp.as_second()), (None, 7));
    }

    #[test]
    fn page_has_alarms_of_both_types() {
        let alarm = json!({
            "AlarmName": "nova-down", "AlarmArn": "arn", "StateValue": "ALARM", "StateUpdatedTimestamp": 7,
            "AlarmRule": "ALARM(nova-silent)",
        });
        let page: Alarms = serde_json::from_value(json!({ "CompositeAlarms": [alarm] })).unwrap();
        assert_eq!(page.composite_alarms[0].alarm_rule.as_deref(), Some("ALARM(nova-silent)"));
        assert_eq!(page.metric_alarms, []);
    }
}
