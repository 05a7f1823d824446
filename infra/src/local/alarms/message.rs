//! PURE. The message of an alarm to its topics, in the format that CloudWatch documents for notifications of alarms by SNS.

use events::cloudwatch::MetricAlarm;
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
    pub(super) alarm: &'a MetricAlarm,
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
        let dimensions = alarm.dimensions.iter();
        let dimensions =
            dimensions.map(|dimension| json!({ "name": dimension.name, "value": dimension.value }));
        let mut trigger = json!({
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": if alarm.extended_statistic.is_some() { "ExtendedStatistic" } else { "Statistic" },
            "Unit": alarm.unit,
            "Dimensions": dimensions.collect::<Vec<_>>(),
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data,
            "EvaluateLowSampleCountPercentile": "",
        });
        match &alarm.extended_statistic {
            Some(percentile) => trigger["ExtendedStatistic"] = json!(percentile),
            None => trigger["Statistic"] = json!(alarm.statistic.as_ref().map(|name| name.to_uppercase())),
        }
        if let Some(datapoints) = alarm.datapoints_to_alarm {
            trigger["DatapointsToAlarm"] = json!(datapoints);
        }
        json!({
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
            "Trigger": trigger,
        })
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
        let alarm: MetricAlarm = serde_json::from_value(alarm).unwrap();
        let change = Change {
            alarm: &alarm,
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
    }
}
