//! Signing up: the address, the code that was sent there, and another code. What is answered does not depend on whether the
//! address is known.

use std::sync::Arc;

use axum::extract::State;
use events::contract::{FeedbackLanguage, Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Address, code, email, new_password,
    visitor::{CODES, MAILS, Visitor},
};
use crate::{
    account::email::EmailRefused,
    account::profile::{Profile, Wrong},
    account::user_pool::{
        PoolError,
        problem::{mail_asked, mailed_code, problem},
    },
    api::problem::{ApiError, Code},
    api::{
        answer::{Accepted, NoContent},
        extract::Body,
        route::{Route, post},
    },
    app::AppState,
};

/// Somebody who wants to learn.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignUp {
    /// The e-mail address, in any case. A code is sent there.
    #[schemars(length(max = 254))]
    email: String,
    /// 8 to 256 characters, among them a capital letter, a small letter and a digit.
    #[schemars(length(min = 8, max = 256))]
    password: String,
    /// What the learner is called, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// The level that conversations begin with; B1 if it is not told.
    #[serde(default)]
    level: Level,
    /// What the learner likes to talk about: at most 20, each of 1 to 50 characters without a comma.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 50)))]
    interests: Vec<String>,
}

/// The code that was sent.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Confirm {
    /// The e-mail address, in any case.
    #[schemars(length(max = 254))]
    email: String,
    /// The code, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
}

/// What happens next.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailAsked {
    /// For people.
    detail: &'static str,
}

impl MailAsked {
    pub(super) const CODE: Self = Self { detail: "if the address can use one, a code is on its way to it" };
    const SIGN_UP: Self = Self {
        detail: "a code is on its way to the address, unless it has signed up before: then sign in, or replace a forgotten \
                 password",
    };
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/sign-up", "signUp", sign_up)
            .says(
                "Sign up",
                "A code is sent to the address, which `/auth/confirm` takes. An address that has signed up before is answered \
                 in the same way and gets no code.",
            )
            .answers(202, "The code is asked for.")
            .problems(&[Code::EmailRefused, Code::PasswordWeak, Code::AccountsUnavailable]),
        post("/auth/confirm", "confirmSignUp", confirm)
            .says("Confirm a sign-up", "With the code that was sent to the address.")
            .answers(204, "The learner can sign in.")
            .problems(&[Code::CodeWrong, Code::AccountsUnavailable]),
        post("/auth/resend", "resendCode", resend)
            .says("Ask for another code", "For an address that has signed up and was not confirmed.")
            .answers(202, "The code is asked for.")
            .problems(&[Code::AccountsUnavailable]),
    ]
}

async fn sign_up(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    Body(request): Body<SignUp>,
) -> Result<Accepted<MailAsked>, ApiError> {
    visitor.count(&app).await?;
    let email = app.refused_domains.check(&request.email).map_err(|why| refused(&why))?;
    let password = new_password(request.password)?;
    let profile = Profile {
        level: request.level,
        interests: request.interests,
        feedback_language: FeedbackLanguage::default(),
        ..Profile::new(request.name)
    };
    let profile = profile.checked().map_err(|Wrong { field, allowed }| ApiError::field(field, allowed))?;
    MAILS.count(&app, "", email.as_str()).await?;
    match app.user_pool.sign_up(&email, &password, &profile).await {
        Ok(()) => tracing::info!("somebody signs up"),
        Err(PoolError::Exists) => tracing::info!("somebody signs a known address up"),
        Err(error) => return Err(problem(error)),
    }
    Ok(Accepted(MailAsked::SIGN_UP))
}

async fn confirm(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    Body(request): Body<Confirm>,
) -> Result<NoContent, ApiError> {
    visitor.count(&app).await?;
    let (email, code) = (email(&request.email)?, code(&request.code)?);
    CODES.count(&app, "confirm", email.as_str()).await?;
    app.user_pool.confirm(&email, &code).await.map_err(mailed_code)?;
    Ok(NoContent)
}

async fn resend(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    Body(request): Body<Address>,
) -> Result<Accepted<MailAsked>, ApiError> {
    visitor.count(&app).await?;
    let email = email(&request.email)?;
    MAILS.count(&app, "", email.as_str()).await?;
    mail_asked(app.user_pool.resend(&email).await)?;
    Ok(Accepted(MailAsked::CODE))
}

fn refused(refused: &EmailRefused) -> ApiError {
    match refused {
        EmailRefused::Domain => ApiError::refused(Code::EmailRefused, refused.to_string()),
        EmailRefused::Malformed | EmailRefused::NotAscii | EmailRefused::TooLong => {
            ApiError::field("email", refused.to_string())
        }
    }
}
