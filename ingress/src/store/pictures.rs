//! The catalogue of pictures as learners see it, cached in memory. After [`FRESH`] one request reads it again while the
//! others wait; while that fails, the old catalogue is served for [`STALE_MAX`]. It does not contain the description for the
//! tutor's prompt, which would spoil the exercise.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use events::{
    contract::Level,
    dynamo::{Item, read_item},
    runtime::failure::describe,
    text::{nfc, shown},
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{
    images::nearest,
    signed::{SignedUrl, Signer},
};
use crate::metrics::Metrics;

/// Age at which the catalogue is read again.
pub const FRESH: Duration = Duration::from_secs(60);

/// Maximum age of a catalogue that is served while the table cannot be read.
pub const STALE_MAX: Duration = Duration::from_secs(15 * 60);

/// Maximum number of pictures. Further items of the table are not served, and an error is logged.
pub const PICTURES_MAX: usize = 1_000;

/// Maximum number of pages of the scan.
const PAGES_MAX: usize = 64;

/// A picture as learners see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in the Images table.
    pub image_id: String,
    pub category: String,
    pub title: String,
    /// Alternative text for screen readers.
    pub alt: String,
    /// Learning objectives.
    pub objectives: Vec<String>,
    /// Words to practise.
    pub vocabulary: Vec<String>,
    /// The image object, once it is published.
    pub file: Option<File>,
    questions: BTreeMap<Level, Vec<String>>,
}

/// The S3 object with the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub key: String,
    pub content_type: String,
    /// Width and height in pixels, if known.
    pub size: Option<(u32, u32)>,
}

/// Reads and caches the catalogue.
#[derive(Debug)]
pub struct Pictures {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    signer: Signer,
    bucket: String,
    cached: Mutex<Option<Catalogue>>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Debug)]
struct Catalogue {
    read_at: Instant,
    entries: Arc<[Entry]>,
}

