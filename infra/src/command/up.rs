//! The command that builds, starts, monitors and stops the whole service. The ingress uses Redis, as in production, if it is
//! installed; a single task does not need it.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use anyhow::bail;
use infra::local::{RedisServer, Service, Stack, StackOptions, build, is_free, ministack, workspace};

use crate::{console::Console, run_file::RunFolder, signals::StopSignals};

/// The interval of the health checks of the processes.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// The longest time for a process to stop. Workers could drain for longer, but the state of the local cloud is lost anyway.
const STOP_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct UpOptions {
    /// The port of the service.
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

pub(super) async fn run(arguments: UpOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let port = arguments.port;
    if !is_free(port) {
        bail!(
            "port {port} is in use; stop the process that uses it, or choose another port with `cargo run -- --port N`"
        );
    }
    let mut stop = StopSignals::listen()?;
    let folder = RunFolder::take(workspace())?;
    // Dropping the start in the middle ends everything that it started.
    let (stack, redis) = tokio::select! {
        started = start(port, &folder, console) => started?,
        () = stop.next() => {
            console.line("Stopped.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let outcome = tokio::select! {
        died = stack.died() => Err(died),
        () = stop.next() => Ok(()),
        () = follow(&stack, console) => Ok(()),
    };
    if let Err(died) = &outcome {
        console.line(&format!("✗ {died}"));
    }
    let progress = console.progress();
    progress.begin("Stopping");
    progress.detail("Ctrl-C again to stop at once");
    tokio::select! {
        () = end(stack, redis) => progress.end(""),
        () = stop.next() => progress.end("at once"),
    }
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(died) => bail!("{} died, so everything was stopped; start again with `cargo run`", died.name),
    }
}

async fn start(
    port: u16,
    folder: &RunFolder,
    console: &Console,
) -> anyhow::Result<(Stack, Option<RedisServer>)> {
    let progress = console.progress();
    // First what is most likely to be missing on a new machine.
    progress.begin("Installing the local cloud");
    ministack().command(&progress).await?;
    progress.end("");
    progress.begin("Building the service");
    let binaries = build(&progress).await?;
    progress.end("");
    let redis = RedisServer::start_if_installed(folder.state_dir()).await?;
    let of_ingress = |redis: &RedisServer| (Service::Ingress, "NOVA_REDIS_URL".to_owned(), redis.url());
    let options = StackOptions {
        ingress_port: Some(port),
        environment: redis.iter().map(of_ingress).collect(),
        progress: progress.clone(),
        ..StackOptions::new(folder.state_dir(), binaries)
    };
    let stack = Stack::start(options).await?;
    folder.publish(&stack.run_file(folder.state_dir())?)?;
    console.line(&format!("\nNova English runs at {}", stack.url()));
    console.line(&format!("Logs: {}", folder.state_dir().display()));
    if redis.is_none() {
        console.line(
            "There is no redis-server on the PATH: the ingress keeps in its process what tasks would share",
        );
    }
    console.line("Talk to it from another terminal: cargo run -- demo");
    console.line("Ctrl-C stops everything.\n");
    Ok((stack, redis))
}

/// The killed processes are ignored: their messages and leases end with the local cloud.
async fn end(stack: Stack, redis: Option<RedisServer>) {
    stack.stop(STOP_GRACE).await;
    if let Some(redis) = redis {
        redis.stop().await;
    }
}

/// Reports when a process becomes unhealthy, and when it is healthy again.
async fn follow(stack: &Stack, console: &Console) {
    let mut ill = BTreeSet::new();
    loop {
        tokio::time::sleep(HEALTH_INTERVAL).await;
        for (instance, healthy) in stack.health().await {
            if healthy && ill.remove(&instance) {
                console.line(&format!("✓ {instance} is healthy again"));
            } else if !healthy && ill.insert(instance) {
                console.line(&format!("! {instance} is not healthy"));
            }
        }
    }
}
