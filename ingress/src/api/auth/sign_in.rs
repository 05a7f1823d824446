//! Signing in, staying signed in, and signing out.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    RefreshCookie, code, cookie, email, end_cookie, known_password, new_password, private, private_json,
    visitor::{CODES, PASSWORDS, Visitor},
};
use crate::{
    account::auth::Caller,
    account::user_pool::{
        self, Hidden, PoolError, Session, SignedIn, Tokens,
        problem::{ended, problem},
    },
    api::problem::{ApiError, Code},
    api::{
        extract::Body,
        route::{Route, post},
    },
    app::AppState,
    store::users::User,
};

/// Longest session of a challenge, in bytes.
const SESSION_BYTES_MAX: usize = 4_096;

/// Who signs in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    /// The e-mail address, in any case.
    #[schemars(length(max = 254))]
    email: String,
    /// The password.
    #[schemars(length(min = 1, max = 256))]
    password: String,
}

/// The answer to a challenge.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Respond {
    /// As it was given with the challenge.
    #[schemars(length(min = 1, max = 4096))]
    session: String,
    /// Which challenge it was.
    challenge: Challenge,
    /// The code of the authenticator app or the text message; a new password for `newPassword`.
    #[schemars(length(min = 1, max = 256))]
    answer: String,
}

/// A proof that is asked for beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Challenge {
    /// The code that an authenticator app shows.
    Totp,
    /// The code that was sent by text message.
    Sms,
    /// A password of the learner's own, in place of the one that an administrator set.
    NewPassword,
}

/// What a sign-in comes to.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum SignInAnswer {
    /// The learner is signed in. The session is kept by a cookie.
    SignedIn(Access),
    /// One more proof is needed, which `/auth/challenge` takes.
    Challenge {
        /// Which one.
        challenge: Challenge,
        /// Belongs to the answer, within three minutes.
        session: String,
        /// Where a code was sent, masked.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        destination: Option<String>,
    },
}

