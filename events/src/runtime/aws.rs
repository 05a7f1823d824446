//! The configuration of the AWS SDK: one HTTP client (rustls with ring) shared by all service clients, and timeouts for every
//! call.
//!
//! It reads the standard variables of the AWS SDKs: `AWS_REGION`, `AWS_ENDPOINT_URL` and
//! `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_CA_BUNDLE`, and the default credentials chain; production uses its
//! container endpoint (`AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN`).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// The longest time to connect to a service.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);

/// The longest time of one attempt at a call. Long polls set a longer timeout.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time of a call with all its attempts.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// Attempts of the SDK at one call.
pub const ATTEMPTS_MAX: u32 = 3;

/// How long an idle connection is kept: shorter than the services and the emulator keep theirs, so that a request seldom
/// uses a connection that the server is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The configuration of all service clients of this process. Streams and long polls set longer timeouts on their own
/// clients.
///
/// # Errors
/// No region is configured, or the CA bundle is unreadable.
pub async fn sdk_config() -> anyhow::Result<SdkConfig> {
    let bundle = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let http_client = http_client(bundle.as_deref())?;
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client)
        .timeout_config(timeouts())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .load()
        .await;
    ensure!(config.region().is_some(), "AWS_REGION is not set: set it to a region, for example us-east-1");
    Ok(config)
}

/// The timeouts of every call that is not a stream or a long poll. The SDK has no default except for connecting.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// An HTTP client with its own connections. It trusts the platform's roots and the certificates of the PEM file, if given.
/// With HTTP/2, one client has one connection for each host.
///
/// # Errors
/// The file is unreadable or contains no certificate.
pub fn http_client(ca_bundle: Option<&Path>) -> anyhow::Result<SharedHttpClient> {
    let mut roots = TrustStore::default();
    if let Some(path) = ca_bundle {
        roots = roots.with_pem_certificate(read_bundle(path)?);
    }
    let context = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| anyhow::anyhow!("failed to set up TLS: {error}"))?;
    Ok(Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build_https())
}

/// The S3 client of `sdk`, with path-style requests where [`s3_force_path_style`] demands it.
#[must_use]
pub fn s3_client(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(s3_force_path_style()).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Whether S3 requests use `host/bucket` instead of `bucket.host`: with a configured endpoint, because its host name does not
/// resolve with a bucket prefix.
#[must_use]
pub fn s3_force_path_style() -> bool {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

// The SDK's client panics at the first connection if a certificate is unreadable, so it is checked here.
fn read_bundle(path: &Path) -> anyhow::Result<Vec<u8>> {
    let unusable = || format!("AWS_CA_BUNDLE {} is not usable", path.display());
    let pem = std::fs::read(path).with_context(unusable)?;
    let certificates =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().with_context(unusable)?;
    let mut store = rustls::RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate).with_context(unusable)?;
    }
    ensure!(!store.is_empty(), "AWS_CA_BUNDLE {} contains no certificate", path.display());
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn bundle(content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file
    }

    #[test]
    fn bundle_without_usable_certificates_is_refused_by_name() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for content in ["", "no PEM at all", broken] {
            let file = bundle(content);
            let refused = http_client(Some(file.path())).unwrap_err();
            assert!(format!("{refused:#}").contains("AWS_CA_BUNDLE"), "{refused:#}");
        }
        let missing = http_client(Some(Path::new("/nonexistent/ca.pem"))).unwrap_err();
        assert!(format!("{missing:#}").contains("/nonexistent/ca.pem"));
    }

    #[test]
    fn bundle_of_several_certificates_is_accepted() {
        let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let file = bundle(&format!("{}{}", certificate(), certificate()));
        http_client(Some(file.path())).unwrap();
    }
}
