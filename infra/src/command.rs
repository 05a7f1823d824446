//! The commands of `nova`. `--help` is their reference.

mod cost;
mod demo;
mod deploy;
mod failover;
mod image;
mod load;
mod ops;
mod pictures;
mod results;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use infra::{
    load::relay::{self, RelayOptions},
    simulator::{self, SimulatorOptions},
};
use tokio_util::sync::CancellationToken;

use crate::{console::Console, signals::StopSignals};

/// Nova English on one machine: the real binaries on a local cloud and a simulated Amazon Bedrock.
///
/// Without a command, everything is built and started and runs until Ctrl-C. In a second terminal,
/// `cargo run -- demo` holds a spoken conversation with it and shows what comes of it.
#[derive(Debug, Parser)]
#[command(name = "nova", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    up: up::UpOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build and start everything; the same as no command.
    Up(up::UpOptions),
    /// Hold one spoken conversation with the running service and show what comes of it.
    Demo(demo::DemoOptions),
    /// Hold many conversations at once in real time and measure what they cost.
    Load(load::Options),
    /// Deploy an environment through CloudFormation, or show what a deployment would change.
    Deploy(deploy::DeployArguments),
    /// Show what a month of the service costs on AWS, and why it differs from the architecture document.
    Cost(cost::CostOptions),
    /// Make the container image of the service.
    Image(image::ImageArguments),
    /// Move the service to the standby region, or show what would be done.
    Failover(failover::FailoverOptions),
    /// Operate the service: queues, dead letters, where a conversation is, replays.
    Ops(ops::OpsOptions),
    /// Publish the pictures, or have photographs made in their place.
    Pictures(pictures::PicturesOptions),
    /// Check everything that CI checks.
    Test,
    /// Run the Bedrock simulator alone, for any AWS client.
    Simulator(SimulatorOptions),
    /// Run the reference relay of the load test.
    #[command(hide = true)]
    Relay(RelayOptions),
}

pub(crate) async fn run(arguments: Arguments, console: &Console) -> anyhow::Result<ExitCode> {
    match arguments.command.unwrap_or(Command::Up(arguments.up)) {
        Command::Up(arguments) => up::run(arguments, console).await,
        Command::Demo(arguments) => demo::run(arguments, console).await,
        Command::Load(options) => load::run(options, console).await,
        Command::Deploy(arguments) => Box::pin(deploy::run(arguments, console)).await,
        Command::Cost(options) => cost::run(&options, console),
        Command::Image(arguments) => image::run(arguments, console).await,
        Command::Failover(options) => Box::pin(failover::run(options, console)).await,
        Command::Ops(options) => Box::pin(ops::run(options, console)).await,
        Command::Pictures(options) => Box::pin(pictures::run(options, console)).await,
        Command::Test => test::run(console).await,
        Command::Simulator(options) => simulate(options).await,
        Command::Relay(options) => {
            Box::pin(relay::run(options)).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn simulate(options: SimulatorOptions) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::listen()?;
    let shutdown = CancellationToken::new();
    let stopped = shutdown.clone();
    tokio::spawn(async move {
        stop.next().await;
        stopped.cancel();
    });
    simulator::run(options, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_without_a_command_are_those_of_up() {
        let arguments = Arguments::try_parse_from(["nova", "--port", "3001"]).unwrap();
        assert!(arguments.command.is_none());
        assert!(Arguments::try_parse_from(["nova", "--port", "3001", "test"]).is_err());
    }

    #[test]
    fn worker_that_is_left_out_is_one_of_the_list() {
        for command in [&["nova"][..], &["nova", "up"]] {
            for worker in events::workers::Worker::ALL {
                let named = command.iter().copied().chain(["--without", worker.name()]);
                assert!(Arguments::try_parse_from(named).is_ok(), "{worker}");
            }
            let unknown = command.iter().copied().chain(["--without", "nobody"]);
            let error = Arguments::try_parse_from(unknown).unwrap_err().to_string();
            assert!(
                events::workers::Worker::ALL.iter().all(|worker| error.contains(worker.name())),
                "{error}"
            );
        }
    }
}
