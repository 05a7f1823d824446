//! PURE. The samples of the latest periods, and their statistics.

use std::collections::{BTreeMap, VecDeque};

use events::cloudwatch::Dimension;

/// Periods that are kept: more than any alarm looks back.
const PERIODS_MAX: usize = 500;

/// A metric with all its dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: BTreeMap<String, String>,
}

/// The values of a metric in a period.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) metric: Metric,
    pub(super) values: Vec<f64>,
}

/// What an alarm reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: Metric,
    /// `Sum`, `p95` and so on.
    pub(super) statistic: String,
    /// Periods of the evaluator in one period of the alarm.
    pub(super) periods: usize,
}

/// The samples, the latest period last.
#[derive(Debug, Default)]
pub(super) struct Samples(VecDeque<BTreeMap<Metric, Vec<f64>>>);

impl Samples {
    /// Adds a period.
    pub(super) fn push(&mut self, samples: Vec<Sample>) {
        let mut period: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
        for Sample { metric, values } in samples {
            period.entry(metric).or_default().extend(values);
        }
        self.0.push_back(period);
        if self.0.len() > PERIODS_MAX {
            self.0.pop_front();
        }
    }

    /// The number of periods.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The latest `count` datapoints of the selector, oldest first; `None` is a period without data.
    pub(super) fn points(&self, selector: &Selector, count: usize) -> Vec<Option<f64>> {
        let periods: Vec<&BTreeMap<Metric, Vec<f64>>> = self.0.iter().rev().collect();
        let point = |number: usize| {
            let from = (number * selector.periods).min(periods.len());
            let to = (from + selector.periods).min(periods.len());
            let values = periods[from..to].iter().filter_map(|period| period.get(&selector.metric));
            statistic(&selector.statistic, values.flatten().copied().collect())
        };
        (0..count).rev().map(point).collect()
    }
}

pub(super) fn dimensions(dimensions: &[Dimension]) -> BTreeMap<String, String> {
    dimensions.iter().map(|dimension| (dimension.name.clone(), dimension.value.clone())).collect()
}

/// `None` without values, or for an unknown statistic.
fn statistic(name: &str, mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let count = f64::from(u32::try_from(values.len()).ok()?);
    match name {
        "SampleCount" => Some(count),
        "Sum" => Some(values.iter().sum()),
        "Average" => Some(values.iter().sum::<f64>() / count),
        "Minimum" => values.into_iter().reduce(f64::min),
        "Maximum" => values.into_iter().reduce(f64::max),
        _ => {
            let percent: f64 = name.strip_prefix('p')?.parse().ok().filter(|p| (0.0..=100.0).contains(p))?;
            values.sort_by(f64::total_cmp);
            let rank = percent / 100.0 * (count - 1.0);
            let below = values.iter().scan(0.0, |at, value| {
                *at += 1.0;
                Some((*at - 1.0, *value))
            });
            let (mut low, mut high) = (values[0], values[0]);
            for (at, value) in below {
                if at <= rank {
                    low = value;
                }
                high = value;
                if at >= rank {
                    break;
                }
            }
            Some(low + (high - low) * rank.fract())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(queue: &str) -> Metric {
        let dimensions = BTreeMap::from([("QueueName".to_owned(), queue.to_owned())]);
        Metric { namespace: "AWS/SQS".to_owned(), name: "Depth".to_owned(), dimensions }
    }

    fn sample(queue: &str, values: &[f64]) -> Sample {
        Sample { metric: metric(queue), values: values.to_vec() }
    }

    fn selector(statistic: &str, periods: usize) -> Selector {
        Selector { metric: metric("a"), statistic: statistic.to_owned(), periods }
    }

    #[test]
    fn points_are_those_of_the_own_dimension_and_period() {
        let mut samples = Samples::default();
        for period in [&[1.0][..], &[2.0, 3.0], &[], &[5.0]] {
            let other = sample("b", &[100.0]);
            samples.push(if period.is_empty() { vec![other] } else { vec![sample("a", period), other] });
        }
        assert_eq!(samples.points(&selector("Maximum", 1), 5), [None, Some(1.0), Some(3.0), None, Some(5.0)]);
        assert_eq!(samples.points(&selector("Sum", 2), 3), [None, Some(6.0), Some(5.0)]);
        assert_eq!(samples.points(&selector("SampleCount", 4), 1), [Some(4.0)]);
    }

    #[test]
    fn statistics_are_those_of_cloudwatch() {
        let values = || vec![4.0, 1.0, 3.0, 2.0];
        for (name, expected) in [
            ("Sum", Some(10.0)),
            ("Average", Some(2.5)),
            ("Minimum", Some(1.0)),
            ("Maximum", Some(4.0)),
            ("SampleCount", Some(4.0)),
            ("p0", Some(1.0)),
            ("p50", Some(2.5)),
            ("p100", Some(4.0)),
            ("p101", None),
            ("tm90", None),
        ] {
            assert_eq!(statistic(name, values()), expected, "{name}");
        }
        assert_eq!(statistic("Sum", Vec::new()), None);
    }

    #[test]
    fn kept_periods_are_bounded() {
        let mut samples = Samples::default();
        (0..PERIODS_MAX + 10).for_each(|_| samples.push(vec![sample("a", &[1.0])]));
        assert_eq!(samples.0.len(), PERIODS_MAX);
    }
}
