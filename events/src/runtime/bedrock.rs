//! The configuration of Amazon Bedrock where its account is another one than that of everything else: a service whose cloud is
//! local and whose models are real. On AWS nothing of it is set, and the role of the task calls Bedrock.
//!
//! The credentials come from an endpoint like that of ECS, at a URL with a token of its own. The provider of the SDK for such
//! endpoints reads one URL from the environment, which is that of the local role.

use std::{str, time::SystemTime};

use aws_config::{Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_smithy_runtime::client::{
    orchestrator::operation::Operation, retries::classifiers::TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::{
    interceptors::context::Error,
    orchestrator::{HttpResponse, OrchestratorError, SensitiveOutput},
    result::SdkError,
    runtime_plugin::StaticRuntimePlugin,
};
use aws_smithy_types::{body::SdkBody, config_bag::Layer};
use http::{Uri, header::AUTHORIZATION};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::aws::{ATTEMPTS_MAX, CONNECT_TIMEOUT, OPERATION_TIMEOUT};

/// The options of a process that calls Amazon Bedrock.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct BedrockOptions {
    /// URL of credentials for Amazon Bedrock alone, which responds as the container credentials endpoint of ECS does; without it
    /// the credentials are those of all other calls
    #[arg(
        long,
        env = "NOVA_BEDROCK_CREDENTIALS_URI",
        value_name = "NOVA_BEDROCK_CREDENTIALS_URI",
        requires_all = ["bedrock_credentials_token", "bedrock_region"],
        value_parser = loopback
    )]
    bedrock_credentials_uri: Option<Uri>,
    /// Token for that URL
    #[arg(
        long,
        env = "NOVA_BEDROCK_CREDENTIALS_TOKEN",
        value_name = "NOVA_BEDROCK_CREDENTIALS_TOKEN",
        requires = "bedrock_credentials_uri",
        hide_env_values = true
    )]
    bedrock_credentials_token: Option<SecretString>,
    /// Region of Amazon Bedrock; without it that of all other calls
    #[arg(long, env = "NOVA_BEDROCK_REGION", value_name = "NOVA_BEDROCK_REGION")]
    bedrock_region: Option<String>,
}

impl BedrockOptions {
    /// The configuration of Bedrock's clients in a process whose other clients have `sdk`.
    #[must_use]
    pub fn sdk_config(&self, sdk: &SdkConfig) -> SdkConfig {
        let mut builder = sdk.to_builder();
        if let Some(region) = &self.bedrock_region {
            builder = builder.region(Region::new(region.clone()));
        }
        if let (Some(uri), Some(token)) = (&self.bedrock_credentials_uri, &self.bedrock_credentials_token) {
            let provider = EndpointCredentials { load: operation(sdk, uri, token) };
            builder = builder.credentials_provider(SharedCredentialsProvider::new(provider));
        }
        builder.build()
    }
}

/// Credentials of an endpoint.
#[derive(Debug)]
struct EndpointCredentials {
    load: Operation<(), Credentials, CredentialsError>,
}

impl ProvideCredentials for EndpointCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.load.invoke(()).await {
                Ok(credentials) => Ok(credentials),
                Err(SdkError::ServiceError(error)) => Err(error.into_err()),
                Err(error) => Err(CredentialsError::provider_error(error)),
            }
        })
    }
}

/// The response of the endpoint. Credentials that stay valid have no expiration, and those of a user no token.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

/// The call of the endpoint, with the HTTP client of `sdk`.
fn operation(
    sdk: &SdkConfig,
    uri: &Uri,
    token: &SecretString,
) -> Operation<(), Credentials, CredentialsError> {
    let mut secret = Layer::new("SensitiveOutput");
    secret.store_put(SensitiveOutput);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let mut operation = Operation::builder()
        .service_name("BedrockCredentials")
        .operation_name("Load")
        .endpoint_url(&format!("http://{}", uri.authority().map_or("", |authority| authority.as_str())))
        .no_auth()
        .timeout_config(timeouts)
        .runtime_plugin(StaticRuntimePlugin::new().with_config(secret.freeze()));
    if let Some(http_client) = sdk.http_client() {
        operation = operation.http_client(http_client);
    }
    operation = match sdk.sleep_impl() {
        Some(sleep) => operation
            .standard_retry(&RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .retry_classifier(TransientErrorClassifier::<Error>::new())
            .sleep_impl(sleep),
        None => operation.no_retry(),
    };
    let (path, token) = (uri.path().to_owned(), token.clone());
    operation
        .serializer(move |()| {
            let request = http::Request::get(&path).header(AUTHORIZATION, token.expose_secret());
            Ok(request.body(SdkBody::empty())?.try_into()?)
        })
        .deserializer(|response: &HttpResponse| read(response).map_err(OrchestratorError::operation))
        .build()
}

fn read(response: &HttpResponse) -> provider::Result {
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let message =
            format!("the endpoint of the credentials for Bedrock responds with the status {status}");
        return Err(CredentialsError::provider_error(message));
    }
    // The text of the error could quote a secret.
    let unreadable = || CredentialsError::provider_error("the credentials for Bedrock are unreadable");
    let body = response.body().bytes().ok_or_else(unreadable)?;
    let found: Found = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let Found { access_key_id, secret_access_key, token, expiration } = found;
    let expires_at = expiration.map(SystemTime::try_from).transpose().map_err(|_| unreadable())?;
    Ok(Credentials::new(access_key_id, secret_access_key, token, expires_at, "Bedrock credentials endpoint"))
}

