//! Pushes an image to a registry through the distribution API of the OCI.

use std::{fs, net::IpAddr};

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderValue;
use oci_client::{
    Client, Reference, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
};
use oci_spec::image::{Descriptor, ImageManifest, MediaType};

use super::{ContainerImage, layout};
use crate::progress::Progress;

pub use oci_client::secrets::RegistryAuth;

/// The login of the account's registry in ECR, for twelve hours.
///
/// # Errors
/// ECR gives no token.
pub async fn ecr_login(sdk: &SdkConfig) -> anyhow::Result<RegistryAuth> {
    let token = aws_sdk_ecr::Client::new(sdk).get_authorization_token().send().await;
    let token = token.context("ECR gives no token for its registry")?;
    let data = token.authorization_data().first().and_then(|data| data.authorization_token());
    let decoded = BASE64_STANDARD.decode(data.context("ECR gives an empty token")?);
    let login = String::from_utf8(decoded.context("the token of ECR is not base64")?);
    let login = login.context("the token of ECR is not text")?;
    let (user, password) = login.split_once(':').context("the token of ECR has no user")?;
    Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
}

/// Pushes `image` to `repository` (`HOST/NAME`), except for the blobs that are there, and returns its URI by digest. A registry on
/// loopback is called without TLS.
///
/// # Errors
/// The registry does not take it, or calls it by another digest.
pub async fn push(
    image: &ContainerImage,
    repository: &str,
    auth: &RegistryAuth,
    progress: &Progress,
) -> anyhow::Result<String> {
    let uri = format!("{repository}@{}", image.digest);
    let reference: Reference = uri.parse().with_context(|| format!("{uri} names no image"))?;
    let client = client(&reference);
    client.auth(&reference, auth, RegistryOperation::Push).await.context("the registry refuses the login")?;
    let manifest = read(image, &image.digest)?;
    let parsed = ImageManifest::from_reader(manifest.as_slice()).context("the manifest is damaged")?;
    let blobs: Vec<&Descriptor> = parsed.layers().iter().chain([parsed.config()]).collect();
    for (done, blob) in blobs.iter().enumerate() {
        progress.part(done, blobs.len());
        let digest = blob.digest().to_string();
        let there = client.blob_exists(&reference, &digest).await;
        if !there.with_context(|| format!("the registry does not say whether it has {digest}"))? {
            let pushed = client.push_blob(&reference, read(image, &digest)?, &digest).await;
            pushed.with_context(|| format!("the registry does not take {digest}"))?;
        }
    }
    let kind =
        HeaderValue::from_str(MediaType::ImageManifest.as_ref()).context("a media type is a header")?;
    let pushed = client.push_manifest_raw(&reference, manifest, kind).await;
    let location = pushed.context("the registry does not take the manifest")?;
    ensure!(
        location.ends_with(image.digest.as_str()),
        "the registry has stored {} as {location}",
        image.digest
    );
    Ok(uri)
}

fn client(reference: &Reference) -> Client {
    // Another part of the process may have installed it already; it is the same one then.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let host = reference.resolve_registry();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_loopback = name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let protocol = if is_loopback { ClientProtocol::Http } else { ClientProtocol::Https };
    // ECR takes no parts below 5 MiB, and the client's have 4.
    Client::new(ClientConfig { protocol, use_monolithic_push: true, ..ClientConfig::default() })
}

fn read(image: &ContainerImage, digest: &str) -> anyhow::Result<Vec<u8>> {
    let path = layout::blobs(&image.layout).join(digest.trim_start_matches("sha256:"));
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}
