//! Learners, for analysts: progress and scores of all learners. No transcripts, no recordings, no e-mail addresses and no text of
//! assessments: analysts need the numbers, and the words belong to the learner.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use events::{
    contract::{ConversationId, Level, UserId},
    pipeline::overview::{Ranking, learner_at},
    text::nfc,
};
use futures_util::stream;
use http::header;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    accept::Accept,
    audit,
    caller::Analyst,
    csv::{self, CSV, Cell, row},
    extract::{Path, Query},
    history::{self, After, ConversationSummary, ScoresView},
    paging::{CursorPosition, Page, Paging},
    problem::{ApiError, Code, Limit, Reason, Unit},
    progress::{self, DaysQuery, ProgressView},
    route::{Route, get},
};
use crate::{
    account::profile::NAME_CHARS_MAX,
    app::AppState,
    store::{
        learners::{EXAMINED_MAX, Filter, LearnerCursor, LearnerRecord},
        progress::{ActivityCursor, Total},
    },
};

/// A filter of learners.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearnersQuery {
    /// Only learners of this level.
    level: Option<Level>,
    /// Only learners with counted activity since this time, sorted by `activity`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    active_since: Option<Timestamp>,
    /// The order. `speech`, `overall` and `conversations` list only learners with a conversation, `overall` only those with an
    /// assessment. Without it the order has no meaning.
    sort: Option<Sort>,
    /// Whether the lowest (`asc`) or the highest (`desc`, the default) comes first; only with `sort` or `activeSince`.
    order: Option<SortOrder>,
    /// Only learners whose name begins with this, case insensitive.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
}

/// An order of learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Sort {
    /// By the time of the last counted activity.
    Activity,
    /// By the duration of their speech.
    Speech,
    /// By their mean overall score.
    Overall,
    /// By the number of their conversations.
    Conversations,
}

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum SortOrder {
    Asc,
    Desc,
}

/// A position in the list of learners.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AfterLearner {
    user_id: UserId,
    /// Set in the list by activity.
    at: Option<Timestamp>,
    /// Set in a list by a ranking: the ranking and the place.
    #[serde(default)]
    place: Option<(Ranking, String)>,
}

impl CursorPosition for AfterLearner {
    const LIST: &'static str = "learners";
}

/// A learner, for analysts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearnerView {
    /// The id of the learner.
    user_id: UserId,
    /// The learner's name.
    name: String,
    /// The default level of the learner's conversations.
    level: Level,
    /// Topics of interest.
    interests: Vec<String>,
    /// The learner's IANA time zone.
    time_zone: String,
    /// Creation of the account.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// The totals of the learner.
    total: Total,
}

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/learners", "listLearners", list)
            .summary(
                "List learners",
                "JSON in pages, or all matches as one table if `Accept` prefers `text/csv`. A page examines a bounded number \
                 of learners (66), so it can have fewer items than `limit` although there is a next page.",
            )
            .returns_content::<Page<LearnerView>>(200, "application/json", "A page of learners.")
            .returns_content::<String>(200, "text/csv", "All matching learners."),
        get("/api/learners.csv", "exportLearners", export)
            .summary("Export learners as CSV", "The same table, for clients that cannot send `Accept`.")
            .returns_content::<String>(200, "text/csv", "All matching learners."),
        get("/api/learners/{id}", "getLearner", one).summary("Get a learner", ""),
        get("/api/learners/{id}/progress", "getLearnerProgress", days)
            .summary("Get a learner's progress", "JSON, or a table with a row for each day if `Accept` prefers `text/csv`.")
            .returns_content::<ProgressView>(200, "application/json", "The progress.")
            .returns_content::<String>(200, "text/csv", "The days as a table."),
        get("/api/learners/{id}/conversations", "listLearnerConversations", conversations)
            .summary("List a learner's conversations", "Newest first, with time, picture and duration."),
        get("/api/learners/{id}/conversations/{conversation}/assessment", "getLearnerScores", scores)
            .summary("Get the scores of a conversation", "Scores, flags and measures, without the learner's words.")
            .problems(&[Code::NotReady, Code::NotAssessed]),
    ]
}

