//! Passwords: reset with a code by e-mail, and change.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    fields::{CodeRequested, EmailAddress, code, email, new_password},
    rate_limit::{CODE_ENTRY, Client, MAILING, SIGN_IN},
    session::{keep_device, private},
};
use crate::{
    account::email::Email,
    account::notices::Change,
    account::user_pool::PoolError,
    api::{
        caller::SteppedUp,
        extract::Body,
        problem::{
            ApiError, Code,
            account::{code_requested, ended, mailed_code},
        },
        response::{Accepted, NoContent},
        route::{Route, post},
    },
    app::AppState,
};

/// A password reset.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordReset {
    /// The e-mail address, case insensitive.
    #[schemars(length(max = 254))]
    email: String,
    /// The code from the e-mail, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
    /// The new password: 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit.
    #[schemars(length(min = 8, max = 256))]
    password: String,
}

/// A change of the password.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordChange {
    /// The new password: 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit.
    #[schemars(length(min = 8, max = 256))]
    new_password: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/forgot", "forgotPassword", forgot)
            .summary(
                "Request a code",
                "To reset a forgotten password, or to complete a sign-up whose e-mail address was never confirmed.",
            )
            .returns(202, "The request was accepted.")
            .problems(&[Code::AccountsUnavailable]),
        post("/auth/reset", "resetPassword", reset)
            .summary(
                "Reset the password",
                "With the code that was sent to the e-mail address. Ends all sessions.",
            )
            .returns(204, "The password was replaced.")
            .problems(&[Code::CodeWrong, Code::PasswordWeak, Code::AccountsUnavailable]),
        post("/auth/password", "changePassword", change)
            .summary("Change the password", "Sessions stay valid; `/auth/sign-out-everywhere` ends them.")
            .returns(204, "The password was replaced.")
            .problems(&[Code::PasswordWeak]),
    ]
}

async fn forgot(
    State(app): State<Arc<AppState>>,
    client: Client,
    Body(request): Body<EmailAddress>,
) -> Result<Accepted<CodeRequested>, ApiError> {
    client.count(&app).await?;
    let email = email(&request.email)?;
    client.attempt(&app, MAILING, "", &email.mailbox()).await?;
    let sent = match app.user_pool.user(email.as_str()).await {
        // The pool resets no password of an unconfirmed user; the code of the sign-up does, see `reset`.
        Ok(user) if !user.is_confirmed => app.user_pool.resend(&email).await,
        Ok(_) | Err(PoolError::Refused) => app.user_pool.forgot(&email).await,
        Err(error) => Err(error),
    };
    code_requested(sent)?;
    Ok(Accepted(CodeRequested::CODE))
}

async fn reset(
    State(app): State<Arc<AppState>>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<PasswordReset>,
) -> Result<Response, ApiError> {
    client.count(&app).await?;
    let (email, code) = (email(&request.email)?, code(&request.code)?);
    let password = new_password(&request.password)?;
    client.attempt(&app, CODE_ENTRY, "reset", &email.mailbox()).await?;
    let user = app.user_pool.user(email.as_str()).await;
    if let Ok(user) = &user
        && !user.is_confirmed
    {
        app.user_pool.confirm(&email, &code).await.map_err(mailed_code)?;
        app.user_pool.set_password(&user.user_id, &password).await.map_err(mailed_code)?;
    } else {
        app.user_pool.reset(&email, &code, &password).await.map_err(mailed_code)?;
    }
    // The password is replaced and the code is used, so the learner cannot retry.
    if let Err(error) = end_sessions(&app, &email).await {
        tracing::error!(error = format!("{error:#}"), "failed to end the sessions after a password reset");
    }
    // The owner of the e-mail address is not locked out by attempts of others.
    client.succeeded(&app, SIGN_IN, "sign-in", &email.mailbox()).await;
    // The code proves the owner, whom a limit over all networks must not keep out.
    let device = keep_device(&app, &headers, &client.device_of(&app, &email.mailbox()));
    Ok(private(StatusCode::NO_CONTENT.into_response(), device))
}

async fn change(
    State(app): State<Arc<AppState>>,
    SteppedUp(caller): SteppedUp,
    Body(request): Body<PasswordChange>,
) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let password = new_password(&request.new_password)?;
    app.user_pool.set_password(&caller.user_id, &password).await.map_err(ended)?;
    app.notices.send(&caller.user_id, Change::Password, None).await;
    Ok(NoContent)
}

/// Ends all sessions of the owner of an e-mail address, whose password was replaced.
async fn end_sessions(app: &AppState, email: &Email) -> anyhow::Result<()> {
    let user_id = app.user_pool.user(email.as_str()).await?.user_id;
    app.notices.send(&user_id, Change::Password, None).await;
    app.account_sessions.end_all(&user_id).await?;
    Ok(app.user_pool.end_sessions(&user_id).await?)
}
