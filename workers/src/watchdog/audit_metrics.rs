//! Metrics of the audit of published conversations.

use events::runtime::metrics::{Counter, Document, Peak, Unit};

/// The counts since the last document.
#[derive(Debug, Default)]
pub(super) struct AuditMetrics {
    /// Conversations that have passed every stage.
    pub(super) complete: Counter,
    /// Stages at which a conversation has stalled.
    pub(super) stalled: Counter,
    /// Stages that happened after a stall.
    pub(super) recovered: Counter,
    /// Conversations whose audit was given up with a missing stage.
    pub(super) given_up: Counter,
    /// Seconds for which a conversation had ended without its event on the bus.
    pub(super) unpublished_seconds: Peak,
}

impl AuditMetrics {
    /// Takes the counts, which restart from zero.
    pub(super) fn document(&self) -> Document {
        Document::new("watchdog")
            .number("ConversationsComplete", Unit::Count, self.complete.take())
            .number("StagesStalled", Unit::Count, self.stalled.take())
            .number("StagesRecovered", Unit::Count, self.recovered.take())
            .number("ConversationsGivenUp", Unit::Count, self.given_up.take())
            .rare("UnpublishedSeconds", Unit::Seconds, self.unpublished_seconds.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_reported_once_and_documented() {
        let audit_metrics = AuditMetrics::default();
        audit_metrics.stalled.increment();
        audit_metrics.stalled.increment();
        let taken = || audit_metrics.document().encode("2026-11-24T08:00:00Z".parse().unwrap()).unwrap();
        let document = taken();
        let page = include_str!("../../../infra/runbooks/metrics.md");
        for name in ["ConversationsComplete", "StagesStalled", "StagesRecovered", "ConversationsGivenUp"] {
            assert!(page.contains(&format!("| `{name}` | Count | watchdog |")), "{name}");
            assert!(document[name].is_u64(), "{name}");
        }
        assert_eq!((&document["StagesStalled"], &taken()["StagesStalled"]), (&2.into(), &0.into()));
        [121, 61].into_iter().for_each(|seconds| audit_metrics.unpublished_seconds.record(seconds));
        assert!(page.contains("| `UnpublishedSeconds` | Seconds | watchdog, rarely |"));
        assert_eq!(taken()["UnpublishedSeconds"], 121);
        assert_eq!(taken().get("UnpublishedSeconds"), None);
    }
}
