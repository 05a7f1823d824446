//! `GET /api/progress`: the progress of a learner by day and in total.

use std::sync::Arc;

use axum::{Json, extract::State};
use events::contract::UserId;
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    caller::Learner,
    csv::{Cell, heading, row},
    extract::Query,
    problem::{ApiError, Limit, Reason, Unit},
    route::{Route, get},
};
use crate::{
    app::AppState,
    store::progress::{Day, Total},
};

/// Maximum length of a range, in days.
pub const DAYS_MAX: i32 = 366;

/// Length of a range without a first day, in days.
const DAYS: i32 = 30;

/// A range of days.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DaysQuery {
    /// First day; by default 30 days up to the last day.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    from: Option<Date>,
    /// Last day; by default tomorrow in UTC, which covers today in every time zone.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    to: Option<Date>,
}

/// The progress of a learner.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressView {
    /// First day of the range.
    #[schemars(with = "String", extend("format" = "date"))]
    from: Date,
    /// Last day of the range.
    #[schemars(with = "String", extend("format" = "date"))]
    to: Date,
    /// The days with a conversation, in order, in the learner's time zone.
    pub(super) days: Vec<Day>,
    /// Totals over all days, not only the range.
    total: Total,
}

/// The caller's progress.
pub fn routes() -> Vec<Route> {
    vec![get("/api/progress", "getProgress", own).summary(
        "Get the caller's progress",
        "The days of a range of at most 366 days, and the totals over all days. A conversation is counted within seconds of \
         its end, its scores once it is assessed.",
    )]
}

async fn own(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Query(query): Query<DaysQuery>,
) -> Result<Json<ProgressView>, ApiError> {
    let learner = app.stores.learners.get(&user_id).await.map_err(ApiError::Internal)?;
    let total = match learner {
        Some(learner) => learner.total,
        // The record follows with the next sign-in.
        None => {
            let total = app.stores.progress.total(&user_id).await.map_err(ApiError::Internal)?;
            total.at(Timestamp::now(), "UTC")
        }
    };
    of(&app, &user_id, &query, total).await.map(Json)
}

/// The progress of `user_id` with its `total`.
pub(super) async fn of(
    app: &AppState,
    user_id: &UserId,
    query: &DaysQuery,
    total: Total,
) -> Result<ProgressView, ApiError> {
    let (from, to) = range(query, Timestamp::now())?;
    let days = app.stores.progress.days(user_id, from, to).await.map_err(ApiError::Internal)?;
    Ok(ProgressView { from, to, days, total })
}

/// The days as CSV, one row a day.
pub(super) fn table(days: &[Day]) -> String {
    let names =
        ["date", "conversations", "turns", "speechMs", "durationMs", "scored", "words", "wordsPerMinute"];
    let scores = ["overall", "fluency", "vocabulary", "grammar", "relevance"];
    let mut table = heading(names.into_iter().chain(scores));
    for Day { date, sums } in days {
        let date = date.to_string();
        let counts = [
            sums.conversations,
            sums.turns,
            sums.learner_speech_ms,
            sums.duration_ms,
            sums.scored,
            sums.words,
        ];
        let rate = sums.words_per_minute.map_or(Cell::Empty, Cell::Tenths);
        let scores = sums.scores.map(|means| {
            [means.overall, means.fluency, means.vocabulary, means.grammar, means.relevance].map(Cell::Tenths)
        });
        let cells = std::iter::once(Cell::Text(&date)).chain(counts.map(Cell::Count)).chain([rate]);
        table.push_str(&row(cells.chain(scores.unwrap_or([Cell::Empty; 5]))));
    }
    table
}

fn range(query: &DaysQuery, now: Timestamp) -> Result<(Date, Date), ApiError> {
    let today = TimeZone::UTC.to_datetime(now).date();
    let to = query.to.unwrap_or_else(|| today.tomorrow().unwrap_or(today));
    let first = || to.checked_sub(Span::new().days(DAYS - 1)).unwrap_or(Date::MIN);
    let from = query.from.unwrap_or_else(first);
    let days = from.until(to).map_or(i32::MAX, |span| span.get_days().max(0));
    if from > to {
        return Err(ApiError::query(
            "from",
            Reason::Contradicts,
            format!("{from} is after the last day, {to}"),
        ));
    }
    if days >= DAYS_MAX {
        let message = format!("the range {from} to {to} has {} days, the maximum is {DAYS_MAX}", days + 1);
        return Err(ApiError::query("from", Limit::at_most(DAYS_MAX.unsigned_abs(), Unit::Days), message));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::progress::{Means, Sums};

    fn of(from: Option<&str>, to: Option<&str>) -> Result<(String, String), String> {
        let day = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let query = DaysQuery { from: day(from), to: day(to) };
        let range = range(&query, "2026-11-26T23:30:00Z".parse().unwrap());
        range.map(|(from, to)| (from.to_string(), to.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_range_has_at_most_366_days_and_a_wrong_one_is_named() {
        let days = |from: &str, to: &str| Ok((from.to_owned(), to.to_owned()));
        assert_eq!(of(None, None), days("2026-10-29", "2026-11-27"));
        assert_eq!(of(Some("2026-11-01"), None), days("2026-11-01", "2026-11-27"));
        assert_eq!(of(None, Some("2026-03-01")), days("2026-01-31", "2026-03-01"));
        assert_eq!(of(Some("2026-11-26"), Some("2026-11-26")), days("2026-11-26", "2026-11-26"));
        assert_eq!(of(Some("2024-01-01"), Some("2024-12-31")), days("2024-01-01", "2024-12-31"));
        let long = of(Some("2024-01-01"), Some("2025-01-01")).unwrap_err();
        assert!(long.starts_with("from: ") && long.contains("367"), "{long}");
        assert!(of(Some("2026-11-27"), Some("2026-11-26")).unwrap_err().starts_with("from: "));
        assert!(of(Some("-009999-01-01"), Some("9999-12-31")).is_err());
    }

    #[test]
    fn days_are_a_table() {
        let means = Means { overall: 70.0, fluency: 60.5, vocabulary: 0.0, grammar: 1.0, relevance: 100.0 };
        let sums = Sums {
            conversations: 2,
            scored: 1,
            words: 40,
            words_per_minute: Some(83.3),
            scores: Some(means),
            ..Sums::default()
        };
        let day = |date: &str, sums| Day { date: date.parse().unwrap(), sums };
        let table = table(&[day("2026-11-25", sums), day("2026-11-26", Sums::default())]);
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows[1], "\"2026-11-25\",2,0,0,0,1,40,83.3,70.0,60.5,0.0,1.0,100.0");
        assert_eq!(rows[2], "\"2026-11-26\",0,0,0,0,0,0,,,,,,");
        assert!(rows.iter().all(|row| row.split(',').count() == 13));
    }
}
