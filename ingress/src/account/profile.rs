//! PURE. The profile of a learner: the rules of each field, and its form in the attributes of the user pool. Stored by
//! [`crate::store::users`].

use events::{
    contract::{FeedbackLanguage, Level},
    text::{SHOWN_RULE, check_shown, nfc, shown},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const NAME_CHARS_MAX: usize = 100;

pub const INTERESTS_MAX: usize = 20;

/// Maximum length of an interest, in characters. All interests, separated by commas, fit into the 1024 characters of the user
/// pool's attribute.
pub const INTEREST_CHARS_MAX: usize = 50;

/// Maximum length of a time zone name, in bytes.
pub const TIME_ZONE_BYTES_MAX: usize = 64;

/// The name of a learner whose attributes hold none: the user pool requires a name before the learner has given one.
pub const NAMELESS: &str = "Learner";

/// The profile of a learner. Only the result of [`Profile::checked`] is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The learner's name, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// The default level of conversations.
    pub level: Level,
    /// Topics of interest: at most 20, each of 1 to 50 characters without commas.
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    pub interests: Vec<String>,
    /// The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
    /// The default language of assessments.
    pub feedback_language: FeedbackLanguage,
    /// The language of the page.
    // Records from before this field existed have none.
    #[serde(default)]
    pub page_language: PageLanguage,
}

/// The language in which the page speaks to a learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PageLanguage {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
}

/// A field breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {allowed}")]
pub struct ProfileError {
    /// The name of the field in the API.
    pub field: &'static str,
    /// What is wrong, where the rule alone does not say it, and the rule.
    pub allowed: String,
}

impl Profile {
    /// A profile with default values but the name.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self {
            name,
            level: Level::default(),
            interests: Vec::new(),
            time_zone: "UTC".to_owned(),
            feedback_language: FeedbackLanguage::default(),
            page_language: PageLanguage::default(),
        }
    }

    /// The profile in the attributes `name`, `custom:learning_level` and `custom:interests` of the user pool. They can be
    /// written without the API, so values that break a rule are cut or left out.
    #[must_use]
    pub fn of_attributes(name: Option<&str>, level: Option<&str>, interests: Option<&str>) -> Self {
        Self {
            level: level.and_then(Self::level_of_attribute).unwrap_or_default(),
            interests: Self::interests_of_attribute(interests.unwrap_or_default()),
            ..Self::new(readable(name.unwrap_or_default()))
        }
    }

    /// The profile of a record, which can be older than a rule: values that break one are cut or left out.
    #[must_use]
    pub fn of_record(self) -> Self {
        let interests = Self::interests_of_attribute(&self.interests_attribute());
        Self { name: readable(&self.name), interests, ..self }
    }

    /// Returns the stored form: texts are in NFC, white space is trimmed and collapsed, repeated interests are removed.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn checked(self) -> Result<Self, ProfileError> {
        let name = line(&self.name, NAME_CHARS_MAX).map_err(|wrong| ProfileError {
            field: "name",
            allowed: format!(
                "{wrong}; allowed are 1 to {NAME_CHARS_MAX} characters, without control characters: {SHOWN_RULE}"
            ),
        })?;
        let interests = interests(&self.interests)?;
        check_time_zone(&self.time_zone)?;
        Ok(Self { name, interests, ..self })
    }

    /// The interests in the form of the attribute `custom:interests`.
    #[must_use]
    pub fn interests_attribute(&self) -> String {
        self.interests.join(",")
    }

    /// Parses the attribute `custom:interests`. Values that break a rule are left out.
    #[must_use]
    pub fn interests_of_attribute(value: &str) -> Vec<String> {
        let mut all = Vec::new();
        for interest in value.split(',').filter_map(|one| line(one, INTEREST_CHARS_MAX).ok()) {
            if all.len() < INTERESTS_MAX && !all.contains(&interest) {
                all.push(interest);
            }
        }
        all
    }

    /// The level in the form of the attribute `custom:learning_level`.
    #[must_use]
    pub fn level_attribute(&self) -> String {
        format!("{:?}", self.level)
    }

    /// Parses the attribute `custom:learning_level`; `None` if it is not a level.
    #[must_use]
    pub fn level_of_attribute(value: &str) -> Option<Level> {
        serde_json::from_value(serde_json::Value::String(value.to_owned())).ok()
    }
}

