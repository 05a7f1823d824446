//! Another task of the ingress beside that of [`Live`], on the same cloud.

use std::{net::Ipv4Addr, sync::Arc};

use ingress::{
    app::{AppState, bedrock_clients},
    server,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{INGRESS, Live, environment::config};

/// Another task of the ingress on the same cloud, until it is dropped.
#[derive(Debug)]
pub struct AnotherTask {
    url: String,
    _server: AbortOnDropHandle<anyhow::Result<()>>,
}

impl Live {
    /// Starts another task of the ingress on the same cloud, with one option changed. They share no Redis.
    ///
    /// # Errors
    /// The task does not start.
    pub async fn another_task(&self, option: &'static str, value: &str) -> anyhow::Result<AnotherTask> {
        let mut options = self.ingress.clone();
        options.insert(option, value.to_owned());
        let config = config(&self.simulator, options)?;
        let sdk = self.cloud.sdk_config(INGRESS);
        let shutdown = CancellationToken::new();
        let app = AppState::new(&config, &sdk, bedrock_clients(&config, &sdk)?, shutdown.clone())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(server::serve(Arc::new(app), listener, shutdown));
        Ok(AnotherTask { url, _server: AbortOnDropHandle::new(server) })
    }
}

impl AnotherTask {
    /// Its URL: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
