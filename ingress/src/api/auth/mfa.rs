//! The second factor of a sign-in: an authenticator app or text messages. It is set up in two steps, so that a secret that no app has,
//! or a number that receives nothing, cannot lock the learner out. Turning it on shows recovery codes, once.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use events::contract::UserId;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{
    fields::{code, phone},
    rate_limit::{CODE_ENTRY, CODES, Client, MAILING},
    session::private_json,
};
use crate::{
    account::email::Email,
    account::notices::Change,
    account::recovery_codes,
    account::user_pool::{Contact, PoolError},
    api::{
        caller::SteppedUp,
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

/// A code of an authenticator app or a text message.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FactorCode {
    /// The code, 1 to 10 digits.
    #[schemars(length(min = 1, max = 20))]
    code: String,
}

/// A phone number.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PhoneNumber {
    /// The number with a plus sign and the country code, e.g. `+821012345678`.
    #[schemars(length(min = 8, max = 30))]
    phone: String,
}

/// Recovery codes, which are shown only here.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveryCodes {
    /// Ten codes. Each signs in once, with the password, instead of the second factor.
    recovery_codes: Vec<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/auth/totp", "newTotpSecret", associate)
            .summary(
                "Set up an authenticator app",
                "Returns a new secret. Nothing changes until `/auth/totp/verify` accepts a code of the app.",
            )
            .returns_content::<TotpSecret>(200, "application/json", "The secret."),
        post("/auth/totp/verify", "enableTotp", verify)
            .summary(
                "Turn the authenticator app on",
                "From now on each sign-in requires a code of the app, and no text message. Earlier recovery codes are void.",
            )
            .returns_content::<RecoveryCodes>(200, "application/json", "The app is the second factor.")
            .problems(&[Code::CodeWrong]),
        post("/auth/phone", "changePhone", change_phone)
            .summary(
                "Request a code by text message",
                "Sends a code to the phone number. Nothing changes until `/auth/phone/verify` accepts it.",
            )
            .returns(204, "The code was sent."),
        post("/auth/phone/verify", "enableSms", verify_phone)
            .summary(
                "Turn codes by text message on",
                "From now on each sign-in requires a code that is sent to the phone number, and none of an authenticator app. Earlier \
                 recovery codes are void.",
            )
            .returns_content::<RecoveryCodes>(200, "application/json", "Text messages are the second factor.")
            .problems(&[Code::CodeWrong]),
        post("/auth/mfa/off", "disableMfa", off)
            .summary("Turn the second factor off", "From now on the password alone signs in. Recovery codes are void.")
            .returns(204, "The second factor is off."),
        post("/auth/recovery-codes", "newRecoveryCodes", renew_codes)
            .summary("Replace the recovery codes", "Earlier ones are void.")
            .returns_content::<RecoveryCodes>(200, "application/json", "The new codes."),
    ]
}

async fn associate(
    State(app): State<Arc<AppState>>,
    SteppedUp(caller): SteppedUp,
) -> Result<Response, ApiError> {
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
    SteppedUp(caller): SteppedUp,
    Body(request): Body<FactorCode>,
) -> Result<Response, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let code = code(&request.code)?;
    CODES.count(&app, "totp", caller.user_id.as_str()).await?;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    app.user_pool.enable_totp(tokens.access.expose_secret(), &code).await.map_err(ended)?;
    CODES.forget(&app, "totp", caller.user_id.as_str()).await;
    new_codes(&app, &caller.user_id, Change::TotpOn).await
}

async fn change_phone(
    State(app): State<Arc<AppState>>,
    client: Client,
    SteppedUp(caller): SteppedUp,
    Body(request): Body<PhoneNumber>,
) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let phone = phone(&request.phone)?;
    // Text messages cost money: they are limited for the learner and for the number.
    client.attempt(&app, MAILING, "phone", caller.user_id.as_str()).await?;
    client.attempt(&app, MAILING, "phone", &phone).await?;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    let access = tokens.access.expose_secret();
    let is_sent = app.user_pool.request_change(access, Contact::Phone, &phone).await.map_err(ended)?;
    if is_sent {
        return Ok(NoContent);
    }
    let error = anyhow::anyhow!("the user pool sent no code to a phone number");
    Err(ended(PoolError::Unavailable(error)))
}

async fn verify_phone(
    State(app): State<Arc<AppState>>,
    client: Client,
    SteppedUp(caller): SteppedUp,
    Body(request): Body<FactorCode>,
) -> Result<Response, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let code = code(&request.code)?;
    client.attempt(&app, CODE_ENTRY, "phone", caller.user_id.as_str()).await?;
    let tokens = app.account_sessions.pool_tokens(&caller).await?;
    let access = tokens.access.expose_secret();
    app.user_pool.verify(access, Contact::Phone, &code).await.map_err(ended)?;
    client.succeeded(&app, CODE_ENTRY, "phone", caller.user_id.as_str()).await;
    app.user_pool.enable_sms(access).await.map_err(ended)?;
    new_codes(&app, &caller.user_id, Change::SmsOn).await
}

async fn off(State(app): State<Arc<AppState>>, SteppedUp(caller): SteppedUp) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    app.user_pool.disable_mfa(caller.user_id.as_str()).await.map_err(ended)?;
    app.recovery_codes.replace(&caller.user_id, &[]).await.map_err(ApiError::Internal)?;
    app.notices.send(&caller.user_id, Change::SecondFactorOff, None).await;
    Ok(NoContent)
}

async fn renew_codes(
    State(app): State<Arc<AppState>>,
    SteppedUp(caller): SteppedUp,
) -> Result<Response, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    new_codes(&app, &caller.user_id, Change::RecoveryCodesReplaced).await
}

/// Replaces the recovery codes after `change` and returns them. If that fails after a factor was turned on, `/auth/recovery-codes`
/// makes them.
async fn new_codes(app: &AppState, user_id: &UserId, change: Change) -> Result<Response, ApiError> {
    let codes = recovery_codes::generate().map_err(ApiError::Internal)?;
    let hashes: Vec<String> = codes.iter().map(recovery_codes::hash).collect();
    app.recovery_codes.replace(user_id, &hashes).await.map_err(ApiError::Internal)?;
    app.notices.send(user_id, change, None).await;
    let recovery_codes = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
    Ok(private_json(&RecoveryCodes { recovery_codes }, None))
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
