//! The second factor of a user, and the attributes that the pool verifies with a code: the e-mail address and the phone number.

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, SmsMfaSettingsType, SoftwareTokenMfaSettingsType,
};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{PoolError, UserPool, failed};

/// The second factor of a user. A user has at most one: turning one on turns the other one off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecondFactor {
    /// The password alone signs in.
    #[default]
    None,
    /// An authenticator app.
    Totp,
    /// Text messages.
    Sms,
}

/// An attribute that changes only with the code that the pool sends to the new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    Email,
    Phone,
}

impl SecondFactor {
    /// The factor in the settings of a user: the preferred one, or the only one.
    pub(super) fn of_settings(preferred: Option<&str>, enabled: &[String]) -> Self {
        let preferred = preferred.filter(|name| !name.is_empty());
        match preferred.or_else(|| enabled.first().map(String::as_str)) {
            Some("SOFTWARE_TOKEN_MFA") => Self::Totp,
            Some("SMS_MFA") => Self::Sms,
            Some(_) | None => Self::None,
        }
    }

    /// The settings of the pool for exactly this factor.
    fn settings(self) -> (SoftwareTokenMfaSettingsType, SmsMfaSettingsType) {
        let (totp, sms) = (self == Self::Totp, self == Self::Sms);
        (
            SoftwareTokenMfaSettingsType::builder().enabled(totp).preferred_mfa(totp).build(),
            SmsMfaSettingsType::builder().enabled(sms).preferred_mfa(sms).build(),
        )
    }
}

impl Contact {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone_number",
        }
    }
}

impl UserPool {
    /// Returns the secret for a new authenticator app, in base 32.
    pub async fn new_totp_secret(&self, access_token: &str) -> Result<SecretString, PoolError> {
        let associated = self.cognito.associate_software_token().access_token(access_token).send().await;
        let secret = associated.map_err(|error| failed(&error))?.secret_code;
        secret.map(SecretString::from).context("the pool returned no secret").map_err(PoolError::Unavailable)
    }

    /// Makes the authenticator app that shows `code` the second factor of every sign-in.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`] and others.
    pub async fn enable_totp(&self, access_token: &str, code: &SecretString) -> Result<(), PoolError> {
        let verify = self.cognito.verify_software_token().access_token(access_token);
        verify.user_code(code.expose_secret()).send().await.map_err(|error| failed(&error))?;
        self.prefer(access_token, SecondFactor::Totp).await
    }

    /// Makes text messages to the verified phone number the second factor of every sign-in.
    ///
    /// # Errors
    /// [`PoolError::Invalid`] without a verified number.
    pub async fn enable_sms(&self, access_token: &str) -> Result<(), PoolError> {
        self.prefer(access_token, SecondFactor::Sms).await
    }

    /// Turns the second factor of a user off. Needs `cognito-idp:AdminSetUserMFAPreference`.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn disable_mfa(&self, username: &str) -> Result<(), PoolError> {
        let (totp, sms) = SecondFactor::None.settings();
        let disable = self.cognito.admin_set_user_mfa_preference().user_pool_id(&self.pool_id);
        let disable = disable.username(username).software_token_mfa_settings(totp).sms_mfa_settings(sms);
        disable.send().await.map(drop).map_err(|error| failed(&error))
    }

    /// Requests a new value of an attribute. The pool sends a code to it and keeps the former value until [`Self::verify`]. Returns
    /// whether a code was sent: a pool that demands none has changed the attribute.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`] if another account has the e-mail address.
    pub async fn request_change(
        &self,
        access_token: &str,
        contact: Contact,
        value: &str,
    ) -> Result<bool, PoolError> {
        let attribute = AttributeType::builder().name(contact.name()).value(value).build();
        let attribute = attribute.context("every attribute has a name").map_err(PoolError::Unavailable)?;
        let update = self.cognito.update_user_attributes().access_token(access_token);
        let updated = update.user_attributes(attribute).send().await.map_err(|error| failed(&error))?;
        Ok(!updated.code_delivery_details_list().is_empty())
    }

    /// Completes a requested change with the code that was sent.
    ///
    /// # Errors
    /// [`PoolError::CodeWrong`] and others.
    pub async fn verify(
        &self,
        access_token: &str,
        contact: Contact,
        code: &SecretString,
    ) -> Result<(), PoolError> {
        let verify = self.cognito.verify_user_attribute().access_token(access_token);
        let verify = verify.attribute_name(contact.name()).code(code.expose_secret());
        verify.send().await.map(drop).map_err(|error| failed(&error))
    }

    async fn prefer(&self, access_token: &str, factor: SecondFactor) -> Result<(), PoolError> {
        let (totp, sms) = factor.settings();
        let prefer = self.cognito.set_user_mfa_preference().access_token(access_token);
        let prefer = prefer.software_token_mfa_settings(totp).sms_mfa_settings(sms);
        prefer.send().await.map(drop).map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_is_the_preferred_one_or_the_only_one() {
        let of = |preferred: Option<&str>, enabled: &[&str]| {
            let enabled: Vec<String> = enabled.iter().map(|name| (*name).to_owned()).collect();
            SecondFactor::of_settings(preferred, &enabled)
        };
        assert_eq!(of(None, &[]), SecondFactor::None);
        assert_eq!(of(Some(""), &[]), SecondFactor::None);
        assert_eq!(of(Some("SMS_MFA"), &["SOFTWARE_TOKEN_MFA", "SMS_MFA"]), SecondFactor::Sms);
        assert_eq!(of(None, &["SOFTWARE_TOKEN_MFA"]), SecondFactor::Totp);
        assert_eq!(of(Some(""), &["SMS_MFA"]), SecondFactor::Sms);
    }
}
