//! Learners' accounts: sign-up and sign-in in the user pool of a local cloud, and the calls of the API that open a
//! conversation.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::DisplayErrorContext,
    types::{AttributeType, AuthFlowType},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::contract::{ConversationId, FeedbackLanguage, Level, UserId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    connection::Offer,
    driver::{Conversation, ScriptDriver, SessionEvent},
    script::Script,
    session::LearnerSession,
};
use crate::local::{http_client, root_sdk_config};

/// How long a call of the API may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Time between two attempts to connect.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The code that MiniStack sends at every sign-up.
const CONFIRMATION_CODE: &str = "123456";

/// The password of every learner of the local pool; it satisfies the pool's policy.
const PASSWORD: &str = "Speak-English-1";

/// A user pool of the local cloud and the service of its learners. Learners of one pool share its connections. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct UserPool {
    cognito: Client,
    client_id: String,
    api_url: String,
    http: reqwest::Client,
}

/// A signed-in learner.
#[derive(Clone, Debug)]
pub struct Learner {
    user_id: UserId,
    access_token: String,
    /// URLs of the ingress, in the order in which a session tries them.
    pub(super) api_urls: Vec<String>,
    http: reqwest::Client,
}

/// Why there is no ticket for a conversation.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// No ticket can be had any more.
    #[error("the conversation has ended")]
    Ended,
    /// Another attempt may succeed, perhaps at another task.
    #[error("the ingress gives no ticket: {0}")]
    Unavailable(String),
}

impl UserPool {
    /// The pool of the local cloud at `cloud_endpoint` with the client `client_id`. `api_url` is the base URL of the
    /// ingress, for example `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(cloud_endpoint: &str, client_id: &str, api_url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            cognito: Client::new(&root_sdk_config(cloud_endpoint)),
            client_id: client_id.to_owned(),
            api_url: api_url.to_owned(),
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

    /// Signs in a learner that was signed up by [`UserPool::sign_up`].
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
        let access_token = result.access_token.context("the pool returned no access token")?;
        Learner::signed_in(&self.api_url, &access_token, self.http.clone())
    }
}

impl Learner {
    /// A learner who has signed in elsewhere. `api_url` is the base URL of the ingress.
    ///
    /// # Errors
    /// When the token has no subject.
    pub fn signed_in(api_url: &str, access_token: &str, http: reqwest::Client) -> anyhow::Result<Self> {
        Ok(Self {
            user_id: subject(access_token)?,
            access_token: access_token.to_owned(),
            api_urls: vec![api_url.to_owned()],
            http,
        })
    }

    /// The id of the user: the `sub` of the access token.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// The same learner, who reaches the ingress at these URLs: a session begins at the first, and reconnects at the
    /// next one. In production a load balancer does that behind one URL.
    #[must_use]
    pub fn at(&self, api_urls: &[&str]) -> Self {
        Self { api_urls: api_urls.iter().map(|&url| url.to_owned()).collect(), ..self.clone() }
    }

    /// Holds one conversation: says every line of the script, waits for every response, and ends it.
    ///
    /// # Errors
    /// When the service refuses, the tutor does not respond in time, or the connection is lost for good.
    pub async fn converse(&self, script: &Script) -> anyhow::Result<Conversation> {
        self.converse_observed(script, |_| {}).await
    }

    /// As [`Learner::converse`]; calls `observer` with each event when it happens.
    ///
    /// # Errors
    /// As [`Learner::converse`].
    pub async fn converse_observed(
        &self,
        script: &Script,
        observer: impl FnMut(&SessionEvent) + Send,
    ) -> anyhow::Result<Conversation> {
        LearnerSession::new(self, script, &mut ScriptDriver { script, observer })?.run().await
    }

    /// Requests a conversation with the picture, level, time zone and language of the script.
    ///
    /// # Errors
    /// With status and body of the refusal.
    pub async fn start(&self, script: &Script) -> anyhow::Result<Offer> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Request<'a> {
            image_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            level: Option<Level>,
            #[serde(skip_serializing_if = "Option::is_none")]
            time_zone: Option<&'a str>,
            feedback_language: FeedbackLanguage,
        }
        let request = Request {
            image_id: &script.image_id,
            level: script.level,
            time_zone: script.time_zone.as_deref(),
            feedback_language: script.feedback_language,
        };
        let api_url = &self.api_urls[0];
        let url = format!("{api_url}/api/conversations");
        let deadline = Instant::now() + CALL_TIMEOUT;
        let called = loop {
            match self.post(&url, Some(&request)).await {
                // Nothing was sent: an ingress that is being restarted does not listen yet.
                Err(error) if error.is_connect() && Instant::now() < deadline => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                called => break called,
            }
        };
        let (status, body) = called.with_context(|| format!("the ingress at {api_url} does not respond"))?;
        if !status.is_success() {
            bail!("the ingress refuses the conversation: {status} {body}");
        }
        Offer::parse(api_url, &body)
    }

    /// Requests another ticket of a conversation, from the ingress at `api_url`.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub async fn ticket(&self, api_url: &str, id: ConversationId) -> Result<Offer, TicketError> {
        let unavailable = |reason: String| TicketError::Unavailable(reason);
        let called = self.post(&format!("{api_url}/api/conversations/{id}/ticket"), None::<&()>).await;
        let (status, body) = called.map_err(|error| unavailable(error.to_string()))?;
        match status.as_u16() {
            404 => Err(TicketError::Ended),
            _ if !status.is_success() => Err(unavailable(format!("{status} {body}"))),
            _ => Offer::parse(api_url, &body).map_err(|error| unavailable(format!("{error:#}"))),
        }
    }

    /// Status and body of the response.
    async fn post(
        &self,
        url: &str,
        body: Option<&impl Serialize>,
    ) -> reqwest::Result<(reqwest::StatusCode, String)> {
        let mut post = self.http.post(url).timeout(CALL_TIMEOUT).bearer_auth(&self.access_token);
        if let Some(body) = body {
            post = post.json(body);
        }
        let response = post.send().await?;
        Ok((response.status(), response.text().await?))
    }
}

fn refused<E: std::error::Error>(what: &str, error: &E) -> anyhow::Error {
    anyhow::anyhow!("the user pool refuses to {what}: {}", DisplayErrorContext(error))
}

/// The `sub` of a token. Verifying the token is the service's business.
fn subject(token: &str) -> anyhow::Result<UserId> {
    #[derive(Deserialize)]
    struct Claims {
        sub: UserId,
    }
    let claims = token.split('.').nth(1).context("the access token is no JWT")?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).context("the access token is no JWT")?;
    let claims: Claims = serde_json::from_slice(&claims).context("the access token has no sub")?;
    Ok(claims.sub)
}
