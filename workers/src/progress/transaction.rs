//! PURE. Interprets a cancelled transaction by the codes of its cancellation reasons.
//! Source: DynamoDB API reference, `TransactWriteItems`, "CancellationReasons".

/// Index of the marker in the transaction.
pub(super) const MARKER: usize = 0;

/// Index of the condition that the learner's data is not erased.
pub(super) const NOT_ERASED: usize = 1;

/// The meaning of a cancelled transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// The marker exists, or is complete: the change was applied, possibly by our own request whose response was lost.
    Applied,
    /// The learner's data is erased: nothing may be counted.
    Erased,
    /// A conflict or throttling: read again and retry.
    Retry(String),
    /// A retry would fail in the same way.
    Invalid(String),
}

/// Interprets the `codes` of a cancelled transaction, in the order of its items.
pub(super) fn cancelled(codes: &[&str]) -> Cancellation {
    if codes.get(MARKER) == Some(&"ConditionalCheckFailed") {
        return Cancellation::Applied;
    }
    if codes.get(NOT_ERASED) == Some(&"ConditionalCheckFailed") {
        return Cancellation::Erased;
    }
    let listed = codes.join(", ");
    let invalid = |code: &&str| matches!(*code, "ValidationError" | "ItemCollectionSizeLimitExceeded");
    if codes.iter().any(invalid) { Cancellation::Invalid(listed) } else { Cancellation::Retry(listed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_decides_before_everything_else() {
        let codes = ["ConditionalCheckFailed", "TransactionConflict", "ConditionalCheckFailed"];
        assert_eq!(cancelled(&codes), Cancellation::Applied);
    }

    #[test]
    fn an_erased_learner_is_told_from_a_moved_total() {
        let codes = ["None", "ConditionalCheckFailed", "ConditionalCheckFailed", "None"];
        assert_eq!(cancelled(&codes), Cancellation::Erased);
        let moved = ["None", "None", "ConditionalCheckFailed"];
        assert!(matches!(cancelled(&moved), Cancellation::Retry(_)));
    }

    #[test]
    fn moved_total_conflict_and_throttling_are_tried_again() {
        for code in [
            "ConditionalCheckFailed",
            "TransactionConflict",
            "ThrottlingError",
            "ProvisionedThroughputExceeded",
            "New",
        ] {
            assert!(matches!(cancelled(&["None", "None", code]), Cancellation::Retry(_)), "{code}");
        }
        assert!(matches!(cancelled(&[]), Cancellation::Retry(_)));
    }

    #[test]
    fn request_that_can_never_work_is_invalid() {
        let codes = ["None", "ValidationError", "None"];
        assert_eq!(cancelled(&codes), Cancellation::Invalid("None, ValidationError, None".to_owned()));
    }
}