/// What opens the API.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Access {
    /// `Authorization: Bearer` takes it.
    access_token: String,
    /// How long it is good, in seconds.
    expires_in: u32,
    /// Who has signed in.
    user: User,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/sign-in", "signIn", sign_in)
            .says("Sign in", "With a password. The session is kept by a cookie that only `/auth` sees.")
            .answers_with::<SignInAnswer>(200, "application/json", "The learner is signed in, or one more proof is needed.")
            .problems(&[
                Code::CredentialsWrong,
                Code::PasswordResetRequired,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/challenge", "answerChallenge", respond)
            .says("Answer a challenge", "The second proof of a sign-in.")
            .answers_with::<SignInAnswer>(200, "application/json", "The learner is signed in, or one more proof is needed.")
            .problems(&[
                Code::CodeWrong,
                Code::ChallengeEnded,
                Code::PasswordWeak,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/refresh", "refreshSession", refresh)
            .says("Get a new access token", "With the cookie of the session.")
            .answers_with::<Access>(200, "application/json", "The learner is still signed in.")
            .problems(&[
                Code::SessionMissing,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/sign-out", "signOut", sign_out)
            .says(
                "Sign out here",
                "The session of this browser ends. An access token that was given out is good until it expires.",
            )
            .answers(204, "The session has ended.")
            .problems(&[Code::AccountsUnavailable]),
        post("/auth/sign-out-everywhere", "signOutEverywhere", sign_out_everywhere)
            .says(
                "Sign out everywhere",
                "All sessions of the learner end. Access tokens that were given out are good until they expire.",
            )
            .answers(204, "The sessions have ended.")
            .problems(&[Code::SessionEnded, Code::AccountsUnavailable]),
    ]
}

async fn sign_in(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<SignIn>,
) -> Result<Response, ApiError> {
    visitor.count(&app).await?;
    let email = email(&request.email)?;
    let password = known_password("password", request.password)?;
    PASSWORDS.count(&app, "sign-in", email.as_str()).await?;
    let signed_in = app.user_pool.sign_in(&email, &password).await.map_err(|error| {
        // What the pool says of known addresses only.
        let tells = matches!(error, PoolError::Exhausted | PoolError::Invalid);
        problem(if tells { PoolError::Refused } else { error })
    })?;
    PASSWORDS.forget(&app, "sign-in", email.as_str()).await;
    answer(&app, &headers, signed_in).await
}

async fn respond(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<Respond>,
) -> Result<Response, ApiError> {
    visitor.count(&app).await?;
    let session = Some(request.session).filter(|session| session.len() <= SESSION_BYTES_MAX);
    let session = session.as_deref().and_then(Session::read).ok_or_else(challenge_ended)?;
    let (challenge, given) = match request.challenge {
        Challenge::Totp => (user_pool::Challenge::Totp, code(&request.answer)?),
        Challenge::Sms => (user_pool::Challenge::Sms, code(&request.answer)?),
        Challenge::NewPassword => (user_pool::Challenge::NewPassword, new_password(request.answer)?),
    };
    CODES.count(&app, "challenge", session.username()).await?;
    let signed_in = app.user_pool.respond(challenge, &session, &given).await.map_err(|error| {
        let is_over = matches!(error, PoolError::Refused | PoolError::Invalid);
        if is_over { challenge_ended() } else { problem(error) }
    })?;
    CODES.forget(&app, "challenge", session.username()).await;
    answer(&app, &headers, signed_in).await
}

async fn refresh(
    State(app): State<Arc<AppState>>,
    visitor: Visitor,
    headers: HeaderMap,
    RefreshCookie(token): RefreshCookie,
) -> Result<Response, ApiError> {
    visitor.count(&app).await?;
    let Some(token) = token else {
        return Err(ApiError::refused(Code::SessionMissing, "there is no session; please sign in"));
    };
    match app.user_pool.refresh(&token).await {
        Ok(tokens) => match access(&app, &tokens, tokens.refresh.as_ref().or(Some(&token))).await {
            Ok(access) => {
                let cookie = keep(&app, &headers, tokens.refresh.as_ref())?;
                Ok(private_json(&access, cookie))
            }
            Err(gone) if gone.code() == Code::AccountDeleted => {
                Ok(private(gone.into_response(), end_cookie(&app, &headers)))
            }
            Err(error) => Err(error),
        },
        Err(PoolError::Refused | PoolError::Invalid) => {
            let ended = ended(PoolError::Refused).into_response();
            Ok(private(ended, end_cookie(&app, &headers)))
        }
        Err(error) => Err(problem(error)),
    }
}

async fn sign_out(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    visitor: Visitor,
    RefreshCookie(token): RefreshCookie,
) -> Result<Response, ApiError> {
    visitor.count(&app).await?;
    if let Some(token) = token {
        match app.user_pool.revoke(&token).await {
            // A token that the pool does not know keeps no session.
            Ok(()) | Err(PoolError::Refused | PoolError::Invalid) => {}
            Err(error) => return Err(problem(error)),
        }
    }
    Ok(signed_out(&app, &headers))
}

async fn sign_out_everywhere(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, ApiError> {
    app.user_pool.sign_out_everywhere(caller.token.reveal()).await.map_err(ended)?;
    Ok(signed_out(&app, &headers))
}

/// The answer to a correct proof.
async fn answer(app: &AppState, headers: &HeaderMap, signed_in: SignedIn) -> Result<Response, ApiError> {
    match signed_in {
        SignedIn::Tokens(tokens) => {
            let access = access(app, &tokens, tokens.refresh.as_ref()).await?;
            let cookie = keep(app, headers, tokens.refresh.as_ref())?;
            Ok(private_json(&SignInAnswer::SignedIn(access), cookie))
        }
        SignedIn::Challenge { kind, session, destination } => {
            let challenge = match kind {
                user_pool::Challenge::Totp => Challenge::Totp,
                user_pool::Challenge::Sms => Challenge::Sms,
                user_pool::Challenge::NewPassword => Challenge::NewPassword,
            };
            let session = session.to_text();
            Ok(private_json(&SignInAnswer::Challenge { challenge, session, destination }, None))
        }
    }
}

/// The owner of the token is read from the token, after it was verified as any other. An account whose deletion was asked
/// for opens nothing more, and its session, which `refresh` keeps, ends.
async fn access(app: &AppState, tokens: &Tokens, refresh: Option<&Hidden>) -> Result<Access, ApiError> {
    let caller = app.verifier.verify(tokens.access.reveal()).await?;
    let opened = app.accounts.open(&caller).await;
    if let (Err(gone), Some(refresh)) = (&opened, refresh)
        && gone.code() == Code::AccountDeleted
        && let Err(error) = app.user_pool.revoke(refresh).await
    {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(error, "the session of a deleted account goes on, and opens nothing");
    }
    let user = opened?;
    let access_token = tokens.access.reveal().to_owned();
    Ok(Access { access_token, expires_in: tokens.expires_in, user })
}

fn keep(
    app: &AppState,
    headers: &HeaderMap,
    token: Option<&Hidden>,
) -> Result<Option<http::HeaderValue>, ApiError> {
    let Some(token) = token else { return Ok(None) };
    let cookie = cookie::keep(token.reveal(), cookie::is_secure(headers, app.localhost_cookies));
    let cookie = cookie.ok_or_else(|| anyhow::anyhow!("no browser keeps a refresh token of this size"));
    cookie.map(Some).map_err(ApiError::Internal)
}

fn signed_out(app: &AppState, headers: &HeaderMap) -> Response {
    private(StatusCode::NO_CONTENT.into_response(), end_cookie(app, headers))
}

fn challenge_ended() -> ApiError {
    ApiError::refused(Code::ChallengeEnded, "the sign-in took too long; begin again with the password")
}
