//! `/api/me`: the caller's account. `GET` returns it, `PATCH` changes the profile, `DELETE` requests the deletion of the account
//! and of all data about its learner, and `GET /api/me/export` exports that data.

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
    cache::{Cached, EntityTag, Freshness, IfMatch, IfNoneMatch},
    caller::SteppedUp,
    extract::Body,
    problem::{ApiError, Code, Rule, account::ended},
    response::Accepted,
    route::{Route, delete, get, patch},
};
use crate::{
    account::accounts::AccountError,
    account::auth::{Caller, Roles},
    account::export::Export,
    account::notices::Change,
    account::profile::{PageLanguage, Profile},
    account::user_pool::SecondFactor,
    app::AppState,
    store::users::User,
};

const CONFIRMATION: &str = "delete my account";

/// The caller's account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The id of the learner.
    user_id: UserId,
    /// The profile.
    #[serde(flatten)]
    profile: Profile,
    #[serde(flatten)]
    sign_in: SignInState,
    /// The roles of the caller: `learner`, `analyst`, `operator`.
    roles: Vec<&'static str>,
    /// Version of the profile: 1 at first, incremented with each change.
    version: u64,
    /// Creation of the account.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// Last change of the profile.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
}

/// How the caller signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SignInState {
    /// The e-mail address.
    email: String,
    /// The second factor.
    second_factor: SecondFactor,
    /// Recovery codes that are left.
    recovery_codes: usize,
}

/// A change of the profile. Absent fields stay unchanged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileChange {
    /// The learner's name, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    /// The default level of conversations.
    level: Option<Level>,
    /// Topics of interest: at most 20, each of 1 to 50 characters without commas.
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    interests: Option<Vec<String>>,
    /// The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`.
    #[schemars(length(min = 1, max = 64))]
    time_zone: Option<String>,
    /// The default language of assessments.
    feedback_language: Option<FeedbackLanguage>,
    /// The language of the page.
    page_language: Option<PageLanguage>,
}

/// The confirmation of a deletion.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// Must be `delete my account`, to prevent accidental deletion.
    confirm: String,
}

/// A requested deletion.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionRequested {
    /// Time of the first request.
    #[schemars(with = "String", extend("format" = "date-time"))]
    deletion_requested_at: Timestamp,
}

/// The caller's account.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/me", "getMe", show)
            .summary("Get the caller's account", "A missing record is created again.")
            .problems(&[Code::AccountDeleted, Code::SessionEnded, Code::AccountsUnavailable]),
        patch("/api/me", "changeMe", change)
            .summary(
                "Change the profile",
                "`If-Match` must be the `ETag` of the version that the change is based on, so that a concurrent change is not \
                 overwritten, or `*` for any version.",
            )
            .returns(200, "The changed account, with its new `ETag`.")
            .problems(&[
                Code::AccountDeleted,
                Code::ProfileChanged,
                Code::SessionEnded,
                Code::AccountsUnavailable,
            ]),
        delete("/api/me", "deleteMe", request_deletion)
            .summary(
                "Delete the account",
                "Requests the deletion of the account and of all data about its learner, which completes within minutes. \
                 The account cannot be used from now on, and a live conversation ends. This cannot be undone.",
            )
            .problems(&[Code::AccountDeleted, Code::SessionEnded, Code::AccountsUnavailable]),
        get("/api/me/export", "exportMe", export)
            .summary(
                "Export all data about the caller",
                "One JSON document, which is streamed. If the response is cut, the document is incomplete. Recordings are \
                 listed with URLs that are valid for 45 to 60 minutes, or less if the service's credentials expire earlier.",
            )
            .returns_content::<Export>(200, "application/json", "The document.")
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
    let user = app.accounts.open(&caller.user_id).await?;
    let sign_in = SignInState::of(&app, &caller.user_id).await?;
    have.json(Freshness::Revalidated, &Me::new(user, caller.roles, sign_in))
}

async fn change(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    seen: IfMatch,
    Body(change): Body<ProfileChange>,
) -> Result<Cached<Me>, ApiError> {
    let user = app.accounts.open(&caller.user_id).await?;
    // Other errors come before the precondition (RFC 9110, section 13.2.1).
    let profile = change.apply(user.profile.clone()).checked()?;
    let sign_in = SignInState::of(&app, &caller.user_id).await?;
    if !seen.includes(&EntityTag::of_json(&Me::new(user.clone(), caller.roles, sign_in.clone()))?) {
        return Err(AccountError::Changed(user.version).into());
    }
    let user = if profile == user.profile {
        user
    } else {
        app.accounts.change(&caller.user_id, user.version, &profile).await?
    };
    IfNoneMatch::default().json(Freshness::Revalidated, &Me::new(user, caller.roles, sign_in))
}

