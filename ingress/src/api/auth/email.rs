//! The change of the e-mail address, which takes effect when the learner proves to read the new one.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{
    fields::{EmailAddress, code},
    rate_limit::{CODE_ENTRY, Client, MAILING},
    session::{keep_device, private},
    sign_up::email_problem,
};
use crate::{
    account::notices::Change,
    account::user_pool::{Contact, PoolError},
    api::{
        caller::SteppedUp,
        extract::Body,
        problem::{ApiError, Code, account::ended},
        route::{Route, post},
    },
    app::AppState,
};

/// The code that was sent to the new e-mail address.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EmailCode {
    /// The code, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
}

/// The next step of a change of the e-mail address.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EmailChange {
    /// Whether `/auth/email/verify` needs the code that was sent to the new address. A local user pool changes it at once.
    code_sent: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/email", "changeEmail", change)
            .summary(
                "Change the e-mail address",
                "Sends a code to the new address. The former one stays valid until `/auth/email/verify` accepts the code. An address that \
                 another account has gets no code, and the response is the same.",
            )
            .problems(&[Code::EmailRefused]),
        post("/auth/email/verify", "verifyEmail", verify)
            .summary("Confirm the new e-mail address", "From now on it is the address to sign in with.")
            .returns(204, "The address was changed.")
            .problems(&[Code::CodeWrong]),
    ]
}

async fn change(
    State(app): State<Arc<AppState>>,
    client: Client,
    SteppedUp(caller): SteppedUp,
    Body(request): Body<EmailAddress>,
) -> Result<Json<EmailChange>, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let email = app.refused_domains.check(&request.email).map_err(|error| email_problem(&error))?;
    client.attempt(&app, MAILING, "email", caller.user_id.as_str()).await?;
    client.attempt(&app, MAILING, "", &email.mailbox()).await?;
    let former = app.user_pool.user(caller.user_id.as_str()).await.map_err(ended)?.email;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    let access = tokens.access.expose_secret();
    let code_sent = match app.user_pool.request_change(access, Contact::Email, email.as_str()).await {
        Ok(code_sent) => code_sent,
        // Another account has the address, which the response must not reveal.
        Err(PoolError::CodeWrong | PoolError::Exists) => true,
        Err(error) => return Err(ended(error)),
    };
    if !code_sent {
        app.notices.send(&caller.user_id, Change::Email, Some(&former)).await;
    }
    Ok(Json(EmailChange { code_sent }))
}

async fn verify(
    State(app): State<Arc<AppState>>,
    client: Client,
    headers: HeaderMap,
    SteppedUp(caller): SteppedUp,
    Body(request): Body<EmailCode>,
) -> Result<Response, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let code = code(&request.code)?;
    client.attempt(&app, CODE_ENTRY, "email", caller.user_id.as_str()).await?;
    let former = app.user_pool.user(caller.user_id.as_str()).await.map_err(ended)?.email;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    let access = tokens.access.expose_secret();
    app.user_pool.verify(access, Contact::Email, &code).await.map_err(ended)?;
    client.succeeded(&app, CODE_ENTRY, "email", caller.user_id.as_str()).await;
    app.notices.send(&caller.user_id, Change::Email, Some(&former)).await;
    // The device stays known to the account, whose limits count the new address.
    let owner = app.user_pool.user(caller.user_id.as_str()).await.map_err(ended)?;
    let device = keep_device(&app, &headers, &client.device_of(&app, &owner.email.mailbox()));
    Ok(private(StatusCode::NO_CONTENT.into_response(), device))
}
