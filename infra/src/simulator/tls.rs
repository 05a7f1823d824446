//! The simulator's certificates: an authority of its own and a certificate for `localhost`, 127.0.0.1 and ::1.
//!
//! The authority's certificate is a PEM file for clients (`AWS_CA_BUNDLE`, `NODE_EXTRA_CA_CERTS`). The server's
//! certificate and key are beside it in a file that only its owner may read, and are reused at the next start, so that
//! clients that trust the authority keep working. The authority's key is never written.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The TLS configuration of the server, HTTP/2 before HTTP/1.1. Creates the files at and beside `ca_file` if missing.
///
/// # Errors
/// The files cannot be read or written.
pub(crate) fn server_config(ca_file: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let identity_file = identity_file(ca_file);
    if !(ca_file.exists() && identity_file.exists()) {
        make(ca_file, &identity_file).with_context(|| {
            format!("the simulator's certificates cannot be written to {}", ca_file.display())
        })?;
    }
    let unusable = || format!("{} is not usable; remove it to have a new one made", identity_file.display());
    let pem = fs::read(&identity_file).with_context(unusable)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().with_context(unusable)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).with_context(unusable)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("ring supports no version of TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn identity_file(ca_file: &Path) -> PathBuf {
    ca_file.with_extension("server.pem")
}

fn make(ca_file: &Path, identity_file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = ca_file.parent() {
        fs::create_dir_all(folder)?;
    }
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Bedrock simulator authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca_certificate = ca.self_signed(&ca_key)?;

    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(NAMES.map(str::to_owned))?;
    leaf.distinguished_name.push(DnType::CommonName, "Bedrock simulator");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, &ca_key))?;

    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(identity_file)?;
    file.write_all(certificate.pem().as_bytes())?;
    file.write_all(key.serialize_pem().as_bytes())?;
    fs::write(ca_file, ca_certificate.pem())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once_and_then_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("deep/ca.pem");
        server_config(&ca_file).unwrap();
        let first = fs::read(&ca_file).unwrap();
        server_config(&ca_file).unwrap();
        assert_eq!(fs::read(&ca_file).unwrap(), first);
        fs::write(identity_file(&ca_file), "nonsense").unwrap();
        let error = format!("{:#}", server_config(&ca_file).unwrap_err());
        assert!(error.contains("remove it"), "{error}");
    }
}
