//! `/api/me`: the caller's account. `GET` shows it, `PATCH` changes the profile, `DELETE` has the account deleted with
//! everything that is held about its learner, and `GET /api/me/export` hands that out.

use std::sync::Arc;

use axum::{
    body::Body as Content,
    extract::State,
    response::{IntoResponse as _, Response},
};
use events::contract::{FeedbackLanguage, Level, UserId};
use http::{HeaderValue, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::Accepted,
    cache::{Cached, EntityTag, Freshness, IfMatch, IfNoneMatch},
    extract::Body,
    route::{Route, delete, get, patch},
};
use crate::{
    account::accounts::changed,
    account::auth::{Caller, Roles},
    account::export::Export,
    account::profile::{Profile, Wrong},
    api::problem::{ApiError, Code},
    app::AppState,
    store::users::User,
};

/// What has to be said for an account to be deleted.
const CONFIRMATION: &str = "delete my account";

/// The caller's account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The learner.
    user_id: UserId,
    /// What the learner says of themselves.
    #[serde(flatten)]
    profile: Profile,
    /// What the caller may do: `learner`, `analyst`, `operator`.
    roles: Vec<&'static str>,
    /// 1 at first, one more with each change.
    version: u64,
    /// Since when there is an account.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When the profile was last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
}

/// What is to be changed; the rest stays as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// What the learner is called, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    /// The level that conversations begin with.
    level: Option<Level>,
    /// What the learner likes to talk about: at most 20, each of 1 to 50 characters without a comma.
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    interests: Option<Vec<String>>,
    /// The IANA name of the zone in which the learner's days begin.
    #[schemars(length(min = 1, max = 64))]
    time_zone: Option<String>,
    /// The language of assessments.
    feedback_language: Option<FeedbackLanguage>,
}

/// The wish to have the account deleted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// `delete my account`, word for word: nobody deletes an account by accident.
    confirm: String,
}

/// An account that is being deleted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leaving {
    /// Since when the deletion is asked for.
    #[schemars(with = "String", extend("format" = "date-time"))]
    deletion_requested_at: Timestamp,
}

/// The caller's account.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/me", "getMe", show)
            .says("The caller's account", "It is made anew where its record is missing.")
            .problems(&[Code::AccountDeleted, Code::SessionEnded, Code::AccountsUnavailable]),
        patch("/api/me", "changeMe", change)
            .says(
                "Change the profile",
                "`If-Match` says on which version, with the `ETag` of an earlier answer, so that a change that was \
                 made elsewhere meanwhile is not overwritten; `*` for whatever version.",
            )
            .answers(200, "The account as it is now, with its new `ETag`.")
            .problems(&[
                Code::AccountDeleted,
                Code::ProfileChanged,
                Code::SessionEnded,
                Code::AccountsUnavailable,
            ]),
        delete("/api/me", "deleteMe", leave)
            .says(
                "Delete the account",
                "The account cannot be used from now on. It is deleted with everything that is held about its \
                 learner within minutes; a conversation that is live ends. It cannot be undone.",
            )
            .problems(&[Code::AccountDeleted, Code::SessionEnded, Code::AccountsUnavailable]),
        get("/api/me/export", "exportMe", export)
            .says(
                "Everything that is held about the caller",
                "One JSON document, written while it is read. An answer that breaks off is not whole. Recordings are \
                 listed with addresses that are good for an hour, or less if the service changes its credentials.",
            )
            .answers_with::<Export>(200, "application/json", "The document.")
            .problems(&[
                Code::AccountDeleted,
                Code::Busy,
                Code::SessionEnded,
                Code::AccountsUnavailable,
            ]),
    ]
}

async fn show(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    have: IfNoneMatch,
) -> Result<Cached<Me>, ApiError> {
    let user = app.accounts.open(&caller).await?;
    have.json(Freshness::Revalidated, &Me::new(user, caller.roles))
}

async fn change(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    seen: IfMatch,
    Body(change): Body<Change>,
) -> Result<Cached<Me>, ApiError> {
    let user = app.accounts.open(&caller).await?;
    // What would be refused in any case is not refused for its version (RFC 9110, section 13.2.1).
    let profile = change.of(user.profile.clone()).checked();
    let profile = profile.map_err(|Wrong { field, allowed }| ApiError::field(field, allowed))?;
    if !seen.is_on(&EntityTag::of_json(&Me::new(user.clone(), caller.roles))?) {
        return Err(changed(user.version));
    }
    let user = if profile == user.profile {
        user
    } else {
        app.accounts.change(&caller, user.version, &profile).await?
    };
    IfNoneMatch::default().json(Freshness::Revalidated, &Me::new(user, caller.roles))
}

async fn leave(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Body(deletion): Body<Deletion>,
) -> Result<Accepted<Leaving>, ApiError> {
    if deletion.confirm != CONFIRMATION {
        return Err(ApiError::field("confirm", format!("it has to be {CONFIRMATION:?}, word for word")));
    }
    let deletion_requested_at = app.accounts.delete(&caller).await?;
    Ok(Accepted(Leaving { deletion_requested_at }))
}

async fn export(State(app): State<Arc<AppState>>, caller: Caller) -> Result<Response, ApiError> {
    let user = app.accounts.open(&caller).await?;
    let pieces = app.exports.begin(user)?;
    let mut response = Content::from_stream(pieces).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"nova-english-export.json\""),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

impl Change {
    /// `profile` with the change.
    fn of(self, profile: Profile) -> Profile {
        Profile {
            name: self.name.unwrap_or(profile.name),
            level: self.level.unwrap_or(profile.level),
            interests: self.interests.unwrap_or(profile.interests),
            time_zone: self.time_zone.unwrap_or(profile.time_zone),
            feedback_language: self.feedback_language.unwrap_or(profile.feedback_language),
        }
    }
}

impl Me {
    fn new(user: User, roles: Roles) -> Self {
        let roles = [("learner", true), ("analyst", roles.analyst), ("operator", roles.operator)];
        Self {
            user_id: user.user_id,
            profile: user.profile,
            roles: roles.into_iter().filter_map(|(name, has)| has.then_some(name)).collect(),
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile { interests: vec!["tea".to_owned()], ..Profile::new("Mina Kim".to_owned()) }
    }

    #[test]
    fn what_is_not_named_is_not_changed() {
        let change: Change = serde_json::from_str(r#"{"level":"C2","interests":[]}"#).unwrap();
        let changed = change.of(profile());
        assert_eq!(changed, Profile { level: Level::C2, interests: Vec::new(), ..profile() });
        assert_eq!(Change::default().of(profile()), profile());
        for unknown in [r#"{"email":"a@b.example"}"#, r#"{"roles":["analyst"]}"#, r#"{"level":"D1"}"#] {
            assert!(serde_json::from_str::<Change>(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn who_gets_a_role_has_another_answer_though_the_profile_is_the_same() {
        let user = User::new("learner-1".parse().unwrap(), profile(), Timestamp::UNIX_EPOCH);
        let tag = |roles| EntityTag::of_json(&Me::new(user.clone(), roles)).unwrap();
        let analyst = Roles { analyst: true, ..Roles::default() };
        assert_ne!(tag(Roles::default()), tag(analyst));
    }
}
