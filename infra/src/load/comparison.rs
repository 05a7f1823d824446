//! PURE. What several measurements say together: medians and ranges of the repetitions, and the cost of the service relative to
//! the reference relay.

use serde::Serialize;

use super::report::{Report, Target};

/// The repetitions of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

/// The measurements with one number of conversations.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    pub conversations: usize,
    /// CPU of the ingress, in milliseconds per conversation-second.
    pub service_cpu_ms: Range,
    /// CPU of the reference relay, in milliseconds per conversation-second.
    pub relay_cpu_ms: Range,
    /// The first divided by the second, for each round.
    pub ratio: Range,
    /// Memory of the ingress per conversation, in KB.
    pub service_kb: Range,
    /// Memory of the relay per conversation, in KB.
    pub relay_kb: Range,
    /// The higher of the p99 latencies up and down, in milliseconds: the ingress.
    pub service_p99_ms: Range,
    /// The same of the relay.
    pub relay_p99_ms: Range,
    /// The highest load of a helper (generator or simulator), in processors. From 0.8 on the figures are partly theirs.
    pub helper_cores_max: f64,
}

impl Comparison {
    /// One comparison for each number of conversations, in the order of the reports, where both servers were measured.
    #[must_use]
    pub fn of(reports: &[Report]) -> Vec<Self> {
        let mut numbers: Vec<usize> = reports.iter().map(|report| report.conversations).collect();
        numbers.dedup();
        numbers.into_iter().filter_map(|number| Self::at(number, reports)).collect()
    }

    fn at(conversations: usize, reports: &[Report]) -> Option<Self> {
        let of = |target| {
            let reports = reports.iter().filter(move |report| report.conversations == conversations);
            reports.filter(move |report| report.target == target).collect::<Vec<&Report>>()
        };
        let (service, relay) = (of(Target::Service), of(Target::Relay));
        let cpu = |report: &&Report| report.server.cpu_ms_per_conversation_second;
        let memory = |report: &&Report| report.server.resident_per_conversation_kb;
        let p99 = |report: &&Report| report.figures.up.p99_ms.max(report.figures.down.p99_ms);
        let helpers = service.iter().chain(&relay);
        let helpers =
            helpers.map(|report| report.figures.generator_cores.max(report.figures.simulator_cores));
        Some(Self {
            conversations,
            service_cpu_ms: Range::of(service.iter().map(cpu))?,
            relay_cpu_ms: Range::of(relay.iter().map(cpu))?,
            ratio: Range::of(
                service.iter().map(cpu).zip(relay.iter().map(cpu)).map(|(service, relay)| service / relay),
            )?,
            service_kb: Range::of(service.iter().map(memory))?,
            relay_kb: Range::of(relay.iter().map(memory))?,
            service_p99_ms: Range::of(service.iter().map(p99))?,
            relay_p99_ms: Range::of(relay.iter().map(p99))?,
            helper_cores_max: helpers.fold(0.0, f64::max),
        })
    }

    /// Comparisons as lines of a Markdown table: medians, with the range of the repetitions.
    #[must_use]
    pub fn table(comparisons: &[Self]) -> Vec<String> {
        let head = "| conversations | service, CPU ms | relay, CPU ms | service / relay | service, KB | relay, KB | p99 ms, service / relay | helpers, cores |";
        let mut lines = vec![head.to_owned(), "|---|---|---|---|---|---|---|---|".to_owned()];
        lines.extend(comparisons.iter().map(|it| {
            format!(
                "| {} | {} | {} | **{}** | {:.0} | {:.0} | {:.1} / {:.1} | {:.2} |",
                it.conversations,
                it.service_cpu_ms,
                it.relay_cpu_ms,
                it.ratio,
                it.service_kb.median,
                it.relay_kb.median,
                it.service_p99_ms.median,
                it.relay_p99_ms.median,
                it.helper_cores_max,
            )
        }));
        lines
    }
}

impl Range {
    /// `None` without values.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { min, median: f64::midpoint(low, high), max })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::tests::report;

    fn measured(target: Target, conversations: usize, cpu: f64) -> Report {
        let mut report = Report { target, conversations, ..report() };
        report.server.cpu_ms_per_conversation_second = cpu;
        report
    }

    #[test]
    fn ratio_is_that_of_each_round() {
        let (service, relay) = (Target::Service, Target::Relay);
        let reports = [
            measured(service, 10, 3.0),
            measured(relay, 10, 2.0),
            measured(service, 10, 8.0),
            measured(relay, 10, 4.0),
            measured(service, 10, 6.0),
            measured(relay, 10, 6.0),
            measured(service, 50, 1.0),
        ];
        let comparisons = Comparison::of(&reports);
        assert_eq!(comparisons.len(), 1);
        assert_eq!(comparisons[0].ratio, Range { min: 1.0, median: 1.5, max: 2.0 });
        assert_eq!(comparisons[0].service_cpu_ms, Range { min: 3.0, median: 6.0, max: 8.0 });
        assert_eq!(Comparison::table(&comparisons).len(), 3);
    }

    #[test]
    fn median_of_an_even_number_is_between_the_middle_two() {
        let range = Range::of([4.0, 1.0, 2.0, 3.0].into_iter());
        assert_eq!(range, Some(Range { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(Range::of(std::iter::empty()), None);
    }
}