async fn request_deletion(
    State(app): State<Arc<AppState>>,
    SteppedUp(caller): SteppedUp,
    Body(deletion): Body<Deletion>,
) -> Result<Accepted<DeletionRequested>, ApiError> {
    if deletion.confirm != CONFIRMATION {
        return Err(ApiError::field(
            "confirm",
            Rule::one_of([CONFIRMATION]),
            format!("must be {CONFIRMATION:?}"),
        ));
    }
    let deletion_requested_at = app.accounts.delete(&caller.user_id).await?;
    // Requests are rejected from now on, because each reads the record; sockets and streams do not.
    app.account_sessions.disconnect(&caller.user_id).await?;
    app.notices.send(&caller.user_id, Change::Deletion, None).await;
    Ok(Accepted(DeletionRequested { deletion_requested_at }))
}

async fn export(
    State(app): State<Arc<AppState>>,
    SteppedUp(caller): SteppedUp,
) -> Result<Response, ApiError> {
    let user = app.accounts.open(&caller.user_id).await?;
    let pieces = app.exports.begin(user).await;
    let pieces = pieces.map_err(|error| ApiError::refused(Code::Busy, error.to_string()))?;
    app.notices.send(&caller.user_id, Change::Export, None).await;
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

impl ProfileChange {
    /// Applies the change to `profile`.
    fn apply(self, profile: Profile) -> Profile {
        Profile {
            name: self.name.unwrap_or(profile.name),
            level: self.level.unwrap_or(profile.level),
            interests: self.interests.unwrap_or(profile.interests),
            time_zone: self.time_zone.unwrap_or(profile.time_zone),
            feedback_language: self.feedback_language.unwrap_or(profile.feedback_language),
            page_language: self.page_language.unwrap_or(profile.page_language),
        }
    }
}

impl SignInState {
    /// That of a learner.
    async fn of(app: &AppState, user_id: &UserId) -> Result<Self, ApiError> {
        let owner = async { app.user_pool.user(user_id.as_str()).await.map_err(ended) };
        let codes = async { app.recovery_codes.get(user_id).await.map_err(ApiError::Internal) };
        let (owner, codes) = tokio::try_join!(owner, codes)?;
        let email = owner.email.as_str().to_owned();
        Ok(Self { email, second_factor: owner.second_factor, recovery_codes: codes.len() })
    }
}

impl Me {
    fn new(user: User, roles: Roles, sign_in: SignInState) -> Self {
        let roles = [("learner", true), ("analyst", roles.analyst), ("operator", roles.operator)];
        Self {
            user_id: user.user_id,
            profile: user.profile,
            sign_in,
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
        let change: ProfileChange = serde_json::from_str(r#"{"level":"C2","interests":[]}"#).unwrap();
        let changed = change.apply(profile());
        assert_eq!(changed, Profile { level: Level::C2, interests: Vec::new(), ..profile() });
        assert_eq!(ProfileChange::default().apply(profile()), profile());
        for unknown in [r#"{"email":"a@b.example"}"#, r#"{"roles":["analyst"]}"#, r#"{"level":"D1"}"#] {
            assert!(serde_json::from_str::<ProfileChange>(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn who_gets_a_role_has_another_answer_though_the_profile_is_the_same() {
        let user = User::new("learner-1".parse().unwrap(), profile(), Timestamp::UNIX_EPOCH);
        let sign_in = |second_factor| SignInState {
            email: "mina@school.kr".to_owned(),
            second_factor,
            recovery_codes: 0,
        };
        let tag =
            |roles| EntityTag::of_json(&Me::new(user.clone(), roles, sign_in(SecondFactor::None))).unwrap();
        let analyst = Roles { analyst: true, ..Roles::default() };
        assert_ne!(tag(Roles::default()), tag(analyst));
        let with_app = Me::new(user.clone(), Roles::default(), sign_in(SecondFactor::Totp));
        assert_ne!(tag(Roles::default()), EntityTag::of_json(&with_app).unwrap());
    }
}
