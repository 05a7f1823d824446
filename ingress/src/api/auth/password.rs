//! Passwords: a forgotten one, with a code by mail, and a known one.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Address, code, email, known_password, new_password,
    sign_up::MailAsked,
    visitor::{CODES, MAILS, PASSWORDS, Visitor},
};
use crate::{
    account::auth::Caller,
    account::user_pool::{
        PoolError,
        problem::{ended, mail_asked, mailed_code},
    },
    api::problem::{ApiError, Code},
    api::{
        answer::{Accepted, NoContent},
        extract::Body,
        route::{Route, post},
    },
    app::AppState,
};

/// A new password in place of a forgotten one.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reset {
    /// The e-mail address, in any case.
    #[schemars(length(max = 254))]
    email: String,
    /// The code, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
    /// 8 to 256 characters, among them a capital letter, a small letter and a digit.
    #[schemars(length(min = 8, max = 256))]
    password: String,
}

/// A new password in place of a known one.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    /// The present one.
    #[schemars(length(min = 1, max = 256))]
    old_password: String,
    /// 8 to 256 characters, among them a capital letter, a small letter and a digit.
    #[schemars(length(min = 8, max = 256))]
    new_password: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/forgot", "forgotPassword", forgot)
            .says("Ask for a code", "With which a forgotten password can be replaced.")
            .answers(202, "The code is asked for.")
            .problems(&[Code::AccountsUnavailable]),
        post("/auth/reset", "resetPassword", reset)
            .says(
                "Replace a forgotten password",
                "With the code that was sent to the address. All sessions end.",
            )
            .answers(204, "The new password is good.")
            .problems(&[Code::CodeWrong, Code::PasswordWeak, Code::AccountsUnavailable]),
        post("/auth/password", "changePassword", change)
            .says("Replace a known password", "Sessions go on; `/auth/sign-out-everywhere` ends them.")
            .answers(204, "The new password is good.")
            .problems(&[
                Code::PasswordWrong,
                Code::PasswordWeak,
                Code::TooManyRequests,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
    ]
}

async fn forgot(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    Body(request): Body<Address>,
) -> Result<Accepted<MailAsked>, ApiError> {
    visitor.count(&app).await?;
    let email = email(&request.email)?;
    MAILS.count(&app, "", email.as_str()).await?;
    mail_asked(app.user_pool.forgot(&email).await)?;
    Ok(Accepted(MailAsked::CODE))
}

async fn reset(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    Body(request): Body<Reset>,
) -> Result<NoContent, ApiError> {
    visitor.count(&app).await?;
    let (email, code) = (email(&request.email)?, code(&request.code)?);
    let password = new_password(request.password)?;
    CODES.count(&app, "reset", email.as_str()).await?;
    app.user_pool.reset(&email, &code, &password).await.map_err(mailed_code)?;
    // The password is replaced, and the code is used: there is nothing that the learner could do again.
    if let Err(error) = app.user_pool.end_sessions(&email).await {
        tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "sessions outlive a reset");
    }
    // Whoever can read the mail is not kept out by attempts of others.
    PASSWORDS.forget(&app, "sign-in", email.as_str()).await;
    Ok(NoContent)
}

async fn change(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Body(request): Body<Change>,
) -> Result<NoContent, ApiError> {
    app.accounts.usable(&caller.user_id).await?;
    let old = known_password("oldPassword", request.old_password)?;
    let new = new_password(request.new_password)?;
    PASSWORDS.count(&app, "change", caller.user_id.as_str()).await?;
    let token = caller.token.reveal();
    match app.user_pool.change_password(token, &old, &new).await {
        Ok(()) => {
            PASSWORDS.forget(&app, "change", caller.user_id.as_str()).await;
            Ok(NoContent)
        }
        // The pool says the same of a wrong password and of a session that has ended.
        Err(PoolError::Refused) => match app.user_pool.owner(token).await {
            Ok(_) => Err(ApiError::refused(Code::PasswordWrong, "the present password is another one")),
            Err(error) => Err(ended(error)),
        },
        Err(error) => Err(ended(error)),
    }
}
