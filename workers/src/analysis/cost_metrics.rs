//! Metrics of the cost of assessments: tokens and US dollars of all responses, accepted or not.

use events::{
    contract::Cost,
    runtime::metrics::{Counter, Document, Unit},
};

/// The sums since the last document.
#[derive(Debug)]
pub(super) struct CostMetrics {
    input_tokens: Counter,
    output_tokens: Counter,
    usd_micros: Counter,
    unreadable_usage: Counter,
}

impl CostMetrics {
    /// All sums are zero.
    pub(super) fn new() -> Self {
        Self {
            input_tokens: Counter::new(),
            output_tokens: Counter::new(),
            usd_micros: Counter::new(),
            unreadable_usage: Counter::new(),
        }
    }

    /// Adds the cost of one conversation's responses.
    pub(super) fn add(&self, input_tokens: u64, output_tokens: u64, cost: Cost) {
        self.input_tokens.add(input_tokens);
        self.output_tokens.add(output_tokens);
        self.usd_micros.add(cost.usd_micros);
    }

    /// Counts a response whose tokens are unknown.
    pub(super) fn add_unreadable_usage(&self) {
        self.unreadable_usage.increment();
    }

    /// Takes the sums, which restart from zero.
    pub(super) fn document(&self) -> Document {
        Document::new("analysis")
            .number("AnalysisInputTokens", Unit::Count, self.input_tokens.take())
            .number("AnalysisOutputTokens", Unit::Count, self.output_tokens.take())
            .number("AnalysisCostUsdMicros", Unit::Count, self.usd_micros.take())
            .number("AnalysisUnreadableUsageReports", Unit::Count, self.unreadable_usage.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_summed_up_reported_once_and_documented() {
        let cost_metrics = CostMetrics::new();
        let cost = Cost { usd_micros: 5_951, input_usd_micros_per_mtok: 1, output_usd_micros_per_mtok: 1 };
        cost_metrics.add(2_210, 640, cost);
        cost_metrics.add(90, 60, cost);
        cost_metrics.add_unreadable_usage();
        let taken = || cost_metrics.document().encode("2026-11-24T08:00:00Z".parse().unwrap()).unwrap();
        let document = taken();
        let names = [
            "AnalysisInputTokens",
            "AnalysisOutputTokens",
            "AnalysisCostUsdMicros",
            "AnalysisUnreadableUsageReports",
        ];
        let values = names.map(|name| {
            let page = include_str!("../../../infra/runbooks/metrics.md");
            assert!(page.contains(&format!("| `{name}` | Count | analysis |")), "{name}");
            document[name].as_u64().unwrap()
        });
        assert_eq!(values, [2_300, 700, 11_902, 1]);
        assert_eq!(taken()["AnalysisCostUsdMicros"], 0);
    }
}
