//! The user pool of a local cloud, where learners sign up and in.

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::DisplayErrorContext,
    types::{AttributeType, AuthFlowType},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::contract::UserId;
use serde::Deserialize;

use super::Learner;
use crate::local::{http_client, root_sdk_config};

/// The code that MiniStack sends to everybody who signs up.
const CONFIRMATION_CODE: &str = "123456";

/// The password of every learner of the local pool; it satisfies the pool's policy.
const PASSWORD: &str = "Speak-English-1";

/// A user pool of the local cloud and the service that its learners talk to. Learners of one pool share its
/// connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserPool {
    cognito: Client,
    client_id: String,
    api: String,
    http: reqwest::Client,
}

impl UserPool {
    /// The pool of the local cloud at `cloud_endpoint` whose client is `client_id`. `api` is where the ingress
    /// answers, for example `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(cloud_endpoint: &str, client_id: &str, api: &str) -> anyhow::Result<Self> {
        Ok(Self {
            cognito: Client::new(&root_sdk_config(cloud_endpoint)),
            client_id: client_id.to_owned(),
            api: api.to_owned(),
            http: http_client()?,
        })
    }

    /// Signs `email` up, confirms it and signs in.
    ///
    /// # Errors
    /// When the pool refuses, for example because the e-mail is taken.
    pub async fn sign_up(&self, email: &str) -> anyhow::Result<Learner> {
        let attribute = |name: &str, value: &str| {
            AttributeType::builder().name(name).value(value).build().context("an attribute has a name")
        };
        let signed_up = self
            .cognito
            .sign_up()
            .client_id(&self.client_id)
            .username(email)
            .password(PASSWORD)
            .user_attributes(attribute("email", email)?)
            .user_attributes(attribute("name", "Local Learner")?)
            .send()
            .await;
        signed_up.map_err(|error| refused("sign up", &error))?;
        let confirm = self.cognito.confirm_sign_up().client_id(&self.client_id).username(email);
        let confirmed = confirm.confirmation_code(CONFIRMATION_CODE).send().await;
        confirmed.map_err(|error| refused("confirm the sign-up", &error))?;
        self.sign_in(email).await
    }

    /// Signs in a learner that has signed up by [`UserPool::sign_up`].
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn sign_in(&self, email: &str) -> anyhow::Result<Learner> {
        let signed_in = self
            .cognito
            .initiate_auth()
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .client_id(&self.client_id)
            .auth_parameters("USERNAME", email)
            .auth_parameters("PASSWORD", PASSWORD)
            .send()
            .await;
        let signed_in = signed_in.map_err(|error| refused("sign in", &error))?;
        let result = signed_in.authentication_result.context("the pool asks for more than a password")?;
        let access_token = result.access_token.context("the pool gave no access token")?;
        Ok(Learner {
            user_id: subject(&access_token)?,
            access_token,
            addresses: vec![self.api.clone()],
            http: self.http.clone(),
        })
    }
}

fn refused<E>(what: &str, error: &E) -> anyhow::Error
where
    E: std::error::Error,
{
    anyhow::anyhow!("the user pool refuses to {what}: {}", DisplayErrorContext(error))
}

/// The `sub` of a token. Whether the token is genuine is for the service to find out.
pub(super) fn subject(token: &str) -> anyhow::Result<UserId> {
    #[derive(Deserialize)]
    struct Claims {
        sub: UserId,
    }
    let claims = token.split('.').nth(1).context("the access token is no JWT")?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).context("the access token is no JWT")?;
    let claims: Claims = serde_json::from_slice(&claims).context("the access token has no sub")?;
    Ok(claims.sub)
}
