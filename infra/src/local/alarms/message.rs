//! PURE. The message of an alarm to its topics, in the format that CloudWatch documents for notifications of alarms by SNS.

use events::cloudwatch::Alarm;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::rule::StateValue;
use crate::local::ACCOUNT;

/// The name of the region in messages.
const REGION_NAME: &str = "US East (N. Virginia)";

/// The longest subject (service limit of SNS).
const SUBJECT_CHARACTERS_MAX: usize = 100;

/// An alarm that changes its state.
#[derive(Clone, Debug)]
pub(super) struct Change<'a> {
    pub(super) alarm: &'a Alarm,
    /// The metrics of an alarm of metric math.
    pub(super) metrics: Option<&'a Value>,
    pub(super) old: StateValue,
    pub(super) new: StateValue,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

impl Change<'_> {
    pub(super) fn subject(&self) -> String {
        let subject = format!("{}: \"{}\" in {REGION_NAME}", self.new.name(), self.alarm.alarm_name);
        subject.chars().take(SUBJECT_CHARACTERS_MAX).collect()
    }

    pub(super) fn message(&self) -> Value {
        let alarm = self.alarm;
        let mut message = json!({
            "AlarmName": alarm.alarm_name,
            "AlarmDescription": alarm.alarm_description,
            "AWSAccountId": ACCOUNT,
            "NewStateValue": self.new.name(),
            "NewStateReason": self.reason,
            "StateChangeTime": self.at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
            "Region": REGION_NAME,
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": self.old.name(),
            "OKActions": alarm.ok_actions,
            "AlarmActions": alarm.alarm_actions,
            "InsufficientDataActions": alarm.insufficient_data_actions,
        });
        match &alarm.alarm_rule {
            Some(rule) => message["AlarmRule"] = json!(rule),
            None => message["Trigger"] = self.trigger(),
        }
        message
    }

    fn trigger(&self) -> Value {
        let alarm = self.alarm;
        let mut trigger = json!({
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data,
            "EvaluateLowSampleCountPercentile": "",
        });
        if let Some(datapoints) = alarm.datapoints_to_alarm {
            trigger["DatapointsToAlarm"] = json!(datapoints);
        }
        if let Some(metrics) = self.metrics {
            trigger["Metrics"] = metrics.clone();
            return trigger;
        }
        let dimensions = alarm.dimensions.iter();
        let dimensions =
            dimensions.map(|dimension| json!({ "name": dimension.name, "value": dimension.value }));
        trigger["MetricName"] = json!(alarm.metric_name);
        trigger["Namespace"] = json!(alarm.namespace);
        trigger["Unit"] = json!(alarm.unit);
        trigger["Dimensions"] = json!(dimensions.collect::<Vec<_>>());
        let statistic = if alarm.extended_statistic.is_some() { "ExtendedStatistic" } else { "Statistic" };
        trigger["StatisticType"] = json!(statistic);
        match &alarm.extended_statistic {
            Some(percentile) => trigger["ExtendedStatistic"] = json!(percentile),
            None => trigger["Statistic"] = json!(alarm.statistic.as_ref().map(|name| name.to_uppercase())),
        }
        trigger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_the_documented_fields() {
        let alarm = json!({
            "AlarmName": "nova-transcript-depth", "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:nova-transcript-depth",
            "AlarmDescription": "The transcript worker does not keep up.", "StateValue": "OK", "StateUpdatedTimestamp": 0,
            "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Minimum",
            "Dimensions": [{ "Name": "QueueName", "Value": "nova-transcript" }], "Period": 60, "EvaluationPeriods": 5,
            "Threshold": 1000.0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
            "AlarmActions": ["warning"], "OKActions": ["info"],
        });
        let alarm: Alarm = serde_json::from_value(alarm).unwrap();
        let change = Change {
            alarm: &alarm,
            metrics: None,
            old: StateValue::Ok,
            new: StateValue::Alarm,
            reason: "because".to_owned(),
            at: "2026-11-28T09:00:00.25Z".parse().unwrap(),
        };
        assert_eq!(change.subject(), "ALARM: \"nova-transcript-depth\" in US East (N. Virginia)");
        let message = change.message();
        assert_eq!(message["StateChangeTime"], "2026-11-28T09:00:00.250+0000");
        assert_eq!((&message["OldStateValue"], &message["NewStateValue"]), (&json!("OK"), &json!("ALARM")));
        assert_eq!(message["OKActions"], json!(["info"]));
        let trigger = json!({
            "MetricName": "ApproximateNumberOfMessagesVisible", "Namespace": "AWS/SQS", "StatisticType": "Statistic",
            "Statistic": "MINIMUM", "Unit": null, "Dimensions": [{ "name": "QueueName", "value": "nova-transcript" }],
            "Period": 60, "EvaluationPeriods": 5, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1000.0,
            "TreatMissingData": "notBreaching", "EvaluateLowSampleCountPercentile": "",
        });
        assert_eq!(message["Trigger"], trigger);
        let metrics = json!([{ "Id": "rate" }]);
        let math = Change { metrics: Some(&metrics), ..change.clone() }.message();
        assert_eq!((&math["Trigger"]["Metrics"], math["Trigger"].get("MetricName")), (&metrics, None));
        let composite = Alarm { alarm_rule: Some("ALARM(a)".to_owned()), ..alarm.clone() };
        let composite = Change { alarm: &composite, ..change }.message();
        assert_eq!((&composite["AlarmRule"], composite.get("Trigger")), (&json!("ALARM(a)"), None));
    }
}
