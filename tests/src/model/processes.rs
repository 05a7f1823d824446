//! The simulated processes that call the model: each has a name, a clock and an SDK configuration, and can be killed or frozen.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::TimeSource,
};
use events::runtime::{
    aws::{ATTEMPTS_MAX, timeouts},
    env,
};
use jiff::SignedDuration;
use rand::RngExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Cloud, EPOCH_MS, State, seam::Seam};

/// The largest difference of clocks that agree.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(1);

/// The processes by name.
pub(super) type Processes = BTreeMap<String, Process>;

/// A process.
#[derive(Debug, Default)]
pub(super) struct Process {
    tasks: Option<env::Process>,
    dead: CancellationToken,
    doom: Option<Doom>,
    freezes: u32,
}

/// When a doomed process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doom {
    BeforeItsNextCall,
    AfterItsNextCall,
}

/// The SDK's clock: tokio's.
#[derive(Debug)]
struct Clock(Instant);

impl TimeSource for Clock {
    fn now(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + Duration::from_millis(EPOCH_MS) + self.0.elapsed()
    }
}

impl Cloud {
    /// A process with the name `process` whose clock is `skew` ahead. Its tasks are spawned on the returned value.
    #[must_use]
    pub fn process(&self, process: &str, skew: SignedDuration) -> env::Process {
        let tasks = env::Process::new(skew);
        let mut state = self.state();
        state.clocks_agree &= skew.abs() <= SKEW_MAX;
        state.process_named(process).tasks = Some(tasks.clone());
        tasks
    }

    /// The SDK configuration of `process`, with the timeouts and retries of production.
    #[must_use]
    pub fn sdk_config(&self, process: &str) -> SdkConfig {
        // The SDK keeps its retry quota by region for the whole process of the operating system. Processes of a
        // simulation share none.
        static REGIONS: AtomicU64 = AtomicU64::new(1);
        let region = format!("us-east-{}", REGIONS.fetch_add(1, Ordering::Relaxed));
        let started = self.state().started;
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "id",
                "secret",
                None,
                None,
                "simulation",
            )))
            .http_client(Seam { cloud: self.clone(), process: process.to_owned() })
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(Clock(started))
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    /// Kills a process: its tasks are dropped. A call that it has sent may still arrive.
    pub fn kill(&self, process: &str) {
        self.state().die(process);
    }

    /// Kills a process at its next call, before or after the call has its effect.
    pub fn doom(&self, process: &str) {
        let mut state = self.state();
        let doom =
            if state.random.random_bool(0.7) { Doom::AfterItsNextCall } else { Doom::BeforeItsNextCall };
        state.process_named(process).doom = Some(doom);
    }

    /// Freezes a process for `duration`: its tasks do not run, and its calls get their responses. Then it continues as if no
    /// time had passed.
    pub fn freeze(&self, process: &str, duration: Duration) {
        let tasks = {
            let mut state = self.state();
            state.forget_waiting(process);
            state.note(process, "-", "-", &format!("freezes for {duration:?}"));
            let process = state.process_named(process);
            process.freezes += 1;
            process.tasks.clone()
        };
        if let Some(tasks) = tasks {
            tasks.stop();
            tokio::spawn(async move {
                tokio::time::sleep(duration).await;
                tasks.go_on();
            });
        }
    }

    /// Cancelled when `process` is dead.
    #[must_use]
    pub fn death_of(&self, process: &str) -> CancellationToken {
        self.state().process_named(process).dead.clone()
    }
}

impl State {
    /// How often `process` was frozen.
    pub fn freezes(&mut self, process: &str) -> u32 {
        self.process_named(process).freezes
    }

    fn process_named(&mut self, name: &str) -> &mut Process {
        self.processes.entry(name.to_owned()).or_default()
    }

    pub(super) fn is_dead(&mut self, name: &str) -> bool {
        self.process_named(name).dead.is_cancelled()
    }

    pub(super) fn is_doomed_now(&mut self, name: &str) -> bool {
        let now = self.process_named(name).doom == Some(Doom::BeforeItsNextCall);
        if now {
            self.die(name);
        }
        now
    }

    pub(super) fn dies_of_its_doom(&mut self, name: &str) -> bool {
        let now = self.process_named(name).doom == Some(Doom::AfterItsNextCall);
        if now {
            self.die(name);
        }
        now
    }

    fn die(&mut self, name: &str) {
        self.ambiguous += 1;
        self.forget_waiting(name);
        self.note(name, "-", "-", "dies");
        let process = self.process_named(name);
        process.doom = None;
        process.dead.cancel();
        if let Some(tasks) = &process.tasks {
            tasks.kill();
        }
    }
}
