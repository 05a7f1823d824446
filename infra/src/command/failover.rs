//! `nova failover`: moves the service to the standby region, or shows what would be done.

use std::{collections::BTreeSet, net::IpAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use aws_config::{Region, SdkConfig};
use events::runtime::aws;
use infra::{
    deploy::{StackKind, parameters},
    failover::{Failover, FailoverRegion, FailoverStep},
    local::Progress,
    sweep::Sweep,
};

use super::ops::target::deployed;
use crate::console::Console;

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("mode").required(true).args(["dry_run", "apply"]),
    after_help = "Examples:
  nova failover --dry-run
  nova failover --apply
  nova failover --apply --primary-lost

The command uses the credentials of the usual AWS variables and files, of a role that may update the stacks of both regions.
It may be repeated: a step that is done is not done again. A step that fails ends the command and says how to go on. The
runbook is infra/runbooks/failover.md, and infra/RECOVERY.md says what is lost."
)]
pub(super) struct FailoverOptions {
    /// Show what each step would do, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do it.
    #[arg(long)]
    apply: bool,
    /// The region does not respond: leave its tasks alone, and go on without what has not arrived.
    #[arg(long)]
    primary_lost: bool,
    /// The region that is left.
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    from: String,
    /// The region that takes over.
    #[arg(long, value_name = "REGION", default_value = "us-west-2")]
    to: String,
    /// How the names of the deployed stacks begin.
    #[arg(long, value_name = "PREFIX", default_value = "nova")]
    stack_prefix: String,
    /// Tasks of the ingress in the region that takes over; scaling has an opinion from then on.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    tasks: u32,
    /// The longest wait for the replication.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=14_400))]
    replication_seconds: u64,
    /// The longest wait for the name.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=14_400))]
    name_seconds: u64,
}

/// What the steps work on.
struct Move {
    failover: Failover,
    /// The name of the API, and that of the standby's load balancer.
    name: String,
    target: String,
}

pub(super) async fn run(options: FailoverOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let plan = prepare(&options).await?;
    let verb = if options.apply { "Failover" } else { "Dry run of a failover" };
    console.line(&format!("{verb} from {} to {}", options.from, options.to));
    for (number, step) in (1..).zip(FailoverStep::ALL) {
        let progress = console.progress();
        progress.begin(&format!("{number}. {step}"));
        let done = Box::pin(plan.perform(step, &progress)).await;
        match done {
            Ok(done) => progress.end(&done),
            Err(error) => {
                progress.fail("failed");
                console.error(&format!("{step}: {error:#}"));
                console.line(&format!("How to go on: {}.", step.advice()));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn prepare(options: &FailoverOptions) -> anyhow::Result<Move> {
    let sdk = aws::sdk_config().await?;
    let in_region = |name: &str| sdk.to_builder().region(Region::new(name.to_owned())).build();
    let standby = in_region(&options.to);
    let outputs = deployed(&standby, &options.stack_prefix).await?;
    let region = |name: &str, sdk: SdkConfig| FailoverRegion {
        name: name.to_owned(),
        sdk,
        prefix: options.stack_prefix.clone(),
    };
    let primary = (!options.primary_lost).then(|| region(&options.from, in_region(&options.from)));
    let api = StackKind::Api.stack_name(&options.stack_prefix);
    let cloudformation = aws_sdk_cloudformation::Client::new(&standby);
    let parameters = parameters(&cloudformation, &api).await?;
    let domain = parameters.get("DomainName").with_context(|| format!("{api} has no DomainName"))?;
    let target = parameters.get("LoadBalancerDnsName");
    let target = target.with_context(|| format!("{api} has no LoadBalancerDnsName"))?;
    Ok(Move {
        name: format!("api.{domain}"),
        target: target.clone(),
        failover: Failover {
            primary,
            standby: region(&options.to, standby),
            outputs,
            tasks: options.tasks,
            replication_timeout: Duration::from_secs(options.replication_seconds),
            name_timeout: Duration::from_secs(options.name_seconds),
            apply: options.apply,
        },
    })
}

impl Move {
    async fn perform(&self, step: FailoverStep, progress: &Progress) -> anyhow::Result<String> {
        let failover = &self.failover;
        match step {
            FailoverStep::StopPrimary => failover.stop_primary(progress).await,
            FailoverStep::CheckReplication => failover.check_replication().await,
            FailoverStep::StartStandby => failover.start_standby(progress).await,
            FailoverStep::SwitchName => failover.switch_name((&self.name, &self.target), look_up).await,
            FailoverStep::Sweep => {
                let sdk = &failover.standby.sdk;
                let sweep = Sweep::new(sdk, aws::s3_client(sdk), &failover.outputs)?;
                Ok(failover.sweep(&sweep).await?.0)
            }
        }
    }
}

async fn look_up(name: &str) -> anyhow::Result<BTreeSet<IpAddr>> {
    let found = tokio::net::lookup_host((name, 443)).await;
    let found = found.with_context(|| format!("{name} has no address"))?;
    Ok(found.map(|address| address.ip()).collect())
}
