//! The catalogue of pictures as learners see it, kept in memory: it is read again when it is a minute old, by one request
//! while the others wait, and when it cannot be read the old one serves for a while. The description that goes into the
//! tutor's prompt is not in it: it would spoil the exercise.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{contract::Level, runtime::failure::describe};
use tokio::{sync::Mutex, time::Instant};

use super::{
    images::{list, nearest, questions},
    signed::{SignedUrl, sign},
};
use crate::metrics::Metrics;

/// Age at which the catalogue is read again.
pub const FRESH: Duration = Duration::from_secs(60);

/// Age up to which an old catalogue serves while it cannot be read.
pub const SERVES_MAX: Duration = Duration::from_secs(15 * 60);

/// Most pictures of the catalogue: what the table has beyond is not served, and an error in the log.
pub const PICTURES_MAX: usize = 1_000;

/// Pages of the table that are read for it.
const PAGES_MAX: usize = 64;

/// A picture as learners see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub image_id: String,
    /// Its category.
    pub category: String,
    /// Its name.
    pub title: String,
    /// What can be seen, for those who cannot see it.
    pub alt: String,
    /// What a learner can practise with it.
    pub objectives: Vec<String>,
    /// Words to practise.
    pub vocabulary: Vec<String>,
    /// The picture itself, once it is published.
    pub file: Option<File>,
    questions: BTreeMap<Level, Vec<String>>,
}

/// The object in which a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its key in the bucket.
    pub key: String,
    /// Its media type.
    pub content_type: String,
    /// Pixels, where they are known.
    pub size: Option<(u32, u32)>,
}

/// Reads and keeps the catalogue.
#[derive(Debug)]
pub struct Pictures {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    s3: aws_sdk_s3::Client,
    bucket: String,
    kept: Mutex<Option<Kept>>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Debug)]
struct Kept {
    read_at: Instant,
    entries: Arc<[Entry]>,
}

impl Pictures {
    /// The catalogue of `table`, with its files in `bucket`.
    #[must_use]
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table: String,
        s3: aws_sdk_s3::Client,
        bucket: String,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { dynamodb, table, s3, bucket, kept: Mutex::default(), metrics }
    }

    /// All pictures, by category and title.
    ///
    /// # Errors
    /// The catalogue cannot be read, and there is none that may still serve.
    pub async fn all(&self) -> anyhow::Result<Arc<[Entry]>> {
        let mut kept = self.kept.lock().await;
        let old = kept.as_ref().map(|kept| (kept.read_at.elapsed(), Arc::clone(&kept.entries)));
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
                *kept = Some(Kept { read_at: Instant::now(), entries: Arc::clone(&entries) });
                Ok(entries)
            }
            Err(error) => {
                self.metrics.failed_picture_reads.increment();
                match old {
                    Some((age, entries)) if may_serve(age) => {
                        tracing::warn!(error = format!("{error:#}"), "an old catalogue of pictures serves");
                        Ok(entries)
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// Where the picture can be read for a while, if it is published.
    ///
    /// # Errors
    /// There are no credentials to sign with.
    pub async fn url(&self, entry: &Entry, now: jiff::Timestamp) -> anyhow::Result<Option<SignedUrl>> {
        match &entry.file {
            Some(file) => sign(&self.s3, &self.bucket, &file.key, now).await.map(Some),
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
            for item in page.items() {
                match entry(item) {
                    Ok(entry) => entries.push(entry),
                    // One broken item must not hide the others.
                    Err(error) => tracing::error!(error = format!("{error:#}"), "a picture is left out"),
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

/// Whether a catalogue of this age serves while it cannot be read.
fn may_serve(age: Duration) -> bool {
    age < SERVES_MAX
}

/// By category and title, and no more than are served.
fn ordered(mut entries: Vec<Entry>) -> Vec<Entry> {
    if entries.len() > PICTURES_MAX {
        tracing::error!(most = PICTURES_MAX, "the catalogue has more pictures than are served");
        entries.truncate(PICTURES_MAX);
    }
    entries.sort_by_key(|entry| (entry.category.clone(), entry.title.clone(), entry.image_id.clone()));
    entries
}

impl Entry {
    /// The questions for `level`, or those of the nearest level that has some, the easier one first.
    #[must_use]
    pub fn questions_for(&self, level: Level) -> &[String] {
        nearest(&self.questions, level)
    }
}

fn entry(item: &HashMap<String, AttributeValue>) -> anyhow::Result<Entry> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let image_id = text("imageId").context("a picture has no id")?;
    let needed =
        |name: &str| text(name).with_context(|| format!("the picture {image_id} has no text {name:?}"));
    let texts = |name: &str| item.get(name).map(list).unwrap_or_default();
    let pixels = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    let file = text("imageKey").map(|key| File {
        key,
        content_type: text("contentType").unwrap_or_else(|| "image/png".to_owned()),
        size: pixels("width").zip(pixels("height")),
    });
    Ok(Entry {
        category: needed("category")?,
        title: needed("title")?,
        alt: needed("alt")?,
        objectives: texts("objectives"),
        vocabulary: texts("vocabulary"),
        questions: questions(item),
        file,
        image_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(more: &[(&str, AttributeValue)]) -> HashMap<String, AttributeValue> {
        let texts = [("imageId", "market"), ("category", "city"), ("title", "A market"), ("alt", "Stalls.")];
        let texts = texts.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        texts.into_iter().chain(more).collect()
    }

    #[test]
    fn a_picture_without_a_key_has_no_file() {
        assert_eq!(entry(&item(&[])).unwrap().file, None);
        let number = |digits: &str| AttributeValue::N(digits.to_owned());
        let key = AttributeValue::S("pictures/market/1.png".to_owned());
        let published =
            entry(&item(&[("imageKey", key), ("width", number("1024")), ("height", number("768"))]));
        let file = published.unwrap().file.unwrap();
        assert_eq!((file.size, file.content_type.as_str()), (Some((1024, 768)), "image/png"));
    }

    #[test]
    fn an_old_catalogue_serves_for_a_quarter_of_an_hour() {
        assert!(may_serve(FRESH) && may_serve(SERVES_MAX - Duration::from_millis(1)));
        assert!(!may_serve(SERVES_MAX));
    }

    #[test]
    fn pictures_are_in_order_and_bounded() {
        let entry = entry(&item(&[])).unwrap();
        let of = |category: &str| Entry { category: category.to_owned(), ..entry.clone() };
        let pictures = ordered(vec![of("street"), of("beach")]);
        assert_eq!(pictures[0].category, "beach");
        assert_eq!(ordered(vec![entry; PICTURES_MAX + 1]).len(), PICTURES_MAX);
    }

    #[test]
    fn an_item_that_is_no_picture_is_named() {
        let mut item = item(&[]);
        item.remove("alt");
        let error = entry(&item).unwrap_err().to_string();
        assert!(error.contains("market") && error.contains("alt"), "{error}");
    }
}
