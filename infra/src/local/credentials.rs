//! Credentials for the service's binaries and for the operator, the way ECS gives them to a task: an HTTP endpoint that returns
//! the credentials of the task's role.
//!
//! Each binary gets the URL and a token of its own (`AWS_CONTAINER_CREDENTIALS_FULL_URI`,
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN`), both of which every AWS SDK understands, and so holds the permissions of
//! its own role and no other. The root key stays in here.
//!
//! With [`AwsBedrock`], the ingress and the analysis worker get another URL and another token for the credentials of an AWS account,
//! with which they call Amazon Bedrock and nothing else. Those credentials are in no environment and in no file of a process.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::{error::DisplayErrorContext, types::Credentials};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Serialize;
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};
use uuid::Uuid;

use super::{AwsBedrock, BEDROCK_CALLERS, CredentialSource, Outputs, Service};

/// The role of the operator, for `nova ops`.
const OPERATOR: &str = "ops";

/// Lifetime of a role session.
const SESSION: Duration = Duration::from_secs(3600);

/// A session with less than this left is replaced. SDKs ask again some minutes before the end.
const SESSION_LEFT_MIN: Duration = Duration::from_secs(900);

/// A running credentials endpoint on loopback. Dropping it stops it.
#[derive(Debug)]
pub struct CredentialServer {
    base: String,
    tokens: BTreeMap<String, String>,
    bedrock_tokens: BTreeMap<String, String>,
    task: JoinHandle<()>,
}

struct Shared {
    sts: aws_sdk_sts::Client,
    roles: BTreeMap<String, Role>,
    /// The account whose models are called, with the tokens of those that call them.
    bedrock: Option<(AwsBedrock, BTreeMap<String, String>)>,
}

struct Role {
    arn: String,
    token: String,
    session: Mutex<Option<Credentials>>,
}

/// The response of the endpoint: the shape that the SDKs' container credential providers read.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

impl CredentialServer {
    /// Starts the endpoint for the deployed task roles, which `sdk` is allowed to assume, and for the models of an account.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(
        sdk: &SdkConfig,
        outputs: &Outputs,
        bedrock: Option<AwsBedrock>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no free port for the credentials endpoint")?;
        let base = format!("http://{}", listener.local_addr().context("a listener has an address")?);
        let roles = outputs.roles.iter().map(|(binary, arn)| {
            (binary.clone(), Role { arn: arn.clone(), token: token(), session: Mutex::new(None) })
        });
        let roles: BTreeMap<String, Role> = roles.collect();
        let tokens = roles.iter().map(|(binary, role)| (binary.clone(), role.token.clone())).collect();
        let callers = BEDROCK_CALLERS.map(|service| (service.name().to_owned(), token()));
        let bedrock_tokens = if bedrock.is_some() { BTreeMap::from(callers) } else { BTreeMap::new() };
        let bedrock = bedrock.map(|bedrock| (bedrock, bedrock_tokens.clone()));
        let shared = Arc::new(Shared { sts: aws_sdk_sts::Client::new(sdk), roles, bedrock });
        let router = Router::new()
            .route("/role/{binary}", get(answer))
            .route("/bedrock/{binary}", get(answer_bedrock))
            .with_state(shared);
        let task = tokio::spawn(async move {
            // Serving a listener that is bound cannot fail; it ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base, tokens, bedrock_tokens, task })
    }

    /// The variables that make an SDK take the credentials of `service`'s role.
    ///
    /// # Errors
    /// When no role was deployed for it.
    pub fn environment(&self, service: Service) -> anyhow::Result<[(&'static str, String); 2]> {
        let CredentialSource { uri, token } = self.source(service.name())?;
        Ok([("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)])
    }

    /// The source of the credentials with which `service` calls the models of an account, if it may.
    #[must_use]
    pub fn bedrock(&self, service: Service) -> Option<CredentialSource> {
        let name = service.name();
        let token = self.bedrock_tokens.get(name)?.clone();
        Some(CredentialSource { uri: format!("{}/bedrock/{name}", self.base), token })
    }

    /// The source of the operator's credentials.
    ///
    /// # Errors
    /// When the role was not deployed.
    pub fn operator(&self) -> anyhow::Result<CredentialSource> {
        self.source(OPERATOR)
    }

    fn source(&self, name: &str) -> anyhow::Result<CredentialSource> {
        let token = self.tokens.get(name).with_context(|| format!("no role was deployed for {name}"))?;
        Ok(CredentialSource { uri: format!("{}/role/{name}", self.base), token: token.clone() })
    }
}

impl Drop for CredentialServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(binary): Path<String>,
    headers: HeaderMap,
) -> Response {
    let role = shared.roles.get(&binary).filter(|role| is_allowed(&headers, &role.token));
    let Some(role) = role else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match session(&shared.sts, &binary, role).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            tracing::warn!(role.arn, error = %format!("{error:#}"), "a role could not be assumed");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

async fn answer_bedrock(
    State(shared): State<Arc<Shared>>,
    Path(binary): Path<String>,
    headers: HeaderMap,
) -> Response {
    let caller = shared.bedrock.as_ref().filter(|(_, tokens)| {
        let token = tokens.get(&binary);
        token.is_some_and(|token| is_allowed(&headers, token))
    });
    let Some((bedrock, _)) = caller else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    // The provider keeps what it can keep; the processes ask when theirs are about to expire.
    match bedrock.credentials.provide_credentials().await {
        Ok(credentials) => Json(Answer {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
            expiration: credentials
                .expiry()
                .and_then(|at| jiff::Timestamp::try_from(at).ok())
                .map(|at| at.to_string()),
        })
        .into_response(),
        Err(error) => {
            let sign_in = bedrock.sign_in.as_deref().unwrap_or_default();
            let error = DisplayErrorContext(&error).to_string();
            tracing::warn!(sign_in, error, "the credentials for Amazon Bedrock cannot be renewed");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

fn is_allowed(headers: &HeaderMap, token: &str) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|given| given == token)
}

fn token() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The role's session: the one at hand, or a new one when that is about to end.
async fn session(sts: &aws_sdk_sts::Client, binary: &str, role: &Role) -> anyhow::Result<Answer> {
    let mut session = role.session.lock().await;
    let needed_until = jiff::Timestamp::now().as_second() + SESSION_LEFT_MIN.as_secs().cast_signed();
    let at_hand = session.take().filter(|session| session.expiration().secs() > needed_until);
    let credentials = match at_hand {
        Some(credentials) => credentials,
        None => assume(sts, binary, role).await?,
    };
    let answer = Answer {
        access_key_id: credentials.access_key_id().to_owned(),
        secret_access_key: credentials.secret_access_key().to_owned(),
        token: Some(credentials.session_token().to_owned()),
        expiration: Some(
            jiff::Timestamp::from_second(credentials.expiration().secs())
                .context("the session's end is out of range")?
                .to_string(),
        ),
    };
    *session = Some(credentials);
    Ok(answer)
}

async fn assume(sts: &aws_sdk_sts::Client, binary: &str, role: &Role) -> anyhow::Result<Credentials> {
    let assumed = sts
        .assume_role()
        .role_arn(&role.arn)
        .role_session_name(binary)
        .duration_seconds(i32::try_from(SESSION.as_secs()).context("an hour fits in an i32")?)
        .send()
        .await;
    let assumed = assumed.map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))?;
    assumed.credentials.context("the answer has no credentials")
}
