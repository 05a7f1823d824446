//! What the operator works on: the service that runs on this machine, or AWS, through the operator's own role.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use events::{
    audit::{Audit, Read},
    bus::Bus,
    cloudwatch::CloudWatch,
    contract::UserId,
    journal::{self, Journal},
    pipeline::{self, PipelineStores},
    queues::QueueName,
    runtime::{aws, failure::describe},
    workers::Worker,
};
use infra::{
    deploy::StackKind,
    local::{Outputs, Queue, RunFile, SimulatorAccess, workspace},
};
use jiff::Timestamp;

/// The stacks whose outputs are needed.
fn stacks() -> impl Iterator<Item = StackKind> {
    let queues = Worker::ALL.map(StackKind::Queue);
    [StackKind::Data, StackKind::Messaging, StackKind::Identity].into_iter().chain(queues)
}

#[derive(Debug, clap::Args)]
pub(in crate::command) struct TargetOptions {
    /// Work on AWS, with the region and the credentials of the usual AWS variables and files, on the operator's role (OpsRoleArn).
    #[arg(long, global = true)]
    aws: bool,
    /// With --aws: how the names of the deployed stacks begin.
    #[arg(long, global = true, value_name = "PREFIX", default_value = "nova")]
    stack_prefix: String,
    /// Without --aws: what runs, as `cargo run` wrote it; that of this workspace by default.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "aws")]
    run_file: Option<PathBuf>,
}

/// The way to what the operator works on.
pub(in crate::command) struct Reached {
    pub(in crate::command) sdk: SdkConfig,
    /// The same for Amazon Bedrock, which is simulated where the service runs on this machine; `None` if that calls the models of an
    /// account, whose credentials only its processes have.
    pub(in crate::command) bedrock: Option<SdkConfig>,
    pub(in crate::command) outputs: Outputs,
    /// Whether S3 is addressed as `host/bucket`.
    pub(in crate::command) path_style: bool,
}

/// What the operator works on.
pub(super) struct Target {
    pub(super) sdk: SdkConfig,
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) cognito: aws_sdk_cognitoidentityprovider::Client,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) journal: journal::JournalReader,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) pipeline: pipeline::PipelineReader,
    pub(super) bus: Bus,
    sts: aws_sdk_sts::Client,
    audit: Audit,
    pub(super) cloudwatch: CloudWatch,
    pub(super) outputs: Outputs,
}

/// Parses the name of a queue on the command line. The error lists all names.
pub(super) fn queue_name() -> impl TypedValueParser<Value = QueueName> {
    PossibleValuesParser::new(QueueName::all().map(QueueName::name)).map(|name| {
        QueueName::all().find(|queue| queue.name() == name).expect("clap admits the names of the list only")
    })
}

impl Reached {
    /// The way to the place that `options` name.
    ///
    /// # Errors
    /// Nothing runs there, or it cannot be reached.
    pub(in crate::command) async fn by(options: &TargetOptions) -> anyhow::Result<Self> {
        if options.aws {
            let sdk = aws::sdk_config().await?;
            let outputs = deployed(&sdk, &options.stack_prefix).await?;
            let path_style = aws::s3_force_path_style();
            return Ok(Self { bedrock: Some(sdk.clone()), sdk, outputs, path_style });
        }
        let run = match &options.run_file {
            Some(path) => RunFile::open(path)?,
            None => RunFile::read(workspace())?,
        };
        let sdk = run.operator_sdk_config().await?;
        let simulated = |access: &SimulatorAccess| {
            let http = aws::http_client(Some(&access.ca_bundle))?;
            anyhow::Ok(sdk.to_builder().endpoint_url(&access.endpoint).http_client(http).build())
        };
        let bedrock = run.simulator.as_ref().map(simulated).transpose()?;
        Ok(Self { sdk, bedrock, outputs: run.outputs, path_style: true })
    }
}

