//! AWS in memory, behind the HTTP seam of the SDK: the real clients encode, sign, retry and decode; what they reach
//! is a model of SQS, DynamoDB, S3, EventBridge, SNS and Bedrock that does what those are allowed to do, and a
//! network that does what networks do. Time is tokio's, all chance is one seed's.
//!
//! It models what the service uses. A call that it does not know makes the run worthless and says so.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::TimeSource,
};
use events::runtime::aws::{ATTEMPT_TIMEOUT, ATTEMPTS_MAX, CONNECT_TIMEOUT, OPERATION_TIMEOUT};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

mod bedrock;
mod dynamodb;
mod eventbridge;
mod expression;
mod reply;
mod s3;
mod seam;
mod sns;
mod sqs;
mod weather;

pub use bedrock::Bedrock;
pub use dynamodb::{DynamoDb, Table};
pub use eventbridge::EventBridge;
pub use expression::Item;
pub use s3::{Object, S3};
pub use sns::{Published, Sns};
pub use sqs::{Message, Queue, Sqs, queue_url};
pub use weather::Weather;

use reply::{Answer, Refusal};
use seam::Seam;
use weather::Fault;

/// The time of day at which every simulation starts, in milliseconds since the Unix epoch.
pub const EPOCH_MS: u64 = 1_795_507_200_000;

/// Polls of one queue whose messages are received and never arrive. SQS counts those receives, so without a bound
/// the queue would give up messages that nobody saw, and rightly so.
const LOST_RECEIVES_MAX: u32 = 1;

/// The whole of it.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    sent: Notify,
}

/// What it is made of.
#[derive(Debug)]
pub struct State {
    /// SQS.
    pub sqs: Sqs,
    /// DynamoDB.
    pub dynamodb: DynamoDb,
    /// S3.
    pub s3: S3,
    /// EventBridge.
    pub eventbridge: EventBridge,
    /// SNS.
    pub sns: Sns,
    /// Bedrock.
    pub bedrock: Bedrock,
    /// How bad it is.
    pub weather: Weather,
    /// Every call that did something, and every fault: one line each.
    pub trace: Vec<String>,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// Calls whose effect and answer may differ: lost replies, late calls, deaths.
    pub ambiguous: u32,
    random: StdRng,
    started: Instant,
    processes: BTreeMap<String, Process>,
    lost_receives: BTreeMap<String, u32>,
}

#[derive(Debug, Default)]
struct Process {
    dead: CancellationToken,
    frozen_until: Option<Instant>,
    doom: Option<Doom>,
}

/// When a doomed process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doom {
    BeforeItsNextCall,
    AfterItsNextCall,
}

enum Link {
    Up,
    Dead,
    Frozen(Instant),
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
    /// An empty cloud, inside a tokio runtime whose clock is paused. The seed is the whole thread's: the SDK draws
    /// from `fastrand`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        fastrand::seed(seed);
        let state = State {
            sqs: Sqs::default(),
            dynamodb: DynamoDb::default(),
            s3: S3::default(),
            eventbridge: EventBridge::default(),
            sns: Sns::default(),
            bedrock: Bedrock::default(),
            weather: Weather::CALM,
            trace: Vec::new(),
            violations: Vec::new(),
            ambiguous: 0,
            random: StdRng::seed_from_u64(seed),
            started: Instant::now(),
            processes: BTreeMap::new(),
            lost_receives: BTreeMap::new(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), sent: Notify::new() }))
    }

    /// What it is made of. Not to be held over an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SDK configuration of `process`, with the timeouts and retries of production.
    #[must_use]
    pub fn sdk_config(&self, process: &str) -> SdkConfig {
        let started = self.state().started;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
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
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    /// Kills a process: from now on nothing that it does is seen by anybody, and nothing answers it.
    pub fn kill(&self, process: &str) {
        self.state().die(process);
    }

    /// Kills a process at its next call, before or after the call has its effect.
    pub fn doom(&self, process: &str) {
        let mut state = self.state();
        let doom =
            if state.random.random_bool(0.7) { Doom::AfterItsNextCall } else { Doom::BeforeItsNextCall };
        state.process(process).doom = Some(doom);
    }

    /// Lets a process reach nothing for `how_long`; what it sends arrives then.
    pub fn freeze(&self, process: &str, how_long: Duration) {
        self.state().process(process).frozen_until = Some(Instant::now() + how_long);
    }

    /// Cancelled when `process` is dead.
    #[must_use]
    pub fn death_of(&self, process: &str) -> CancellationToken {
        self.state().process(process).dead.clone()
    }

    /// Puts a message into a queue, as somebody else may do.
    pub fn send(&self, queue: &str, body: &str) {
        self.state().enqueue(queue, body, BTreeMap::new(), Duration::ZERO);
    }

    fn sent(&self) -> &Notify {
        &self.0.sent
    }
}

