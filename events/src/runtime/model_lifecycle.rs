//! PURE. The known end-of-life dates of models. A process that is configured for an expired model fails at the start, and
//! not at the first conversation.
//!
//! The dates are a list and not a request to Bedrock: `GetFoundationModel` needs the SDK of Bedrock's control plane, a crate
//! as large as the others together, for one call, and a second call for an inference profile. A model that is missing in the
//! list fails with its first call: the analysis worker treats that as an environment error, so nothing is dead-lettered,
//! polling pauses, and the log names the variable; a conversation ends with the reason.
//!
//! Source: Amazon Bedrock user guide, "Model lifecycle", as of November 2026.

use anyhow::{bail, ensure};
use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};

/// The default speech model.
pub const SPEECH_MODEL_DEFAULT: &str = "amazon.nova-2-sonic-v1:0";

/// The default model of assessments, by its inference profile for regions in the USA.
pub const ANALYSIS_MODEL_DEFAULT: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

/// Models by their ids without a profile's prefix, with the first day after their end of life.
const ENDS: [(&str, Date); 8] = [
    ("anthropic.claude-3-5-sonnet-20240620-v1:0", date(2026, 3, 1)),
    ("anthropic.claude-3-7-sonnet-20250219-v1:0", date(2026, 4, 28)),
    ("anthropic.claude-3-5-haiku-20241022-v1:0", date(2026, 6, 19)),
    ("anthropic.claude-3-5-sonnet-20241022-v2:0", date(2026, 7, 30)),
    ("anthropic.claude-3-haiku-20240307-v1:0", date(2026, 9, 10)),
    ("amazon.nova-sonic-v1:0", date(2026, 9, 14)),
    ("anthropic.claude-sonnet-4-20250514-v1:0", date(2026, 10, 14)),
    ("anthropic.claude-opus-4-1-20250805-v1:0", date(2027, 1, 8)),
];

/// Refuses a model that has reached its end of life, and warns of a known end. `variable` configures the model, and `example`
/// is a current one.
///
/// # Errors
/// The id is empty, or the model is gone. The error names the variable and the example.
pub fn check(variable: &str, model_id: &str, example: &str, now: Timestamp) -> anyhow::Result<()> {
    ensure!(!model_id.is_empty(), "{variable} is empty: name a model of Bedrock, for example {example}");
    match lifecycle(model_id, TimeZone::UTC.to_datetime(now).date()) {
        Lifecycle::Active => {}
        Lifecycle::Ending(end) => {
            tracing::warn!(model.id = model_id, %end, "the model reaches its end of life");
        }
        Lifecycle::Ended(end) => bail!(
            "{variable}: {model_id:?} reached its end of life on {end}; name a current model, for example {example}"
        ),
    }
    Ok(())
}

/// The lifecycle state of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifecycle {
    /// No end of life is known.
    Active,
    /// The end of life is on this day, in the future.
    Ending(Date),
    /// The end of life was on this day.
    Ended(Date),
}

/// The state of `model` (a model id, an inference profile id or an ARN) on the day `today` in UTC.
fn lifecycle(model: &str, today: Date) -> Lifecycle {
    let Some((_, end)) = ENDS.iter().find(|(id, _)| is_model(model, id)) else { return Lifecycle::Active };
    if today < *end { Lifecycle::Ending(*end) } else { Lifecycle::Ended(*end) }
}

/// Whether `model` is `id`, alone, after a profile's prefix (`us.`, `global.`) or at the end of an ARN.
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
        assert_eq!(lifecycle("amazon.nova-sonic-v1:0", today), Lifecycle::Ended(date(2026, 9, 14)));
        assert_eq!(lifecycle("amazon.nova-2-sonic-v1:0", today), Lifecycle::Active);
        for model in [sonnet, &format!("us.{sonnet}"), &format!("global.{sonnet}"), &arn] {
            assert_eq!(lifecycle(model, today), Lifecycle::Ended(date(2026, 7, 30)), "{model}");
        }
        assert_eq!(lifecycle(&format!("x{sonnet}"), today), Lifecycle::Active);
    }

    #[test]
    fn model_ends_on_its_day_and_not_before() {
        let opus = "us.anthropic.claude-opus-4-1-20250805-v1:0";
        let end = date(2027, 1, 8);
        assert_eq!(lifecycle(opus, date(2027, 1, 7)), Lifecycle::Ending(end));
        assert_eq!(lifecycle(opus, end), Lifecycle::Ended(end));
    }

    #[test]
    fn model_that_is_gone_is_refused_with_the_variable_and_a_current_one() {
        let now = "2026-11-24T00:00:00Z".parse().unwrap();
        let gone = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
        let refused = check("NOVA_MODEL_ID", gone, "current", now).unwrap_err().to_string();
        for part in ["NOVA_MODEL_ID", gone, "2026-07-30", "current"] {
            assert!(refused.contains(part), "{refused}");
        }
        check("NOVA_MODEL_ID", "current", "current", now).unwrap();
        assert!(check("NOVA_MODEL_ID", "", "current", now).is_err());
    }
}
