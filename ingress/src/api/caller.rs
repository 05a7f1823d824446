//! The caller of a request, as arguments of handlers. The argument's type says who may call the route: [`Learner`], [`Analyst`]
//! or [`Operator`], [`SteppedUp`] where it changes the
//! account, or [`Caller`] where the handler needs the roles or the session.
//!
//! The first three reject an account whose deletion was requested: its access tokens stay valid until they expire. A handler
//! that takes [`Caller`] checks that itself ([`crate::account::accounts::Accounts`]).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use events::{contract::UserId, runtime::env};
use http::{header, request::Parts};

use super::{
    operation::OperationBuilder,
    problem::{ApiError, Code},
    role::Role,
    route::HandlerInput,
};
use crate::{
    account::auth::{Caller, TokenError},
    account::sessions::{STEP_UP_TIME, SessionWatch},
    app::AppState,
    quota::REQUESTS,
};

/// A caller with a valid access token and an account that can be used, for the caller's own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learner(pub UserId);

/// A caller of the user pool's group [`ANALYSTS`](crate::account::auth::ANALYSTS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analyst(pub UserId);

/// A caller of the user pool's group [`OPERATORS`](crate::account::auth::OPERATORS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator(pub UserId);

/// A caller who has proved password and second factor within [`STEP_UP_TIME`], for a change of the account. An account whose
/// deletion was requested is not rejected, as with [`Caller`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteppedUp(pub Caller);

impl FromRequestParts<Arc<AppState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let value = parts.headers.get(header::AUTHORIZATION).ok_or(TokenError::Missing)?;
        let value = value.to_str().map_err(|_| TokenError::Missing)?;
        let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(TokenError::Missing.into());
        }
        let caller = app.account_sessions.tokens().verify(token.trim(), env::now())?;
        app.account_sessions.require(&caller.user_id, caller.session_id).await?;
        REQUESTS.spend(&app.coordination, &caller.user_id, 1).await?;
        Ok(caller)
    }
}

impl FromRequestParts<Arc<AppState>> for SessionWatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(app.account_sessions.watch(&caller.user_id, caller.session_id))
    }
}

impl FromRequestParts<Arc<AppState>> for SteppedUp {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if app.account_sessions.is_stepped_up(&caller).await? {
            return Ok(Self(caller));
        }
        let seconds = STEP_UP_TIME.as_secs();
        let detail = format!("prove the password with /auth/step-up; the proof lasts {seconds} s");
        Err(ApiError::refused(Code::StepUpRequired, detail))
    }
}

impl FromRequestParts<Arc<AppState>> for Learner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        usable(parts, app, |_| Ok(())).await.map(Self)
    }
}

impl FromRequestParts<Arc<AppState>> for Analyst {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let has_role = |caller: &Caller| allow(caller.roles.analyst, Role::Analyst);
        usable(parts, app, has_role).await.map(Self)
    }
}

impl FromRequestParts<Arc<AppState>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let has_role = |caller: &Caller| allow(caller.roles.operator, Role::Operator);
        usable(parts, app, has_role).await.map(Self)
    }
}

impl HandlerInput for Caller {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.role(Role::Learner);
        operation.problem(Code::TooManyRequests);
    }
}

impl HandlerInput for SteppedUp {
    fn describe(operation: &mut OperationBuilder<'_>) {
        Caller::describe(operation);
        [Code::StepUpRequired, Code::SessionEnded, Code::AccountDeleted, Code::AccountsUnavailable]
            .into_iter()
            .for_each(|code| operation.problem(code));
    }
}

impl HandlerInput for SessionWatch {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

impl HandlerInput for Learner {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.role(Role::Learner);
        operation.problem(Code::TooManyRequests);
        operation.problem(Code::AccountDeleted);
    }
}

impl HandlerInput for Analyst {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.role(Role::Analyst);
        operation.problem(Code::TooManyRequests);
        operation.problem(Code::AccountDeleted);
    }
}

impl HandlerInput for Operator {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.role(Role::Operator);
        operation.problem(Code::TooManyRequests);
        operation.problem(Code::AccountDeleted);
    }
}

/// The caller, if `has_role` accepts it and the account can be used. The role is checked first: it needs no store.
async fn usable(
    parts: &mut Parts,
    app: &Arc<AppState>,
    has_role: impl FnOnce(&Caller) -> Result<(), ApiError>,
) -> Result<UserId, ApiError> {
    let caller = Caller::from_request_parts(parts, app).await?;
    has_role(&caller)?;
    app.accounts.require_usable(&caller.user_id).await?;
    Ok(caller.user_id)
}

fn allow(has: bool, role: Role) -> Result<(), ApiError> {
    if has { Ok(()) } else { Err(ApiError::Forbidden(role)) }
}
