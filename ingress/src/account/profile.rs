//! PURE. What a learner says of themselves: the rules of each field, and how it stands in an attribute of the user
//! pool. Who keeps it is [`crate::store::users`].

use events::contract::{FeedbackLanguage, Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// Most interests.
pub const INTERESTS_MAX: usize = 20;

/// Longest interest, in characters. All together, with the commas between them, they fit in the 1024 characters
/// that the user pool's attribute holds.
pub const INTEREST_CHARS_MAX: usize = 50;

/// Longest time zone name, in bytes.
pub const TIME_ZONE_BYTES_MAX: usize = 64;

/// What a learner is called who has told no name.
const NAMELESS: &str = "Learner";

/// What a learner says of themselves. [`Profile::checked`] is the only way to one that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// What the learner is called, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// The level that conversations begin with.
    pub level: Level,
    /// What the learner likes to talk about: at most 20, each of 1 to 50 characters without a comma.
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    pub interests: Vec<String>,
    /// The IANA name of the zone in which the learner's days begin.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
    /// The language of assessments.
    pub feedback_language: FeedbackLanguage,
}

/// A field that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {allowed}")]
pub struct Wrong {
    /// The field, as the API writes it.
    pub field: &'static str,
    /// What is allowed.
    pub allowed: String,
}

impl Profile {
    /// A profile that says no more than a name.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self {
            name,
            level: Level::default(),
            interests: Vec::new(),
            time_zone: "UTC".to_owned(),
            feedback_language: FeedbackLanguage::default(),
        }
    }

    /// The profile of somebody who signed up, from the attributes of the user pool: `name`, `custom:learning_level` and
    /// `custom:interests`. They can be written past the API, so what breaks a rule is cut or left out.
    #[must_use]
    pub fn of_attributes(name: Option<&str>, level: Option<&str>, interests: Option<&str>) -> Self {
        let plain = name.unwrap_or_default().replace(char::is_control, " ");
        let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let name: String = words.chars().take(NAME_CHARS_MAX).collect();
        let name = if name.is_empty() { NAMELESS.to_owned() } else { name.trim_end().to_owned() };
        Self {
            level: level.and_then(Self::level_of_attribute).unwrap_or_default(),
            interests: Self::interests_of_attribute(interests.unwrap_or_default()),
            ..Self::new(name)
        }
    }

    /// The same in its stored form: white space around and within is made single spaces, an interest that was said
    /// twice stands once.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn checked(self) -> Result<Self, Wrong> {
        let name = line(&self.name, NAME_CHARS_MAX).ok_or_else(|| Wrong {
            field: "name",
            allowed: format!("1 to {NAME_CHARS_MAX} characters, without control characters"),
        })?;
        let interests = interests(&self.interests)?;
        if !is_time_zone(&self.time_zone) {
            let allowed = "an IANA name, as Asia/Seoul".to_owned();
            return Err(Wrong { field: "timeZone", allowed });
        }
        Ok(Self { name, interests, ..self })
    }

    /// The interests as the attribute `custom:interests` of the user pool holds them.
    #[must_use]
    pub fn interests_attribute(&self) -> String {
        self.interests.join(",")
    }

    /// Reads the attribute `custom:interests`. It can be written past the API, so what breaks the rules is left
    /// out.
    #[must_use]
    pub fn interests_of_attribute(value: &str) -> Vec<String> {
        let mut all = Vec::new();
        for interest in value.split(',').filter_map(|one| line(one, INTEREST_CHARS_MAX)) {
            if all.len() < INTERESTS_MAX && !all.contains(&interest) {
                all.push(interest);
            }
        }
        all
    }

    /// The level as the attribute `custom:learning_level` of the user pool holds it.
    #[must_use]
    pub fn level_attribute(&self) -> String {
        format!("{:?}", self.level)
    }

    /// Reads the attribute `custom:learning_level`; nothing when it names no level.
    #[must_use]
    pub fn level_of_attribute(value: &str) -> Option<Level> {
        serde_json::from_value(serde_json::Value::String(value.to_owned())).ok()
    }
}

/// Whether `name` is a time zone of the IANA database, at most [`TIME_ZONE_BYTES_MAX`] long.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    name.len() <= TIME_ZONE_BYTES_MAX && jiff::tz::TimeZone::get(name).is_ok()
}

