//! The alarms of CloudWatch, what is wrong first.

use events::cloudwatch::{Alarm, CloudWatch};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The beginning of the names of the service's alarms.
const PREFIX: &str = "nova-";

/// What precedes the runbook in the description of an alarm.
const RUNBOOK: &str = "Runbook: infra/runbooks/";

/// The alarms: first those in alarm, by severity, then those without enough data, then the others.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alarms {
    /// The alarms.
    pub items: Vec<AlarmView>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmView {
    /// The name, for example `nova-transcript-depth`.
    pub name: String,
    /// The state.
    pub state: AlarmState,
    /// How urgent it is.
    pub severity: Severity,
    /// What it means, in one sentence.
    pub summary: String,
    /// Where the operator reads on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<Runbook>,
    /// Since when it has its state.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The reason of CloudWatch for the state.
    pub reason: String,
    /// The queue or the service that it watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watches: Option<String>,
    /// The metric; absent if the alarm computes its value, or follows other alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The value with which the metric is compared; absent if the alarm follows other alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// The state of an alarm, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// The metric is beyond the threshold, or other alarms are raised.
    Alarm,
    /// There is not enough data to decide.
    InsufficientData,
    /// All is well.
    Ok,
}

/// How urgent an alarm is, by the topic that it notifies; the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Look now.
    Critical,
    /// Look in time.
    Warning,
    /// For information.
    Info,
}

/// A part of a runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Runbook {
    /// The file in `infra/runbooks`.
    pub page: String,
    /// The heading in it.
    pub heading: String,
}

impl Alarms {
    /// Reads the alarms.
    pub(super) async fn read(cloudwatch: &CloudWatch) -> anyhow::Result<Self> {
        let alarms = cloudwatch.alarms(PREFIX).await?;
        let mut items: Vec<AlarmView> = alarms.into_iter().map(AlarmView::new).collect();
        // The sort is stable: alarms of one rank stay in the order of their names.
        items.sort_by_key(|alarm| (alarm.state, alarm.severity));
        Ok(Self { items })
    }
}

impl AlarmView {
    fn new(alarm: Alarm) -> Self {
        let (summary, runbook) = description(&alarm.alarm_description);
        Self {
            name: alarm.alarm_name,
            state: match alarm.state_value.as_str() {
                "ALARM" => AlarmState::Alarm,
                "OK" => AlarmState::Ok,
                _ => AlarmState::InsufficientData,
            },
            severity: severity(&alarm.alarm_actions),
            summary,
            runbook,
            since: alarm.state_updated_timestamp,
            reason: alarm.state_reason,
            watches: alarm.dimensions.into_iter().next().map(|dimension| dimension.value),
            metric: alarm.metric_name,
            threshold: alarm.threshold.filter(|_| alarm.alarm_rule.is_none()),
        }
    }
}

/// The severity in the names of the topics `nova-alerts-<severity>`; the most urgent of several.
fn severity(topics: &[String]) -> Severity {
    let notifies = |severity: &str| topics.iter().any(|topic| topic.ends_with(&format!("-{severity}")));
    if notifies("critical") {
        Severity::Critical
    } else if notifies("warning") {
        Severity::Warning
    } else {
        Severity::Info
    }
}

/// The sentence and the runbook in a description. A test of the templates checks that each has both.
fn description(text: &str) -> (String, Option<Runbook>) {
    let Some((summary, place)) = text.split_once(RUNBOOK) else { return (text.to_owned(), None) };
    let place = place.trim_end_matches('.').split_once(", ");
    let runbook = place.map(|(page, heading)| Runbook { page: page.to_owned(), heading: heading.to_owned() });
    (summary.trim_end().to_owned(), runbook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_has_a_sentence_and_a_runbook() {
        let text = "The worker does not keep up. Runbook: infra/runbooks/dead-letters.md, A queue grows.";
        let (summary, runbook) = description(text);
        let runbook = runbook.unwrap();
        assert_eq!(summary, "The worker does not keep up.");
        assert_eq!((runbook.page.as_str(), runbook.heading.as_str()), ("dead-letters.md", "A queue grows"));
        assert_eq!(description("Only words."), ("Only words.".to_owned(), None));
    }

    #[test]
    fn severity_is_that_of_the_most_urgent_topic() {
        let topics = |names: &[&str]| {
            names.iter().map(|name| format!("arn:aws:sns:us-east-1:1:nova-alerts-{name}")).collect::<Vec<_>>()
        };
        assert_eq!(severity(&topics(&["info", "warning", "critical"])), Severity::Critical);
        assert_eq!(severity(&topics(&["warning"])), Severity::Warning);
        assert_eq!(severity(&[]), Severity::Info);
    }

    #[test]
    fn ranks_put_what_is_wrong_first() {
        assert!(
            AlarmState::Alarm < AlarmState::InsufficientData && AlarmState::InsufficientData < AlarmState::Ok
        );
        assert!(Severity::Critical < Severity::Warning && Severity::Warning < Severity::Info);
    }
}
