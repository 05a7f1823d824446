//! PURE. When an alarm changes its state, by the rules that the CloudWatch user guide documents under "Evaluating an alarm" and
//! "Configuring how CloudWatch alarms treat missing data".

use events::cloudwatch::Alarm;

/// Datapoints that CloudWatch looks at beyond the evaluation periods. It publishes the sum for three periods only, which is five.
const FURTHER_POINTS: usize = 2;

/// The namespace whose alarms ignore missing data, whatever they are set to.
const IGNORES_MISSING: &str = "AWS/DynamoDB";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateValue {
    Ok,
    Alarm,
    InsufficientData,
}

/// What a missing datapoint counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MissingData {
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// The condition of an alarm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// N.
    evaluation_periods: usize,
    /// M.
    datapoints_to_alarm: usize,
    comparison: Comparison,
    threshold: f64,
    missing: MissingData,
}

impl StateValue {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            _ => Self::InsufficientData,
        }
    }
}

impl Rule {
    /// `None` without a threshold or for a comparison with a band.
    pub(super) fn new(alarm: &Alarm) -> Option<Self> {
        let comparison = match alarm.comparison_operator.as_str() {
            "GreaterThanThreshold" => Comparison::Greater,
            "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
            "LessThanThreshold" => Comparison::Less,
            "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
            _ => return None,
        };
        let missing = match alarm.treat_missing_data.as_deref() {
            _ if alarm.namespace.as_deref() == Some(IGNORES_MISSING) => MissingData::Ignore,
            Some("ignore") => MissingData::Ignore,
            Some("breaching") => MissingData::Breaching,
            Some("notBreaching") => MissingData::NotBreaching,
            _ => MissingData::Missing,
        };
        Some(Self {
            evaluation_periods: alarm.evaluation_periods,
            datapoints_to_alarm: alarm.datapoints_to_alarm.unwrap_or(alarm.evaluation_periods),
            comparison,
            threshold: alarm.threshold?,
            missing,
        })
    }

    /// Whether no data is an alarm.
    pub(super) fn needs_data(&self) -> bool {
        self.missing == MissingData::Breaching
    }

    /// The datapoints that the evaluation looks at.
    pub(super) fn range(&self) -> usize {
        self.evaluation_periods + if self.evaluation_periods > 1 { FURTHER_POINTS } else { 0 }
    }

    /// The state after the datapoints of the range, oldest first; `None` is a missing one.
    pub(super) fn evaluate(&self, points: &[Option<f64>], before: StateValue) -> StateValue {
        let breaches: Vec<Option<bool>> =
            points.iter().map(|point| point.map(|value| self.is_breached_by(value))).collect();
        let mut real: Vec<bool> = breaches.iter().copied().flatten().collect();
        let missing = self.evaluation_periods.saturating_sub(real.len());
        if missing == 0 {
            return self.decide(&real[real.len() - self.evaluation_periods..]);
        }
        let nothing_is_fine = real.iter().all(|breaching| *breaching);
        match self.missing {
            // Filled as few times as possible: all real datapoints count.
            MissingData::Breaching | MissingData::NotBreaching => {
                real.resize(self.evaluation_periods, self.missing == MissingData::Breaching);
                self.decide(&real)
            }
            MissingData::Ignore if nothing_is_fine => before,
            MissingData::Missing if nothing_is_fine => {
                let oldest = breaches.iter().position(Option::is_some);
                // A datapoint is one period old when it is the latest.
                let age = oldest.map(|position| breaches.len() - position);
                if age.is_some_and(|age| age >= self.datapoints_to_alarm) {
                    StateValue::Alarm
                } else {
                    StateValue::InsufficientData
                }
            }
            MissingData::Missing | MissingData::Ignore => self.decide(&real),
        }
    }

    /// Why the state is the new one.
    pub(super) fn reason(&self, points: &[Option<f64>], new: StateValue) -> String {
        let real: Vec<f64> = points.iter().copied().flatten().collect();
        let latest = &real[real.len().saturating_sub(self.evaluation_periods)..];
        let breaching = latest.iter().filter(|value| self.is_breached_by(**value)).count();
        match new {
            StateValue::InsufficientData => "Insufficient Data".to_owned(),
            StateValue::Ok | StateValue::Alarm => format!(
                "Threshold Crossed: {breaching} of the last {} datapoints {latest:?} were {} the threshold ({:?}); {} are \
                 necessary for the state ALARM.",
                latest.len(),
                self.comparison.words(),
                self.threshold,
                self.datapoints_to_alarm
            ),
        }
    }

    fn decide(&self, points: &[bool]) -> StateValue {
        let breaching = points.iter().filter(|breaching| **breaching).count();
        if breaching >= self.datapoints_to_alarm { StateValue::Alarm } else { StateValue::Ok }
    }

