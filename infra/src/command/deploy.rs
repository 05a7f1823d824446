//! `nova deploy`: deploys an environment, or shows what a deployment would change.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, bail, ensure};
use aws_config::Region;
use events::runtime::aws;
use infra::{
    deploy::{
        Artifacts, DeployOptions, Deployment, DeploymentTarget, Environment, ImageArtifact, PlannedStack,
        StackOutcome,
    },
    local::{build, build_page, container_image, sign_up_function, workspace},
};

use crate::console::Console;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo run --release -- deploy --env prod
  cargo run --release -- deploy --env prod --aws --dry-run
  cargo run --release -- deploy --env prod --aws

Everything that can be wrong in the parameters is named before anything is changed. Each stack is changed through a
change set; a stack that fails is rolled back, and the deployment ends there. Another run goes on.")]
pub(super) struct DeployArguments {
    /// The environment: a file NAME.yaml in infra/parameters.
    #[arg(long, value_name = "NAME")]
    env: String,
    /// Deploy to AWS, with the credentials of the usual AWS variables and files. Without it, the parameters are checked and shown, and
    /// nothing is contacted.
    #[arg(long)]
    aws: bool,
    /// An image that is in the repository of the stack nova-compute, by digest, for example to go back to an earlier one. Without it,
    /// the image is made and pushed.
    #[arg(long, value_name = "URI")]
    image: Option<String>,
    /// Show the changes and make none.
    #[arg(long)]
    dry_run: bool,
    /// Admit the replacement or removal of tables, buckets, queues, secrets and the user pool, with their data.
    #[arg(long)]
    allow_replacement: bool,
}

pub(super) async fn run(arguments: DeployArguments, console: &Console) -> anyhow::Result<ExitCode> {
    let environment = read(&arguments.env)?;
    // The figures of capacity are those of release builds, which need a twentieth of the processor.
    ensure!(
        !arguments.aws || !cfg!(debug_assertions),
        "a debug build is not deployed to AWS: cargo run --release -- deploy …"
    );
    let progress = console.progress();
    progress.begin("Building the binaries");
    let binaries = build(&progress).await?;
    let function = sign_up_function(&binaries).await?;
    progress.end("");
    let image = match arguments.image {
        Some(uri) => ImageArtifact::Pushed(uri),
        None => {
            progress.begin("Making the image");
            let made = container_image(&binaries, workspace().join("target/image")).await?;
            progress.end(&format!("{} MB", made.bytes / 1_000_000));
            ImageArtifact::Local(made)
        }
    };
    progress.begin("Building the page");
    let page = build_page(workspace(), &progress).await?;
    progress.end("");
    let deployment = Deployment {
        environment: &environment,
        options: DeployOptions {
            dry_run: arguments.dry_run,
            allow_replacement: arguments.allow_replacement,
            termination_protection: environment.termination_protection,
        },
        target: DeploymentTarget::Aws,
        artifacts: Artifacts { image, function, page: &page },
    };
    if !arguments.aws {
        for stack in deployment.plan()? {
            console.line(&format!("{}\n{}", stack.name, parameters(&stack)));
        }
        console
            .line("Nothing was changed and nothing was asked: the parameters are complete. --aws deploys.");
        return Ok(ExitCode::SUCCESS);
    }
    let region = Region::new(environment.region.clone());
    let sdk = aws::sdk_config().await?.into_builder().region(region).build();
    let show = |stack: &PlannedStack, outcome: &StackOutcome| {
        let changes = &outcome.changes;
        console.line(&format!(
            "✓ {}: {}",
            stack.name,
            if changes.is_empty() { "unchanged" } else { "changed" }
        ));
        for change in changes {
            console.line(&format!("    {change}"));
        }
    };
    let outputs = deployment.run(&sdk, &aws::s3_client(&sdk), &progress, show).await?;
    if !arguments.dry_run {
        console.line("\nOutputs");
        for (name, value) in &outputs {
            console.line(&format!("  {name:32} {value}"));
        }
        console.line(FIRST_USE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Steps that CloudFormation cannot do.
const FIRST_USE: &str = "
Before the first learner (once for each account and region):
  1. Bedrock: in the console, open Model access and enable Nova 2 Sonic and the Claude model of NOVA_ANALYSIS_MODEL_ID;
     the first use of Claude needs aws-marketplace:Subscribe.
  2. Service Quotas: the number of concurrent bidirectional streams of Nova Sonic is at least the tasks times
     ConversationsPerTask.
  3. SES: wait until the domain is verified, then ask for production access: without it, mails reach verified addresses only. Then
     set PoolMailsThroughSes of the stack identity to true and deploy again; until then Cognito mails 50 codes a day.
  4. SNS: leave the SMS sandbox and set a monthly spending limit, if learners use codes by SMS.
  5. Confirm the subscriptions of the topics nova-alerts-*, which SNS has mailed.";

fn read(name: &str) -> anyhow::Result<Environment> {
    let folder = workspace().join("infra/parameters");
    let path = folder.join(format!("{name}.yaml"));
    let is_plain = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    if !is_plain || !path.is_file() {
        let mut known: Vec<String> = fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
            .collect();
        known.sort();
        bail!(
            "there is no environment {name:?}, only {}; infra/parameters has a file for each",
            known.join(", ")
        );
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Environment::parse(&text).with_context(|| format!("infra/parameters/{name}.yaml"))
}

fn parameters(stack: &PlannedStack) -> String {
    let lines = stack.parameters.iter().map(|(name, value)| format!("    {name}: {value}\n"));
    lines.collect()
}
