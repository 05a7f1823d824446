//! `GET /api/next-step`: what the learner could practise next: the objective of the latest assessment, and a picture that was
//! practised least.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use events::contract::{ConversationId, FeedbackLanguage, UserId};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    caller::Learner,
    pictures::{PictureSummary, summary},
    problem::ApiError,
    route::{Route, get},
};
use crate::{app::AppState, store::pictures::Entry};

/// Latest conversations that count as practice.
const CONVERSATIONS_MAX: usize = 100;

/// Latest conversations that are searched for an assessment.
const SEARCHED_MAX: usize = 6;

/// A recommendation for the next conversation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// The objective; absent while none of the latest conversations is assessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<NextObjective>,
    /// The picture. The learner has talked about it least, and least about its category.
    picture: PictureSummary,
    /// Whether the learner has not talked about it in the latest conversations.
    is_new: bool,
}

/// The objective that the latest assessment recommends.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextObjective {
    /// The text.
    text: String,
    /// The language of the text.
    language: FeedbackLanguage,
    /// The assessed conversation.
    conversation_id: ConversationId,
}

pub fn routes() -> Vec<Route> {
    vec![get("/api/next-step", "getNextStep", next_step).summary(
        "What to practise next",
        "The objective of the latest assessment, and a picture that the learner has practised least.",
    )]
}

async fn next_step(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
) -> Result<Json<NextStep>, ApiError> {
    let listed = app.stores.journal.of_learner(&user_id, None, CONVERSATIONS_MAX).await;
    let headers = listed.map_err(|error| ApiError::Internal(error.into()))?.headers;
    let practised: Vec<&str> = headers.iter().map(|header| header.start.image_id.as_str()).collect();
    let pictures = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    let picture = least_practised(&pictures, &practised).ok_or(ApiError::NotFound("picture"))?;
    let latest = headers.iter().map(|header| header.start.conversation_id).take(SEARCHED_MAX);
    let objective = objective(&app, &user_id, latest).await?;
    let is_new = !practised.contains(&picture.image_id.as_str());
    Ok(Json(NextStep { objective, picture: summary(picture), is_new }))
}

/// The objective of the first conversation that is assessed.
async fn objective(
    app: &AppState,
    user_id: &UserId,
    conversations: impl Iterator<Item = ConversationId>,
) -> Result<Option<NextObjective>, ApiError> {
    for conversation_id in conversations {
        let stored = app.stores.documents.assessment(user_id, conversation_id).await;
        if let Some(stored) = stored.map_err(ApiError::Internal)? {
            let (text, language) = (stored.assessment.next_objective, stored.feedback_language);
            return Ok(Some(NextObjective { text, language, conversation_id }));
        }
    }
    Ok(None)
}

/// The picture in the fewest conversations of `practised`, of those the one whose category is in the fewest, of those the first.
fn least_practised<'a>(pictures: &'a [Entry], practised: &[&str]) -> Option<&'a Entry> {
    let mut by_picture: HashMap<&str, usize> = HashMap::new();
    let mut by_category: HashMap<&str, usize> = HashMap::new();
    for id in practised {
        if let Some(picture) = pictures.iter().find(|picture| picture.image_id == **id) {
            *by_picture.entry(id).or_default() += 1;
            *by_category.entry(&picture.category).or_default() += 1;
        }
    }
    let count = |counts: &HashMap<&str, usize>, key: &str| counts.get(key).copied().unwrap_or_default();
    pictures
        .iter()
        .min_by_key(|picture| (count(&by_picture, &picture.image_id), count(&by_category, &picture.category)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_that_was_practised_least_is_next() {
        let picture = |id: &str, category: &str| Entry::of_test(id, category);
        let pictures = [picture("a", "city"), picture("b", "city"), picture("c", "nature")];
        let next = |practised: &[&str]| least_practised(&pictures, practised).unwrap().image_id.clone();
        assert_eq!(next(&[]), "a");
        assert_eq!(next(&["a"]), "c", "of a category that was practised less");
        assert_eq!(next(&["a", "c"]), "b");
        assert_eq!(next(&["a", "b", "c", "c"]), "a");
        assert_eq!(next(&["withdrawn"]), "a");
        assert!(least_practised(&[], &[]).is_none());
    }
}
