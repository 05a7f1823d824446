//! All learners at once, for analysts: sums by level, picture and week, and the flagged conversations.

use std::sync::Arc;

use axum::{Json, extract::State};
use events::{
    contract::{Flag, UserId},
    pipeline::overview::{Group, ScoredConversation},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    audit,
    caller::Analyst,
    extract::Query,
    history::After,
    paging::{CursorPosition, Page, Paging},
    problem::{ApiError, Reason},
    route::{Route, get},
};
use crate::{
    app::AppState,
    store::progress::overview::{GROUPS_MAX, GroupSums},
};

/// Flagged conversations of a page: each costs three reads, of its item, its learner and its header.
pub const FLAGGED_MAX: usize = 66;

/// Age of a flagged conversation in days: as long as the journal holds it and shows whether it is deleted.
const FLAGGED_DAYS: i64 = 90;

/// Conversations that are completed with their learners at the same time.
const READS_AT_ONCE: usize = 16;

/// What the sums are divided by.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct OverviewQuery {
    /// `level` (of the conversation; the default), `picture`, or `week` (the ISO week of the learner's day, the latest first).
    by: Group,
}

/// A filter of flagged conversations.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlaggedQuery {
    /// Only conversations with this flag.
    flag: Option<Flag>,
}

/// A position in the list of groups.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AfterGroup {
    by: Group,
    key: String,
}

impl CursorPosition for AfterGroup {
    const LIST: &'static str = "overview";
}

/// A flagged conversation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlaggedConversation {
    /// The name of the learner.
    name: String,
    /// The conversation with its scores and flags.
    #[serde(flatten)]
    scored: ScoredConversation,
}

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/overview", "getOverview", sums).summary(
            "Get the sums over all learners",
            "By level, picture or week. They are counted within seconds and keep the share of deleted accounts. A page has at \
             most 50 groups.",
        ),
        get("/api/flagged", "listFlagged", flagged).summary(
            "List flagged conversations",
            "Conversations of the last 90 days whose assessment has flags for human review, the latest first, without those \
             that the learner deleted. A page has at most 66 items, and can have fewer than `limit` although there is a next \
             page.",
        ),
    ]
}

async fn sums(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Query(query): Query<OverviewQuery>,
    paging: Paging<AfterGroup>,
) -> Result<Json<Page<GroupSums>>, ApiError> {
    let by = query.by;
    if paging.after.as_ref().is_some_and(|after| after.by != by) {
        let message = "it belongs to an overview by something else";
        return Err(ApiError::query("cursor", Reason::Contradicts, message));
    }
    audit::record(&app, &analyst, "getOverview", &[]).await?;
    let after = paging.after.as_ref().map(|after| after.key.as_str());
    let limit = usize::from(paging.limit).min(GROUPS_MAX);
    let (groups, next) = app.stores.progress.groups(by, after, limit).await.map_err(ApiError::Internal)?;
    Ok(Json(Page::new(groups, next.map(|key| AfterGroup { by, key }))))
}

async fn flagged(
    State(app): State<Arc<AppState>>,
    Analyst(analyst): Analyst,
    Query(query): Query<FlaggedQuery>,
    paging: Paging<After>,
) -> Result<Json<Page<FlaggedConversation>>, ApiError> {
    let since = Timestamp::now() - SignedDuration::from_hours(24 * FLAGGED_DAYS);
    let limit = usize::from(paging.limit).min(FLAGGED_MAX);
    let after = paging.after.map(|After(id)| id);
    let found = app.stores.progress.flagged(since, after, limit).await;
    let (found, next) = found.map_err(ApiError::Internal)?;
    let wanted =
        found.into_iter().filter(|scored| query.flag.is_none_or(|flag| scored.flags.contains(&flag)));
    let items: Vec<Option<FlaggedConversation>> = stream::iter(wanted.map(|scored| with_name(&app, scored)))
        .buffered(READS_AT_ONCE)
        .try_collect()
        .await
        .map_err(ApiError::Internal)?;
    let items: Vec<FlaggedConversation> = items.into_iter().flatten().collect();
    let whose: Vec<UserId> = items.iter().map(|item| item.scored.learner_id.clone()).collect();
    audit::record(&app, &analyst, "listFlagged", &whose).await?;
    Ok(Json(Page::new(items, next.map(After))))
}

/// The conversation with the name of its learner; `None` if the learner deleted the conversation or the account.
async fn with_name(
    app: &AppState,
    scored: ScoredConversation,
) -> anyhow::Result<Option<FlaggedConversation>> {
    let header = app.stores.journal.header(scored.conversation_id).await?;
    if header.is_some_and(|header| header.deleted_at.is_some()) {
        return Ok(None);
    }
    let user = app.stores.learners.user(&scored.learner_id).await?;
    Ok(user.map(|user| FlaggedConversation { name: user.profile.name, scored }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::READS_MAX;

    #[test]
    fn page_of_flagged_conversations_reads_no_more_than_a_request_may() {
        assert_eq!(FLAGGED_MAX, READS_MAX / 3);
    }
}