    fn is_breached_by(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Greater => value > self.threshold,
            Comparison::GreaterOrEqual => value >= self.threshold,
            Comparison::Less => value < self.threshold,
            Comparison::LessOrEqual => value <= self.threshold,
        }
    }
}

impl Comparison {
    fn words(self) -> &'static str {
        match self {
            Self::Greater => "greater than",
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [MissingData; 4] =
        [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];

    fn rule(m: usize, n: usize, missing: MissingData) -> Rule {
        Rule {
            evaluation_periods: n,
            datapoints_to_alarm: m,
            comparison: Comparison::Greater,
            threshold: 5.0,
            missing,
        }
    }

    /// `0` is fine, `X` is breaching, `-` is missing; the oldest comes first.
    fn points(text: &str) -> Vec<Option<f64>> {
        let point = |letter| match letter {
            '0' => Some(1.0),
            'X' => Some(9.0),
            _ => None,
        };
        text.chars().map(point).collect()
    }

    /// Checks a row of the user guide's tables. A column of the result is `A`larm, `O`k, `I`nsufficient data or `K`eep.
    fn check((m, n): (usize, usize), text: &str, results: &str) {
        for (missing, result) in ALL.into_iter().zip(results.chars()) {
            for before in [StateValue::Ok, StateValue::Alarm, StateValue::InsufficientData] {
                let expected = match result {
                    'A' => StateValue::Alarm,
                    'O' => StateValue::Ok,
                    'I' => StateValue::InsufficientData,
                    _ => before,
                };
                let state = rule(m, n, missing).evaluate(&points(text), before);
                assert_eq!(state, expected, "{m} of {n}: {text} with {missing:?} after {before:?}");
            }
        }
    }

    #[test]
    fn three_of_three_is_decided_as_documented() {
        for (text, results) in
            [("0-X-X", "OOOO"), ("0----", "OOOO"), ("-----", "IKAO"), ("0XX-X", "AAAA"), ("--X--", "AKAO")]
        {
            check((3, 3), text, results);
        }
    }

    #[test]
    fn two_of_three_is_decided_as_documented() {
        for (text, results) in
            [("0-X-X", "AAAA"), ("00X0X", "AAAA"), ("0-X--", "OOAO"), ("----0", "OOAO"), ("---X-", "AKAO")]
        {
            check((2, 3), text, results);
        }
    }

    #[test]
    fn breaching_datapoint_alone_is_no_premature_alarm() {
        check((3, 3), "----X", "IKAO");
        check((2, 3), "----X", "IKAO");
        check((1, 1), "X", "AAAA");
        check((1, 1), "-", "IKAO");
    }

    #[test]
    fn range_is_wider_than_the_evaluation_periods() {
        assert_eq!(rule(3, 3, MissingData::Missing).range(), 5);
        assert_eq!(rule(1, 1, MissingData::Missing).range(), 1);
    }

    #[test]
    fn comparison_is_that_of_the_alarm() {
        let alarm = |operator: &str, namespace: &str, missing: &str| {
            let alarm = serde_json::json!({
                "AlarmName": "a", "AlarmArn": "a", "StateValue": "OK", "StateUpdatedTimestamp": 0,
                "Namespace": namespace, "MetricName": "m", "Period": 60, "EvaluationPeriods": 3, "Threshold": 5.0,
                "ComparisonOperator": operator, "TreatMissingData": missing,
            });
            Rule::new(&serde_json::from_value(alarm).unwrap())
        };
        for (operator, [below, at, above]) in [
            ("GreaterThanThreshold", [false, false, true]),
            ("GreaterThanOrEqualToThreshold", [false, true, true]),
            ("LessThanThreshold", [true, false, false]),
            ("LessThanOrEqualToThreshold", [true, true, false]),
        ] {
            let rule = alarm(operator, "AWS/SQS", "breaching").unwrap();
            assert_eq!(
                [4.0, 5.0, 6.0].map(|value| rule.is_breached_by(value)),
                [below, at, above],
                "{operator}"
            );
            assert_eq!((rule.datapoints_to_alarm, rule.missing), (3, MissingData::Breaching));
        }
        assert_eq!(alarm("GreaterThanUpperThreshold", "AWS/SQS", "missing"), None);
        let throttles = alarm("GreaterThanThreshold", "AWS/DynamoDB", "notBreaching").unwrap();
        assert_eq!(throttles.missing, MissingData::Ignore, "alarms of DynamoDB ignore missing data");
    }

    proptest! {
        /// With enough real datapoints the setting of missing data has no effect.
        #[test]
        fn missing_data_counts_only_where_real_data_is_missing(text in "[0X-]{5}", m in 1_usize..=3) {
            let points = points(&text);
            if points.iter().flatten().count() >= 3 {
                let states = ALL.map(|missing| rule(m, 3, missing).evaluate(&points, StateValue::InsufficientData));
                prop_assert!(states.iter().all(|state| *state == states[0]), "{text}: {states:?}");
            }
        }
    }
}