/// The token is sent in clear text, so it stays on this machine.
fn loopback(text: &str) -> Result<Uri, String> {
    let uri = text.parse::<Uri>().ok().filter(|uri| {
        let is_loopback = uri.host() == Some("127.0.0.1") || uri.host() == Some("localhost");
        uri.scheme_str() == Some("http") && is_loopback
    });
    uri.ok_or_else(|| "a URL that begins with http://127.0.0.1: is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{
        Json, Router,
        http::{HeaderMap, StatusCode},
        response::IntoResponse as _,
        routing::get,
    };
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::runtime::aws::http_client;

    #[derive(Debug, Parser)]
    struct Process {
        #[command(flatten)]
        bedrock: BedrockOptions,
    }

    fn parse(arguments: &[&str]) -> Result<BedrockOptions, String> {
        let arguments = ["process"].iter().chain(arguments).copied();
        Process::try_parse_from(arguments).map(|process| process.bedrock).map_err(|error| error.to_string())
    }

    /// An endpoint on loopback that returns temporary credentials for the token `right`; its URL.
    async fn endpoint() -> String {
        let respond = async |headers: HeaderMap| {
            if headers.get(AUTHORIZATION).is_none_or(|token| token != "right") {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let body = json!({
                "AccessKeyId": "AKIDREAL",
                "SecretAccessKey": "secret",
                "Token": "session",
                "Expiration": "2026-11-28T16:00:00Z",
            });
            Json(body).into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/bedrock/ingress", listener.local_addr().unwrap());
        let router = Router::new().route("/bedrock/ingress", get(respond));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn provided(token: &str) -> provider::Result {
        let url = endpoint().await;
        let options = [
            "--bedrock-credentials-uri",
            &url,
            "--bedrock-credentials-token",
            token,
            "--bedrock-region",
            "eu-north-1",
        ];
        let sdk = SdkConfig::builder()
            .region(Region::new("us-east-1"))
            .http_client(http_client(None).unwrap())
            .build();
        let bedrock = parse(&options).unwrap().sdk_config(&sdk);
        assert_eq!(bedrock.region(), Some(&Region::new("eu-north-1")));
        bedrock.credentials_provider().unwrap().provide_credentials().await
    }

    #[tokio::test]
    async fn credentials_of_bedrock_are_those_of_their_endpoint_with_its_token_only() {
        let credentials = provided("right").await.unwrap();
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIDREAL", Some("session")));
        let expires_in = credentials.expiry().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(expires_in, Duration::from_secs(1_795_881_600));
        let error = format!("{:?}", provided("wrong").await.unwrap_err());
        assert!(error.contains("401"), "{error}");
    }

    #[test]
    fn process_without_the_options_calls_bedrock_as_everything_else() {
        let sdk = SdkConfig::builder().region(Region::new("us-east-1")).build();
        let bedrock = parse(&[]).unwrap().sdk_config(&sdk);
        assert_eq!(bedrock.region(), sdk.region());
        assert!(bedrock.credentials_provider().is_none());
    }

    #[test]
    fn options_belong_together_and_the_token_stays_on_the_machine_and_out_of_the_log() {
        let uri = ["--bedrock-credentials-uri", "http://127.0.0.1:7/x"];
        assert!(parse(&uri).unwrap_err().contains("--bedrock-credentials-token"));
        assert!(
            parse(&["--bedrock-credentials-token", "t"]).unwrap_err().contains("--bedrock-credentials-uri")
        );
        let rest = ["--bedrock-credentials-token", "tangerine", "--bedrock-region", "us-east-1"];
        let all = parse(&[&uri[..], &rest].concat()).unwrap();
        assert!(!format!("{all:?}").contains("tangerine"));
        let elsewhere = ["--bedrock-credentials-uri", "http://credentials.example/x"];
        let error = parse(&[&elsewhere[..], &rest].concat()).unwrap_err();
        assert!(error.contains("http://127.0.0.1:"), "{error}");
    }
}
