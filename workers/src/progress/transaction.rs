//! PURE. What a cancelled transaction means, from the codes of its cancellation reasons.
//! Source: DynamoDB API reference, `TransactWriteItems`, "CancellationReasons".

/// The place of the marker in the transaction.
pub(super) const MARKER: usize = 0;

/// The place of the condition that the learner's data is not erased.
pub(super) const NOT_ERASED: usize = 3;

/// What to do after a cancelled transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// The marker stands already: the change was applied, perhaps by ourselves with a lost reply.
    Applied,
    /// The learner's data is erased: nothing is to be counted.
    Erased,
    /// Something moved in between, or was busy: read again and try again.
    Again(String),
    /// Another attempt would fail the same way.
    Invalid(String),
}

/// Reads the `codes` of a cancelled transaction, in the order of its items.
pub(super) fn cancelled(codes: &[&str]) -> Cancelled {
    if codes.get(MARKER) == Some(&"ConditionalCheckFailed") {
        return Cancelled::Applied;
    }
    if codes.get(NOT_ERASED) == Some(&"ConditionalCheckFailed") {
        return Cancelled::Erased;
    }
    let listed = codes.join(", ");
    let invalid = |code: &&str| matches!(*code, "ValidationError" | "ItemCollectionSizeLimitExceeded");
    if codes.iter().any(invalid) { Cancelled::Invalid(listed) } else { Cancelled::Again(listed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_decides_before_everything_else() {
        let codes = ["ConditionalCheckFailed", "TransactionConflict", "ConditionalCheckFailed"];
        assert_eq!(cancelled(&codes), Cancelled::Applied);
    }

    #[test]
    fn an_erased_learner_is_told_from_a_moved_total() {
        let codes = ["None", "None", "ConditionalCheckFailed", "ConditionalCheckFailed"];
        assert_eq!(cancelled(&codes), Cancelled::Erased);
        let moved = ["None", "None", "ConditionalCheckFailed", "None"];
        assert!(matches!(cancelled(&moved), Cancelled::Again(_)));
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
            assert!(matches!(cancelled(&["None", "None", code]), Cancelled::Again(_)), "{code}");
        }
        assert!(matches!(cancelled(&[]), Cancelled::Again(_)));
    }

    #[test]
    fn request_that_can_never_work_is_invalid() {
        let codes = ["None", "ValidationError", "None"];
        assert_eq!(cancelled(&codes), Cancelled::Invalid("None, ValidationError, None".to_owned()));
    }
}
