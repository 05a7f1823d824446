//! The age of the oldest message of each queue. SQS reports it to CloudWatch only, whose SDK crate demands features of the
//! shared SDK crates that nothing else needs, for this one call. So the call is made here: JSON over HTTP, signed with the
//! SDK's own signer and the operator's own credentials. The service itself asks CloudWatch nothing.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use infra::local::http_client;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

/// The longest time until CloudWatch has answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far back is looked, in seconds: SQS reports once a minute, and a report may take five minutes to be seen.
const WINDOW_SECONDS: i64 = 600;

/// Seconds between two reports.
const PERIOD_SECONDS: u32 = 60;

/// Operation and version of CloudWatch's JSON protocol.
const TARGET: &str = "GraniteServiceVersion20100801.GetMetricData";

/// The name under which CloudWatch's requests are signed.
const SIGNING_NAME: &str = "monitoring";

/// Whom to ask.
pub(super) struct MessageAges {
    sdk: SdkConfig,
    region: String,
    endpoint: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    metric_data_results: Vec<Series>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    id: String,
    /// The latest comes first.
    values: Vec<f64>,
}

impl MessageAges {
    /// CloudWatch where `sdk` says, or else in its region.
    pub(super) fn new(sdk: &SdkConfig) -> Self {
        let region = sdk.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        let aws = || format!("https://monitoring.{region}.amazonaws.com");
        let endpoint = sdk.endpoint_url().map_or_else(aws, ToOwned::to_owned);
        Self { sdk: sdk.clone(), region, endpoint }
    }

    /// MessageAges in whole seconds, in the order of the queue `names`; `None` where CloudWatch knows none, as in the local
    /// cloud, and of a queue that has been empty or unused for a while.
    ///
    /// # Errors
    /// CloudWatch cannot be asked, or refuses to answer.
    pub(super) async fn of(&self, names: &[&str]) -> anyhow::Result<Vec<Option<u64>>> {
        let provider = self.sdk.credentials_provider().context("there are no credentials")?;
        let credentials = provider.provide_credentials().await.context("cannot get credentials")?;
        let body = question(names, Timestamp::now()).to_string();
        let request = signed(&self.endpoint, &self.region, credentials, SystemTime::now(), body)?;
        let request = reqwest::Request::try_from(request)?;
        let asked = http_client()?.execute(request);
        let answer = tokio::time::timeout(PATIENCE, async { asked.await?.error_for_status()?.bytes().await });
        let answer = answer.await.context("CloudWatch does not answer")?.context("CloudWatch refuses")?;
        read(&answer, names.len())
    }
}

/// The input of `GetMetricData`: one query for each queue.
fn question(names: &[&str], now: Timestamp) -> serde_json::Value {
    let queries: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(position, name)| {
            json!({ "Id": format!("q{position}"), "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{ "Name": "QueueName", "Value": name }],
                },
                "Period": PERIOD_SECONDS, "Stat": "Maximum",
            }})
        })
        .collect();
    let end = now.as_second();
    json!({
        "StartTime": end - WINDOW_SECONDS, "EndTime": end, "ScanBy": "TimestampDescending",
        "MetricDataQueries": queries,
    })
}

/// The request, signed at `time`.
fn signed(
    endpoint: &str,
    region: &str,
    credentials: Credentials,
    time: SystemTime,
    body: String,
) -> anyhow::Result<http::Request<String>> {
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SIGNING_NAME)
        .time(time)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let uri = format!("{}/", endpoint.trim_end_matches('/'));
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", TARGET)];
    let signable =
        SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let mut request = http::Request::post(uri);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(body)?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// The latest value of each of `count` queries.
fn read(answer: &[u8], count: usize) -> anyhow::Result<Vec<Option<u64>>> {
    let answer: Answer = serde_json::from_slice(answer).context("CloudWatch's answer is not understood")?;
    let latest: HashMap<String, Option<f64>> = answer
        .metric_data_results
        .into_iter()
        .map(|series| (series.id, series.values.first().copied()))
        .collect();
    let age = |position| latest.get(&format!("q{position}")).copied().flatten();
    let whole = |age: f64| Duration::try_from_secs_f64(age).ok().map(|age| age.as_secs());
    Ok((0..count).map(|position| age(position).and_then(whole)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["nova-transcript", "nova-alerts"];

    #[test]
    fn question_names_each_queue_and_a_short_while() {
        let question = question(&NAMES, Timestamp::from_second(1_800_000_000).unwrap());
        assert_eq!(question["EndTime"], 1_800_000_000);
        assert_eq!(question["StartTime"], 1_800_000_000 - WINDOW_SECONDS);
        for (position, name) in NAMES.iter().enumerate() {
            let query = &question["MetricDataQueries"][position];
            assert_eq!(query["Id"], format!("q{position}"));
            assert_eq!(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"], *name);
        }
    }

    /// The signature itself is checked by the services; here, that everything that says what is asked is under it.
    #[test]
    fn request_is_signed_with_all_that_says_what_is_asked() {
        let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test");
        let request = signed(
            "http://127.0.0.1:4566/",
            "eu-west-1",
            credentials,
            SystemTime::UNIX_EPOCH,
            "{}".to_owned(),
        )
        .unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:4566/");
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!((header("x-amz-target"), header("x-amz-security-token")), (TARGET, "session"));
        let authorization = header("authorization");
        for part in ["AKID/19700101/eu-west-1/monitoring/", "content-type;host;", "x-amz-target"] {
            assert!(authorization.contains(part), "{part}: {authorization}");
        }
    }

    #[test]
    fn latest_value_is_the_age_and_what_is_not_known_is_none() {
        let answer = br#"{"MetricDataResults": [
            {"Id": "q1", "Label": "b", "StatusCode": "Complete", "Timestamps": [2.0, 1.0], "Values": [61.0, 1.0]},
            {"Id": "q0", "StatusCode": "Complete", "Timestamps": [], "Values": []}], "Messages": []}"#;
        assert_eq!(read(answer, 3).unwrap(), [None, Some(61), None]);
        assert_eq!(read(br#"{"MetricDataResults": []}"#, 1).unwrap(), [None]);
        assert!(read(b"<html>", 1).is_err());
    }
}
