//! Credentials for the service's binaries and for the operator, the way ECS gives them to a task: an HTTP endpoint that returns
//! the credentials of the task's role.
//!
//! Each binary gets the URL and a token of its own (`AWS_CONTAINER_CREDENTIALS_FULL_URI`,
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN`), both of which every AWS SDK understands, and so holds the permissions of
//! its own role and no other. The root key stays in here.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
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

use super::{CredentialSource, Outputs, Service};

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
    task: JoinHandle<()>,
}

struct Shared {
    sts: aws_sdk_sts::Client,
    roles: BTreeMap<String, Role>,
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
    token: String,
    expiration: String,
}

impl CredentialServer {
    /// Starts the endpoint for the deployed task roles. `sdk` is allowed to assume them.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(sdk: &SdkConfig, outputs: &Outputs) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no free port for the credentials endpoint")?;
        let base = format!("http://{}", listener.local_addr().context("a listener has an address")?);
        let roles = outputs.roles.iter().map(|(binary, arn)| {
            let token = Uuid::new_v4().simple().to_string();
            (binary.clone(), Role { arn: arn.clone(), token, session: Mutex::new(None) })
        });
        let roles: BTreeMap<String, Role> = roles.collect();
        let tokens = roles.iter().map(|(binary, role)| (binary.clone(), role.token.clone())).collect();
        let shared = Arc::new(Shared { sts: aws_sdk_sts::Client::new(sdk), roles });
        let router = Router::new().route("/role/{binary}", get(answer)).with_state(shared);
        let task = tokio::spawn(async move {
            // Serving a listener that is bound cannot fail; it ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base, tokens, task })
    }

    /// The variables that make an SDK take the credentials of `service`'s role.
    ///
    /// # Errors
    /// When no role was deployed for it.
    pub fn environment(&self, service: Service) -> anyhow::Result<[(&'static str, String); 2]> {
        let CredentialSource { uri, token } = self.source(service.name())?;
        Ok([("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)])
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
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let role = shared.roles.get(&binary).filter(|role| given == Some(&role.token));
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
        token: credentials.session_token().to_owned(),
        expiration: jiff::Timestamp::from_second(credentials.expiration().secs())
            .context("the session's end is out of range")?
            .to_string(),
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