async fn list(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Query(query): Query<LearnersQuery>,
    paging: Paging<AfterLearner>,
    accept: Accept,
) -> Result<Response, ApiError> {
    let filter = filter(query)?;
    if accept.prefers("text/csv", "application/json") {
        return Ok(table(app, analyst, filter));
    }
    let after = paging.after.map(|after| place(after, &filter)).transpose()?;
    let page = app.stores.learners.page(&filter, after.as_ref(), usize::from(paging.limit)).await;
    let (found, next) = page.map_err(ApiError::Internal)?;
    audit::record(&app, &analyst, "listLearners", &ids(&found)).await?;
    let items: Vec<LearnerView> = found.into_iter().map(LearnerView::new).collect();
    let next = next.and_then(|next| AfterLearner::new(next, filter.ranking));
    Ok(Json(Page::new(items, next)).into_response())
}

async fn export(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Query(query): Query<LearnersQuery>,
) -> Result<Response, ApiError> {
    Ok(table(app, analyst, filter(query)?))
}

async fn one(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Path(id): Path<UserId>,
) -> Result<Json<LearnerView>, ApiError> {
    audit::record(&app, &analyst, "getLearner", std::slice::from_ref(&id)).await?;
    found(&app, &id).await.map(LearnerView::new).map(Json)
}

async fn days(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Path(id): Path<UserId>,
    Query(query): Query<DaysQuery>,
    accept: Accept,
) -> Result<Response, ApiError> {
    audit::record(&app, &analyst, "getLearnerProgress", std::slice::from_ref(&id)).await?;
    let learner = found(&app, &id).await?;
    let progress = progress::of(&app, &id, &query, learner.total).await?;
    if accept.prefers("text/csv", "application/json") {
        return Ok(([(header::CONTENT_TYPE, CSV)], progress::table(&progress.days)).into_response());
    }
    Ok(Json(progress).into_response())
}

async fn conversations(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Path(id): Path<UserId>,
    paging: Paging<After>,
) -> Result<Json<Page<ConversationSummary>>, ApiError> {
    audit::record(&app, &analyst, "listLearnerConversations", std::slice::from_ref(&id)).await?;
    found(&app, &id).await?;
    history::listed(&app, &id, paging).await.map(Json)
}

async fn scores(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Path((id, conversation)): Path<(UserId, ConversationId)>,
) -> Result<Json<ScoresView>, ApiError> {
    audit::record(&app, &analyst, "getLearnerScores", std::slice::from_ref(&id)).await?;
    history::own(&app, &id, conversation).await?;
    let stored = app.stores.documents.assessment(&id, conversation).await.map_err(ApiError::Internal)?;
    match stored {
        Some(stored) => Ok(Json(ScoresView::new(&stored))),
        None => Err(history::unassessed(&app, conversation).await?),
    }
}

pub(super) async fn found(app: &AppState, id: &UserId) -> Result<LearnerRecord, ApiError> {
    let learner = app.stores.learners.get(id).await.map_err(ApiError::Internal)?;
    learner.ok_or(ApiError::NotFound("learner"))
}

fn filter(query: LearnersQuery) -> Result<Filter, ApiError> {
    let LearnersQuery { level, active_since, sort, order, name } = query;
    let is_ranked = sort.is_some_and(|sort| sort != Sort::Activity);
    if active_since.is_some() && is_ranked {
        let message = "with `activeSince` the order is by `activity`";
        return Err(ApiError::query("sort", Reason::Contradicts, message));
    }
    if order.is_some() && sort.is_none() && active_since.is_none() {
        return Err(ApiError::query(
            "order",
            Reason::Contradicts,
            "there is nothing to sort by without `sort`",
        ));
    }
    let name = name.as_deref().map(nfc);
    if name.as_ref().is_some_and(|name| !(1..=NAME_CHARS_MAX).contains(&name.chars().count())) {
        return Err(ApiError::query(
            "name",
            Limit::between(1_u64, NAME_CHARS_MAX, Unit::Characters),
            format!("1 to {NAME_CHARS_MAX} characters"),
        ));
    }
    let (ranking, since) = match sort {
        None => (None, None),
        Some(Sort::Activity) => (None, Some(Timestamp::UNIX_EPOCH)),
        Some(Sort::Speech) => (Some(Ranking::Speech), None),
        Some(Sort::Overall) => (Some(Ranking::Overall), None),
        Some(Sort::Conversations) => (Some(Ranking::Conversations), None),
    };
    let is_ascending = order == Some(SortOrder::Asc);
    Ok(Filter { level, active_since: active_since.or(since), ranking, is_ascending, name })
}

