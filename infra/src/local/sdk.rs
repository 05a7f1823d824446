//! SDK configuration of the operator's side: deploying, publishing pictures, looking at results.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// The region of the local cloud, that of production.
pub const REGION: &str = "us-east-1";

/// The account of the local cloud.
pub const ACCOUNT: &str = "000000000000";

/// The local cloud's root key. It opens nothing but an emulator on loopback.
const ROOT_KEY: &str = "test";

/// A configuration with the root key of the local cloud at `endpoint`, taking nothing from the environment: a
/// developer's own AWS profile must never meet the local cloud, nor the other way round.
///
/// The service's binaries never see this key; they run as their roles ([`super::CredentialServer`]).
#[must_use]
pub fn root_sdk_config(endpoint: &str) -> SdkConfig {
    sdk_config(endpoint, Credentials::new(ROOT_KEY, ROOT_KEY, None, None, "local cloud"))
}

/// The same with other credentials.
pub(super) fn sdk_config(endpoint: &str, credentials: Credentials) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        // Longer than the longest long poll.
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_secs(60))
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts)
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .build()
}

/// An S3 client with the same key. Buckets stand in the path, because names like `bucket.127.0.0.1` do not resolve.
#[must_use]
pub fn root_s3_client(endpoint: &str) -> aws_sdk_s3::Client {
    s3_client(&root_sdk_config(endpoint))
}

pub(super) fn s3_client(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}
