//! PURE. The service's binaries and the environment each of them is given.

use std::fmt;

use super::{Outputs, Queue, deploy::REFUSED_EMAIL_DOMAINS};

/// How long a worker's poll waits for a message.
const POLL_SECONDS: u64 = 4;

/// A binary of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// The realtime ingress.
    Ingress,
    /// Stores transcripts.
    Transcript,
    /// Has conversations assessed.
    Analysis,
    /// Keeps the learners' progress.
    Progress,
    /// Publishes alerts.
    Alerts,
    /// Deletes accounts.
    Erasure,
    /// Closes what a dead ingress left.
    Watchdog,
}

impl Service {
    /// All of them, the ingress first.
    pub const ALL: [Self; 7] = [
        Self::Ingress,
        Self::Transcript,
        Self::Analysis,
        Self::Progress,
        Self::Alerts,
        Self::Erasure,
        Self::Watchdog,
    ];

    /// The workers: what consumes a queue.
    pub const WORKERS: [Self; 6] =
        [Self::Transcript, Self::Analysis, Self::Progress, Self::Alerts, Self::Erasure, Self::Watchdog];

    /// The name of the binary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Transcript => "transcript",
            Self::Analysis => "analysis",
            Self::Progress => "progress",
            Self::Alerts => "alerts",
            Self::Erasure => "erasure",
            Self::Watchdog => "watchdog",
        }
    }

    /// The service with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Its queue among the deployed ones; the ingress has none.
    #[must_use]
    pub fn queue(self, outputs: &Outputs) -> Option<&Queue> {
        match self {
            Self::Ingress => None,
            Self::Transcript => Some(&outputs.transcript_queue),
            Self::Analysis => Some(&outputs.analysis_queue),
            Self::Progress => Some(&outputs.progress_queue),
            Self::Alerts => Some(&outputs.alerts_queue),
            Self::Erasure => Some(&outputs.erasure_queue),
            Self::Watchdog => Some(&outputs.watchdog_queue),
        }
    }

    /// What it needs to know of the deployed infrastructure: as little as its task definition would tell it.
    #[must_use]
    pub fn environment(self, outputs: &Outputs) -> Vec<(&'static str, String)> {
        let mut environment = match self {
            Self::Ingress => vec![
                ("NOVA_CONVERSATIONS_TABLE", outputs.conversations_table.clone()),
                ("NOVA_IMAGES_TABLE", outputs.images_table.clone()),
                ("NOVA_USERS_TABLE", outputs.users_table.clone()),
                ("NOVA_AUDIO_BUCKET", outputs.audio_bucket.clone()),
                ("NOVA_LOGS_BUCKET", outputs.logs_bucket.clone()),
                ("NOVA_IMAGES_BUCKET", outputs.images_bucket.clone()),
                ("NOVA_PROGRESS_TABLE", outputs.user_progress_table.clone()),
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_EVENT_BUS", outputs.bus_name.clone()),
                ("NOVA_WATCHDOG_QUEUE_URL", outputs.watchdog_queue.url.clone()),
                ("NOVA_ERASURE_QUEUE_URL", outputs.erasure_queue.url.clone()),
                ("NOVA_TOKEN_ISSUER", outputs.issuer.clone()),
                ("NOVA_JWKS_URL", outputs.jwks_url.clone()),
                ("NOVA_CLIENT_ID", outputs.client_id.clone()),
                ("NOVA_USER_POOL_ID", outputs.user_pool_id.clone()),
                ("NOVA_REFUSED_EMAIL_DOMAINS", REFUSED_EMAIL_DOMAINS.to_owned()),
                ("NOVA_LOCALHOST_COOKIES", "true".to_owned()),
            ],
            Self::Transcript => vec![
                ("NOVA_CONVERSATIONS_TABLE", outputs.conversations_table.clone()),
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_LOGS_BUCKET", outputs.logs_bucket.clone()),
                ("NOVA_AUDIO_BUCKET", outputs.audio_bucket.clone()),
                ("NOVA_EVENT_BUS", outputs.bus_name.clone()),
            ],
            Self::Analysis => vec![
                ("NOVA_CONVERSATIONS_TABLE", outputs.conversations_table.clone()),
                ("NOVA_IMAGES_TABLE", outputs.images_table.clone()),
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_LOGS_BUCKET", outputs.logs_bucket.clone()),
                ("NOVA_EVENT_BUS", outputs.bus_name.clone()),
            ],
            Self::Progress => vec![
                ("NOVA_PROGRESS_TABLE", outputs.user_progress_table.clone()),
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_EVENT_BUS", outputs.bus_name.clone()),
            ],
            Self::Alerts => vec![
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_TOPIC_CRITICAL_ARN", outputs.critical_topic.clone()),
                ("NOVA_TOPIC_WARNING_ARN", outputs.warning_topic.clone()),
                ("NOVA_TOPIC_INFO_ARN", outputs.info_topic.clone()),
                ("NOVA_WATCHED_QUEUE_URLS", dead_letter_queues(outputs)),
            ],
            Self::Erasure => vec![
                ("NOVA_USERS_TABLE", outputs.users_table.clone()),
                ("NOVA_CONVERSATIONS_TABLE", outputs.conversations_table.clone()),
                ("NOVA_PROGRESS_TABLE", outputs.user_progress_table.clone()),
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_LOGS_BUCKET", outputs.logs_bucket.clone()),
                ("NOVA_AUDIO_BUCKET", outputs.audio_bucket.clone()),
                ("NOVA_USER_POOL_ID", outputs.user_pool_id.clone()),
            ],
            Self::Watchdog => vec![
                ("NOVA_CONVERSATIONS_TABLE", outputs.conversations_table.clone()),
                ("NOVA_WATCHDOG_QUEUE_URL", outputs.watchdog_queue.url.clone()),
                ("NOVA_EFFECTS_TABLE", outputs.effects_table.clone()),
                ("NOVA_LOGS_BUCKET", outputs.logs_bucket.clone()),
                ("NOVA_EVENT_BUS", outputs.bus_name.clone()),
            ],
        };
        if let Some(queue) = self.queue(outputs) {
            environment.push(("NOVA_QUEUE_URL", queue.url.clone()));
            environment.push(("NOVA_DEAD_LETTER_QUEUE_URL", queue.dead_letter_url.clone()));
            environment.push(("NOVA_ATTEMPTS_TABLE", outputs.effects_table.clone()));
            // Requests cost nothing here, and whoever stops the system waits for the running polls.
            environment.push(("NOVA_POLL_SECONDS", POLL_SECONDS.to_string()));
        }
        environment
    }
}

/// The URLs of all dead-letter queues, separated by commas.
fn dead_letter_queues(outputs: &Outputs) -> String {
    let queues = Service::WORKERS.iter().filter_map(|worker| worker.queue(outputs));
    let mut urls: Vec<&str> = queues.map(|queue| queue.dead_letter_url.as_str()).collect();
    urls.push(&outputs.events_dead_letter_url);
    urls.join(",")
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
