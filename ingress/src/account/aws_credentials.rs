//! AWS credentials of a learner's own, from the identity pool: for what a page reads from AWS without the API. The tokens that
//! the identity pool requires stay in the service.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cognitoidentity::{Client, error::ProvideErrorMetadata};
use events::runtime::failure::describe;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// The client of the identity pool.
#[derive(Clone, Debug)]
pub struct IdentityPool {
    client: Client,
    identity_pool_id: String,
    /// The name of the user pool among the identity pool's providers.
    provider: String,
}

/// Temporary AWS credentials.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsCredentials {
    /// The id of the access key.
    access_key_id: String,
    /// The secret of the access key.
    secret_access_key: String,
    /// The session token.
    session_token: String,
    /// When the credentials expire.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The identity pool rejects the token: the user was signed out, disabled or deleted.
    #[error("the identity pool rejects the token")]
    Refused,
    /// The identity pool throttles.
    #[error("the identity pool throttles calls")]
    TooMany,
    /// The identity pool failed.
    #[error("the identity pool failed")]
    Unavailable(#[source] anyhow::Error),
}

impl IdentityPool {
    /// The identity pool `identity_pool_id`, whose users are those of the user pool `user_pool_id`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, identity_pool_id: String, user_pool_id: &str) -> Self {
        Self { client: Client::new(sdk), identity_pool_id, provider: provider(user_pool_id) }
    }

    /// Credentials for the owner of an identity token of the user pool.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub async fn credentials(&self, id_token: &SecretString) -> Result<AwsCredentials, IdentityError> {
        let logins = HashMap::from([(self.provider.clone(), id_token.expose_secret().to_owned())]);
        let get_id = self.client.get_id().identity_pool_id(&self.identity_pool_id);
        let id = get_id.set_logins(Some(logins.clone())).send().await;
        let id = id.map_err(|error| failed(error.code(), describe(&error)))?.identity_id;
        let get = self.client.get_credentials_for_identity().set_identity_id(id).set_logins(Some(logins));
        let credentials = get.send().await.map_err(|error| failed(error.code(), describe(&error)))?;
        let read = || {
            let credentials = credentials.credentials?;
            Some(AwsCredentials {
                access_key_id: credentials.access_key_id?,
                secret_access_key: credentials.secret_key?,
                session_token: credentials.session_token?,
                expires_at: Timestamp::from_second(credentials.expiration?.secs()).ok()?,
            })
        };
        read().context("the identity pool returned no credentials").map_err(IdentityError::Unavailable)
    }
}

/// The name of a user pool among the providers of an identity pool. The id of a user pool begins with its region.
fn provider(user_pool_id: &str) -> String {
    let region = user_pool_id.split('_').next().unwrap_or_default();
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("cognito-idp.{region}.amazonaws.com{suffix}/{user_pool_id}")
}

fn failed(code: Option<&str>, error: anyhow::Error) -> IdentityError {
    match code {
        Some("NotAuthorizedException") => IdentityError::Refused,
        Some("TooManyRequestsException") => IdentityError::TooMany,
        _ => IdentityError::Unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_is_in_the_region_of_the_user_pool() {
        assert_eq!(provider("us-east-1_nova"), "cognito-idp.us-east-1.amazonaws.com/us-east-1_nova");
        assert_eq!(provider("cn-north-1_a"), "cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_a");
    }
}
