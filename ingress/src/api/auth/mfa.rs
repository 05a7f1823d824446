//! The second factor of a sign-in: an authenticator app. It is set up in two steps, so that a secret that no app has cannot lock
//! the learner out. Turning it off needs the password, so that an access token alone is not enough.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{
    fields::{code, known_password},
    rate_limit::{CODES, PASSWORDS},
    session::private_json,
};
use crate::{
    account::auth::Caller,
    account::email::Email,
    account::user_pool::{PoolError, SignedIn},
    api::{
        extract::Body,
        problem::{ApiError, Code, account::ended},
        response::NoContent,
        route::{Route, post},
    },
    app::AppState,
};

/// The secret for an authenticator app.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TotpSecret {
    /// The secret in base 32, to type in.
    secret: String,
    /// The secret as an `otpauth://` URI, for a QR code.
    uri: String,
}

/// A code of an authenticator app.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TotpCode {
    /// The code, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
}

/// The proof that turns the second factor off.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MfaOff {
    /// The current password.
    #[schemars(length(min = 1, max = 256))]
    password: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/totp", "newTotpSecret", associate)
            .summary(
                "Set up an authenticator app",
                "Returns a new secret. Nothing changes until `/auth/totp/verify` accepts a code of the app.",
            )
            .returns_content::<TotpSecret>(200, "application/json", "The secret.")
            .problems(&[Code::SessionEnded, Code::AccountDeleted, Code::AccountsUnavailable]),
        post("/auth/totp/verify", "enableTotp", verify)
            .summary("Turn the authenticator app on", "From now on each sign-in requires a code of the app.")
            .returns(204, "The app is the second factor.")
            .problems(&[
                Code::CodeWrong,
                Code::TooManyRequests,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/mfa/off", "disableMfa", off)
            .summary(
                "Turn the second factor off",
                "Requires the password. From now on the password alone signs in.",
            )
            .returns(204, "The second factor is off.")
            .problems(&[
                Code::PasswordWrong,
                Code::TooManyRequests,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
    ]
}

async fn associate(State(app): State<Arc<AppState>>, caller: Caller) -> Result<Response, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let owner = app.user_pool.user(caller.user_id.as_str()).await.map_err(ended)?;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    let secret = app.user_pool.new_totp_secret(tokens.access.expose_secret()).await.map_err(ended)?;
    let secret = secret.expose_secret().to_owned();
    let uri = uri(&owner.email, &secret);
    Ok(private_json(&TotpSecret { secret, uri }, None))
}

async fn verify(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Body(request): Body<TotpCode>,
) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let code = code(&request.code)?;
    CODES.count(&app, "totp", caller.user_id.as_str()).await?;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    app.user_pool.enable_totp(tokens.access.expose_secret(), &code).await.map_err(ended)?;
    CODES.forget(&app, "totp", caller.user_id.as_str()).await;
    Ok(NoContent)
}

async fn off(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Body(request): Body<MfaOff>,
) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let password = known_password("password", &request.password)?;
    PASSWORDS.count(&app, "mfa", caller.user_id.as_str()).await?;
    let owner = app.user_pool.user(caller.user_id.as_str()).await.map_err(ended)?;
    match app.user_pool.sign_in(&owner.email, &password).await {
        // The session of this check is not used.
        Ok(SignedIn::Tokens(tokens)) => {
            if let Some(refresh) = &tokens.refresh {
                app.user_pool.revoke(refresh).await.map_err(ended)?;
            }
        }
        Ok(SignedIn::Challenge { .. }) => {}
        Err(PoolError::Refused) => {
            return Err(ApiError::refused(Code::PasswordWrong, "the current password is wrong"));
        }
        Err(error) => return Err(ended(error)),
    }
    PASSWORDS.forget(&app, "mfa", caller.user_id.as_str()).await;
    app.user_pool.disable_mfa(&caller.user_id).await.map_err(ended)?;
    Ok(NoContent)
}

/// The key URI format of authenticator apps, with their default parameters.
fn uri(email: &Email, secret: &str) -> String {
    let email: String = form_urlencoded::byte_serialize(email.as_str().as_bytes()).collect();
    format!(
        "otpauth://totp/Nova%20English:{email}?secret={secret}&issuer=Nova%20English&algorithm=SHA1&digits=6&period=30"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_secret_quotes_the_e_mail() {
        let email = "mina+nova@school.kr".parse().unwrap();
        let uri = uri(&email, "JBSWY3DP");
        assert!(
            uri.starts_with("otpauth://totp/Nova%20English:mina%2Bnova%40school.kr?secret=JBSWY3DP&"),
            "{uri}"
        );
    }
}
