//! CloudWatch as operators read it: series and alarms that a test has put there.

use serde_json::{Value, json};

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// What a test has put there.
/// Metric, value of its dimension, statistic, and the points: seconds and values.
type Series = (String, String, String, Vec<(i64, f64)>);

#[derive(Debug, Default)]
pub struct CloudWatch {
    /// Series: metric, value of the dimension, statistic, and the datapoints as seconds of the epoch with their values.
    pub series: Vec<Series>,
    /// Alarms in the form of the API.
    pub alarms: Vec<Value>,
    /// Calls so far.
    pub calls: u32,
}

pub(super) fn answer(state: &mut State, operation: &str, input: &Value) -> Result<Answer, ServiceError> {
    let cloudwatch = &mut state.cloudwatch;
    cloudwatch.calls += 1;
    match operation {
        "GetMetricData" => {
            let queries = input["MetricDataQueries"].as_array().into_iter().flatten();
            let results: Vec<Value> = queries.map(|query| cloudwatch.result(query)).collect();
            Ok(Answer::json(&json!({ "MetricDataResults": results })))
        }
        "DescribeAlarms" => Ok(Answer::json(&json!({ "MetricAlarms": cloudwatch.alarms }))),
        other => Err(ServiceError::unsupported(format!("CloudWatch {other}"))),
    }
}

impl CloudWatch {
    fn result(&self, query: &Value) -> Value {
        let (stat, metric) = (&query["MetricStat"]["Stat"], &query["MetricStat"]["Metric"]);
        let of = |(name, value, statistic, _): &&(String, String, String, Vec<_>)| {
            metric["MetricName"] == *name && metric["Dimensions"][0]["Value"] == *value && stat == statistic
        };
        let points = self.series.iter().find(of).map(|(_, _, _, points)| points.clone()).unwrap_or_default();
        let (timestamps, values): (Vec<i64>, Vec<f64>) = points.into_iter().unzip();
        json!({ "Id": query["Id"], "StatusCode": "Complete", "Timestamps": timestamps, "Values": values })
    }
}