/// Checks that `name` is an IANA time zone.
///
/// # Errors
/// The rule of the field `timeZone`.
pub fn check_time_zone(name: &str) -> Result<(), ProfileError> {
    let known = name.len() <= TIME_ZONE_BYTES_MAX && jiff::tz::TimeZone::get(name).is_ok();
    if known {
        Ok(())
    } else {
        Err(ProfileError { field: "timeZone", allowed: "an IANA time zone, e.g. Asia/Seoul".to_owned() })
    }
}

/// The name in `text`, or [`NAMELESS`]: what breaks the rule is cut or left out.
fn readable(text: &str) -> String {
    let plain = nfc(&shown(&text.replace(char::is_control, " ")));
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(NAME_CHARS_MAX).collect();
    // What remains may have needed what was cut off.
    line(&shown(&cut), NAME_CHARS_MAX).unwrap_or_else(|_| NAMELESS.to_owned())
}

fn interests(given: &[String]) -> Result<Vec<String>, ProfileError> {
    let error = |wrong: &str| ProfileError {
        field: "interests",
        allowed: format!(
            "{wrong}; allowed are at most {INTERESTS_MAX}, each of 1 to {INTEREST_CHARS_MAX} characters, without commas \
             and control characters: {SHOWN_RULE}"
        ),
    };
    if given.len() > INTERESTS_MAX {
        return Err(error(&format!("there are {}", given.len())));
    }
    let mut all = Vec::with_capacity(given.len());
    for interest in given {
        let interest =
            line(interest, INTEREST_CHARS_MAX).map_err(|wrong| error(&format!("one is wrong: {wrong}")))?;
        if interest.contains(',') {
            return Err(error("one has a comma"));
        }
        if !all.contains(&interest) {
            all.push(interest);
        }
    }
    Ok(all)
}

/// The text in NFC with collapsed white space, if that has 1 to `chars_max` characters that can be shown to others.
///
/// # Errors
/// What is wrong with it.
fn line(text: &str, chars_max: usize) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("it has a control character".to_owned());
    }
    let line = nfc(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let length = line.chars().count();
    if length > chars_max {
        return Err(format!("it has {length} characters"));
    }
    check_shown(&line).map_err(|error| error.to_string())?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(change: impl FnOnce(&mut Profile)) -> ProfileError {
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
    fn canonically_equal_texts_are_stored_as_one() {
        // 100 syllables, each of three letters that NFC joins.
        let mut profile = Profile::new("\u{1112}\u{1161}\u{11ab}".repeat(NAME_CHARS_MAX));
        profile.interests = ["Cafe\u{301}s", "Caf\u{e9}s"].map(str::to_owned).to_vec();
        let profile = profile.checked().unwrap();
        assert_eq!(
            (profile.name, profile.interests),
            ("한".repeat(NAME_CHARS_MAX), vec!["Cafés".to_owned()])
        );
        let read = Profile::of_attributes(Some("Zoe\u{308}"), None, Some("Cafe\u{301}s"));
        assert_eq!((read.name.as_str(), read.interests), ("Zoë", vec!["Cafés".to_owned()]));
    }

    #[test]
    fn text_that_is_invisible_or_reorders_is_refused_with_its_character() {
        for (text, wrong) in [
            ("\u{3164}", "U+3164"),
            ("\u{200b}", "U+200B"),
            ("Mina\u{202e}", "U+202E"),
            ("\u{2800}", "no visible"),
        ] {
            for refused in [
                refused(|profile| profile.name = text.to_owned()),
                refused(|profile| profile.interests = vec!["tea".to_owned(), text.to_owned()]),
            ] {
                let message = &refused.allowed;
                assert!(message.contains(wrong) && message.contains("at least one visible"), "{refused}");
            }
        }
        let read = Profile::of_attributes(Some("Mi\u{202e}na\u{3164}"), None, Some("\u{3164},tea"));
        assert_eq!((read.name.as_str(), read.interests), ("Mina", vec!["tea".to_owned()]));
        assert_eq!(Profile::of_attributes(Some("\u{3164}\u{200b}"), None, None).name, NAMELESS);
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
