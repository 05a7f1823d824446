//! What operators see: queues, workers, alarms and sent alerts. It reads SQS, CloudWatch and the records of alerts; it changes
//! nothing. Each figure is read at most once in its interval and task, however many operators look.

pub mod alarms;
pub mod alerts;
mod fresh;
pub mod queues;
pub mod workers;

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use events::{cloudwatch::CloudWatch, runtime::env};

use crate::config::Config;
use alarms::Alarms;
use alerts::{AlertStore, AlertView};
use fresh::Fresh;
use queues::{QueueReader, QueueSeries, Queues};
use workers::Workers;

/// How old the counts of the queues may be. A read is 13 calls of SQS.
pub const QUEUES_AGE_MAX: Duration = Duration::from_secs(5);

/// How old the samples of the queues may be. SQS writes one a minute.
pub const SERIES_AGE_MAX: Duration = Duration::from_secs(30);

/// How old the states of the workers may be. They report once a minute.
pub const WORKERS_AGE_MAX: Duration = Duration::from_secs(30);

/// How old the states of the alarms may be.
pub const ALARMS_AGE_MAX: Duration = Duration::from_secs(5);

/// How old the latest alerts may be.
pub const ALERTS_AGE_MAX: Duration = Duration::from_secs(5);

/// Alerts of one event of the stream.
pub const LATEST_ALERTS: usize = 20;

/// Reads what operators see.
#[derive(Debug)]
pub struct Operations {
    pub alerts: AlertStore,
    reader: QueueReader,
    cloudwatch: CloudWatch,
    queues: Fresh<Queues>,
    series: Fresh<QueueSeries>,
    workers: Fresh<Workers>,
    alarms: Fresh<Alarms>,
    latest_alerts: Fresh<Vec<AlertView>>,
}

impl Operations {
    #[must_use]
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        let sqs = aws_sdk_sqs::Client::new(sdk);
        Self {
            alerts: AlertStore::new(aws_sdk_dynamodb::Client::new(sdk), config.effects_table.clone()),
            reader: QueueReader::new(sqs, &config.worker_queue_urls, &config.watched_queue_urls),
            cloudwatch: CloudWatch::new(sdk),
            queues: Fresh::new(QUEUES_AGE_MAX),
            series: Fresh::new(SERIES_AGE_MAX),
            workers: Fresh::new(WORKERS_AGE_MAX),
            alarms: Fresh::new(ALARMS_AGE_MAX),
            latest_alerts: Fresh::new(ALERTS_AGE_MAX),
        }
    }

    /// The queues with their counts; `None` if they cannot be read. The age of the oldest message is absent if CloudWatch cannot
    /// be read.
    pub async fn queues(&self) -> Option<Arc<Queues>> {
        let series = self.series().await;
        let read = async || self.reader.read(series.as_deref()).await;
        self.queues.get("the queues", read).await
    }

    /// The samples of the queues; `None` if CloudWatch cannot be read.
    pub async fn series(&self) -> Option<Arc<QueueSeries>> {
        let read = async || QueueSeries::read(&self.cloudwatch, env::now()).await;
        self.series.get("the metrics of the queues", read).await
    }

    /// The workers and the ingress; `None` if CloudWatch cannot be read.
    pub async fn workers(&self) -> Option<Arc<Workers>> {
        let read = async || Workers::read(&self.cloudwatch, env::now()).await;
        self.workers.get("the metrics of the workers", read).await
    }

    /// The alarms; `None` if CloudWatch cannot be read.
    pub async fn alarms(&self) -> Option<Arc<Alarms>> {
        let read = async || Alarms::read(&self.cloudwatch).await;
        self.alarms.get("the alarms", read).await
    }

    /// The latest alerts; `None` if they cannot be read.
    pub async fn latest_alerts(&self) -> Option<Arc<Vec<AlertView>>> {
        let read = async || Ok(self.alerts.page(None, LATEST_ALERTS, env::now()).await?.0);
        self.latest_alerts.get("the alerts", read).await
    }
}
