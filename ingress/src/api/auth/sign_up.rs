//! Signing up: with an e-mail address, the code that is sent to it, and another code. Responses do not depend on whether the
//! address is known.

use std::sync::Arc;

use axum::extract::State;
use events::contract::{FeedbackLanguage, Level};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    fields::{CodeRequested, EmailAddress, code, email, email_rule, new_password},
    rate_limit::{CODE_ENTRY, Client, MAILING},
};
use crate::{
    account::email::EmailError,
    account::profile::{PageLanguage, Profile},
    account::user_pool::PoolError,
    api::{
        extract::Body,
        problem::{
            ApiError, Code,
            account::{code_requested, mailed_code, problem},
        },
        response::{Accepted, NoContent},
        route::{Route, post},
    },
    app::AppState,
};

/// The confirmation of a sign-up.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Confirm {
    /// The e-mail address, case insensitive.
    #[schemars(length(max = 254))]
    email: String,
    /// The code from the e-mail, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
    /// The password: 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit.
    #[schemars(length(min = 8, max = 256))]
    password: String,
    /// The learner's name, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// The default level of conversations.
    #[serde(default)]
    level: Level,
    /// Topics of interest: at most 20, each of 1 to 50 characters without commas.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    interests: Vec<String>,
    /// The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`. Without it, UTC.
    #[schemars(length(min = 1, max = 64))]
    time_zone: Option<String>,
    /// The default language of assessments.
    #[serde(default)]
    feedback_language: FeedbackLanguage,
    /// The language of the page.
    #[serde(default)]
    page_language: PageLanguage,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/sign-up", "signUp", sign_up)
            .summary(
                "Sign up",
                "Sends a code to the e-mail address, for `/auth/confirm`, which takes the password and the profile. An address \
                 that has signed up before gets no code, and the response is the same.",
            )
            .returns(202, "The request was accepted.")
            .problems(&[Code::EmailRefused, Code::AccountsUnavailable]),
        post("/auth/confirm", "confirmSignUp", confirm)
            .summary(
                "Confirm a sign-up",
                "With the code that was sent to the e-mail address. Password and profile are those of this request. If the \
                 service fails after it has accepted the code, a password reset completes the account.",
            )
            .returns(204, "The learner can sign in.")
            .problems(&[Code::CodeWrong, Code::PasswordWeak, Code::AccountsUnavailable]),
        post("/auth/resend", "resendCode", resend)
            .summary("Request another code", "For an e-mail address that has signed up and is not confirmed.")
            .returns(202, "The request was accepted.")
            .problems(&[Code::AccountsUnavailable]),
    ]
}

async fn sign_up(
    State(app): State<Arc<AppState>>,
    client: Client,
    Body(request): Body<EmailAddress>,
) -> Result<Accepted<CodeRequested>, ApiError> {
    client.count(&app).await?;
    let email = app.refused_domains.check(&request.email).map_err(|error| email_problem(&error))?;
    client.attempt(&app, MAILING, "", &email.mailbox()).await?;
    match app.user_pool.sign_up(&email).await {
        Ok(()) => tracing::info!("a learner signed up"),
        Err(PoolError::Exists) => tracing::info!("sign-up of a known e-mail address"),
        Err(error) => return Err(problem(error)),
    }
    Ok(Accepted(CodeRequested::SIGN_UP))
}

async fn confirm(
    State(app): State<Arc<AppState>>,
    client: Client,
    Body(request): Body<Confirm>,
) -> Result<NoContent, ApiError> {
    client.count(&app).await?;
    let (email, code) = (email(&request.email)?, code(&request.code)?);
    let password = new_password(&request.password)?;
    let default = Profile::new(request.name);
    let profile = Profile {
        level: request.level,
        interests: request.interests,
        time_zone: request.time_zone.unwrap_or(default.time_zone),
        feedback_language: request.feedback_language,
        page_language: request.page_language,
        name: default.name,
    };
    let profile = profile.checked()?;
    client.attempt(&app, CODE_ENTRY, "confirm", &email.mailbox()).await?;
    app.user_pool.confirm(&email, &code).await.map_err(mailed_code)?;
    // The client owns the e-mail address. The password comes last: without it the account is completed by a reset, and has the
    // profile.
    let user_id = app.user_pool.user(email.as_str()).await.map_err(incomplete)?.user_id;
    app.accounts.begin(&user_id, &profile).await?;
    app.user_pool.set_password(&user_id, &password).await.map_err(incomplete)?;
    Ok(NoContent)
}

async fn resend(
    State(app): State<Arc<AppState>>,
    client: Client,
    Body(request): Body<EmailAddress>,
) -> Result<Accepted<CodeRequested>, ApiError> {
    client.count(&app).await?;
    let email = email(&request.email)?;
    client.attempt(&app, MAILING, "", &email.mailbox()).await?;
    code_requested(app.user_pool.resend(&email).await)?;
    Ok(Accepted(CodeRequested::CODE))
}

/// The problem of a failure after the code was accepted.
fn incomplete(error: PoolError) -> ApiError {
    problem(PoolError::Unavailable(
        anyhow::Error::from(error).context("failed to complete a confirmed sign-up"),
    ))
}

pub(super) fn email_problem(error: &EmailError) -> ApiError {
    match error {
        EmailError::Domain => ApiError::refused(Code::EmailRefused, error.to_string()),
        EmailError::Malformed | EmailError::NotAscii | EmailError::TooLong => {
            ApiError::field("email", email_rule(error), error.to_string())
        }
    }
}
