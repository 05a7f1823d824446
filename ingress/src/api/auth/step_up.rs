//! Step-up: password, and second factor where there is one, proved again before a change of the account
//! ([`crate::api::caller::SteppedUp`]). The user pool checks both with a sign-in of its own, whose tokens are discarded.

use std::sync::Arc;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    fields::{code, known_password},
    rate_limit::{CODE_ENTRY, Client, SIGN_IN},
    session::discard,
    sign_in::{Challenge, challenge_ended, open_challenge},
};
use crate::{
    account::auth::Caller,
    account::sessions::STEP_UP_TIME,
    account::user_pool::{PoolError, SignedIn, Tokens},
    api::{
        extract::Body,
        problem::{
            ApiError, Code, Rule,
            account::{ended, problem},
        },
        route::{Route, post},
    },
    app::AppState,
    security::{SecurityEvent, security_event},
};

/// The proof of password and second factor.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepUp {
    /// The password. Without it, `session` and `code`.
    #[schemars(length(min = 1, max = 256))]
    password: Option<String>,
    /// The code of the second factor, where there is one: that of an authenticator app with the password or with `session`, that of
    /// a text message with `session`.
    #[schemars(length(min = 1, max = 20))]
    code: Option<String>,
    /// The session of the challenge to which `code` responds.
    #[schemars(length(min = 1, max = 4096))]
    session: Option<String>,
}

/// The result of a step-up.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum StepUpResult {
    /// Changes of the account are allowed.
    SteppedUp {
        /// For how long, in seconds.
        expires_in: u32,
    },
    /// The password is right. Send the code with this session.
    Challenge {
        /// The second factor.
        challenge: Challenge,
        /// Must be sent with the code, within three minutes.
        session: String,
        /// Where the code was sent, masked.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        destination: Option<String>,
    },
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/step-up", "stepUp", step_up)
            .summary(
                "Prove the password again",
                "Password, and second factor where there is one. Changes of the account are allowed for 5 minutes after it, and \
                 after a sign-in.",
            )
            .problems(&[
                Code::PasswordWrong,
                Code::CodeWrong,
                Code::ChallengeEnded,
                Code::PasswordResetRequired,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
    ]
}

async fn step_up(
    State(app): State<Arc<AppState>>,
    client: Client,
    caller: Caller,
    Body(request): Body<StepUp>,
) -> Result<Json<StepUpResult>, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let given = request.code.as_deref().map(code).transpose()?;
    let owner = app.user_pool.user(caller.user_id.as_str()).await.map_err(ended)?;
    let account = owner.email.mailbox();
    let (kind, session) = match (&request.password, &request.session) {
        // The service has sealed the session, so the password was right.
        (None, Some(session)) => {
            (Challenge::of_factor(owner.second_factor), open_challenge(&app, session, &account)?)
        }
        (Some(password), None) => {
            let password = known_password("password", password)?;
            // Guesses here and at the sign-in count together.
            client.attempt(&app, SIGN_IN, "sign-in", &account).await?;
            let proof = app.user_pool.sign_in(&owner.email, &password).await;
            let proof = proof.map_err(|error| refused(&app, &caller, error, Code::PasswordWrong))?;
            match proof {
                SignedIn::Tokens(tokens) => {
                    return stepped_up(&app, &client, &caller, &tokens, &account).await;
                }
                SignedIn::Challenge { kind, session, destination } => {
                    let challenge = Challenge::from(kind);
                    if given.is_none() || challenge != Challenge::Totp {
                        let session = session.seal(&account, &app.keyring).map_err(ApiError::Internal)?;
                        return Ok(Json(StepUpResult::Challenge { challenge, session, destination }));
                    }
                    (kind, session)
                }
            }
        }
        (None, None) | (Some(_), Some(_)) => {
            let detail = "either the password, or the session of the challenge with the code";
            return Err(ApiError::field("password", Rule::default(), detail.to_owned()));
        }
    };
    let Some(given) = given else {
        return Err(ApiError::field("code", Rule::default(), "required with the session".to_owned()));
    };
    client.attempt(&app, CODE_ENTRY, "challenge", &account).await?;
    let proof = app.user_pool.respond(kind, &session, &given).await;
    let proof = proof.map_err(|error| refused(&app, &caller, error, Code::ChallengeEnded))?;
    let SignedIn::Tokens(tokens) = proof else { return Err(challenge_ended()) };
    client.succeeded(&app, CODE_ENTRY, "challenge", &account).await;
    stepped_up(&app, &client, &caller, &tokens, &account).await
}

async fn stepped_up(
    app: &AppState,
    client: &Client,
    caller: &Caller,
    tokens: &Tokens,
    account: &str,
) -> Result<Json<StepUpResult>, ApiError> {
    client.succeeded(app, SIGN_IN, "sign-in", account).await;
    discard(app, tokens).await;
    app.account_sessions.step_up(caller).await?;
    let expires_in = u32::try_from(STEP_UP_TIME.as_secs()).unwrap_or(0);
    Ok(Json(StepUpResult::SteppedUp { expires_in }))
}

/// The problem of a proof that the pool does not accept: `code` where it refuses the credentials. A wrong proof is a security event.
fn refused(app: &AppState, caller: &Caller, error: PoolError, code: Code) -> ApiError {
    let refusal = match error {
        PoolError::Refused | PoolError::Invalid if code == Code::ChallengeEnded => return challenge_ended(),
        PoolError::Refused | PoolError::Exhausted | PoolError::Invalid => {
            ApiError::refused(code, "the password is wrong")
        }
        PoolError::CodeWrong => problem(error),
        error @ (PoolError::Exists
        | PoolError::PasswordWeak
        | PoolError::EmailRefused
        | PoolError::ResetRequired
        | PoolError::TooMany
        | PoolError::Unavailable(_)) => return problem(error),
    };
    security_event(&app.metrics, SecurityEvent::StepUpFailed, Some(&caller.user_id), refusal.code().name());
    refusal
}
