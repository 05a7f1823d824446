//! The latency that the simulator measures, through its control endpoint.

use std::time::Duration;

use anyhow::Context as _;

use crate::{local::Stack, simulator::latency::Latency};

/// The control endpoint of the simulator.
pub(super) struct SimulatorControl {
    http: reqwest::Client,
    url: String,
}

impl SimulatorControl {
    pub(super) fn new(stack: &Stack) -> anyhow::Result<Self> {
        let simulator = stack.simulator().context("the models are not simulated")?;
        let pem = std::fs::read(&simulator.ca_bundle)
            .context("the CA certificate of the simulator is not readable")?;
        let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
        let http = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?).build()?;
        Ok(Self { http, url: format!("{}/simulator/control/latency", simulator.endpoint) })
    }

    pub(super) async fn reset_latency(&self) -> anyhow::Result<()> {
        let response = self.http.delete(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        response.map(drop).context("the simulator does not reset its latency")
    }

    pub(super) async fn latency(&self) -> anyhow::Result<Latency> {
        let response = self.http.get(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        let response = response.context("the simulator does not return its latency")?;
        response.json().await.context("the latency of the simulator is unreadable")
    }
}
