//! Learners' accounts: sign-up, sign-in and refresh through the `/auth` of a service, as the page does, and the calls of the
//! API that open a conversation.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::contract::{ConversationId, FeedbackLanguage, Level, UserId};
use reqwest::header::{COOKIE, SET_COOKIE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{
    connection::Offer,
    driver::{Conversation, ScriptDriver, SessionEvent},
    script::Script,
    session::LearnerSession,
};
use crate::local::{CONFIRMATION_CODE, http_client};

/// How long a call of the API may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Time between two attempts to connect.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The password of every learner; it satisfies the rules of the service.
pub const PASSWORD: &str = "Speak-English-1";

/// An access token with less time left is refreshed before it is used.
const TIME_LEFT_MIN: Duration = Duration::from_secs(60);

/// The accounts of a service on a local cloud. Learners that sign up here share its connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts {
    api_url: String,
    http: reqwest::Client,
}

/// A signed-in learner.
#[derive(Clone, Debug)]
pub struct Learner {
    user_id: UserId,
    access: Arc<Mutex<Access>>,
    /// URLs of the ingress, in the order in which a session tries them.
    pub(super) api_urls: Vec<String>,
    http: reqwest::Client,
}

/// An access token.
#[derive(Debug)]
struct Access {
    token: String,
    /// When the token must be refreshed, and the cookie for that; `None` for a token from elsewhere.
    renewal: Option<(Instant, String)>,
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

impl Accounts {
    /// The accounts of the service at `api_url`, the base URL of the ingress, for example `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(api_url: &str) -> anyhow::Result<Self> {
        Ok(Self { api_url: api_url.to_owned(), http: http_client()? })
    }

    /// Signs `email` up, confirms it and signs in.
    ///
    /// # Errors
    /// When the service refuses, for example because the e-mail address is known.
    pub async fn sign_up(&self, email: &str) -> anyhow::Result<Learner> {
        self.post("/auth/sign-up", &json!({ "email": email })).await?;
        let confirm = json!({
            "email": email, "code": CONFIRMATION_CODE, "password": PASSWORD, "name": "Local Learner",
        });
        self.post("/auth/confirm", &confirm).await?;
        self.sign_in(email).await
    }

    /// Signs in a learner that was signed up by [`Accounts::sign_up`].
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn sign_in(&self, email: &str) -> anyhow::Result<Learner> {
        let response = self.post("/auth/sign-in", &json!({ "email": email, "password": PASSWORD })).await?;
        let access = Access::of(response).await?;
        let user_id = subject(&access.token)?;
        let access = Arc::new(Mutex::new(access));
        Ok(Learner { user_id, access, api_urls: vec![self.api_url.clone()], http: self.http.clone() })
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<reqwest::Response> {
        accepted(path, self.http.post(format!("{}{path}", self.api_url)).json(body)).await
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
            access: Arc::new(Mutex::new(Access { token: access_token.to_owned(), renewal: None })),
            api_urls: vec![api_url.to_owned()],
            http,
        })
    }

    /// The id of the user: the `sub` of the access token.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The access token, refreshed if it is about to expire.
    ///
    /// # Errors
    /// When the service refuses to refresh it.
    pub async fn access_token(&self) -> anyhow::Result<String> {
        self.access_token_of(&self.api_urls[0]).await
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
        let token = self.access_token().await?;
        let called = loop {
            match self.post(&url, &token, Some(&request)).await {
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
        let token = self.access_token_of(api_url).await;
        let token = token.map_err(|error| unavailable(format!("{error:#}")))?;
        let called =
            self.post(&format!("{api_url}/api/conversations/{id}/ticket"), &token, None::<&()>).await;
        let (status, body) = called.map_err(|error| unavailable(error.to_string()))?;
        match status.as_u16() {
            404 => Err(TicketError::Ended),
            _ if !status.is_success() => Err(unavailable(format!("{status} {body}"))),
            _ => Offer::parse(api_url, &body).map_err(|error| unavailable(format!("{error:#}"))),
        }
    }

    /// The access token, refreshed at the ingress at `api_url` if it is about to expire.
    async fn access_token_of(&self, api_url: &str) -> anyhow::Result<String> {
        let mut access = self.access.lock().await;
        if let Some((due, cookie)) = &access.renewal
            && Instant::now() >= *due
        {
            let refresh = self.http.post(format!("{api_url}/auth/refresh")).header("x-nova-csrf", "1");
            *access = Access::of(accepted("/auth/refresh", refresh.header(COOKIE, cookie)).await?).await?;
        }
        Ok(access.token.clone())
    }

    /// Status and body of the response.
    async fn post(
        &self,
        url: &str,
        token: &str,
        body: Option<&impl Serialize>,
    ) -> reqwest::Result<(reqwest::StatusCode, String)> {
        let mut post = self.http.post(url).timeout(CALL_TIMEOUT).bearer_auth(token);
        if let Some(body) = body {
            post = post.json(body);
        }
        let response = post.send().await?;
        Ok((response.status(), response.text().await?))
    }
}

impl Access {
    /// Reads the response to a sign-in or a refresh.
    async fn of(response: reqwest::Response) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct SignedIn {
            access_token: String,
            expires_in: u64,
        }
        let cookie = response.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie =
            cookie.and_then(|cookie| cookie.split(';').next()).context("there is no session cookie")?;
        let cookie = cookie.to_owned();
        let signed_in: SignedIn = response.json().await.context("the sign-in needs more than a password")?;
        let lifetime = Duration::from_secs(signed_in.expires_in).saturating_sub(TIME_LEFT_MIN);
        Ok(Self { token: signed_in.access_token, renewal: Some((Instant::now() + lifetime, cookie)) })
    }
}

async fn accepted(path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
    let response = request.timeout(CALL_TIMEOUT).send().await;
    let response = response.with_context(|| format!("{path}: the ingress does not respond"))?;
    let status = response.status();
    if !status.is_success() {
        bail!("{path}: the ingress refuses: {status} {}", response.text().await.unwrap_or_default());
    }
    Ok(response)
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
