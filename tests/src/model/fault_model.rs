//! PURE. The fault model: the faults of the network and of services, drawn from the random generator of a run.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

use super::reply::ServiceError;

/// The probabilities of faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultModel {
    /// The probability of a fault of a call, from 0 to 1.
    pub faults: f64,
    /// A factor for the probabilities of the anomalies that services allow themselves: copies, redeliveries, partial failures.
    pub anomalies: f64,
}

impl FaultModel {
    /// No faults.
    pub const CALM: Self = Self { faults: 0.0, anomalies: 0.0 };

    /// The most faults that a simulation injects.
    pub const STORM: Self = Self { faults: 0.12, anomalies: 1.0 };

    /// Whether there are no faults.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        *self == Self::CALM
    }
}

/// A service refuses every call for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The service, by the name of its endpoint: `dynamodb`, `s3`, `bedrock-runtime`.
    pub service: &'static str,
    /// Its response: the status and the code of its protocol.
    pub response: (u16, &'static str),
    /// Start, since the start of the run.
    pub since: Duration,
    /// End.
    pub until: Duration,
}

impl Outage {
    pub(super) fn error(&self, service: &str, now: Duration) -> Option<ServiceError> {
        let (status, code) = self.response;
        let hit = service == self.service && (self.since..self.until).contains(&now);
        hit.then(|| ServiceError::new(status, code, "not now"))
    }
}

/// A fault of one call.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// No fault.
    None,
    /// The connection is reset before the call arrives.
    Reset,
    /// The service refuses without an effect.
    Refused(ServiceError),
    /// The call has its effect, and its response is lost.
    LostReply,
    /// The call arrives after this time, even if its caller no longer waits.
    Late(Duration),
}

/// The fault of one call of `operation` of `service`.
pub(super) fn fault(random: &mut StdRng, fault_model: FaultModel, service: &str, operation: &str) -> Fault {
    if !random.random_bool(fault_model.faults) {
        return Fault::None;
    }
    let is_write = matches!(operation, "PutItem" | "UpdateItem" | "TransactWriteItems" | "PutObject");
    match random.random_range(0..if is_write { 7 } else { 5 }) {
        0 => Fault::Reset,
        1 => Fault::Refused(ServiceError::new(
            if random.random_bool(0.5) { 500 } else { 503 },
            "InternalServerError",
            "try again",
        )),
        2 => Fault::Refused(throttled(service)),
        3 => Fault::LostReply,
        4 => {
            let short = random.random_bool(0.7);
            Fault::Late(Duration::from_millis(random.random_range(if short {
                500..12_000
            } else {
                12_000..150_000
            })))
        }
        _ => Fault::Refused(conflict(operation)),
    }
}

pub(crate) fn throttled(service: &str) -> ServiceError {
    let (status, code) = match service {
        "s3" => (503, "SlowDown"),
        "sqs" => (400, "RequestThrottled"),
        "sns" => (400, "Throttling"),
        "bedrock-runtime" => (429, "ThrottlingException"),
        _ => (400, "ThrottlingException"),
    };
    ServiceError::new(status, code, "slow down")
}

pub(crate) fn conflict(operation: &str) -> ServiceError {
    match operation {
        "PutObject" => ServiceError::new(409, "ConditionalRequestConflict", "a race"),
        "TransactWriteItems" => super::dynamodb::canceled(&[
            serde_json::json!({ "Code": "TransactionConflict" }),
            serde_json::json!({ "Code": "None" }),
        ]),
        _ => ServiceError::new(400, "TransactionConflictException", "a race"),
    }
}