/// The position of a cursor. A cursor is valid only in a list with the same sort.
fn place(after: AfterLearner, filter: &Filter) -> Result<LearnerCursor, ApiError> {
    let AfterLearner { user_id, at, place } = after;
    match (at, place, filter.active_since, filter.ranking) {
        (None, None, None, None) => Ok(LearnerCursor::Record(user_id)),
        (Some(updated_at), None, Some(_), _) => {
            Ok(LearnerCursor::Activity(ActivityCursor { updated_at, user_id }))
        }
        (None, Some((ranking, place)), None, Some(sorted)) if ranking == sorted => {
            Ok(LearnerCursor::Place(place))
        }
        _ => Err(ApiError::query(
            "cursor",
            Reason::Contradicts,
            "it belongs to a list with another `sort` or `activeSince`",
        )),
    }
}

/// The table, streamed. A failure cuts the connection, so that an incomplete table does not look complete.
fn table(app: Arc<AppState>, analyst: UserId, filter: Filter) -> Response {
    let start = Some(None);
    let rows = stream::try_unfold((app, (analyst, filter), start), async |(app, query, at)| {
        let Some(after) = at else { return Ok(None) };
        let (analyst, filter) = &query;
        let page = async {
            let (found, next) = app.stores.learners.page(filter, after.as_ref(), EXAMINED_MAX).await?;
            audit::record(&app, analyst, "exportLearners", &ids(&found)).await?;
            anyhow::Ok((found, next))
        };
        let (found, next) = page.await.inspect_err(|error| {
            tracing::error!(error = format!("{error:#}"), "an export failed");
        })?;
        let mut text = if after.is_none() { heading() } else { String::new() };
        text.extend(found.iter().map(cells));
        anyhow::Ok(Some((text, (app, query, next.map(Some)))))
    });
    let disposition = "attachment; filename=\"learners.csv\"";
    let headers = [(header::CONTENT_TYPE, CSV), (header::CONTENT_DISPOSITION, disposition)];
    (headers, axum::body::Body::from_stream(rows)).into_response()
}

fn ids(found: &[LearnerRecord]) -> Vec<UserId> {
    found.iter().map(|learner| learner.user.user_id.clone()).collect()
}

fn heading() -> String {
    csv::heading([
        "userId",
        "name",
        "level",
        "createdAt",
        "conversations",
        "speechMs",
        "scored",
        "overall",
        "levelNow",
        "direction",
        "streakDays",
        "longestStreakDays",
        "lastDay",
        "updatedAt",
    ])
}

fn cells(learner: &LearnerRecord) -> String {
    let LearnerRecord { user, total } = learner;
    let level = history::level(user.profile.level);
    let created_at = user.created_at.to_string();
    let level_now = total.trend.map(|trend| history::level(trend.level));
    let direction = total.trend.map(|trend| format!("{:?}", trend.direction).to_lowercase());
    let last_day = total.streak.last_day.map(|day| day.to_string());
    let updated_at = total.updated_at.map(|at| at.to_string());
    row([
        Cell::Text(user.user_id.as_str()),
        Cell::Text(&user.profile.name),
        Cell::Text(&level),
        Cell::Text(&created_at),
        Cell::Count(total.sums.conversations),
        Cell::Count(total.sums.learner_speech_ms),
        Cell::Count(total.sums.scored),
        total.sums.scores.map_or(Cell::Empty, |means| Cell::Tenths(means.overall)),
        Cell::maybe(level_now.as_deref()),
        Cell::maybe(direction.as_deref()),
        Cell::Count(total.streak.current_days.into()),
        Cell::Count(total.streak.longest_days.into()),
        Cell::maybe(last_day.as_deref()),
        Cell::maybe(updated_at.as_deref()),
    ])
}

