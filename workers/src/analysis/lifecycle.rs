//! PURE. Models that have reached, or are known to reach, their end of life. A worker that is configured for a model
//! that no longer answers says so when it starts, and not with the first learner's conversation.
//!
//! This is a list and not a question to Bedrock: `GetFoundationModel` is in the SDK of Bedrock's control plane, a crate
//! as large as the others together, for one call; and an inference profile would need a second. What the list does not
//! know yet is caught by the error of the first call, which is the environment's (`model`): nothing is dead-lettered,
//! polling pauses, and the log names the variable.
//!
//! Source: Amazon Bedrock user guide, "Model lifecycle", as of November 2026.

use jiff::civil::{Date, date};

/// Models by their ids without a profile's prefix, with the day from which they no longer answer.
const ENDS: [(&str, Date); 7] = [
    ("anthropic.claude-3-5-sonnet-20240620-v1:0", date(2026, 3, 1)),
    ("anthropic.claude-3-7-sonnet-20250219-v1:0", date(2026, 4, 28)),
    ("anthropic.claude-3-5-haiku-20241022-v1:0", date(2026, 6, 19)),
    ("anthropic.claude-3-5-sonnet-20241022-v2:0", date(2026, 7, 30)),
    ("anthropic.claude-3-haiku-20240307-v1:0", date(2026, 9, 10)),
    ("anthropic.claude-sonnet-4-20250514-v1:0", date(2026, 10, 14)),
    ("anthropic.claude-opus-4-1-20250805-v1:0", date(2027, 1, 8)),
];

/// What is known of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Nothing that speaks against it.
    Active,
    /// It answers until this day.
    Ending(Date),
    /// It no longer answers since this day.
    Ended(Date),
}

/// What is known of `model`, an id, a profile's id or an ARN, on the day `today` (UTC).
pub(super) fn life(model: &str, today: Date) -> Life {
    let Some((_, end)) = ENDS.iter().find(|(id, _)| is_model(model, id)) else { return Life::Active };
    if today < *end { Life::Ending(*end) } else { Life::Ended(*end) }
}

/// Whether `model` is `id`, bare, behind a profile's prefix (`us.`, `global.`) or at the end of an ARN.
fn is_model(model: &str, id: &str) -> bool {
    model.strip_suffix(id).is_some_and(|before| before.is_empty() || before.ends_with(['.', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_at_its_end_is_known_by_its_id_its_profile_and_its_arn() {
        let today = date(2026, 11, 24);
        let sonnet = "anthropic.claude-3-5-sonnet-20241022-v2:0";
        let arn = format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{sonnet}");
        for model in [sonnet, &format!("us.{sonnet}"), &format!("global.{sonnet}"), &arn] {
            assert_eq!(life(model, today), Life::Ended(date(2026, 7, 30)), "{model}");
        }
        assert_eq!(life(&format!("x{sonnet}"), today), Life::Active);
    }

    #[test]
    fn model_ends_on_its_day_and_not_before() {
        let opus = "us.anthropic.claude-opus-4-1-20250805-v1:0";
        let end = date(2027, 1, 8);
        assert_eq!(life(opus, date(2027, 1, 7)), Life::Ending(end));
        assert_eq!(life(opus, end), Life::Ended(end));
    }

    #[test]
    fn default_model_is_active() {
        assert_eq!(life(super::super::MODEL_ID_DEFAULT, date(2026, 11, 24)), Life::Active);
    }
}