impl Pictures {
    /// Uses `table` and the image objects in `bucket`.
    #[must_use]
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table: String,
        signer: Signer,
        bucket: String,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { dynamodb, table, signer, bucket, cached: Mutex::default(), metrics }
    }

    /// All pictures, by category and title.
    ///
    /// # Errors
    /// The table cannot be read, and no cached catalogue is recent enough.
    pub async fn all(&self) -> anyhow::Result<Arc<[Entry]>> {
        let mut cached = self.cached.lock().await;
        let old = cached.as_ref().map(|cached| (cached.read_at.elapsed(), Arc::clone(&cached.entries)));
        if let Some((age, entries)) = &old
            && *age < FRESH
        {
            self.metrics.picture_hits.increment();
            return Ok(Arc::clone(entries));
        }
        self.metrics.picture_reads.increment();
        match self.read().await {
            Ok(entries) => {
                let entries: Arc<[Entry]> = entries.into();
                *cached = Some(Catalogue { read_at: Instant::now(), entries: Arc::clone(&entries) });
                Ok(entries)
            }
            Err(error) => {
                self.metrics.failed_picture_reads.increment();
                match old {
                    Some((age, entries)) if may_be_served(age) => {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "the catalogue of pictures cannot be read: an old one is served"
                        );
                        Ok(entries)
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// A signed URL of the image; `None` until it is published.
    ///
    /// # Errors
    /// There are no credentials to sign with.
    pub async fn url(&self, entry: &Entry, now: jiff::Timestamp) -> anyhow::Result<Option<SignedUrl>> {
        match &entry.file {
            Some(file) => self.signer.sign(&self.bucket, &file.key, now).await.map(Some),
            None => Ok(None),
        }
    }

    async fn read(&self) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let scan = self.dynamodb.scan().table_name(&self.table).set_exclusive_start_key(after);
            let page = scan.send().await.map_err(|error| describe(&error));
            let page = page.context("failed to read the catalogue of pictures")?;
            for item in page.items.unwrap_or_default() {
                match entry(item) {
                    Ok(entry) => entries.push(entry),
                    // One broken item must not hide the others.
                    Err(error) => tracing::error!(
                        error = format!("{error:#}"),
                        "an unreadable picture is left out of the catalogue"
                    ),
                }
            }
            after = page.last_evaluated_key;
            if after.is_none() || entries.len() > PICTURES_MAX {
                break;
            }
        }
        Ok(ordered(entries))
    }
}

/// Whether a catalogue of this age is served while the table cannot be read.
fn may_be_served(age: Duration) -> bool {
    age < STALE_MAX
}

/// Sorted by category and title, at most [`PICTURES_MAX`].
fn ordered(mut entries: Vec<Entry>) -> Vec<Entry> {
    if entries.len() > PICTURES_MAX {
        tracing::error!(most = PICTURES_MAX, "the Images table has more pictures than are served");
        entries.truncate(PICTURES_MAX);
    }
    entries.sort_by_key(|entry| (entry.category.clone(), entry.title.clone(), entry.image_id.clone()));
    entries
}

impl Entry {
    /// The questions for `level`, or else those of the nearest level with questions; of two, the easier.
    #[must_use]
    pub fn questions_for(&self, level: Level) -> &[String] {
        nearest(&self.questions, level)
    }
}

/// An item of the Images table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PictureItem {
    category: String,
    title: String,
    alt: String,
    #[serde(default)]
    objectives: Vec<String>,
    #[serde(default)]
    vocabulary: Vec<String>,
    #[serde(default)]
    questions: BTreeMap<Level, Vec<String>>,
    image_key: Option<String>,
    content_type: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

fn entry(item: Item) -> anyhow::Result<Entry> {
    let image_id = item.get("imageId").and_then(|id| id.as_s().ok()).cloned();
    let image_id = image_id.context("a picture has no id")?;
    let PictureItem {
        category,
        title,
        alt,
        objectives,
        vocabulary,
        questions,
        image_key,
        content_type,
        width,
        height,
    } = read_item(item).map_err(|error| anyhow!("the picture {image_id}: {error}"))?;
    let file = image_key.map(|key| File {
        key,
        content_type: content_type.unwrap_or_else(|| "image/png".to_owned()),
        size: width.zip(height),
    });
    // The operator enters the texts into the table, and every learner sees them.
    let text = |text: String| shown(&nfc(&text));
    let texts = |all: Vec<String>| all.into_iter().map(text).collect();
    Ok(Entry {
        image_id,
        category: text(category),
        title: text(title),
        alt: text(alt),
        objectives: texts(objectives),
        vocabulary: texts(vocabulary),
        questions: questions.into_iter().map(|(level, all)| (level, texts(all))).collect(),
        file,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    fn item(more: &[(&str, AttributeValue)]) -> Item {
        let texts = [("imageId", "market"), ("category", "city"), ("title", "A market"), ("alt", "Stalls.")];
        let texts = texts.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        texts.into_iter().chain(more).collect()
    }

    #[test]
    fn a_picture_without_a_key_has_no_file() {
        assert_eq!(entry(item(&[])).unwrap().file, None);
        let number = |digits: &str| AttributeValue::N(digits.to_owned());
        let key = AttributeValue::S("pictures/market/1.png".to_owned());
        let published =
            entry(item(&[("imageKey", key), ("width", number("1024")), ("height", number("768"))]));
        let file = published.unwrap().file.unwrap();
        assert_eq!((file.size, file.content_type.as_str()), (Some((1024, 768)), "image/png"));
    }

    #[test]
    fn texts_of_a_picture_are_in_nfc_and_hide_nothing() {
        let hiding = |text: &str| AttributeValue::S(text.to_owned());
        let list = AttributeValue::L(vec![hiding("De\u{202e}scribe")]);
        let questions = AttributeValue::M([("B1".to_owned(), list.clone())].into());
        let entry = entry(item(&[
            ("title", hiding("A cafe\u{301}")),
            ("alt", hiding("Two\u{200b} cups.")),
            ("objectives", list.clone()),
            ("vocabulary", list),
            ("questions", questions),
        ]))
        .unwrap();
        assert_eq!((entry.title.as_str(), entry.alt.as_str()), ("A café", "Two cups."));
        for texts in [&entry.objectives, &entry.vocabulary, &entry.questions[&Level::B1]] {
            assert_eq!(*texts, ["Describe"]);
        }
    }

    #[test]
    fn an_old_catalogue_serves_for_a_quarter_of_an_hour() {
        assert!(may_be_served(FRESH) && may_be_served(STALE_MAX - Duration::from_millis(1)));
        assert!(!may_be_served(STALE_MAX));
    }

    #[test]
    fn pictures_are_in_order_and_bounded() {
        let entry = entry(item(&[])).unwrap();
        let of = |category: &str| Entry { category: category.to_owned(), ..entry.clone() };
        let pictures = ordered(vec![of("street"), of("beach")]);
        assert_eq!(pictures[0].category, "beach");
        assert_eq!(ordered(vec![entry; PICTURES_MAX + 1]).len(), PICTURES_MAX);
    }

    #[test]
    fn an_item_that_is_no_picture_is_named() {
        let mut item = item(&[]);
        item.remove("alt");
        let error = entry(item).unwrap_err().to_string();
        assert!(error.contains("market") && error.contains("alt"), "{error}");
    }
}
