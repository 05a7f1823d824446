//! The second proof of a sign-in: an authenticator app. It is set up in two steps, so that nobody is locked out by a secret
//! that no app has; it is given up with the password, so that a token alone does not take it away.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    code, known_password, private_json,
    visitor::{CODES, PASSWORDS},
};
use crate::{
    account::auth::Caller,
    account::email::Email,
    account::user_pool::{PoolError, SignedIn, problem::ended},
    api::problem::{ApiError, Code},
    api::{
        answer::NoContent,
        extract::Body,
        route::{Route, post},
    },
    app::AppState,
};

/// What an authenticator app needs.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TotpSecret {
    /// The secret in base 32, for typing.
    secret: String,
    /// The same as `otpauth://…`, for a QR code.
    uri: String,
}

/// A code of the app.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TotpCode {
    /// The code, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
}

/// The learner's password.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Password {
    /// The password.
    #[schemars(length(min = 1, max = 256))]
    password: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/totp", "newTotpSecret", associate)
            .says(
                "Begin with an authenticator app",
                "Nothing changes until `/auth/totp/verify` takes a code of the app.",
            )
            .answers_with::<TotpSecret>(200, "application/json", "What the app needs.")
            .problems(&[Code::SessionEnded, Code::AccountDeleted, Code::AccountsUnavailable]),
        post("/auth/totp/verify", "enableTotp", verify)
            .says("Use the authenticator app", "From here on each sign-in asks for a code of the app.")
            .answers(204, "The app is the second proof.")
            .problems(&[
                Code::CodeWrong,
                Code::TooManyRequests,
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::AccountsUnavailable,
            ]),
        post("/auth/mfa/off", "disableMfa", off)
            .says(
                "Go without a second proof",
                "The password is enough from here on; it is asked for once more.",
            )
            .answers(204, "The password is enough.")
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
    app.accounts.usable(&caller.user_id).await?;
    let token = caller.token.reveal();
    let (email, _) = app.user_pool.owner(token).await.map_err(ended)?;
    let secret = app.user_pool.new_totp_secret(token).await.map_err(ended)?.reveal().to_owned();
    let uri = uri(&email, &secret);
    Ok(private_json(&TotpSecret { secret, uri }, None))
}

async fn verify(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Body(request): Body<TotpCode>,
) -> Result<NoContent, ApiError> {
    app.accounts.usable(&caller.user_id).await?;
    let code = code(&request.code)?;
    CODES.count(&app, "totp", caller.user_id.as_str()).await?;
    app.user_pool.enable_totp(caller.token.reveal(), &code).await.map_err(ended)?;
    CODES.forget(&app, "totp", caller.user_id.as_str()).await;
    Ok(NoContent)
}

async fn off(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Body(request): Body<Password>,
) -> Result<NoContent, ApiError> {
    app.accounts.usable(&caller.user_id).await?;
    let password = known_password("password", request.password)?;
    let token = caller.token.reveal();
    PASSWORDS.count(&app, "mfa", caller.user_id.as_str()).await?;
    let (email, _) = app.user_pool.owner(token).await.map_err(ended)?;
    match app.user_pool.sign_in(&email, &password).await {
        // The session that came of the question is of no use to anybody.
        Ok(SignedIn::Tokens(tokens)) => {
            if let Some(refresh) = &tokens.refresh {
                app.user_pool.revoke(refresh).await.map_err(ended)?;
            }
        }
        Ok(SignedIn::Challenge { .. }) => {}
        Err(PoolError::Refused) => {
            return Err(ApiError::refused(Code::PasswordWrong, "the present password is another one"));
        }
        Err(error) => return Err(ended(error)),
    }
    PASSWORDS.forget(&app, "mfa", caller.user_id.as_str()).await;
    app.user_pool.disable_mfa(token).await.map_err(ended)?;
    Ok(NoContent)
}

/// What authenticator apps read from a QR code: the key URI format, with the values that are usual everywhere.
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
