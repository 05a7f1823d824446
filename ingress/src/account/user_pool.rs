//! The user pool: the calls with which a learner signs up, in and out. The service is the only client of the pool: each call
//! carries the hash of the client's secret, so nobody else can use the pool's public API.
//!
//! A call with the learner's own proof (a password, a code, a token) needs no IAM permission. Calls that name a user by id or
//! e-mail address need one, which their documentation names.

mod error;
mod factors;
pub mod password;
mod session;
mod step;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeType, AuthFlowType, UserStatusType},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use events::{contract::UserId, runtime::failure::describe};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    email::Email,
    profile::{NAMELESS, Profile},
};
pub use error::PoolError;
pub use factors::{Contact, SecondFactor};
pub use session::Session;
pub use step::{Challenge, SignedIn, Tokens};
use step::{step, tokens_of};

/// The attributes of the pool that hold the level and the interests of a profile.
const LEVEL: &str = "custom:learning_level";
const INTERESTS: &str = "custom:interests";

#[derive(Clone, Debug)]
pub struct UserPool {
    cognito: Client,
    pool_id: String,
    client_id: String,
    client_secret: SecretString,
}

/// A user of the pool.
#[derive(Clone, Debug)]
pub struct PoolUser {
    /// The `sub`.
    pub user_id: UserId,
    /// The e-mail address.
    pub email: Email,
    /// Whether the owner of the e-mail address has confirmed the sign-up.
    pub is_confirmed: bool,
    /// The profile in the pool's attributes.
    pub profile: Profile,
    pub second_factor: SecondFactor,
}

