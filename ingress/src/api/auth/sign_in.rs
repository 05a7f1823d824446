//! Signing in, refreshing the session, and signing out.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    fields::{code, email, known_password, new_password, recovery_code},
    rate_limit::{CODE_ENTRY, Client, SIGN_IN},
    session::{SessionCookie, discard, end_cookie, keep_cookie, keep_device, private, private_json},
};
use crate::{
    account::sessions::{OpenSession, SessionError},
    account::user_pool::{self, PoolError, SecondFactor, Session, SignedIn, Tokens},
    account::{
        accounts::AccountError,
        auth::{Caller, TOKEN_SECONDS},
        browser::Browser,
        email::Email,
        notices::Change,
        recovery_codes,
    },
    api::{
        extract::Body,
        problem::{
            ApiError, Code,
            account::{ended, problem},
        },
        route::{Route, post},
    },
    app::AppState,
    store::users::User,
};

/// Maximum length of the session of a challenge, in bytes.
const SESSION_BYTES_MAX: usize = 4_096;

/// A sign-in.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    /// The e-mail address, case insensitive.
    #[schemars(length(max = 254))]
    email: String,
    /// The password.
    #[schemars(length(min = 1, max = 256))]
    password: String,
    /// A recovery code instead of the second factor, which it turns off.
    #[schemars(length(min = 1, max = 64))]
    recovery_code: Option<String>,
}

/// The response to a challenge.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChallengeResponse {
    /// The session of the challenge.
    #[schemars(length(min = 1, max = 4096))]
    session: String,
    /// The challenge.
    challenge: Challenge,
    /// The code of the authenticator app or the text message; for `newPassword`, the new password.
    #[schemars(length(min = 1, max = 256))]
    answer: String,
}

/// A factor that is required besides the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Challenge {
    /// The code of an authenticator app.
    Totp,
    /// The code in a text message.
    Sms,
    /// A new password, to replace the one that an administrator set.
    NewPassword,
}

/// The result of a sign-in.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum SignInResult {
    /// The learner is signed in. A cookie holds the session.
    SignedIn(Access),
    /// Another factor is required; send it to `/auth/challenge`.
    Challenge {
        /// The factor.
        challenge: Challenge,
        /// Must be sent with the response, within three minutes.
        session: String,
        /// Where the code was sent, masked.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        destination: Option<String>,
    },
}

