//! PURE. Metric math: the value that an alarm computes from several metrics, point by point. It has what the templates use:
//! arithmetic, comparisons, `AND`, `OR`, `IF` and `FILL` with a number. A point is missing when an operand is; only `FILL` ends that.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{
    expression::{Expression, Operator},
    samples::{self, Metric, Samples, Selector},
};

/// Expressions that refer to one another (service limit of the metrics of an alarm).
const STEPS_MAX: usize = 10;

/// What an alarm computes.
#[derive(Clone, Debug)]
pub(super) struct Math {
    /// Over the ids of metrics only.
    expression: Expression,
    metrics: BTreeMap<String, Selector>,
}

/// An entry of the property `Metrics` of an alarm.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
    return_data: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: MetricName,
    period: u32,
    stat: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricName {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<events::cloudwatch::Dimension>,
}

impl Math {
    /// Of the property `Metrics` of an alarm. `periods` turns seconds into periods of the evaluator.
    ///
    /// # Errors
    /// CloudWatch would refuse it, or it uses what is not supported here.
    pub(super) fn new(queries: &Value, periods: impl Fn(u32) -> usize) -> anyhow::Result<Self> {
        let queries = Vec::<Query>::deserialize(queries).context("the metrics have another form")?;
        let (mut metrics, mut expressions, mut returned) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut of_metrics = Vec::new();
        for query in queries {
            if query.return_data.unwrap_or(true) {
                returned.push(query.id.clone());
            }
            match (query.metric_stat, query.expression) {
                (Some(MetricStat { metric, period, stat }), None) => {
                    of_metrics.push(period);
                    let dimensions = samples::dimensions(&metric.dimensions);
                    let metric = Metric { namespace: metric.namespace, name: metric.metric_name, dimensions };
                    metrics.insert(query.id, Selector { metric, statistic: stat, periods: periods(period) });
                }
                (None, Some(text)) => {
                    expressions.insert(query.id, Expression::parse(&text)?);
                }
                (Some(_), Some(_)) | (None, None) => {
                    bail!("{} is neither a metric nor an expression", query.id)
                }
            }
        }
        of_metrics.dedup();
        ensure!(of_metrics.len() == 1, "the metrics have several periods, or there are none: {of_metrics:?}");
        let [returned] = returned.as_slice() else { bail!("{} values are returned", returned.len()) };
        let expression = inlined(&Expression::Name(returned.clone()), &expressions, STEPS_MAX)?;
        check(&expression, &metrics)?;
        Ok(Self { expression, metrics })
    }

    /// Periods of the evaluator in one of the alarm; that of all its metrics.
    pub(super) fn periods(&self) -> usize {
        self.metrics.values().next().map_or(1, |selector| selector.periods)
    }

    /// The latest `count` values, oldest first.
    pub(super) fn points(&self, samples: &Samples, count: usize) -> Vec<Option<f64>> {
        let of_metric = |selector: &Selector| samples.points(selector, count);
        let points: BTreeMap<&str, Vec<Option<f64>>> =
            self.metrics.iter().map(|(id, selector)| (id.as_str(), of_metric(selector))).collect();
        let value = |position: usize| {
            evaluate(&self.expression, &|id| points.get(id).and_then(|points| points[position]))
        };
        (0..count).map(value).collect()
    }
}

/// `expression` with the expressions that it refers to in their places.
fn inlined(
    expression: &Expression,
    of: &BTreeMap<String, Expression>,
    steps: usize,
) -> anyhow::Result<Expression> {
    let inner = |expression: &Expression| inlined(expression, of, steps);
    Ok(match expression {
        Expression::Name(id) => match of.get(id) {
            Some(referred) => {
                ensure!(steps > 0, "the expressions refer to one another at {id}");
                inlined(referred, of, steps - 1)?
            }
            None => expression.clone(),
        },
        Expression::Number(_) => expression.clone(),
        Expression::Not(operand) => Expression::Not(Box::new(inner(operand)?)),
        Expression::Call { function, arguments } => Expression::Call {
            function: function.clone(),
            arguments: arguments.iter().map(inner).collect::<anyhow::Result<_>>()?,
        },
        Expression::Binary { operator, left, right } => Expression::Binary {
            operator: *operator,
            left: Box::new(inner(left)?),
            right: Box::new(inner(right)?),
        },
    })
}

fn check(expression: &Expression, metrics: &BTreeMap<String, Selector>) -> anyhow::Result<()> {
    for part in expression.parts() {
        match part {
            Expression::Name(id) => ensure!(metrics.contains_key(id), "there is no metric {id}"),
            Expression::Call { function, arguments } => {
                let fits = matches!(
                    (function.as_str(), arguments.as_slice()),
                    ("IF", [_, _, _]) | ("FILL", [_, Expression::Number(_)])
                );
                ensure!(
                    fits,
                    "{function} with these arguments is not supported, only IF(c, a, b) and FILL(m, number)"
                );
            }
            Expression::Number(_) | Expression::Not(_) | Expression::Binary { .. } => {}
        }
    }
    Ok(())
}