impl UserPool {
    /// Calls the pool `pool_id` as its app client `client_id`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, pool_id: String, client_id: String, client_secret: SecretString) -> Self {
        Self { cognito: Client::new(sdk), pool_id, client_id, client_secret }
    }

    /// Signs an e-mail address up, to which the pool sends a code. The password is random and stays unknown: whoever requests a
    /// sign-up has not yet proved to read the address. [`Self::set_password`] sets the owner's.
    ///
    /// # Errors
    /// [`PoolError::Exists`], [`PoolError::EmailRefused`] and others.
    pub async fn sign_up(&self, email: &Email) -> Result<(), PoolError> {
        let attributes = [("email", email.as_str()), ("name", NAMELESS)];
        let attributes =
            attributes.map(|(name, value)| AttributeType::builder().name(name).value(value).build());
        let attributes =
            attributes.into_iter().collect::<Result<Vec<_>, _>>().context("every attribute has a name");
        self.cognito
            .sign_up()
            .client_id(&self.client_id)
            .secret_hash(self.secret_hash(email.as_str()))
            .username(email.as_str())
            .password(password::random().expose_secret())
            .set_user_attributes(Some(attributes.map_err(PoolError::Unavailable)?))
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&error))
    }

    /// Replaces the password of a user. Needs `cognito-idp:AdminSetUserPassword`.
    ///
    /// # Errors
    /// [`PoolError::PasswordWeak`] and others.
    pub async fn set_password(&self, user_id: &UserId, password: &SecretString) -> Result<(), PoolError> {
        let set = self.cognito.admin_set_user_password().user_pool_id(&self.pool_id);
        let set = set.username(user_id.as_str()).password(password.expose_secret()).permanent(true);
        set.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Confirms a sign-up with the code that was sent.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`]; [`PoolError::Refused`] for an e-mail address that awaits no confirmation.
    pub async fn confirm(&self, email: &Email, code: &SecretString) -> Result<(), PoolError> {
        let confirm = self.cognito.confirm_sign_up().client_id(&self.client_id).username(email.as_str());
        let confirm = confirm.secret_hash(self.secret_hash(email.as_str()));
        let confirmed = confirm.confirmation_code(code.expose_secret()).send().await;
        confirmed.map(drop).map_err(|error| failed(&error))
    }

    /// Sends another code to an e-mail address that awaits confirmation.
    pub async fn resend(&self, email: &Email) -> Result<(), PoolError> {
        let resend =
            self.cognito.resend_confirmation_code().client_id(&self.client_id).username(email.as_str());
        let resend = resend.secret_hash(self.secret_hash(email.as_str()));
        resend.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Signs in with a password.
    ///
    /// # Errors
    /// [`PoolError::Refused`], [`PoolError::ResetRequired`] and others.
    pub async fn sign_in(&self, email: &Email, password: &SecretString) -> Result<SignedIn, PoolError> {
        let signed_in = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .client_id(&self.client_id)
            .auth_parameters("USERNAME", email.as_str())
            .auth_parameters("PASSWORD", password.expose_secret())
            .auth_parameters("SECRET_HASH", self.secret_hash(email.as_str()))
            .send()
            .await
            .map_err(|error| failed(&error))?;
        step(
            email.as_str(),
            signed_in.authentication_result,
            signed_in.challenge_name.as_ref(),
            signed_in.session,
            signed_in.challenge_parameters,
        )
    }

    /// Responds to a challenge.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`]; [`PoolError::Refused`] for a session that has ended; others.
    pub async fn respond(
        &self,
        challenge: Challenge,
        session: &Session,
        answer: &SecretString,
    ) -> Result<SignedIn, PoolError> {
        let signed_in = self
            .cognito
            .respond_to_auth_challenge()
            .client_id(&self.client_id)
            .challenge_name(challenge.name())
            .session(session.session.expose_secret())
            .challenge_responses("USERNAME", session.username())
            .challenge_responses(challenge.answer(), answer.expose_secret())
            .challenge_responses("SECRET_HASH", self.secret_hash(session.username()))
            .send()
            .await
            .map_err(|error| failed(&error))?;
        step(
            session.username(),
            signed_in.authentication_result,
            signed_in.challenge_name.as_ref(),
            signed_in.session,
            signed_in.challenge_parameters,
        )
    }

    /// Returns new tokens for a refresh token of the user `username` ([`Tokens::username`]: here the pool does not accept the
    /// e-mail address).
    ///
    /// # Errors
    /// [`PoolError::Refused`] for a refresh token that was revoked or has expired.
    pub async fn refresh(&self, refresh_token: &SecretString, username: &str) -> Result<Tokens, PoolError> {
        let refreshed = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .client_id(&self.client_id)
            .auth_parameters("REFRESH_TOKEN", refresh_token.expose_secret())
            .auth_parameters("SECRET_HASH", self.secret_hash(username))
            .send()
            .await
            .map_err(|error| failed(&error))?;
        let tokens = refreshed.authentication_result.context("the pool returned no tokens");
        tokens.and_then(tokens_of).map_err(PoolError::Unavailable)
    }

    /// Ends the session of a refresh token. Idempotent.
    pub async fn revoke(&self, refresh_token: &SecretString) -> Result<(), PoolError> {
        let revoke = self.cognito.revoke_token().client_id(&self.client_id);
        let revoke =
            revoke.client_secret(self.client_secret.expose_secret()).token(refresh_token.expose_secret());
        revoke.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Sends a code with which the password can be replaced.
    pub async fn forgot(&self, email: &Email) -> Result<(), PoolError> {
        let forgot = self.cognito.forgot_password().client_id(&self.client_id).username(email.as_str());
        let forgot = forgot.secret_hash(self.secret_hash(email.as_str()));
        forgot.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Replaces a forgotten password.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`], [`PoolError::PasswordWeak`] and others.
    pub async fn reset(
        &self,
        email: &Email,
        code: &SecretString,
        password: &SecretString,
    ) -> Result<(), PoolError> {
        let reset = self.cognito.confirm_forgot_password().client_id(&self.client_id);
        let reset = reset.secret_hash(self.secret_hash(email.as_str()));
        let reset = reset.username(email.as_str()).confirmation_code(code.expose_secret());
        let reset = reset.password(password.expose_secret()).send().await;
        reset.map(drop).map_err(|error| failed(&error))
    }

    /// Revokes all refresh tokens of a user. Needs `cognito-idp:AdminUserGlobalSignOut`.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn end_sessions(&self, user_id: &UserId) -> Result<(), PoolError> {
        let end = self.cognito.admin_user_global_sign_out().user_pool_id(&self.pool_id);
        end.username(user_id.as_str()).send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Returns the user with this id or e-mail address. Needs `cognito-idp:AdminGetUser`.
    ///
    /// # Errors
    /// [`PoolError::Refused`] for an unknown one.
    pub async fn user(&self, id_or_email: &str) -> Result<PoolUser, PoolError> {
        let user =
            self.cognito.admin_get_user().user_pool_id(&self.pool_id).username(id_or_email).send().await;
        let user = user.map_err(|error| failed(&error))?;
        let attribute = |name: &str| {
            user.user_attributes().iter().find(|one| one.name == name).and_then(|one| one.value.as_deref())
        };
        let user_id = attribute("sub").and_then(|sub| sub.parse().ok());
        let email = attribute("email").and_then(|email| email.parse().ok());
        Ok(PoolUser {
            user_id: user_id.context("the pool's user has no sub").map_err(PoolError::Unavailable)?,
            email: email.context("the pool's user has no e-mail address").map_err(PoolError::Unavailable)?,
            is_confirmed: user.user_status != Some(UserStatusType::Unconfirmed),
            profile: Profile::of_attributes(attribute("name"), attribute(LEVEL), attribute(INTERESTS)),
            second_factor: SecondFactor::of_settings(
                user.preferred_mfa_setting(),
                user.user_mfa_setting_list(),
            ),
        })
    }

    /// Writes the name, the level and the interests into the attributes of a user. Needs `cognito-idp:AdminUpdateUserAttributes`.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn mirror(&self, user_id: &UserId, profile: &Profile) -> Result<(), PoolError> {
        let mut update = self.cognito.admin_update_user_attributes().user_pool_id(&self.pool_id);
        update = update.username(user_id.as_str());
        for (name, value) in [
            ("name", profile.name.clone()),
            (LEVEL, profile.level_attribute()),
            (INTERESTS, profile.interests_attribute()),
        ] {
            let attribute = AttributeType::builder().name(name).value(value).build();
            let attribute =
                attribute.context("every attribute has a name").map_err(PoolError::Unavailable)?;
            update = update.user_attributes(attribute);
        }
        update.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Proves to the pool that a call about `username` comes from its client (Amazon Cognito developer guide, "Computing
    /// secret hash values").
    fn secret_hash(&self, username: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.client_secret.expose_secret().as_bytes());
        BASE64_STANDARD.encode(hmac::sign(&key, format!("{username}{}", self.client_id).as_bytes()))
    }
}

/// Maps an error of the SDK. The pool's own message is left out: it may quote the request.
fn failed<E>(error: &SdkError<E, HttpResponse>) -> PoolError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.code().map(|code| (code, error::of_code(code))) {
        Some((_, Some(known))) => known,
        Some((code, None)) => PoolError::Unavailable(anyhow::anyhow!("the user pool returned {code}")),
        None => PoolError::Unavailable(describe(error)),
    }
}
