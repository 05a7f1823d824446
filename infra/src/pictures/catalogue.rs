//! PURE. The catalogue of pictures, and the illustration of each.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest `alt` in characters: a sentence that a screen reader says in one breath or two.
pub const ALT_CHARS_MAX: usize = 140;

/// The longest description in characters. It is a part of the tutor's prompt in every stream.
pub const DESCRIPTION_CHARS_MAX: usize = 1024;

/// Characters of the catalogue's SHA-256 that are its version.
const VERSION_CHARS: usize = 16;

const CATALOGUE: &str = include_str!("../../pictures/catalogue.json");

/// The illustrations by the ids of their pictures, SVG.
const ILLUSTRATIONS: [(&str, &str); 25] = [
    ("birthday-party", include_str!("../../pictures/birthday-party.svg")),
    ("garden-wedding", include_str!("../../pictures/garden-wedding.svg")),
    ("graduation-day", include_str!("../../pictures/graduation-day.svg")),
    ("new-year-fireworks", include_str!("../../pictures/new-year-fireworks.svg")),
    ("street-party", include_str!("../../pictures/street-party.svg")),
    ("airport-departures", include_str!("../../pictures/airport-departures.svg")),
    ("busy-crossing", include_str!("../../pictures/busy-crossing.svg")),
    ("museum-gallery", include_str!("../../pictures/museum-gallery.svg")),
    ("street-market", include_str!("../../pictures/street-market.svg")),
    ("train-platform", include_str!("../../pictures/train-platform.svg")),
    ("clinic-waiting-room", include_str!("../../pictures/clinic-waiting-room.svg")),
    ("family-kitchen", include_str!("../../pictures/family-kitchen.svg")),
    ("living-room-evening", include_str!("../../pictures/living-room-evening.svg")),
    ("rainy-bus-stop", include_str!("../../pictures/rainy-bus-stop.svg")),
    ("supermarket-checkout", include_str!("../../pictures/supermarket-checkout.svg")),
    ("beach-afternoon", include_str!("../../pictures/beach-afternoon.svg")),
    ("lake-campsite", include_str!("../../pictures/lake-campsite.svg")),
    ("mountain-hike", include_str!("../../pictures/mountain-hike.svg")),
    ("orchard-harvest", include_str!("../../pictures/orchard-harvest.svg")),
    ("snowy-park", include_str!("../../pictures/snowy-park.svg")),
    ("bicycle-workshop", include_str!("../../pictures/bicycle-workshop.svg")),
    ("building-site", include_str!("../../pictures/building-site.svg")),
    ("office-meeting", include_str!("../../pictures/office-meeting.svg")),
    ("restaurant-kitchen", include_str!("../../pictures/restaurant-kitchen.svg")),
    ("school-classroom", include_str!("../../pictures/school-classroom.svg")),
];

/// A picture as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Picture {
    /// Key in the Images table.
    pub image_id: String,
    /// One of the five categories.
    pub category: String,
    pub title: String,
    /// Alternative text for screen readers, one sentence.
    pub alt: String,
    /// Full description: the model cannot see the picture.
    pub description: String,
    pub objectives: Vec<String>,
    pub vocabulary: Vec<String>,
    /// Guiding questions by CEFR level.
    pub questions: BTreeMap<String, Vec<String>>,
}

impl Picture {
    /// Its illustration, an SVG document of 1024 x 1024 without text elements.
    ///
    /// # Errors
    /// There is no illustration of this picture.
    pub fn illustration(&self) -> anyhow::Result<&'static str> {
        let drawn = ILLUSTRATIONS.iter().find(|(id, _)| *id == self.image_id);
        drawn
            .map(|(_, svg)| *svg)
            .with_context(|| format!("the picture {} has no illustration", self.image_id))
    }
}

/// The pictures that ship with the product.
///
/// # Errors
/// The catalogue is invalid.
pub fn catalogue() -> anyhow::Result<Vec<Picture>> {
    serde_json::from_str(CATALOGUE).context("the picture catalogue is invalid")
}

