//! The system of one end-to-end test: the stack of real processes, with or without redelivery in front of the workers, a tap
//! on the bus and an inbox for the alerts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use aws_sdk_eventbridge::types::Target;
use events::workers::Worker;
use infra::client::{Accounts, Learner};
use infra::local::{Cloud, CloudOptions, Outputs, Progress, Queue, Service, Stack, StackOptions};
use tokio::{sync::OnceCell, time::Instant};

use crate::{fault_proxy::FaultProxy, inbox::Inbox, results::Results, tap::Tap};

/// The interval of the checks of a condition.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// The longest time of a process from SIGTERM to its end: a running poll, and a margin.
const STOP_WITHIN: Duration = Duration::from_secs(60);

/// Concurrent speech streams that the quota of the model allows.
const STREAMS_MAX: &str = "64";

/// Seconds between two checks by the watchdog. A test waits for the check after the end of its conversations.
const WATCH_DELAY_SECONDS: &str = "15";

/// Milliseconds of a response of `/auth`: the local user pool takes up to a tenth of a second.
const AUTH_RESPONSE_MS: &str = "150";

/// How often SQS and EventBridge deliver a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Once, as the local cloud does.
    Once,
    /// Each event reaches each queue twice, as two messages, and each message returns after its first delete.
    Twice,
}

/// A running system and its observers.
pub struct System {
    /// The processes and the cloud.
    pub stack: Stack,
    /// Everything published on the bus.
    pub tap: Tap,
    /// Everything published on the topics.
    pub inbox: Inbox,
    /// Reader of the stored results.
    pub results: Results,
    /// The redelivery proxy of [`Delivery::Twice`].
    pub redelivery: Option<FaultProxy>,
    state_dir: PathBuf,
}

impl System {
    /// Builds the binaries once for all tests of this process, then starts everything for the test `name`.
    ///
    /// State and logs of the processes are under `target/e2e/`. [`System::stop`] removes them, so the remaining ones are of
    /// failed tests.
    ///
    /// # Errors
    /// A part cannot start.
    pub async fn start(name: &str, delivery: Delivery) -> anyhow::Result<Self> {
        Self::start_with(name, delivery, |_| {}).await
    }

    /// The same with changed options.
    ///
    /// # Errors
    /// As [`System::start`].
    pub async fn start_with(
        name: &str,
        delivery: Delivery,
        change: impl FnOnce(&mut StackOptions),
    ) -> anyhow::Result<Self> {
        let mut redelivery = None;
        let started = Self::start_behind(name, async |cloud, outputs, options| {
            change(options);
            if delivery == Delivery::Twice {
                deliver_events_twice(&cloud.root(), &outputs.bus_name).await?;
                let mut proxy = FaultProxy::redelivering(cloud.endpoint())?;
                for worker in Worker::ALL {
                    options.endpoints.insert(worker.into(), proxy.open(worker.name()).await?);
                }
                redelivery = Some(proxy);
            }
            Ok(())
        })
        .await;
        let mut system = started?;
        system.redelivery = redelivery;
        Ok(system)
    }

    /// The same with a step `prepare` after the deployment and before the start of the processes.
    ///
    /// # Errors
    /// As [`System::start`].
    pub async fn start_behind(
        name: &str,
        prepare: impl AsyncFnOnce(&Cloud, &Outputs, &mut StackOptions) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        static BUILT: OnceCell<infra::local::Binaries> = OnceCell::const_new();
        let binaries =
            BUILT.get_or_try_init(|| async { infra::local::build(&Progress::silent()).await }).await?;
        let state_dir = state_dir(name)?;
        let mut options = StackOptions::new(state_dir.clone(), binaries.clone());
        // The quota of an account that serves more learners than the default of 20.
        options.simulator_arguments = ["--streams-max", STREAMS_MAX].map(str::to_owned).to_vec();
        for service in [Service::Ingress, Worker::Watchdog.into()] {
            let (name, value) = ("NOVA_WATCH_DELAY_SECONDS".to_owned(), WATCH_DELAY_SECONDS.to_owned());
            options.environment.push((service, name, value));
        }
        let step = ("NOVA_AUTH_RESPONSE_MS".to_owned(), AUTH_RESPONSE_MS.to_owned());
        options.environment.push((Service::Ingress, step.0, step.1));
        // The tests check each alert separately, and twenty concurrent learners would be a storm.
        let alone = ("NOVA_ALERTS_STORM_AFTER".to_owned(), "1000".to_owned());
        options.environment.push((Worker::Alerts.into(), alone.0, alone.1));
        let cloud =
            CloudOptions { state_dir: options.state_dir.clone(), port: None, progress: Progress::silent() };
        let cloud = Cloud::start(&cloud).await?;
        let root = cloud.root();
        let outputs =
            infra::local::deploy(&root, cloud.endpoint(), &options.binaries, &Progress::silent()).await?;
        infra::local::publish_pictures(&root, &outputs.images_table, &Progress::silent()).await?;
        prepare(&cloud, &outputs, &mut options).await?;
        let tap = Tap::open(&root, &outputs.bus_name).await?;
        let topics = [&outputs.critical_topic, &outputs.warning_topic, &outputs.info_topic];
        let inbox = Inbox::open(&root, topics.map(String::as_str)).await?;
        let results = Results::new(cloud.s3(), aws_sdk_dynamodb::Client::new(&root), outputs.clone());
        let stack = Stack::on(cloud, outputs, options).await?;
        Ok(Self { stack, tap, inbox, results, redelivery: None, state_dir })
    }

