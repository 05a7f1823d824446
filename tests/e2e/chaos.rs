//! The real workers as processes, behind a proxy that does to their calls what networks and services do, killed, stopped
//! and frozen at random for a while, and then quiet: I1 to I8 hold, as they do in the simulation.
//!
//! `NOVA_CHAOS_SECONDS=n` chooses how long, `NOVA_CHAOS_SEED=x` repeats what is planned: the faults of each client's n-th
//! call of an operation, the troubles of the processes, the conversations. What comes of it depends on the machine.
//!
//! Everything happens more often than it ever will in production, where a worker does not die every ten seconds. So the
//! queues have a shorter visibility timeout, and a conversation's owner is trusted for a shorter time. Everything else is as
//! it is deployed.

mod oracle;
mod plan;
mod processes;
mod talk;

use events::workers::Worker;
use std::{env, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::try_join;
use infra::local::{Cloud, Instance, Outputs, Service, StackOptions};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tests::{
    fault_proxy::{FaultProxy, Kind},
    system::System,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::beside_others;
use plan::{COPIES, POISON, VISIBILITY, troubles};
use processes::Done;
use talk::{All, Ingress, WATCH_DELAY_SECONDS};

/// How long it lasts, unless `NOVA_CHAOS_SECONDS` says otherwise.
const SECONDS: u64 = 40;

/// How long it may take until every queue is empty. What a worker held is held for a visibility timeout more, and by the
/// lease of its effect for 45 s; what failed comes back after a minute or two.
const QUIET_WITHIN: Duration = Duration::from_secs(240);

/// Longer than anything that a message was lent for in the storm.
const LENT_MAX: Duration = Duration::from_secs(13);

#[tokio::test(flavor = "multi_thread")]
async fn killed_stopped_and_frozen_behind_a_faulty_network_the_workers_lose_and_repeat_nothing()
-> anyhow::Result<()> {
    let _place = beside_others().await;
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("NOVA_CHAOS_SEED").unwrap_or_else(rand::random);
    let length = Duration::from_secs(number("NOVA_CHAOS_SECONDS").unwrap_or(SECONDS));
    eprintln!("NOVA_CHAOS_SEED={seed} NOVA_CHAOS_SECONDS={} repeats what is planned", length.as_secs());
    let began = Instant::now();
    let mut between = None;
    let system = System::start_behind("chaos", async |cloud, outputs, options| {
        between = Some(prepare(seed, cloud, outputs, options).await?);
        Ok(())
    })
    .await?;
    let (proxy, ingress) = between.context("there is no proxy")?;
    eprintln!("started within {:?}", began.elapsed());
    proxy.connect_model(system.stack.bedrock_endpoint(), system.stack.ca_bundle())?;
    let storm = storm(&system, &proxy, (seed, length), ingress);
    let (told, (all, stopped)) = tokio::select! {
        done = storm => done?,
        died = system.stack.died() => bail!("{died}"),
    };
    eprintln!("{:?}; all stopped at once within {stopped:?}", processes::sum(&all));
    let quiet = Instant::now();
    tokio::select! {
        done = system.await_empty(QUIET_WITHIN) => done.context("I5")?,
        died = system.stack.died() => bail!("{died}"),
    }
    eprintln!("quiet after {:?}", quiet.elapsed());
    let (call_log, _) = proxy.call_log();
    let calls: u32 = call_log.calls.values().sum();
    eprintln!("{calls} calls; messages by receives: {:?}", call_log.receives());
    for kind in Kind::ALL {
        eprintln!("{kind}: {}", call_log.of_kind(kind));
        ensure!(call_log.of_kind(kind) > 0, "no call was {kind}");
    }
    let seen = oracle::look(&system, told, call_log).await?;
    let alerts: Vec<_> =
        all.into_iter().filter(|(instance, _)| instance.service == Worker::Alerts.into()).collect();
    let (found, numbers) = oracle::judge(&seen, processes::sum(&alerts).troubles());
    eprintln!("{numbers:?}; {:?} in all", began.elapsed());
    ensure!(found.is_empty(), "{}", found.join("\n"));
    // They were asked to stop before; idle polls would take their time once more.
    processes::kill_all(&system.stack).await?;
    system.stop().await
}

/// Puts the proxy between the workers and everything else.
async fn prepare(
    seed: u64,
    cloud: &Cloud,
    outputs: &Outputs,
    options: &mut StackOptions,
) -> anyhow::Result<(FaultProxy, Arc<Ingress>)> {
    let sqs = aws_sdk_sqs::Client::new(&cloud.root());
    let visibility = VISIBILITY.as_secs().to_string();
    for queue in outputs.queues.values() {
        let set = sqs.set_queue_attributes().queue_url(&queue.url);
        set.attributes(QueueAttributeName::VisibilityTimeout, &visibility).send().await?;
    }
    let mut proxy = FaultProxy::new(cloud.endpoint(), VISIBILITY, seed)?;
    for worker in Worker::ALL {
        options.endpoints.insert(worker.into(), proxy.open(worker.name()).await?);
    }
    let model = proxy.open_to_model(Worker::Analysis.name()).await?;
    options.environment.push((Worker::Analysis.into(), "AWS_ENDPOINT_URL_BEDROCK_RUNTIME".to_owned(), model));
    let delay = ("NOVA_WATCH_DELAY_SECONDS".to_owned(), WATCH_DELAY_SECONDS.to_string());
    options.environment.push((Worker::Watchdog.into(), delay.0, delay.1));
    options.services = Worker::ALL.map(Service::from).to_vec();
    options.copies = COPIES.try_into()?;
    let ingress = Ingress::new(&proxy.open("ingress").await?, cloud, outputs);
    Ok((proxy, ingress))
}

/// Conversations and trouble, then conversations without trouble, then everybody is asked to stop. Returns what was said,
/// what was done to the processes, and how long the last of them took to stop. All of them run again then.
async fn storm(
    system: &System,
    proxy: &FaultProxy,
    (seed, length): (u64, Duration),
    ingress: Arc<Ingress>,
) -> anyhow::Result<(All, (Vec<(Instance, Done)>, Duration))> {
    let stack = &system.stack;
    let enough = CancellationToken::new();
    let worked = async {
        let end = Instant::now() + length;
        let plan = troubles(seed, length);
        let (all, ()) = try_join(
            async {
                let all = processes::trouble(stack, &plan, end).await?;
                // Not a wait for a condition: the storm lasts as long as it lasts.
                tokio::time::sleep_until(end).await;
                proxy.calm();
                anyhow::Ok(all)
            },
            poison(system, seed, length),
        )
        .await?;
        // What the dead and the frozen had must not be taken for what the stopping keep.
        tokio::time::sleep(LENT_MAX).await;
        let took = processes::stop_all(stack).await?;
        let (call_log, now) = proxy.call_log();
        let kept: Vec<_> = call_log.held(now).collect();
        ensure!(kept.is_empty(), "I8: kept after {took:?} by workers that were asked to stop: {kept:?}");
        enough.cancel();
        processes::start_all(stack).await?;
        Ok((all, took))
    };
    try_join(Arc::clone(&ingress).talk(seed, enough.clone()), worked).await
}

/// Sends what nobody can handle, each at a moment of its own.
async fn poison(system: &System, seed: u64, length: Duration) -> anyhow::Result<()> {
    let sqs = aws_sdk_sqs::Client::new(&system.stack.cloud().root());
    let mut random = StdRng::seed_from_u64(seed);
    for (worker, body) in POISON {
        // Not a wait for a condition: the moment itself.
        tokio::time::sleep(length.mul_f64(random.random_range(0.0..0.19))).await;
        let queue = system.stack.outputs().queue(worker)?;
        sqs.send_message().queue_url(&queue.url).message_body(body).send().await?;
    }
    Ok(())
}