/// An access token.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Access {
    /// The token, for `Authorization: Bearer`.
    access_token: String,
    /// Lifetime of the token, in seconds.
    expires_in: u32,
    /// The signed-in user.
    user: User,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/sign-in", "signIn", sign_in)
            .summary(
                "Sign in",
                "With a password, and with a recovery code where the second factor is lost: it turns the second factor off. The \
                 session is in a cookie that browsers send only to `/auth`.",
            )
            .returns_content::<SignInResult>(
                200,
                "application/json",
                "The learner is signed in, or another factor is required.",
            )
            .problems(&[
                Code::CredentialsWrong,
                Code::CodeWrong,
                Code::PasswordResetRequired,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/challenge", "answerChallenge", respond)
            .summary("Respond to a challenge", "Sends the second factor of a sign-in.")
            .returns_content::<SignInResult>(
                200,
                "application/json",
                "The learner is signed in, or another factor is required.",
            )
            .problems(&[
                Code::CodeWrong,
                Code::ChallengeEnded,
                Code::PasswordWeak,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/refresh", "refreshSession", refresh)
            .summary("Refresh the access token", "With the cookie of the session, which is replaced. The one before is accepted for 10 s; used later, it ends the session.")
            .returns_content::<Access>(200, "application/json", "A new access token.")
            .problems(&[
                Code::SessionMissing,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/sign-out", "signOut", sign_out)
            .summary(
                "Sign out",
                "Ends the session of this browser. Its access tokens and live connections end within 5 s.",
            )
            .returns(204, "The session has ended.")
            .problems(&[Code::AccountsUnavailable]),
        post("/auth/sign-out-everywhere", "signOutEverywhere", sign_out_everywhere)
            .summary(
                "Sign out everywhere",
                "Ends all sessions of the learner. Their access tokens and live connections end within 5 s.",
            )
            .returns(204, "The sessions have ended.")
            .problems(&[Code::SessionEnded, Code::AccountsUnavailable]),
    ]
}

async fn sign_in(
    State(app): State<Arc<AppState>>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<SignIn>,
) -> Result<Response, ApiError> {
    client.count(&app).await?;
    let email = email(&request.email)?;
    let password = known_password("password", &request.password)?;
    let recovery_code = request.recovery_code.as_deref().map(recovery_code).transpose()?;
    client.attempt(&app, SIGN_IN, "sign-in", &email.mailbox()).await?;
    let signed_in = app.user_pool.sign_in(&email, &password).await.map_err(|error| {
        // The pool returns these for known addresses only.
        let reveals = matches!(error, PoolError::Exhausted | PoolError::Invalid);
        problem(if reveals { PoolError::Refused } else { error })
    })?;
    let signed_in = match (signed_in, recovery_code) {
        (SignedIn::Challenge { kind, .. }, Some(code)) if kind != user_pool::Challenge::NewPassword => {
            client.attempt(&app, CODE_ENTRY, "recovery", &email.mailbox()).await?;
            recover(&app, &email, &code).await?;
            client.succeeded(&app, CODE_ENTRY, "recovery", &email.mailbox()).await;
            app.user_pool.sign_in(&email, &password).await.map_err(problem)?
        }
        (signed_in, _) => signed_in,
    };
    respond_signed_in(&app, &headers, &client, &email.mailbox(), signed_in).await
}

async fn respond(
    State(app): State<Arc<AppState>>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<ChallengeResponse>,
) -> Result<Response, ApiError> {
    client.count(&app).await?;
    let (session, account) = open_session(&app, &request.session)?;
    let (challenge, given) = match request.challenge {
        Challenge::Totp => (user_pool::Challenge::Totp, code(&request.answer)?),
        Challenge::Sms => (user_pool::Challenge::Sms, code(&request.answer)?),
        Challenge::NewPassword => (user_pool::Challenge::NewPassword, new_password(&request.answer)?),
    };
    client.attempt(&app, CODE_ENTRY, "challenge", &account).await?;
    let signed_in = app.user_pool.respond(challenge, &session, &given).await.map_err(|error| {
        let is_over = matches!(error, PoolError::Refused | PoolError::Invalid);
        if is_over { challenge_ended() } else { problem(error) }
    })?;
    client.succeeded(&app, CODE_ENTRY, "challenge", &account).await;
    respond_signed_in(&app, &headers, &client, &account, signed_in).await
}

async fn refresh(
    State(app): State<Arc<AppState>>,
    client: Client,
    headers: HeaderMap,
    SessionCookie(cookie): SessionCookie,
) -> Result<Response, ApiError> {
    client.count(&app).await?;
    let Some(cookie) = cookie else {
        return Err(ApiError::refused(Code::SessionMissing, "there is no session cookie; please sign in"));
    };
    let session = match app.account_sessions.refresh(cookie.expose_secret()).await {
        Ok(session) => session,
        Err(error @ SessionError::Ended) => {
            return Ok(private(ApiError::from(error).into_response(), end_cookie(&app, &headers)));
        }
        Err(error) => return Err(error.into()),
    };
    match app.accounts.open(&session.caller.user_id).await {
        Ok(user) => {
            let cookie = keep_cookie(&app, &headers, &session)?;
            Ok(private_json(&Access::new(&session, user), Some(cookie)))
        }
        Err(deleted @ AccountError::Deleted) => {
            app.account_sessions.end_session(&session.caller).await?;
            Ok(private(ApiError::from(deleted).into_response(), end_cookie(&app, &headers)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn sign_out(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    client: Client,
    SessionCookie(cookie): SessionCookie,
) -> Result<Response, ApiError> {
    client.count(&app).await?;
    if let Some(cookie) = cookie {
        app.account_sessions.sign_out(cookie.expose_secret()).await?;
    }
    Ok(signed_out(&app, &headers))
}

async fn sign_out_everywhere(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, ApiError> {
    app.account_sessions.end_all(&caller.user_id).await?;
    app.user_pool.end_sessions(&caller.user_id).await.map_err(ended)?;
    Ok(signed_out(&app, &headers))
}

/// The response to a correct factor of an account.
async fn respond_signed_in(
    app: &AppState,
    headers: &HeaderMap,
    client: &Client,
    account: &str,
    signed_in: SignedIn,
) -> Result<Response, ApiError> {
    match signed_in {
        SignedIn::Tokens(tokens) => {
            // Only now: a right password without its second factor counts, because each sends a text message.
            client.succeeded(app, SIGN_IN, "sign-in", account).await;
            let user = open_account(app, &tokens).await?;
            let session = app.account_sessions.begin(&tokens, browser(headers)).await?;
            let cookie = keep_cookie(app, headers, &session)?;
            let response = private_json(&SignInResult::SignedIn(Access::new(&session, user)), Some(cookie));
            Ok(private(response, keep_device(app, headers, &client.device_of(app, account))))
        }
        SignedIn::Challenge { kind, session, destination } => {
            let session = session.seal(account, &app.keyring).map_err(ApiError::Internal)?;
            let challenge = kind.into();
            Ok(private_json(&SignInResult::Challenge { challenge, session, destination }, None))
        }
    }
}

fn browser(headers: &HeaderMap) -> Browser {
    headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map_or_else(Browser::default, Browser::of)
}

/// The record of the learner who has signed in. If the deletion of the account was requested, this fails and the session of the
/// pool ends.
async fn open_account(app: &AppState, tokens: &Tokens) -> Result<User, ApiError> {
    let opened = app.accounts.open(&tokens.user_id).await;
    if let Err(AccountError::Deleted) = &opened {
        discard(app, tokens).await;
    }
    Ok(opened?)
}

/// Uses a recovery code of the owner of `email`, whose password was right, and turns the second factor off. The code is used first, so
/// that it works once; if the pool then fails, another code remains.
async fn recover(app: &AppState, email: &Email, code: &SecretString) -> Result<(), ApiError> {
    let user_id = app.user_pool.user(email.as_str()).await.map_err(problem)?.user_id;
    let is_known = app.recovery_codes.take(&user_id, &recovery_codes::hash(code)).await;
    if !is_known.map_err(ApiError::Internal)? {
        return Err(problem(PoolError::CodeWrong));
    }
    app.user_pool.disable_mfa(user_id.as_str()).await.map_err(problem)?;
    app.notices.send(&user_id, Change::RecoveryCodeUsed, None).await;
    Ok(())
}

impl Challenge {
    /// The challenge that the pool poses to a user with this factor.
    pub(super) fn of_factor(factor: SecondFactor) -> user_pool::Challenge {
        match factor {
            SecondFactor::Totp => user_pool::Challenge::Totp,
            SecondFactor::Sms | SecondFactor::None => user_pool::Challenge::Sms,
        }
    }
}

impl From<user_pool::Challenge> for Challenge {
    fn from(kind: user_pool::Challenge) -> Self {
        match kind {
            user_pool::Challenge::Totp => Self::Totp,
            user_pool::Challenge::Sms => Self::Sms,
            user_pool::Challenge::NewPassword => Self::NewPassword,
        }
    }
}

/// The pool's session of a challenge of `account`.
pub(super) fn open_challenge(app: &AppState, sealed: &str, account: &str) -> Result<Session, ApiError> {
    let (session, of) = open_session(app, sealed)?;
    if of == account { Ok(session) } else { Err(challenge_ended()) }
}

fn open_session(app: &AppState, sealed: &str) -> Result<(Session, String), ApiError> {
    let opened = (sealed.len() <= SESSION_BYTES_MAX).then(|| Session::open(sealed, &app.keyring));
    opened.flatten().ok_or_else(challenge_ended)
}

impl Access {
    fn new(session: &OpenSession, user: User) -> Self {
        Self { access_token: session.access.expose_secret().to_owned(), expires_in: TOKEN_SECONDS, user }
    }
}

fn signed_out(app: &AppState, headers: &HeaderMap) -> Response {
    private(StatusCode::NO_CONTENT.into_response(), end_cookie(app, headers))
}

pub(super) fn challenge_ended() -> ApiError {
    ApiError::refused(Code::ChallengeEnded, "the sign-in took too long; start again with the password")
}