impl Target {
    /// The place that `options` name.
    ///
    /// # Errors
    /// Nothing runs there, or it cannot be reached.
    pub(super) async fn open(options: &TargetOptions) -> anyhow::Result<Self> {
        let Reached { sdk, outputs, path_style, .. } = Reached::by(options).await?;
        Ok(Self::on(&sdk, outputs, path_style))
    }

    fn on(sdk: &SdkConfig, outputs: Outputs, force_path_style: bool) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(force_path_style).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let stores = PipelineStores {
            dynamodb: dynamodb.clone(),
            s3: s3.clone(),
            conversations_table: outputs.conversations_table.clone(),
            effects_table: outputs.effects_table.clone(),
            logs_bucket: outputs.logs_bucket.clone(),
        };
        Self {
            sdk: sdk.clone(),
            sqs: aws_sdk_sqs::Client::new(sdk),
            cognito: aws_sdk_cognitoidentityprovider::Client::new(sdk),
            s3,
            journal: Journal::reader(dynamodb.clone(), &outputs.conversations_table),
            dynamodb,
            pipeline: pipeline::PipelineReader::new(stores),
            sts: aws_sdk_sts::Client::new(sdk),
            audit: Audit::new(aws_sdk_dynamodb::Client::new(sdk), &outputs.effects_table),
            cloudwatch: CloudWatch::new(sdk),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(sdk), &outputs.bus_name, "nova.ops"),
            outputs,
        }
    }

    /// Records that the operator reads data of `whose` learners, of all if it is empty, with the command `what`.
    ///
    /// # Errors
    /// The record cannot be written: the command must show nothing.
    pub(super) async fn record_read(&self, what: &str, whose: &[UserId]) -> anyhow::Result<()> {
        let identity = self.sts.get_caller_identity().send().await;
        let identity = identity.map_err(|error| describe(&error)).context("cannot see who you are")?;
        let who = identity.arn().context("the identity has no ARN")?;
        self.audit.record(Read { who, what, whose }, Timestamp::now()).await
    }

    /// The queue that a worker consumes; `None` for `events`.
    ///
    /// # Errors
    /// The worker has no queue there: what runs is of another build.
    pub(super) fn queue(&self, name: QueueName) -> anyhow::Result<Option<&Queue>> {
        match name {
            QueueName::Worker(worker) => self.outputs.queue(worker).map(Some),
            QueueName::Events => Ok(None),
        }
    }

    /// URL of the dead-letter queue.
    ///
    /// # Errors
    /// As [`Target::queue`].
    pub(super) fn dead_letter_url(&self, name: QueueName) -> anyhow::Result<&str> {
        let events = self.outputs.events_dead_letter_url.as_str();
        Ok(self.queue(name)?.map_or(events, |queue| &queue.dead_letter_url))
    }

    /// URL of the worker's queue with this ARN.
    pub(super) fn queue_url_of(&self, arn: &str) -> Option<&str> {
        self.outputs.queues.values().find(|queue| queue.arn == arn).map(|queue| queue.url.as_str())
    }
}

/// The outputs of the stacks that begin with `prefix`.
pub(in crate::command) async fn deployed(sdk: &SdkConfig, prefix: &str) -> anyhow::Result<Outputs> {
    let cloudformation = aws_sdk_cloudformation::Client::new(sdk);
    let mut outputs = BTreeMap::new();
    for kind in stacks() {
        let name = kind.stack_name(prefix);
        let described = cloudformation.describe_stacks().stack_name(&name).send().await;
        let described = described
            .map_err(|error| describe(&error))
            .with_context(|| format!("cannot look at the stack {name}; --stack-prefix names another one"))?;
        let Some(stack) = described.stacks.unwrap_or_default().into_iter().next() else {
            bail!("there is no stack {name}; --stack-prefix names another one");
        };
        for output in stack.outputs.unwrap_or_default() {
            let pair = output.output_key.zip(output.output_value);
            outputs.extend(pair.map(|(key, value)| (kind.output_name(&key), value)));
        }
    }
    // The page's keys are not looked at here.
    Outputs::from_stacks(&outputs)
}
