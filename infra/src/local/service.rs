//! PURE. The binaries of the service and the environment of each.

use std::fmt;

use events::workers::{Resource, Worker};

use super::{
    Outputs,
    deploy::{MAIL_DOMAIN, REFUSED_EMAIL_DOMAINS},
};

/// Seconds that a worker's poll waits for a message. Requests are free here, and a worker ends only after its running
/// poll.
const POLL_SECONDS: u64 = 4;

/// The code that MiniStack sends at every sign-up.
pub(crate) const CONFIRMATION_CODE: &str = "123456";

/// What the ingress needs of the deployment.
const INGRESS_NEEDS: [Resource; 17] = [
    Resource::ConversationsTable,
    Resource::ImagesTable,
    Resource::UsersTable,
    Resource::SessionsTable,
    Resource::AudioBucket,
    Resource::LogsBucket,
    Resource::ImagesBucket,
    Resource::ProgressTable,
    Resource::EffectsTable,
    Resource::EventBus,
    Resource::WatchdogQueueUrl,
    Resource::ErasureQueueUrl,
    Resource::WorkerQueueUrls,
    Resource::WatchedQueueUrls,
    Resource::ClientId,
    Resource::UserPoolId,
    Resource::IdentityPoolId,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    Ingress,
    Worker(Worker),
}

impl Service {
    /// All of them, the ingress first.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Ingress).chain(Worker::ALL.map(Self::Worker))
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Worker(worker) => worker.name(),
        }
    }

    /// The variables that describe the deployed infrastructure: no more than the binary needs.
    ///
    /// # Errors
    /// A queue is not deployed.
    pub fn environment(self, outputs: &Outputs) -> anyhow::Result<Vec<(&'static str, String)>> {
        match self {
            Self::Ingress => {
                let mut environment = outputs.variables(&INGRESS_NEEDS)?;
                environment.push(("NOVA_REFUSED_EMAIL_DOMAINS", REFUSED_EMAIL_DOMAINS.to_owned()));
                environment.push(("NOVA_LOCALHOST_COOKIES", "true".to_owned()));
                environment.push(("NOVA_MAIL_FROM", format!("no-reply@{MAIL_DOMAIN}")));
                environment.push(("NOVA_STAGE", "local".to_owned()));
                environment.push(("NOVA_CONFIRMATION_CODE", CONFIRMATION_CODE.to_owned()));
                Ok(environment)
            }
            Self::Worker(worker) => {
                let mut environment = outputs.environment(worker)?;
                environment.push(("NOVA_POLL_SECONDS", POLL_SECONDS.to_string()));
                Ok(environment)
            }
        }
    }
}

impl From<Worker> for Service {
    fn from(worker: Worker) -> Self {
        Self::Worker(worker)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