impl LearnerView {
    fn new(learner: LearnerRecord) -> Self {
        let LearnerRecord { user, total } = learner;
        Self {
            user_id: user.user_id,
            name: user.profile.name,
            level: user.profile.level,
            interests: user.profile.interests,
            time_zone: user.profile.time_zone,
            created_at: user.created_at,
            total,
        }
    }
}

impl AfterLearner {
    /// The position `at` in a list sorted by `ranking`.
    fn new(at: LearnerCursor, ranking: Option<Ranking>) -> Option<Self> {
        Some(match at {
            LearnerCursor::Record(user_id) => Self { user_id, at: None, place: None },
            LearnerCursor::Activity(ActivityCursor { updated_at, user_id }) => {
                Self { user_id, at: Some(updated_at), place: None }
            }
            LearnerCursor::Place(place) => {
                Self { user_id: learner_at(&place)?, at: None, place: Some((ranking?, place)) }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::profile::Profile, store::users::User};

    #[test]
    fn a_row_has_a_cell_for_each_name_and_no_formula() {
        let profile = Profile::new("=HYPERLINK(\"http://x\")".to_owned());
        let user = User::new("learner-1".parse().unwrap(), profile, Timestamp::UNIX_EPOCH);
        let row = cells(&LearnerRecord { user, total: Total::default() });
        assert!(
            row.starts_with(
                "\"learner-1\",\"'=HYPERLINK(\"\"http://x\"\")\",\"B1\",\"1970-01-01T00:00:00Z\",0,"
            ),
            "{row}"
        );
        assert_eq!(row.matches(',').count(), heading().matches(',').count());
    }

    #[test]
    fn sort_and_its_order_contradict_neither_each_other_nor_the_filter() {
        let read = |query: serde_json::Value| filter(serde_json::from_value(query).unwrap());
        let contradicts = |query: serde_json::Value, field: &str| {
            let error = read(query).unwrap_err();
            assert!(matches!(&error, ApiError::Query { field: named, .. } if named == field), "{error}");
        };
        let since = "2026-11-28T00:00:00Z";
        contradicts(serde_json::json!({ "sort": "overall", "activeSince": since }), "sort");
        contradicts(serde_json::json!({ "order": "asc" }), "order");
        let sorted = read(serde_json::json!({ "sort": "activity", "order": "asc" })).unwrap();
        assert_eq!((sorted.active_since, sorted.is_ascending), (Some(Timestamp::UNIX_EPOCH), true));
        let sorted = read(serde_json::json!({ "sort": "activity", "activeSince": since })).unwrap();
        assert_eq!(sorted.active_since, since.parse().ok());
        let sorted = read(serde_json::json!({ "sort": "speech" })).unwrap();
        assert_eq!((sorted.ranking, sorted.is_ascending), (Some(Ranking::Speech), false));
    }

    #[test]
    fn cursor_is_valid_only_in_a_list_with_the_same_sort() {
        let after =
            |at: Option<Timestamp>| AfterLearner { user_id: "learner-1".parse().unwrap(), at, place: None };
        let ranked = |ranking| {
            let place = "1#learner-1".to_owned();
            AfterLearner::new(LearnerCursor::Place(place), Some(ranking)).unwrap()
        };
        let by = |ranking| Filter { ranking: Some(ranking), ..Filter::default() };
        assert!(place(ranked(Ranking::Overall), &by(Ranking::Overall)).is_ok());
        for wrong in [
            place(ranked(Ranking::Overall), &by(Ranking::Speech)),
            place(ranked(Ranking::Overall), &Filter::default()),
            place(after(None), &by(Ranking::Overall)),
        ] {
            assert!(matches!(wrong, Err(ApiError::Query { field, .. }) if field == "cursor"));
        }
        let now = Some(Timestamp::UNIX_EPOCH);
        let filter = |active_since| Filter { active_since, ..Filter::default() };
        assert!(place(after(None), &filter(None)).is_ok());
        assert!(place(after(now), &filter(now)).is_ok());
        for (after, active_since) in [(after(None), now), (after(now), None)] {
            let error = place(after, &filter(active_since)).unwrap_err();
            assert!(matches!(&error, ApiError::Query { field, .. } if field == "cursor"), "{error}");
        }
    }
}