impl State {
    /// Creates a queue and its dead-letter queue `<name>-dlq`.
    pub fn create_queue(&mut self, name: &str, visibility: Duration, receives_max: u32) {
        self.sqs.create(name, visibility, receives_max);
    }

    /// Creates a table.
    pub fn create_table(&mut self, name: &str, partition: &'static str, sort: Option<&'static str>) {
        self.dynamodb.create(name, partition, sort);
    }

    /// Creates a bucket.
    pub fn create_bucket(&mut self, name: &str) {
        self.s3.create(name);
    }

    /// Creates a topic.
    pub fn create_topic(&mut self, arn: &str) {
        self.sns.topics.push(arn.to_owned());
    }

    /// Creates the bus, with rules from detail types to queues.
    pub fn create_bus(&mut self, name: &str, rules: Vec<(&'static str, &'static str)>) {
        name.clone_into(&mut self.eventbridge.bus);
        self.eventbridge.rules = rules;
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A random time of so many seconds.
    pub fn seconds(&mut self, least: f64, most: f64) -> Duration {
        let fraction: f64 = self.random.random();
        // Whole milliseconds are what tokio's clock counts.
        let seconds = least + (most - least) * fraction;
        Duration::from_micros(
            (Duration::from_secs_f64(seconds).as_micros() / 1000 * 1000).try_into().unwrap_or(0),
        )
    }

    /// A random number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.random.random_range(0..end)
    }

    fn prank(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability * self.weather.pranks)
    }

    fn fault(&mut self, service: &str, operation: &str, input: &Value) -> Fault {
        let mut fault = weather::fault(&mut self.random, self.weather, service, operation);
        if operation == "ReceiveMessage" && matches!(fault, Fault::LostReply | Fault::Late(_)) {
            let lost = self.lost_receives.entry(input["QueueUrl"].to_string()).or_default();
            *lost += 1;
            if *lost > LOST_RECEIVES_MAX {
                fault = Fault::Reset;
            }
        }
        if matches!(fault, Fault::LostReply | Fault::Late(_)) {
            self.ambiguous += 1;
        }
        fault
    }

    fn process(&mut self, name: &str) -> &mut Process {
        self.processes.entry(name.to_owned()).or_default()
    }

    fn link(&mut self, name: &str) -> Link {
        let process = self.process(name);
        if process.dead.is_cancelled() {
            return Link::Dead;
        }
        let frozen = process.frozen_until.filter(|until| Instant::now() < *until);
        frozen.map_or(Link::Up, Link::Frozen)
    }

    fn die(&mut self, name: &str) {
        self.ambiguous += 1;
        self.forget_waiting(name);
        self.note(name, "-", "-", "dies");
        self.process(name).dead.cancel();
    }

    fn is_doomed_now(&mut self, name: &str) -> bool {
        let now = self.process(name).doom == Some(Doom::BeforeItsNextCall);
        if now {
            self.die(name);
        }
        now
    }

    fn dies_of_its_doom(&mut self, name: &str) -> bool {
        let now = self.process(name).doom == Some(Doom::AfterItsNextCall);
        if now {
            self.die(name);
        }
        now
    }

    fn note(&mut self, process: &str, service: &str, operation: &str, what: &str) {
        let at = self.now().as_millis();
        self.trace.push(format!("{at:>8} {process:<14} {service} {operation}: {what}"));
    }

    fn trace_call(
        &mut self,
        process: &str,
        (service, operation): (&str, &str),
        input: &Value,
        outcome: &Result<Answer, Refusal>,
    ) {
        if let Err(refusal) = outcome
            && refusal.unsupported
        {
            self.violations
                .push(format!("the model cannot answer {service} {operation}: {}", refusal.message));
        }
        let result = match outcome {
            Ok(answer) => format!("ok {}", hex::encode(&Sha256::digest(&answer.body)[..4])),
            Err(refusal) => refusal.code.clone(),
        };
        let mut input = input.to_string();
        if input.len() > 600 {
            let digest = hex::encode(Sha256::digest(&input));
            input.truncate(input.floor_char_boundary(200));
            input = format!("{input}… {digest}");
        }
        self.note(process, service, operation, &format!("{input} -> {result}"));
    }
}
