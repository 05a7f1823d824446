//! The user pool: the calls with which a learner signs up, in and out. Passwords, codes and tokens pass through here and stay
//! nowhere. The calls carry what the learner has proved and need no permission of the task, but for the one that ends the
//! sessions after a reset.

mod failure;
pub mod password;
pub(crate) mod problem;
mod step;

use std::fmt;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeType, AuthFlowType, SmsMfaSettingsType, SoftwareTokenMfaSettingsType},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use events::runtime::failure::describe;

use crate::{account::email::Email, account::profile::Profile};
pub use failure::PoolError;
pub use step::{Challenge, Session, SignedIn, Tokens};
use step::{step, tokens_of};

/// The attributes of the pool in which level and interests of a profile stand.
const LEVEL: &str = "custom:learning_level";
const INTERESTS: &str = "custom:interests";

/// The user pool and our client of it.
#[derive(Clone, Debug)]
pub struct UserPool {
    cognito: Client,
    pool_id: String,
    client_id: String,
}

/// A text that is not shown: a password, a code, a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl UserPool {
    /// The pool `pool_id` and its client `client_id`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, pool_id: String, client_id: String) -> Self {
        Self { cognito: Client::new(sdk), pool_id, client_id }
    }

    /// Signs somebody up and has a code sent to the address.
    ///
    /// # Errors
    /// [`PoolError::Exists`], [`PoolError::PasswordWeak`], [`PoolError::EmailRefused`] and others.
    pub async fn sign_up(
        &self,
        email: &Email,
        password: &Hidden,
        profile: &Profile,
    ) -> Result<(), PoolError> {
        let attributes = [
            ("email", email.as_str().to_owned()),
            ("name", profile.name.clone()),
            (LEVEL, profile.level_attribute()),
            (INTERESTS, profile.interests_attribute()),
        ];
        let attributes = attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| AttributeType::builder().name(name).value(value).build());
        let attributes = attributes.collect::<Result<Vec<_>, _>>().context("every attribute has a name");
        self.cognito
            .sign_up()
            .client_id(&self.client_id)
            .username(email.as_str())
            .password(password.reveal())
            .set_user_attributes(Some(attributes.map_err(PoolError::Unavailable)?))
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&error))
    }

    /// Confirms a sign-up with the code that was sent.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`]; [`PoolError::Refused`] for an address that waits for no confirmation.
    pub async fn confirm(&self, email: &Email, code: &Hidden) -> Result<(), PoolError> {
        let confirm = self.cognito.confirm_sign_up().client_id(&self.client_id).username(email.as_str());
        let confirmed = confirm.confirmation_code(code.reveal()).send().await;
        confirmed.map(drop).map_err(|error| failed(&error))
    }

    /// Has another code sent to an address that is to be confirmed.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn resend(&self, email: &Email) -> Result<(), PoolError> {
        let resend =
            self.cognito.resend_confirmation_code().client_id(&self.client_id).username(email.as_str());
        resend.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Signs in with a password.
    ///
    /// # Errors
    /// [`PoolError::Refused`], [`PoolError::ResetRequired`] and others.
    pub async fn sign_in(&self, email: &Email, password: &Hidden) -> Result<SignedIn, PoolError> {
        let signed_in = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .client_id(&self.client_id)
            .auth_parameters("USERNAME", email.as_str())
            .auth_parameters("PASSWORD", password.reveal())
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

    /// Answers a challenge.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`]; [`PoolError::Refused`] for a session that has ended; others.
    pub async fn respond(
        &self,
        challenge: Challenge,
        session: &Session,
        answer: &Hidden,
    ) -> Result<SignedIn, PoolError> {
        let signed_in = self
            .cognito
            .respond_to_auth_challenge()
            .client_id(&self.client_id)
            .challenge_name(challenge.name())
            .session(session.session.reveal())
            .challenge_responses("USERNAME", session.username())
            .challenge_responses(challenge.answer(), answer.reveal())
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

    /// A new access token.
    ///
    /// # Errors
    /// [`PoolError::Refused`] for a refresh token that was revoked or has expired.
    pub async fn refresh(&self, refresh_token: &Hidden) -> Result<Tokens, PoolError> {
        let refreshed = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .client_id(&self.client_id)
            .auth_parameters("REFRESH_TOKEN", refresh_token.reveal())
            .send()
            .await
            .map_err(|error| failed(&error))?;
        let tokens = refreshed.authentication_result.context("the pool gave no tokens");
        tokens.and_then(tokens_of).map_err(PoolError::Unavailable)
    }

    /// Ends the session of a refresh token. Ending it again changes nothing.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn revoke(&self, refresh_token: &Hidden) -> Result<(), PoolError> {
        let revoke = self.cognito.revoke_token().client_id(&self.client_id).token(refresh_token.reveal());
        revoke.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Ends all sessions of the owner of an access token.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn sign_out_everywhere(&self, access_token: &str) -> Result<(), PoolError> {
        let sign_out = self.cognito.global_sign_out().access_token(access_token);
        sign_out.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Has a code sent with which the password can be replaced.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn forgot(&self, email: &Email) -> Result<(), PoolError> {
        let forgot = self.cognito.forgot_password().client_id(&self.client_id).username(email.as_str());
        forgot.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Replaces a forgotten password.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`], [`PoolError::PasswordWeak`] and others.
    pub async fn reset(&self, email: &Email, code: &Hidden, password: &Hidden) -> Result<(), PoolError> {
        let reset = self.cognito.confirm_forgot_password().client_id(&self.client_id);
        let reset = reset.username(email.as_str()).confirmation_code(code.reveal());
        let reset = reset.password(password.reveal()).send().await;
        reset.map(drop).map_err(|error| failed(&error))
    }

    /// Ends all sessions of the owner of an address. Who may, the task's role says.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn end_sessions(&self, email: &Email) -> Result<(), PoolError> {
        let end = self.cognito.admin_user_global_sign_out().user_pool_id(&self.pool_id);
        end.username(email.as_str()).send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Replaces a known password.
    ///
    /// # Errors
    /// [`PoolError::Refused`] for a wrong one, [`PoolError::PasswordWeak`] and others.
    pub async fn change_password(
        &self,
        access_token: &str,
        old: &Hidden,
        new: &Hidden,
    ) -> Result<(), PoolError> {
        let change = self.cognito.change_password().access_token(access_token);
        let change = change.previous_password(old.reveal()).proposed_password(new.reveal());
        change.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// The secret of a new authenticator app, in base 32.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn new_totp_secret(&self, access_token: &str) -> Result<Hidden, PoolError> {
        let associated = self.cognito.associate_software_token().access_token(access_token).send().await;
        let secret = associated.map_err(|error| failed(&error))?.secret_code;
        secret.map(Hidden).context("the pool gave no secret").map_err(PoolError::Unavailable)
    }

    /// Makes the authenticator app that shows `code` the second proof of every sign-in.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`] and others.
    pub async fn enable_totp(&self, access_token: &str, code: &Hidden) -> Result<(), PoolError> {
        let verify = self.cognito.verify_software_token().access_token(access_token);
        verify.user_code(code.reveal()).send().await.map_err(|error| failed(&error))?;
        let totp = SoftwareTokenMfaSettingsType::builder().enabled(true).preferred_mfa(true).build();
        let prefer = self.cognito.set_user_mfa_preference().access_token(access_token);
        prefer.software_token_mfa_settings(totp).send().await.map(drop).map_err(|error| failed(&error))
    }

    /// From here on the password is enough.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn disable_mfa(&self, access_token: &str) -> Result<(), PoolError> {
        let totp = SoftwareTokenMfaSettingsType::builder().enabled(false).preferred_mfa(false).build();
        let sms = SmsMfaSettingsType::builder().enabled(false).preferred_mfa(false).build();
        let disable = self.cognito.set_user_mfa_preference().access_token(access_token);
        let disable = disable.software_token_mfa_settings(totp).sms_mfa_settings(sms);
        disable.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// The e-mail address of the owner of an access token, and what the pool knows of the owner's profile.
    ///
    /// # Errors
    /// [`PoolError::Refused`] for the token of somebody who was signed out or deleted.
    pub async fn owner(&self, access_token: &str) -> Result<(Email, Profile), PoolError> {
        let user = self.cognito.get_user().access_token(access_token).send().await;
        let user = user.map_err(|error| failed(&error))?;
        let attribute = |name: &str| {
            user.user_attributes.iter().find(|one| one.name == name).and_then(|one| one.value.as_deref())
        };
        let profile = Profile::of_attributes(attribute("name"), attribute(LEVEL), attribute(INTERESTS));
        let email = attribute("email").and_then(|email| email.parse().ok());
        let email = email.context("the pool's user has no e-mail address");
        Ok((email.map_err(PoolError::Unavailable)?, profile))
    }

    /// Writes level and interests into the attributes of the owner of an access token.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn mirror(&self, access_token: &str, profile: &Profile) -> Result<(), PoolError> {
        let mut update = self.cognito.update_user_attributes().access_token(access_token);
        for (name, value) in [(LEVEL, profile.level_attribute()), (INTERESTS, profile.interests_attribute())]
        {
            let attribute = AttributeType::builder().name(name).value(value).build();
            let attribute =
                attribute.context("every attribute has a name").map_err(PoolError::Unavailable)?;
            update = update.user_attributes(attribute);
        }
        update.send().await.map(drop).map_err(|error| failed(&error))
    }
}

/// The pool's own text is not repeated: it may quote what was sent.
fn failed<E>(error: &SdkError<E, HttpResponse>) -> PoolError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.code().map(|code| (code, failure::of_code(code))) {
        Some((_, Some(known))) => known,
        Some((code, None)) => PoolError::Unavailable(anyhow::anyhow!("the user pool answers {code}")),
        None => PoolError::Unavailable(describe(error)),
    }
}