/// The version of the catalogue's texts: the beginning of their SHA-256 in hexadecimal digits.
#[must_use]
pub fn catalogue_version() -> String {
    hex::encode(Sha256::digest(CATALOGUE)).chars().take(VERSION_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// CEFR levels.
    use events::text::{check_shown, nfc};

    const LEVELS: [&str; 6] = ["A1", "A2", "B1", "B2", "C1", "C2"];

    #[test]
    fn there_are_25_pictures_five_in_each_of_five_categories() {
        let pictures = catalogue().unwrap();
        let mut categories = BTreeMap::<String, usize>::new();
        for picture in &pictures {
            *categories.entry(picture.category.clone()).or_default() += 1;
        }
        assert_eq!(pictures.len(), 25);
        assert_eq!(categories.into_values().collect::<Vec<_>>(), [5; 5]);
    }

    #[test]
    fn every_picture_has_its_texts_within_their_lengths() {
        for picture in catalogue().unwrap() {
            let Picture { image_id: id, title, alt, description, .. } = &picture;
            assert!((1..=60).contains(&title.chars().count()), "{id}: {title}");
            assert!((40..=ALT_CHARS_MAX).contains(&alt.chars().count()), "{id}: {alt}");
            let length = description.chars().count();
            assert!((600..=DESCRIPTION_CHARS_MAX).contains(&length), "{id}: {length}");
            assert!(alt.ends_with('.') && description.ends_with('.'), "{id}");
            assert!(picture.objectives.len() >= 3, "{id}");
            let lists = picture
                .objectives
                .iter()
                .chain(&picture.vocabulary)
                .chain(picture.questions.values().flatten());
            for text in lists.chain([title, alt, description]) {
                assert_eq!((check_shown(text), nfc(text)), (Ok(()), text.clone()), "{id}");
            }
            let words: BTreeSet<&String> = picture.vocabulary.iter().collect();
            assert!(words.len() >= 10 && words.len() == picture.vocabulary.len(), "{id}");
        }
    }

    #[test]
    fn every_picture_has_guiding_questions_for_every_level_and_none_twice() {
        for picture in catalogue().unwrap() {
            let id = &picture.image_id;
            assert!(picture.questions.keys().eq(LEVELS), "{id}");
            let all: Vec<&String> = picture.questions.values().flatten().collect();
            assert!(picture.questions.values().all(|questions| questions.len() >= 4), "{id}");
            // Tasks for the highest levels end with a full stop.
            assert!(all.iter().all(|question| question.ends_with(['?', '.'])), "{id}");
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{id}");
        }
    }

    #[test]
    fn every_picture_has_one_illustration_and_every_illustration_its_picture() {
        let pictures = catalogue().unwrap();
        let ids: BTreeSet<&str> = pictures.iter().map(|picture| picture.image_id.as_str()).collect();
        assert_eq!(ids, ILLUSTRATIONS.iter().map(|(id, _)| *id).collect());
        assert_eq!(ids.len(), pictures.len());
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/pictures")).unwrap();
        let files = files
            .map(|file| file.unwrap().path())
            .filter(|file| file.extension().is_some_and(|e| e == "svg"));
        assert_eq!(files.count(), ids.len());
    }

    #[test]
    fn illustrations_say_what_they_are_and_need_nothing_from_outside() {
        for picture in catalogue().unwrap() {
            let (id, svg) = (&picture.image_id, picture.illustration().unwrap());
            // Text would look as the fonts of the machine do; the others are files from elsewhere or not drawn.
            for element in
                ["<text", "<image", "<style", "<script", "<foreignObject", "<use", "href=", "url(http"]
            {
                assert!(!svg.contains(element), "{id} has {element}");
            }
            let between = |open: &str, close: &str| {
                let (_, rest) = svg.split_once(open).unwrap();
                rest.split_once('>').unwrap().1.split_once(close).unwrap().0.replace("&#39;", "'")
            };
            assert_eq!(between("<title", "</title>"), picture.title, "{id}");
            assert_eq!(between("<desc", "</desc>"), picture.alt, "{id}");
            assert!(svg.contains("viewBox=\"0 0 1024 1024\""), "{id}");
        }
    }

    #[test]
    fn version_is_a_part_of_the_hash_of_the_texts() {
        let whole = hex::encode(Sha256::digest(CATALOGUE));
        assert_eq!(catalogue_version().len(), 16);
        assert!(whole.starts_with(&catalogue_version()));
    }
}