/// The value of one point; `None` is a missing one.
fn evaluate(expression: &Expression, of: &impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let truth = |is: bool| f64::from(u8::from(is));
    match expression {
        Expression::Number(number) => Some(*number),
        Expression::Name(id) => of(id),
        Expression::Not(operand) => evaluate(operand, of).map(|value| truth(value == 0.0)),
        Expression::Call { function, arguments } => match (function.as_str(), arguments.as_slice()) {
            ("FILL", [value, filler]) => evaluate(value, of).or_else(|| evaluate(filler, of)),
            ("IF", [condition, then, otherwise]) => {
                evaluate(if evaluate(condition, of)? == 0.0 { otherwise } else { then }, of)
            }
            _ => None,
        },
        Expression::Binary { operator, left, right } => {
            let (left, right) = (evaluate(left, of)?, evaluate(right, of)?);
            let value = match operator {
                Operator::Or => truth(left != 0.0 || right != 0.0),
                Operator::And => truth(left != 0.0 && right != 0.0),
                Operator::Less => truth(left < right),
                Operator::LessOrEqual => truth(left <= right),
                Operator::Greater => truth(left > right),
                Operator::GreaterOrEqual => truth(left >= right),
                Operator::Equal => truth(left == right),
                Operator::NotEqual => truth(left != right),
                Operator::Add => left + right,
                Operator::Subtract => left - right,
                Operator::Multiply => left * right,
                Operator::Divide => left / right,
            };
            // CloudWatch has no data where something is divided by zero.
            Some(value).filter(|value| value.is_finite())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::local::alarms::samples::Sample;

    fn metric(id: &str, name: &str) -> Value {
        json!({ "Id": id, "ReturnData": false, "MetricStat": {
            "Metric": { "Namespace": "NovaEnglish", "MetricName": name, "Dimensions": [{ "Name": "service", "Value": "x" }] },
            "Period": 60, "Stat": "Sum",
        }})
    }

    fn math(expression: &str, more: &[Value]) -> anyhow::Result<Math> {
        let mut queries = vec![json!({ "Id": "value", "Expression": expression, "ReturnData": true })];
        queries.extend([metric("errors", "Errors"), metric("requests", "Requests")]);
        queries.extend(more.iter().cloned());
        Math::new(&Value::Array(queries), |_| 1)
    }

    /// The values over periods with these errors and requests.
    fn values(math: &Math, periods: &[(Option<f64>, Option<f64>)]) -> Vec<Option<f64>> {
        let mut samples = Samples::default();
        for (errors, requests) in periods {
            let sample = |name: &str, value: &Option<f64>| {
                let dimensions = BTreeMap::from([("service".to_owned(), "x".to_owned())]);
                let metric =
                    Metric { namespace: "NovaEnglish".to_owned(), name: name.to_owned(), dimensions };
                value.map(|value| Sample { metric, values: vec![value] })
            };
            samples.push(
                [sample("Errors", errors), sample("Requests", requests)].into_iter().flatten().collect(),
            );
        }
        math.points(&samples, periods.len())
    }

    #[test]
    fn error_rate_counts_from_the_least_number_of_requests() {
        let rate = math(
            "IF(FILL(requests, 0) >= 20, 100 * FILL(errors, 0) / IF(FILL(requests, 0) >= 20, FILL(requests, 0), 1), 0)",
            &[],
        );
        let periods = [
            (Some(1.0), Some(1.0)),
            (None, None),
            (Some(2.0), Some(20.0)),
            (None, Some(40.0)),
            (Some(19.0), Some(19.0)),
        ];
        assert_eq!(values(&rate.unwrap(), &periods), [0.0, 0.0, 10.0, 0.0, 0.0].map(Some));
    }

    #[test]
    fn missing_operand_makes_the_point_missing() {
        let periods = [(Some(3.0), None), (None, Some(2.0)), (Some(3.0), Some(2.0)), (Some(3.0), Some(0.0))];
        let quotient = math("errors / requests", &[]).unwrap();
        assert_eq!(values(&quotient, &periods), [None, None, Some(1.5), None], "nor is there one of zero");
        let both = math("FILL(errors, 7) > 2 AND NOT FILL(requests, 0)", &[]).unwrap();
        assert_eq!(values(&both, &periods), [1.0, 0.0, 0.0, 1.0].map(Some));
    }

    #[test]
    fn expressions_may_refer_to_others_but_not_to_one_another() {
        let net = json!({ "Id": "net", "Expression": "requests - errors", "ReturnData": false });
        let math_of = |expression, more: &[Value]| math(expression, more);
        let doubled = math_of("2 * net", std::slice::from_ref(&net)).unwrap();
        assert_eq!(values(&doubled, &[(Some(1.0), Some(4.0))]), [Some(6.0)]);
        let circle = json!({ "Id": "net", "Expression": "value", "ReturnData": false });
        assert!(math_of("2 * net", &[circle]).is_err());
    }

    #[test]
    fn what_is_not_supported_is_refused_before_it_is_evaluated() {
        for expression in ["RATE(errors)", "FILL(errors, REPEAT)", "IF(errors, 1)", "unknown + 1"] {
            assert!(math(expression, &[]).is_err(), "{expression}");
        }
        let mut slow = metric("slow", "Errors");
        slow["MetricStat"]["Period"] = json!(300);
        assert!(math("errors + slow", &[slow]).is_err(), "one period for all");
        let second = json!({ "Id": "second", "Expression": "errors" });
        assert!(math("errors", &[second]).is_err(), "one value is returned");
    }
}
