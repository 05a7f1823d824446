//! Temporary AWS credentials for the page, which are those of the identity pool's authenticated role.

use std::sync::Arc;

use anyhow::Context as _;
use axum::{extract::State, response::Response};

use super::{rate_limit::CREDENTIALS, session::private_json};
use crate::{
    account::{auth::Caller, aws_credentials::AwsCredentials},
    api::{
        problem::{ApiError, Code},
        route::{Route, post},
    },
    app::AppState,
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/aws-credentials", "getAwsCredentials", credentials)
            .summary(
                "Get AWS credentials",
                "Temporary credentials of the identity pool's authenticated role, which reads published pictures.",
            )
            .returns_content::<AwsCredentials>(200, "application/json", "The credentials.")
            .problems(&[Code::TooManyRequests, Code::AccountDeleted, Code::AccountsUnavailable]),
    ]
}

async fn credentials(State(app): State<Arc<AppState>>, caller: Caller) -> Result<Response, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    CREDENTIALS.count(&app, "", caller.user_id.as_str()).await?;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    let id_token =
        tokens.id.context("the user pool returned no identity token").map_err(ApiError::Internal)?;
    let credentials = app.identity_pool.credentials(&id_token).await?;
    Ok(private_json(&credentials, None))
}
