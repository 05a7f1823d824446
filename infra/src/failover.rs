//! Moves the service to the standby region: stops the primary's tasks, waits until everything they wrote has arrived, starts the
//! standby's tasks, waits until the name leads there, and sweeps the journal. `infra/RECOVERY.md` says what is lost,
//! `infra/runbooks/failover.md` what an operator does.
//!
//! Every step may be repeated: it looks first whether it is done. No step changes anything in a dry run. The epoch fences writers
//! inside one region only, so no step starts a task while the primary may still run some, unless the caller says that it is lost.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    net::IpAddr,
    time::Duration,
};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{runtime::env, workers::Worker};
use tokio::time::Instant;

use crate::{
    deploy::{StackKind, parameters, set_parameters},
    local::Outputs,
    progress::Progress,
    sweep::{Sweep, SweepReport, SweepScope},
};

/// Interval of looks at what is awaited.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Tasks of a worker after a failover, and the most of them; scaling has an opinion from then on.
const WORKER_TASKS: [u32; 2] = [1, 6];

/// The most tasks of the ingress after a failover.
const INGRESS_TASKS_MAX: u32 = 10;

/// The most conversations of a sweep.
const SWEEP_MAX: usize = 1_000_000;

/// A region of a failover.
#[derive(Clone, Debug)]
pub struct FailoverRegion {
    pub name: String,
    pub sdk: SdkConfig,
    /// First part of the names of its stacks.
    pub prefix: String,
}

/// A failover.
#[derive(Debug)]
pub struct Failover {
    /// `None` if the region is lost: its tasks cannot be stopped, and what has not arrived does not arrive.
    pub primary: Option<FailoverRegion>,
    pub standby: FailoverRegion,
    /// Outputs of the standby; the tables have the same names in both regions.
    pub outputs: Outputs,
    /// Tasks of the ingress in the standby region.
    pub tasks: u32,
    /// The longest wait for the replication, and for the name.
    pub replication_timeout: Duration,
    pub name_timeout: Duration,
    /// Whether anything is changed.
    pub apply: bool,
}

/// A step, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailoverStep {
    StopPrimary,
    CheckReplication,
    StartStandby,
    SwitchName,
    Sweep,
}

impl FailoverStep {
    pub const ALL: [Self; 5] =
        [Self::StopPrimary, Self::CheckReplication, Self::StartStandby, Self::SwitchName, Self::Sweep];

    /// How to go on if the step fails.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::StopPrimary => {
                "repeat the command. If the region does not respond at all, go on with --primary-lost; \
                 before that, make sure that nothing runs there, and repeat this step as soon as it responds: two \
                 active regions overwrite each other"
            }
            Self::CheckReplication => {
                "look at ReplicationLatency of the tables in CloudWatch of the primary, and repeat the command. \
                 --primary-lost goes on without what has not arrived"
            }
            Self::StartStandby => {
                "look at the events of the services in ECS of the standby region (image, secrets, quota), and \
                 repeat the command: what is started stays started"
            }
            Self::SwitchName => {
                "look at the health check of the primary and at the record of the standby in Route 53 \
                 (parameters StandbyDnsName and StandbyZoneId of the stack nova-edge), and repeat the command"
            }
            Self::Sweep => "repeat the command: what was sent twice has its effect once",
        }
    }
}

impl fmt::Display for FailoverStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StopPrimary => "stop the primary's tasks",
            Self::CheckReplication => "check the replication",
            Self::StartStandby => "start the standby's tasks",
            Self::SwitchName => "switch the name",
            Self::Sweep => "sweep the journal",
        })
    }
}

/// Whether the tasks of a region run or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tasks {
    None,
    Some { ingress: u32 },
}

impl Failover {
    /// Stops all tasks of the primary. Returns what was done.
    ///
    /// # Errors
    /// The region does not respond, or a service does not stop.
    pub async fn stop_primary(&self, progress: &Progress) -> anyhow::Result<String> {
        match &self.primary {
            None => Ok("left alone: the region is lost".to_owned()),
            Some(primary) => self.set_tasks(primary, Tasks::None, progress).await,
        }
    }

    /// Writes a marker into each table of the primary and waits until all have arrived in the standby: what was written before
    /// has arrived then. The markers are deleted again.
    ///
    /// # Errors
    /// The marker does not arrive in time.
    pub async fn check_replication(&self) -> anyhow::Result<String> {
        let Some(primary) = &self.primary else {
            return Ok("not possible: what had not arrived when the region was lost is lost".to_owned());
        };
        if !self.apply {
            return Ok("would write a marker into each table and wait for it".to_owned());
        }
        let lag = self.await_markers(primary).await?;
        Ok(format!("everything has arrived; a marker took {:.1} s", lag.as_secs_f64()))
    }

    /// Starts the tasks of the standby, each service with its least number.
    ///
    /// # Errors
    /// A service does not become steady.
    pub async fn start_standby(&self, progress: &Progress) -> anyhow::Result<String> {
        self.set_tasks(&self.standby, Tasks::Some { ingress: self.tasks }, progress).await
    }

