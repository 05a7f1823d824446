//! PURE. The list of workers. The local runner, the operator's commands, the test harnesses and the simulation read it;
//! tests compare the templates and the binaries with it.
//!
//! To add a worker: write its module and binary in the package `workers`, and add an entry. What is still missing
//! (binary, queue, rule, alarms, role, the start in `tests/sim/processes.rs`) is a compile error or a failing test.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{
    AccountDeletionRequested, AnalysisFailed, ConversationAnalyzed, ConversationCompleted,
    ConversationStalled, ProgressUpdated,
};

/// What distinguishes a worker from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerSpec {
    /// Name of the binary. The queue is `nova-<name>`, the dead-letter queue `nova-<name>-dlq`.
    pub name: &'static str,
    /// Names of the events that a rule of the bus sends to the queue; empty if the queue gets other messages only.
    pub consumes: &'static [&'static str],
    /// Visibility timeout of the queue, in seconds.
    pub visibility_seconds: u64,
    /// Messages that one process handles at once, by default.
    pub concurrency: u32,
    /// Environment variables, besides those of every consumer, that have no default.
    pub needs: &'static [Resource],
}

/// A part of the deployment that a binary reads from its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The journal.
    ConversationsTable,
    ImagesTable,
    UsersTable,
    /// Progress by learner and day.
    ProgressTable,
    /// Markers of finished effects.
    EffectsTable,
    /// Transcripts and assessments.
    LogsBucket,
    AudioBucket,
    /// Files of the pictures.
    ImagesBucket,
    EventBus,
    WatchdogQueueUrl,
    /// Queue of the erasure worker.
    ErasureQueueUrl,
    /// The queues of all workers, separated by commas.
    WorkerQueueUrls,
    /// All dead-letter queues, separated by commas.
    WatchedQueueUrls,
    TopicCriticalArn,
    TopicWarningArn,
    TopicInfoArn,
    UserPoolId,
    /// The client of the user pool, which the ingress is.
    ClientId,
    /// The identity pool.
    IdentityPoolId,
    /// Sessions of signed-in learners.
    SessionsTable,
}

impl Resource {
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::ConversationsTable => "NOVA_CONVERSATIONS_TABLE",
            Self::ImagesTable => "NOVA_IMAGES_TABLE",
            Self::UsersTable => "NOVA_USERS_TABLE",
            Self::ProgressTable => "NOVA_PROGRESS_TABLE",
            Self::EffectsTable => "NOVA_EFFECTS_TABLE",
            Self::LogsBucket => "NOVA_LOGS_BUCKET",
            Self::AudioBucket => "NOVA_AUDIO_BUCKET",
            Self::ImagesBucket => "NOVA_IMAGES_BUCKET",
            Self::EventBus => "NOVA_EVENT_BUS",
            Self::WatchdogQueueUrl => "NOVA_WATCHDOG_QUEUE_URL",
            Self::ErasureQueueUrl => "NOVA_ERASURE_QUEUE_URL",
            Self::WorkerQueueUrls => "NOVA_WORKER_QUEUE_URLS",
            Self::WatchedQueueUrls => "NOVA_WATCHED_QUEUE_URLS",
            Self::TopicCriticalArn => "NOVA_TOPIC_CRITICAL_ARN",
            Self::TopicWarningArn => "NOVA_TOPIC_WARNING_ARN",
            Self::TopicInfoArn => "NOVA_TOPIC_INFO_ARN",
            Self::UserPoolId => "NOVA_USER_POOL_ID",
            Self::ClientId => "NOVA_CLIENT_ID",
            Self::IdentityPoolId => "NOVA_IDENTITY_POOL_ID",
            Self::SessionsTable => "NOVA_SESSIONS_TABLE",
        }
    }
}

macro_rules! workers {
    ($($(#[$doc:meta])* $worker:ident = $spec:expr;)+) => {
        /// A worker: a binary that consumes one queue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Worker {
            $($(#[$doc])* $worker,)+
        }

        impl Worker {
            pub const ALL: [Self; [$(Self::$worker),+].len()] = [$(Self::$worker),+];

            /// The entry of the list.
            #[must_use]
            pub const fn spec(self) -> &'static WorkerSpec {
                match self { $(Self::$worker => const { &$spec },)+ }
            }
        }
    };
}

workers! {
    /// Stores transcripts.
    Transcript = WorkerSpec {
        name: "transcript",
        consumes: &[ConversationCompleted::NAME],
        visibility_seconds: 60,
        concurrency: 8,
        needs: &[
            Resource::ConversationsTable,
            Resource::EffectsTable,
            Resource::LogsBucket,
            Resource::AudioBucket,
            Resource::EventBus,
        ],
    };
    /// Has conversations assessed by a model.
    Analysis = WorkerSpec {
        name: "analysis",
        consumes: &[ConversationCompleted::NAME],
        visibility_seconds: 120,
        concurrency: 8,
        needs: &[
            Resource::ConversationsTable,
            Resource::ImagesTable,
            Resource::EffectsTable,
            Resource::LogsBucket,
            Resource::EventBus,
        ],
    };
    /// Keeps the learners' progress.
    Progress = WorkerSpec {
        name: "progress",
        consumes: &[ConversationCompleted::NAME, ConversationAnalyzed::NAME],
        visibility_seconds: 60,
        concurrency: 8,
        needs: &[
            Resource::ConversationsTable,
            Resource::ProgressTable,
            Resource::EffectsTable,
            Resource::EventBus,
        ],
    };
    /// Publishes alerts.
    Alerts = WorkerSpec {
        name: "alerts",
        consumes: &[
            ConversationCompleted::NAME,
            ConversationAnalyzed::NAME,
            AnalysisFailed::NAME,
            ProgressUpdated::NAME,
            ConversationStalled::NAME,
        ],
        visibility_seconds: 60,
        concurrency: 8,
        needs: &[
            Resource::ConversationsTable,
            Resource::EffectsTable,
            Resource::TopicCriticalArn,
            Resource::TopicWarningArn,
            Resource::TopicInfoArn,
            Resource::WatchedQueueUrls,
        ],
    };
    /// Closes conversations of a lost ingress, and reports conversations that stall in the pipeline.
    Watchdog = WorkerSpec {
        name: "watchdog",
        consumes: &[],
        visibility_seconds: 60,
        concurrency: 8,
        needs: &[
            Resource::ConversationsTable,
            Resource::WatchdogQueueUrl,
            Resource::EffectsTable,
            Resource::LogsBucket,
            Resource::EventBus,
        ],
    };
    /// Deletes accounts and their data.
    Erasure = WorkerSpec {
        name: "erasure",
        consumes: &[AccountDeletionRequested::NAME],
        visibility_seconds: 60,
        concurrency: 8,
        needs: &[
            Resource::UsersTable,
            Resource::SessionsTable,
            Resource::ConversationsTable,
            Resource::ProgressTable,
            Resource::EffectsTable,
            Resource::LogsBucket,
            Resource::AudioBucket,
            Resource::UserPoolId,
        ],
    };
}

impl Worker {
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    #[must_use]
    pub fn queue_name(self) -> String {
        format!("nova-{self}")
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_is_written_by_its_name() {
        for worker in Worker::ALL {
            assert_eq!(serde_json::to_value(worker).unwrap(), worker.name());
        }
    }
}