fn interests(told: &[String]) -> Result<Vec<String>, Wrong> {
    let wrong = || Wrong {
        field: "interests",
        allowed: format!(
            "at most {INTERESTS_MAX}, each of 1 to {INTEREST_CHARS_MAX} characters, without commas and control \
             characters"
        ),
    };
    if told.len() > INTERESTS_MAX {
        return Err(wrong());
    }
    let mut all = Vec::with_capacity(told.len());
    for interest in told {
        let interest = line(interest, INTEREST_CHARS_MAX).filter(|text| !text.contains(','));
        let interest = interest.ok_or_else(wrong)?;
        if !all.contains(&interest) {
            all.push(interest);
        }
    }
    Ok(all)
}

/// The text with single spaces, if it has 1 to `chars_max` characters then and no control characters.
fn line(text: &str, chars_max: usize) -> Option<String> {
    // A character has at most four bytes, so a longer text is too long, or mostly white space.
    if text.len() > 4 * chars_max || text.chars().any(char::is_control) {
        return None;
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (1..=chars_max).contains(&line.chars().count()).then_some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(change: impl FnOnce(&mut Profile)) -> Wrong {
        let mut profile = Profile::new("Mina".to_owned());
        change(&mut profile);
        profile.checked().unwrap_err()
    }

    #[test]
    fn a_profile_is_put_in_order() {
        let mut profile = Profile::new("  Mina \u{3000} Kim ".to_owned());
        profile.interests = ["cooking", " slow  food", "cooking"].map(str::to_owned).to_vec();
        let profile = profile.checked().unwrap();
        assert_eq!(profile.name, "Mina Kim");
        assert_eq!(profile.interests, ["cooking", "slow food"]);
    }

    #[test]
    fn a_field_that_breaks_its_rule_is_named_with_what_is_allowed() {
        for name in [String::new(), " ".to_owned(), "a\nb".to_owned(), "é".repeat(NAME_CHARS_MAX + 1)] {
            let wrong = refused(|profile| profile.name = name);
            assert_eq!(wrong.field, "name");
            assert!(wrong.allowed.contains("1 to 100"), "{wrong}");
        }
        let many = (0..=INTERESTS_MAX).map(|number| number.to_string()).collect();
        let long = vec!["x".repeat(INTEREST_CHARS_MAX + 1)];
        for interests in [many, long, vec!["a,b".to_owned()], vec![String::new()]] {
            assert_eq!(refused(|profile| profile.interests = interests).field, "interests");
        }
        for zone in ["Mars/Olympus".to_owned(), String::new(), "x".repeat(TIME_ZONE_BYTES_MAX + 1)] {
            assert_eq!(refused(|profile| profile.time_zone = zone).field, "timeZone");
        }
        let mut longest = Profile::new("é".repeat(NAME_CHARS_MAX));
        longest.interests =
            (0..INTERESTS_MAX).map(|n| format!("{n:02}{}", "가".repeat(INTEREST_CHARS_MAX - 2))).collect();
        let longest = longest.checked().unwrap();
        assert!(longest.interests_attribute().chars().count() <= 1024);
    }

    #[test]
    fn attributes_of_the_pool_are_read_back() {
        let mut profile = Profile::new("Mina".to_owned());
        profile.level = Level::C1;
        profile.interests = ["cooking", "trains"].map(str::to_owned).to_vec();
        assert_eq!(Profile::interests_of_attribute(&profile.interests_attribute()), profile.interests);
        assert_eq!(Profile::level_of_attribute(&profile.level_attribute()), Some(Level::C1));
        assert_eq!(Profile::level_of_attribute("B7"), None);
        assert!(Profile::interests_of_attribute("").is_empty());
        let long = format!("Mina\t{}", "x".repeat(NAME_CHARS_MAX));
        let cut = Profile::of_attributes(Some(&long), Some("A2"), None);
        assert_eq!((cut.name.chars().count(), cut.level), (NAME_CHARS_MAX, Level::A2));
        assert_eq!(Profile::of_attributes(None, None, None).name, NAMELESS);
    }

    proptest! {
        #[test]
        fn what_was_checked_passes_again_unchanged(name in any::<String>(), interests in proptest::collection::vec(any::<String>(), 0..25)) {
            let told = Profile { interests, ..Profile::new(name) };
            if let Ok(checked) = told.checked() {
                prop_assert_eq!(Profile::interests_of_attribute(&checked.interests_attribute()), checked.interests.clone());
                prop_assert_eq!(checked.clone().checked(), Ok(checked));
            }
        }

        #[test]
        fn whatever_the_attributes_hold_the_profile_passes(
            name in any::<String>(), level in any::<String>(), interests in any::<String>(),
        ) {
            let profile = Profile::of_attributes(Some(&name), Some(&level), Some(&interests));
            prop_assert_eq!(profile.clone().checked(), Ok(profile));
        }
    }
}