    /// Waits until no queue holds a message, visible, in flight or delayed, and then checks that every
    /// dead-letter queue is empty.
    ///
    /// # Errors
    /// A queue is not empty in time, or a message was dead-lettered.
    pub async fn await_quiet(&self, within: Duration) -> anyhow::Result<()> {
        self.await_empty(within).await?;
        self.check_no_dead_letters().await
    }

    /// Checks that every dead-letter queue is empty.
    ///
    /// # Errors
    /// A message was dead-lettered.
    pub async fn check_no_dead_letters(&self) -> anyhow::Result<()> {
        for (worker, queue) in self.queues() {
            let messages = self.depth(&queue.dead_letter_url).await?;
            if messages > 0 {
                bail!("{messages} messages in the dead-letter queue of {worker}");
            }
        }
        Ok(())
    }

    /// Waits until no queue holds a message, visible, in flight or delayed.
    ///
    /// # Errors
    /// A queue is not empty in time.
    pub async fn await_empty(&self, within: Duration) -> anyhow::Result<()> {
        await_some("every queue is empty", within, || async {
            let mut left = BTreeMap::new();
            for (worker, queue) in self.queues() {
                let messages = self.depth(&queue.url).await?;
                if messages > 0 {
                    left.insert(worker.name(), messages);
                }
            }
            if left.is_empty() { Ok(Ok(())) } else { Ok(Err(format!("{left:?}"))) }
        })
        .await
    }

    /// Stops all processes.
    ///
    /// # Errors
    /// A process had to be killed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let killed = self.stack.stop(STOP_WITHIN).await;
        if !killed.is_empty() {
            bail!("had to be killed: {killed:?}");
        }
        fs::remove_dir_all(&self.state_dir).context("cannot remove the state of a finished test")
    }

    /// The number of messages in a queue: visible, in flight or delayed.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub async fn depth(&self, queue_url: &str) -> anyhow::Result<u64> {
        self.stack.cloud().queue_depth(queue_url).await
    }

    /// Signs up an account and adds it to a group of the user pool: `analysts` or `ops`.
    ///
    /// # Errors
    /// The sign-up failed.
    pub async fn sign_up_to_group(&self, email: &str, group: &str) -> anyhow::Result<Learner> {
        let accounts = Accounts::new(self.stack.url())?;
        accounts.sign_up(email).await?;
        let pool = aws_sdk_cognitoidentityprovider::Client::new(&self.stack.cloud().root());
        let join = pool.admin_add_user_to_group().user_pool_id(&self.stack.outputs().user_pool_id);
        join.username(email).group_name(group).send().await?;
        accounts.sign_in(email).await
    }

    /// The queues of the workers.
    #[must_use]
    pub fn queues(&self) -> &BTreeMap<Worker, Queue> {
        &self.stack.outputs().queues
    }
}

/// Checks `condition` repeatedly until it returns a value, and returns it. An error text of `condition` names what is missing.
///
/// # Errors
/// `condition` fails, or the time is over; the error contains the last error text.
pub async fn await_some<T, F>(what: &str, within: Duration, mut condition: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> anyhow::Result<Result<T, String>>,
{
    let deadline = Instant::now() + within;
    loop {
        match condition().await.with_context(|| format!("cannot check whether {what}"))? {
            Ok(value) => return Ok(value),
            Err(missing) if Instant::now() >= deadline => {
                bail!("{what}: not within {} s: {missing}", within.as_secs())
            }
            Err(_) => tokio::time::sleep(CHECK_EVERY).await,
        }
    }
}

/// Adds a second target with the same queue to each rule, because EventBridge delivers at least once.
async fn deliver_events_twice(sdk: &aws_config::SdkConfig, bus: &str) -> anyhow::Result<()> {
    let bridge = aws_sdk_eventbridge::Client::new(sdk);
    let rules = bridge.list_rules().event_bus_name(bus).send().await?.rules.unwrap_or_default();
    for rule in rules {
        let name = rule.name.context("a rule without a name")?;
        let targets = bridge.list_targets_by_rule().event_bus_name(bus).rule(&name).send().await?;
        for target in targets.targets.unwrap_or_default() {
            let again = Target::builder().id(format!("{}-again", target.id)).arn(target.arn).build()?;
            bridge.put_targets().event_bus_name(bus).rule(&name).targets(again).send().await?;
        }
    }
    Ok(())
}

/// A folder for this process alone, so that two runs of the tests do not share state.
fn state_dir(name: &str) -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/e2e");
    let folder = folder.join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    Ok(folder.canonicalize()?)
}
