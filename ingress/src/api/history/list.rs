//! The list of a learner's conversations: its filters, and what an item shows of its picture and its assessment.

use std::collections::HashMap;

use events::{
    contract::{Level, UserId},
    journal::Header,
    text::caseless,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{After, ConversationSummary};
use crate::{
    api::{
        paging::{Page, Paging},
        problem::{ApiError, Limit, Unit},
    },
    app::AppState,
    store::READS_MAX,
};

/// Assessments that are read at the same time.
const READS_AT_ONCE: usize = 16;

const TEXT_CHARS_MAX: usize = 100;

const IMAGE_ID_CHARS_MAX: usize = 128;

/// Filters of the list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryQuery {
    /// Only conversations about this picture.
    #[schemars(length(max = 128))]
    image_id: Option<String>,
    /// Only conversations from this day on, in the time zone of the conversation.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    from: Option<Date>,
    /// Only conversations until this day, in the time zone of the conversation.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    to: Option<Date>,
    /// Only conversations about a picture whose title has this text, case insensitive.
    #[schemars(length(min = 1, max = 100))]
    text: Option<String>,
}

/// A conversation in the history.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryItem {
    /// The summary.
    #[serde(flatten)]
    summary: ConversationSummary,
    /// The title of the picture; absent if the picture is no longer published.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// How far the conversation has come.
    stage: HistoryStage,
    /// The scores; absent without an assessment.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<HistoryScores>,
}

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HistoryStage {
    /// It has not ended.
    Live,
    /// It has ended and has no assessment.
    Ended,
    /// It is assessed.
    Assessed,
}

/// The scores of an assessment, each from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryScores {
    overall: u8,
    fluency: u8,
    vocabulary: u8,
    grammar: u8,
    relevance: u8,
    /// Estimated CEFR level of the learner.
    cefr: Level,
}

/// Reads a page of the conversations of `user_id` that match `query`: each conversation, and the assessment of each that is
/// returned. It can have fewer items than the limit although there is a
/// next page.
pub(super) async fn search(
    app: &AppState,
    user_id: &UserId,
    query: &HistoryQuery,
    paging: Paging<After>,
) -> Result<Page<HistoryItem>, ApiError> {
    query.check()?;
    let pictures = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    let titles: HashMap<&str, &str> =
        pictures.iter().map(|entry| (entry.image_id.as_str(), entry.title.as_str())).collect();
    let (mut found, mut after, mut reads) = (Vec::new(), paging.after.map(|After(id)| id), 0);
    loop {
        let room = (READS_MAX - reads) / 2;
        let count = room.min(usize::from(paging.limit) - found.len());
        if count == 0 {
            break;
        }
        let page = app.stores.journal.of_learner(user_id, after, count).await;
        let page = page.map_err(|error| ApiError::Internal(error.into()))?;
        // At least one, so that the loop is bounded.
        reads += page.headers.len().max(1);
        let matching = page.headers.into_iter().filter(|header| query.matches(header, &titles));
        let before = found.len();
        found.extend(matching);
        reads += found.len() - before;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let items = stream::iter(found).map(|header| item(app, header, &titles)).buffered(READS_AT_ONCE);
    Ok(Page::new(items.try_collect().await?, after.map(After)))
}

async fn item(app: &AppState, header: Header, titles: &HashMap<&str, &str>) -> Result<HistoryItem, ApiError> {
    let start = &header.start;
    let stored = match header.ended {
        Some(_) => app.stores.documents.assessment(&start.user_id, start.conversation_id).await,
        None => Ok(None),
    };
    let scores = stored.map_err(ApiError::Internal)?.map(|stored| {
        let assessment = &stored.assessment;
        let skills = &assessment.skills;
        HistoryScores {
            overall: assessment.overall,
            fluency: skills.fluency.score,
            vocabulary: skills.vocabulary.score,
            grammar: skills.grammar.score,
            relevance: skills.relevance.score,
            cefr: assessment.cefr,
        }
    });
    let stage = match (header.ended, scores) {
        (None, _) => HistoryStage::Live,
        (Some(_), None) => HistoryStage::Ended,
        (Some(_), Some(_)) => HistoryStage::Assessed,
    };
    let title = titles.get(start.image_id.as_str()).map(|title| (*title).to_owned());
    Ok(HistoryItem { summary: ConversationSummary::new(&header), title, stage, scores })
}

impl HistoryQuery {
    fn check(&self) -> Result<(), ApiError> {
        let filters =
            [("text", &self.text, 1, TEXT_CHARS_MAX), ("imageId", &self.image_id, 0, IMAGE_ID_CHARS_MAX)];
        for (name, value, min, max) in filters {
            let is_short = |text: &String| (min..=max).contains(&text.chars().count());
            if value.as_ref().is_some_and(|text| !is_short(text)) {
                let limit = Limit::between(min, max, Unit::Characters);
                return Err(ApiError::query(name, limit, format!("{min} to {max} characters")));
            }
        }
        Ok(())
    }

    fn matches(&self, header: &Header, titles: &HashMap<&str, &str>) -> bool {
        let start = &header.start;
        let started_at = start.conversation_id.started_at();
        let day = started_at.in_tz(&start.time_zone).map(|local| local.date());
        // A time zone that this build does not know excludes nothing.
        let is_from = |from: Date| day.as_ref().is_ok_and(|day| *day < from);
        let is_until = |to: Date| day.as_ref().is_ok_and(|day| *day > to);
        let title = titles.get(start.image_id.as_str()).copied().unwrap_or_default();
        self.image_id.as_ref().is_none_or(|id| start.image_id == *id)
            && !self.from.is_some_and(is_from)
            && !self.to.is_some_and(is_until)
            && self.text.as_ref().is_none_or(|text| caseless(title).contains(&caseless(text)))
    }
}