    /// Waits until `name` has the addresses of `target`, the load balancer of the standby. Route 53 does this by itself when the
    /// health check of the primary fails, so nothing is changed here.
    ///
    /// # Errors
    /// The name leads elsewhere at the end of the time.
    pub async fn switch_name(
        &self,
        (name, target): (&str, &str),
        mut look_up: impl AsyncFnMut(&str) -> anyhow::Result<BTreeSet<IpAddr>>,
    ) -> anyhow::Result<String> {
        let deadline = Instant::now() + self.name_timeout;
        loop {
            let (found, wanted) = (look_up(name).await, look_up(target).await?);
            let leads_there = found.as_ref().is_ok_and(|found| !found.is_disjoint(&wanted));
            if leads_there {
                return Ok(format!("{name} leads to the standby"));
            }
            if !self.apply {
                return Ok(format!("{name} does not lead to the standby; would wait for it"));
            }
            if Instant::now() >= deadline {
                let found = found.context("the name has no address")?;
                bail!(
                    "{name} leads to {found:?} and not to {target} after {} s",
                    self.name_timeout.as_secs()
                );
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Finds what stopped on the way, and sends what brings it on: the watchdog's messages of the lost queues first of all.
    ///
    /// # Errors
    /// A store cannot be read, or a message cannot be sent.
    pub async fn sweep(&self, sweep: &Sweep) -> anyhow::Result<(String, SweepReport)> {
        let mut report = sweep.look(SweepScope::LostQueues, SWEEP_MAX, |_, _| {}).await?;
        if self.apply {
            sweep.send(&mut report).await?;
        }
        let (gaps, all) = (report.gaps.len(), report.conversations);
        let verb = if self.apply { "were brought on" } else { "would be brought on" };
        Ok((format!("{gaps} of {all} conversations had stopped and {verb}"), report))
    }

    async fn set_tasks(
        &self,
        region: &FailoverRegion,
        tasks: Tasks,
        progress: &Progress,
    ) -> anyhow::Result<String> {
        let client = aws_sdk_cloudformation::Client::new(&region.sdk);
        let services = [StackKind::Api].into_iter().chain(Worker::ALL.map(StackKind::Worker));
        let (mut changed, mut unchanged) = (0, 0);
        for kind in services {
            let stack = kind.stack_name(&region.prefix);
            let [least, most] = match (tasks, kind == StackKind::Api) {
                (Tasks::None, _) => [0, 0],
                (Tasks::Some { ingress }, true) => [ingress, INGRESS_TASKS_MAX.max(ingress)],
                (Tasks::Some { .. }, false) => WORKER_TASKS,
            };
            let values = [("TasksMin", least), ("TasksDesired", least), ("TasksMax", most)]
                .map(|(name, value)| (name, value.to_string()));
            progress.detail(&stack);
            let current = parameters(&client, &stack).await.with_context(|| region.name.clone())?;
            let is_done = values.iter().all(|(name, value)| current.get(*name) == Some(value));
            if is_done {
                unchanged += 1;
                continue;
            }
            if self.apply {
                set_parameters(&client, &stack, &values, progress)
                    .await
                    .with_context(|| region.name.clone())?;
            }
            changed += 1;
        }
        let verb = if self.apply { "changed" } else { "would be changed" };
        Ok(format!("{}: {changed} services {verb}, {unchanged} were like that already", region.name))
    }

    async fn await_markers(&self, primary: &FailoverRegion) -> anyhow::Result<Duration> {
        let markers = self.markers();
        let (here, there) =
            (aws_sdk_dynamodb::Client::new(&primary.sdk), aws_sdk_dynamodb::Client::new(&self.standby.sdk));
        for (table, key) in &markers {
            let put = here.put_item().table_name(table).set_item(Some(key.clone())).send().await;
            put.with_context(|| format!("cannot write a marker into {table} in {}", primary.name))?;
        }
        let began = Instant::now();
        for (table, key) in &markers {
            loop {
                let get = there.get_item().table_name(table).set_key(Some(key.clone())).send().await;
                let get = get.with_context(|| format!("cannot read {table} in {}", self.standby.name))?;
                if get.item.is_some() {
                    break;
                }
                if began.elapsed() >= self.replication_timeout {
                    bail!(
                        "a marker in {table} of {} has not arrived in {} after {} s",
                        primary.name,
                        self.standby.name,
                        self.replication_timeout.as_secs()
                    );
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
        let lag = began.elapsed();
        for (table, key) in markers {
            let delete = here.delete_item().table_name(&table).set_key(Some(key)).send().await;
            delete.with_context(|| format!("cannot delete the marker in {table}"))?;
        }
        Ok(lag)
    }

    /// The keys of a marker in each table that is replicated and written while learners talk.
    fn markers(&self) -> [(String, HashMap<String, AttributeValue>); 5] {
        let marker = format!("failover#{}", env::random_uuid());
        let text = |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
        let id = |name: &str| text(name, &marker);
        let start = ("timestamp".to_owned(), AttributeValue::N("0".to_owned()));
        let outputs = &self.outputs;
        [
            (outputs.users_table.clone(), [id("userId")].into()),
            (outputs.sessions_table.clone(), [id("userId"), text("sessionId", "marker")].into()),
            (outputs.conversations_table.clone(), [id("sessionId"), start].into()),
            (outputs.user_progress_table.clone(), [id("userId"), text("date", "marker")].into()),
            (outputs.effects_table.clone(), [id("effectId")].into()),
        ]
    }
}
