//! The real workers as processes behind a proxy that injects faults into their calls. They are killed, stopped and frozen at
//! random for a while. After a quiet period the invariants of `tests/src/expected.rs` hold, as in the simulation.
//!
//! `NOVA_CHAOS_SECONDS=n` sets the duration, `NOVA_CHAOS_SEED=x` repeats the plan: the faults of each client's n-th call of
//! an operation, the disturbances of the processes, and the conversations. The timing depends on the machine.
//!
//! Faults are more frequent than in production, where a worker does not die every ten seconds. So the visibility timeouts
//! and the lease of a conversation's owner are shorter. Everything else is deployed as in production.

mod ingress;
mod plan;
mod processes;

use std::{env, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use events::{contract::ConversationId, workers::Worker};
use futures_util::future::try_join;
use infra::local::{Cloud, Outputs, Service, StackOptions};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tests::{
    actual,
    expected::{self, Planned},
    fault_proxy::{CallLog, FaultProxy, Kind},
    journalled::Acknowledgements,
    system::System,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::beside_others;
use ingress::{Ingress, WATCH_DELAY_SECONDS};
use plan::{COPIES, Disturbance, POISON, VISIBILITY, disturbances};

/// Default duration of the chaos, in seconds.
const SECONDS: u64 = 40;

/// The longest time until every queue is empty. A message of a lost worker returns after its visibility timeout, the lease of
/// its effect lasts 45 s, and a failed message returns after a minute or two.
const QUIET_WITHIN: Duration = Duration::from_secs(240);

/// Longer than any visibility timeout that was set during the chaos.
const VISIBILITY_MAX: Duration = Duration::from_secs(13);

/// Requests to the model about one conversation: each receive may send two, and be killed after them.
const MODEL_REQUESTS_MAX: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn killed_stopped_and_frozen_behind_a_faulty_network_the_workers_lose_and_repeat_nothing()
-> anyhow::Result<()> {
    let _place = beside_others().await;
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("NOVA_CHAOS_SEED").unwrap_or_else(rand::random);
    let length = Duration::from_secs(number("NOVA_CHAOS_SECONDS").unwrap_or(SECONDS));
    eprintln!("NOVA_CHAOS_SEED={seed} NOVA_CHAOS_SECONDS={} repeats the plan", length.as_secs());
    let began = Instant::now();
    let mut prepared = None;
    let system = System::start_behind("chaos", async |cloud, outputs, options| {
        prepared = Some(prepare(seed, cloud, outputs, options).await?);
        Ok(())
    })
    .await?;
    let (proxy, ingress) = prepared.context("the proxy was not started")?;
    eprintln!("started within {:?}", began.elapsed());
    let simulator = system.stack.simulator().context("the models are not simulated")?;
    proxy.connect_model(&simulator.endpoint, &simulator.ca_bundle)?;
    let chaos = chaos(&system, &proxy, (seed, length), ingress);
    let (acknowledgements, (all, stopped)) = tokio::select! {
        done = chaos => done?,
        died = system.stack.died() => bail!("{died}"),
    };
    eprintln!("{} disturbances; all processes stopped together within {stopped:?}", all.len());
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
    let of_alerts = all.iter().filter(|disturbance| disturbance.instance.service == Worker::Alerts.into());
    let of_alerts = u32::try_from(of_alerts.count())?;
    let (actual, alerts_about_dead_letters) =
        actual::collect(&system, acknowledgements.conversations()).await?;
    ensure!(alerts_about_dead_letters > 0, "I4: no alert about the dead letters was sent");
    let ambiguous = call_log.ambiguous.get(Worker::Alerts.name()).copied().unwrap_or(0);
    let poison = POISON.map(|(worker, body)| (worker.name().to_owned(), body.to_owned()));
    let found = expected::compare(
        &actual,
        &Planned {
            poison: poison.to_vec(),
            repeated_alerts_max: ambiguous + of_alerts,
            ..Planned::default()
        },
    );
    for id in actual.acknowledged.keys() {
        let requests = model_requests(&call_log, *id);
        ensure!(requests <= MODEL_REQUESTS_MAX, "I2: {requests} requests to the model about {id}");
    }
    eprintln!(
        "{} conversations, {} assessments, {} events, {} alerts; {:?} in all",
        actual.acknowledged.len(),
        actual.analyses.len(),
        actual.events.len(),
        actual.alerts.len(),
        began.elapsed()
    );
    ensure!(found.is_empty(), "{}", found.join("\n"));
    // Their stop was checked before. Another one would wait for idle polls.
    processes::kill_all(&system.stack).await?;
    system.stop().await
}

/// How many requests to the model contain the words of the conversation `id`. Each turn begins with the id.
fn model_requests(call_log: &CallLog, id: ConversationId) -> usize {
    let id = id.to_string();
    let is_about = |body: &&bytes::Bytes| body.windows(id.len()).any(|words| words == id.as_bytes());
    call_log.model_requests.iter().filter(is_about).count()
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

/// Conversations with disturbances, then conversations without, then a stop of all processes. Returns what was acknowledged,
/// the disturbances, and how long the last of them took to stop. At the end all of them run again.
async fn chaos(
    system: &System,
    proxy: &FaultProxy,
    (seed, length): (u64, Duration),
    ingress: Arc<Ingress>,
) -> anyhow::Result<(Arc<Acknowledgements>, (Vec<Disturbance>, Duration))> {
    let stack = &system.stack;
    let stop = CancellationToken::new();
    let disturbed = async {
        let end = Instant::now() + length;
        let plan = disturbances(seed, length);
        let (all, ()) = try_join(
            async {
                let all = processes::disturb(stack, &plan, end).await?;
                // Not a wait for a condition: the duration of the chaos.
                tokio::time::sleep_until(end).await;
                proxy.calm();
                anyhow::Ok(all)
            },
            poison(system, seed, length),
        )
        .await?;
        // Messages of killed and frozen processes must not count as kept by the stopping ones.
        tokio::time::sleep(VISIBILITY_MAX).await;
        let took = processes::stop_all(stack).await?;
        let (call_log, now) = proxy.call_log();
        let kept: Vec<_> = call_log.in_flight(now).collect();
        ensure!(kept.is_empty(), "I8: stopped workers keep messages after {took:?}: {kept:?}");
        stop.cancel();
        processes::start_all(stack).await?;
        Ok((all, took))
    };
    try_join(Arc::clone(&ingress).run(seed, stop.clone()), disturbed).await
}

/// Sends the messages that no worker can handle, each at a random time.
async fn poison(system: &System, seed: u64, length: Duration) -> anyhow::Result<()> {
    let sqs = aws_sdk_sqs::Client::new(&system.stack.cloud().root());
    let mut random = StdRng::seed_from_u64(seed);
    for (worker, body) in POISON {
        // Not a wait for a condition: the random time.
        tokio::time::sleep(length.mul_f64(random.random_range(0.0..0.19))).await;
        let queue = system.stack.outputs().queue(worker)?;
        sqs.send_message().queue_url(&queue.url).message_body(body).send().await?;
    }
    Ok(())
}
