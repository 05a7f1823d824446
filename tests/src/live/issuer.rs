//! The user pool of a live test: one key, its key set over HTTP on loopback, and access tokens as Cognito signs them.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use axum::{Router, http::header, routing::get};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    sign::Signer,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The issuer in the tokens.
pub(super) const ISSUER: &str = "https://issuer.test";

/// The client that the tokens are for.
pub(super) const CLIENT_ID: &str = "live-test";

const KEY: &[u8] = include_bytes!("issuer.pem");
const KEY_SET: &str = include_str!("issuer.jwks.json");

/// Signs tokens, and serves the key that verifies them.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) jwks_url: String,
    signer: Box<dyn Signer>,
    _server: AbortOnDropHandle<()>,
}

impl Issuer {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let jwks_url = format!("http://{}/jwks.json", listener.local_addr()?);
        let json = [(header::CONTENT_TYPE, "application/json")];
        let router = Router::new().route("/jwks.json", get(async move || (json, KEY_SET)));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the server runs until it is aborted");
        });
        let key = PrivateKeyDer::from_pem_slice(KEY).context("the issuer's key is not PEM")?;
        let key = any_supported_type(&key).context("the issuer's key is not RSA")?;
        let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).context("RSA signs RS256")?;
        Ok(Self { jwks_url, signer, _server: AbortOnDropHandle::new(server) })
    }

    /// An access token of `user_id`, valid for an hour. `claims` are added or replace its claims.
    pub(super) fn token(&self, user_id: &str, claims: &Value) -> anyhow::Result<String> {
        let expires = Timestamp::now() + SignedDuration::from_hours(1);
        let mut all = json!({
            "iss": ISSUER, "client_id": CLIENT_ID, "token_use": "access", "sub": user_id,
            "exp": expires.as_second(),
        });
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let header = json!({ "alg": "RS256", "kid": "of-the-tests", "typ": "JWT" });
        let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(&header), encode(&all));
        let signature = self.signer.sign(message.as_bytes()).context("the issuer cannot sign")?;
        Ok(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
