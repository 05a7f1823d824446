//! The scores of a learner's assessed conversations, for the learner and for analysts, without a word of a conversation.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use events::{contract::UserId, dynamo::name, pipeline::overview::ScoredConversation};
use http::header;

use super::{
    accept::Accept,
    audit,
    caller::{Analyst, Learner},
    csv::{self, CSV, Cell, row},
    extract::Path,
    history::After,
    learners,
    paging::{Page, Paging},
    problem::ApiError,
    route::{Route, get},
};
use crate::{app::AppState, store::READS_MAX};

/// The learner's own scores.
pub fn own_routes() -> Vec<Route> {
    vec![get("/api/progress/scores", "listScores", own).summary(
        "List the scores of the caller's conversations",
        "The assessed conversations with their scores and words, the latest first. A conversation that the learner deleted is \
         still listed, as it is still counted.",
    )]
}

/// The scores of a learner, for analysts.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/learners/{id}/scores", "listLearnerScores", of_learner)
            .summary(
                "List the scores of a learner's conversations",
                "JSON in pages, or the latest 200 as a table if `Accept` prefers `text/csv`; the latest first.",
            )
            .returns_content::<Page<ScoredConversation>>(200, "application/json", "A page of conversations.")
            .returns_content::<String>(200, "text/csv", "The latest 200 conversations."),
        get("/api/learners/{id}/scores.csv", "exportLearnerScores", export)
            .summary("Export a learner's scores as CSV", "The same table, for clients that cannot send `Accept`.")
            .returns_content::<String>(200, "text/csv", "The latest 200 conversations."),
    ]
}

async fn own(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    paging: Paging<After>,
) -> Result<Json<Page<ScoredConversation>>, ApiError> {
    page(&app, &user_id, paging).await.map(Json)
}

async fn of_learner(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Path(id): Path<UserId>,
    paging: Paging<After>,
    accept: Accept,
) -> Result<Response, ApiError> {
    audit::record(&app, &analyst, "listLearnerScores", std::slice::from_ref(&id)).await?;
    learners::found(&app, &id).await?;
    if accept.prefers("text/csv", "application/json") {
        return table(&app, &id).await;
    }
    Ok(Json(page(&app, &id, paging).await?).into_response())
}

async fn export(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Path(id): Path<UserId>,
) -> Result<Response, ApiError> {
    audit::record(&app, &analyst, "exportLearnerScores", std::slice::from_ref(&id)).await?;
    learners::found(&app, &id).await?;
    table(&app, &id).await
}

async fn page(
    app: &AppState,
    user_id: &UserId,
    paging: Paging<After>,
) -> Result<Page<ScoredConversation>, ApiError> {
    let after = paging.after.map(|After(id)| id);
    let found = app.stores.progress.scores(user_id, after, usize::from(paging.limit)).await;
    let (items, next) = found.map_err(ApiError::Internal)?;
    Ok(Page::new(items, next.map(After)))
}

async fn table(app: &AppState, user_id: &UserId) -> Result<Response, ApiError> {
    let found = app.stores.progress.scores(user_id, None, READS_MAX).await;
    let (conversations, _) = found.map_err(ApiError::Internal)?;
    let table = std::iter::once(heading()).chain(conversations.iter().map(cells)).collect::<String>();
    let disposition = "attachment; filename=\"scores.csv\"";
    let headers = [(header::CONTENT_TYPE, CSV), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, table).into_response())
}

fn heading() -> String {
    csv::heading([
        "conversationId",
        "startedAt",
        "imageId",
        "level",
        "cefr",
        "overall",
        "fluency",
        "vocabulary",
        "grammar",
        "relevance",
        "words",
        "distinctWords",
        "wordsPerMinute",
        "flags",
        "simulated",
    ])
}

fn cells(scored: &ScoredConversation) -> String {
    let id = scored.conversation_id.to_string();
    let started_at = scored.started_at.to_string();
    let level = scored.level.map(|level| name(&level));
    let cefr = name(&scored.cefr);
    let flags = scored.flags.iter().map(name).collect::<Vec<_>>().join(" ");
    let scores = &scored.scores;
    let scores = [scores.overall, scores.fluency, scores.vocabulary, scores.grammar, scores.relevance];
    let words = [scored.words, scored.distinct_words];
    let count = |count: Option<u32>| count.map_or(Cell::Empty, |count| Cell::Count(count.into()));
    let texts = [Cell::Text(&id), Cell::Text(&started_at), Cell::Text(&scored.image_id)];
    row(texts
        .into_iter()
        .chain([Cell::maybe(level.as_deref()), Cell::Text(&cefr)])
        .chain(scores.map(|score| Cell::Count(score.into())))
        .chain(words.map(count))
        .chain([scored.words_per_minute.map_or(Cell::Empty, Cell::Tenths)])
        .chain([Cell::Text(&flags), Cell::Text(if scored.simulated { "true" } else { "false" })]))
}

#[cfg(test)]
mod tests {
    use events::contract::{Flag, Level, Scores};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn row_has_a_cell_for_each_name() {
        let scored = ScoredConversation {
            conversation_id: "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap(),
            learner_id: "learner-1".parse().unwrap(),
            started_at: Timestamp::UNIX_EPOCH,
            image_id: "city-market".to_owned(),
            level: None,
            scores: Scores { overall: 70, fluency: 60, vocabulary: 0, grammar: 1, relevance: 100 },
            cefr: Level::B2,
            flags: vec![Flag::Distress, Flag::LittleSpeech],
            words: Some(120),
            distinct_words: None,
            words_per_minute: Some(81.26),
            simulated: true,
        };
        let row = cells(&scored);
        let expected = "\"01a20ace-c800-7c7a-b47c-ea47bd68d012\",\"1970-01-01T00:00:00Z\",\"city-market\",,\"B2\",\
                        70,60,0,1,100,120,,81.3,\"distress little_speech\",\"true\"\r\n";
        assert_eq!(row, expected);
        assert_eq!(row.matches(',').count(), heading().matches(',').count());
    }
}
