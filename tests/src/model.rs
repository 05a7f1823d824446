//! AWS in memory, behind the HTTP client of the SDK. The real clients encode, sign, retry and decode. They reach a model of SQS,
//! DynamoDB, S3, EventBridge, SNS, Cognito and Bedrock with all behaviour that these services allow themselves, over a network
//! with faults. Time is tokio's clock, and one seed determines all random choices.
//!
//! It models what the service uses. An unsupported call is a violation of the run.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

mod bedrock;
mod call;
mod capacity;
mod cloudwatch;
mod cognito;
mod dynamodb;
mod eventbridge;
mod expression;
pub(crate) mod fault_model;
mod hold;
mod meter;
mod processes;
pub(crate) mod reply;
mod s3;
mod seam;
mod served;
mod ses;
mod sns;
mod sqs;

pub use bedrock::Bedrock;
pub use capacity::{Capacities, Index};
pub use cloudwatch::CloudWatch;
pub use cognito::{CLIENT_ID, CLIENT_SECRET, Cognito, PoolUser, SESSION_VALIDITY, TOTP_CODE};
pub use dynamodb::{DynamoDb, Table};
pub use eventbridge::EventBridge;
pub use expression::Item;
pub use fault_model::{FaultModel, Outage};
pub use hold::Hold;
pub use meter::Meter;
pub use s3::{Object, S3};
pub use served::Served;
pub use ses::{Mail, Ses};
pub use sns::{Published, Sns};
pub use sqs::{Message, Queue, Sqs, queue_url};

use call::Call;
use capacity::Capacity;
use fault_model::Fault;
use hold::Gate;
use processes::Processes;
use reply::{Answer, ServiceError};

/// The time of day at which every simulation starts, in milliseconds since the Unix epoch.
pub const EPOCH_MS: u64 = 1_795_507_200_000;

/// The model.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    sent: Arc<Notify>,
}

/// The state of the model.
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
    /// Metrics and alarms.
    pub cloudwatch: CloudWatch,
    /// The user pool.
    pub cognito: Cognito,
    /// The mail service.
    pub ses: Ses,
    /// Faults of the network and the services.
    pub fault_model: FaultModel,
    /// A service that is not available for a time.
    pub outage: Option<Outage>,
    /// Whether the clocks of all processes agree within a few seconds.
    pub clocks_agree: bool,
    /// What calls consume, if it is counted.
    pub meter: Option<Meter>,
    /// Whether calls are written into the trace.
    pub traced: bool,
    /// One line for each call with an effect and for each fault.
    pub trace: Vec<String>,
    /// Violations of the invariants that the model checks.
    pub violations: Vec<String>,
    /// Calls whose effect and response may differ: lost responses, late calls, killed processes.
    pub ambiguous: u32,
    sent: Arc<Notify>,
    /// The time of day at the start, in milliseconds since the Unix epoch.
    epoch_ms: u64,
    random: StdRng,
    started: Instant,
    processes: Processes,
    gate: Option<Gate>,
}

impl Cloud {
    /// An empty cloud, inside a tokio runtime with a paused clock. It also seeds `fastrand` of this thread, which the SDK uses.
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
            cloudwatch: CloudWatch::default(),
            cognito: Cognito::default(),
            ses: Ses::default(),
            fault_model: FaultModel::CALM,
            outage: None,
            meter: None,
            traced: true,
            sent: Arc::default(),
            clocks_agree: true,
            trace: Vec::new(),
            violations: Vec::new(),
            ambiguous: 0,
            epoch_ms: EPOCH_MS,
            random: StdRng::seed_from_u64(seed),
            started: Instant::now(),
            processes: Processes::new(),
            gate: None,
        };
        let sent = Arc::clone(&state.sent);
        Self(Arc::new(Shared { state: Mutex::new(state), sent }))
    }

    /// The state. The guard must not be held over an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message into a queue.
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
    pub fn create_bus(&mut self, name: &str, rules: Vec<(&'static str, String)>) {
        name.clone_into(&mut self.eventbridge.bus);
        self.eventbridge.rules = rules;
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A random duration from `least` to `most` seconds.
    pub fn seconds(&mut self, least: f64, most: f64) -> Duration {
        let fraction: f64 = self.random.random();
        // The resolution of tokio's clock is a millisecond.
        let seconds = least + (most - least) * fraction;
        Duration::from_micros(
            (Duration::from_secs_f64(seconds).as_micros() / 1000 * 1000).try_into().unwrap_or(0),
        )
    }

    /// A random number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.random.random_range(0..end)
    }

    fn anomaly(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability * self.fault_model.anomalies)
    }

    fn fault(&mut self, service: &str, operation: &str) -> Fault {
        let now = self.now();
        if let Some(refusal) = self.outage.as_ref().and_then(|outage| outage.error(service, now)) {
            return Fault::Refused(refusal);
        }
        let fault = fault_model::fault(&mut self.random, self.fault_model, service, operation);
        if matches!(fault, Fault::LostReply | Fault::Late(_)) {
            self.ambiguous += 1;
        }
        fault
    }

    /// Counts a call for the meter. `before` is what DynamoDB had consumed before it.
    fn metered(
        &mut self,
        process: &str,
        call: &Call,
        outcome: &Result<Answer, ServiceError>,
        before: Capacity,
    ) {
        let consumed = self.consumed().since(before);
        if let Some(meter) = &mut self.meter {
            meter.count(process, call, outcome, consumed);
        }
    }

    fn consumed(&self) -> Capacity {
        self.dynamodb.capacities.as_ref().map(|capacities| capacities.consumed).unwrap_or_default()
    }

    fn note(&mut self, process: &str, service: &str, operation: &str, what: &str) {
        if !self.traced {
            return;
        }
        let at = self.now().as_millis();
        self.trace.push(format!("{at:>8} {process:<14} {service} {operation}: {what}"));
    }

    fn trace_call(
        &mut self,
        process: &str,
        (service, operation): (&str, &str),
        input: &Value,
        outcome: &Result<Answer, ServiceError>,
    ) {
        if let Err(refusal) = outcome
            && refusal.unsupported
        {
            self.violations
                .push(format!("the model does not support {service} {operation}: {}", refusal.message));
        }
        if !self.traced {
            return;
        }
        let result = match outcome {
            Ok(answer) => format!("ok {:08x}", digest(&answer.body)),
            Err(refusal) => refusal.code.clone(),
        };
        let mut input = input.to_string();
        if input.len() > 600 {
            let digest = digest(input.as_bytes());
            input.truncate(input.floor_char_boundary(200));
            input = format!("{input}… {digest:016x}");
        }
        self.note(process, service, operation, &format!("{input} -> {result}"));
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
