//! What the audit of published conversations found, as metrics.

use events::runtime::metrics::{Counter, Document, Unit};

/// Counts since the last document.
#[derive(Debug)]
pub(super) struct Audited {
    /// Conversations that have passed the pipeline.
    pub(super) complete: Counter,
    /// Stages at which a conversation has stopped.
    pub(super) stalled: Counter,
    /// Stages at which one had stopped and that happened since.
    pub(super) recovered: Counter,
    /// Conversations that are looked at no more although a stage is missing.
    pub(super) given_up: Counter,
}

impl Audited {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        let counter = Counter::new;
        Self { complete: counter(), stalled: counter(), recovered: counter(), given_up: counter() }
    }

    /// The counts, which start again from nothing.
    pub(super) fn document(&self) -> Document {
        Document::new(vec![("service", "watchdog".to_owned())])
            .number("ConversationsComplete", Unit::Count, self.complete.take())
            .number("StagesStalled", Unit::Count, self.stalled.take())
            .number("StagesRecovered", Unit::Count, self.recovered.take())
            .number("ConversationsGivenUp", Unit::Count, self.given_up.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_told_once_and_documented() {
        let audited = Audited::new();
        audited.stalled.increment();
        audited.stalled.increment();
        let told = || audited.document().encode("2026-11-24T08:00:00Z".parse().unwrap()).unwrap();
        let document = told();
        let page = include_str!("../../../ARCHITECTURE.md");
        for name in ["ConversationsComplete", "StagesStalled", "StagesRecovered", "ConversationsGivenUp"] {
            assert!(page.contains(&format!("| `{name}` | Count |")), "{name}");
            assert!(document[name].is_u64(), "{name}");
        }
        assert_eq!((&document["StagesStalled"], &told()["StagesStalled"]), (&2.into(), &0.into()));
    }
}
