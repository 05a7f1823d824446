//! PURE. The faults of calls and their probabilities. For a seed the n-th call of an operation by a client always has the same
//! fault.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::call::{Call, RECEIVE};
use crate::model::reply::Answer;

/// The probability of a fault of a call.
const PROBABILITY: f64 = 0.1;

/// The most consecutive faults of one operation of one client. The SDK makes three attempts, so some calls fail.
const IN_A_ROW_MAX: u32 = 4;

/// The same for calls that send a message to a dead-letter queue. After a failure the worker leaves the message for up to a
/// quarter of an hour.
const DEAD_LETTERS_IN_A_ROW_MAX: u32 = 1;

/// A fault of a call.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The service refuses without an effect.
    Refused(Answer),
    /// The connection is reset before the call arrives.
    Reset,
    /// The call has its effect, and the connection is reset before the response.
    LostReply,
    /// The call does not arrive and gets no response.
    Hung,
    /// The call arrives after this time, even if its caller no longer waits.
    Delayed(Duration),
    /// The call has its effect, and half of the response arrives.
    Truncated,
    /// The call arrives twice, and the caller receives the second response.
    Twice,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are those of a fault")]
pub enum Kind {
    Refused,
    Reset,
    LostReply,
    Hung,
    Delayed,
    Truncated,
    Twice,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Refused,
        Self::Reset,
        Self::LostReply,
        Self::Hung,
        Self::Delayed,
        Self::Truncated,
        Self::Twice,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::LostReply => "lost replies",
            Self::Hung => "hung",
            Self::Delayed => "delayed",
            Self::Truncated => "truncated",
            Self::Twice => "twice",
        })
    }
}

impl Fault {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Refused(_) => Kind::Refused,
            Self::Reset => Kind::Reset,
            Self::LostReply => Kind::LostReply,
            Self::Hung => Kind::Hung,
            Self::Delayed(_) => Kind::Delayed,
            Self::Truncated => Kind::Truncated,
            Self::Twice => Kind::Twice,
        }
    }

    /// Whether the caller does not know the effect of its call.
    pub(super) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::LostReply | Self::Delayed(_) | Self::Truncated | Self::Twice)
    }
}

/// The faults of a seed.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    streams: BTreeMap<(String, String, bool), Stream>,
}

/// The calls of one operation by one client.
#[derive(Debug)]
struct Stream {
    random: StdRng,
    in_a_row: u32,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, streams: BTreeMap::new() }
    }

    /// The fault of the next call of `client`.
    pub(super) fn next(&mut self, client: &str, call: &Call) -> Option<Fault> {
        let dead_letter = call.is_dead_letter();
        let key = (client.to_owned(), format!("{} {}", call.service, call.operation), dead_letter);
        let mut hasher = DefaultHasher::new();
        (self.seed, &key).hash(&mut hasher);
        let seed = hasher.finish();
        let stream = self
            .streams
            .entry(key)
            .or_insert_with(|| Stream { random: StdRng::seed_from_u64(seed), in_a_row: 0 });
        let most = if dead_letter { DEAD_LETTERS_IN_A_ROW_MAX } else { IN_A_ROW_MAX };
        let happens = stream.random.random_bool(PROBABILITY) && stream.in_a_row < most;
        stream.in_a_row = if happens { stream.in_a_row + 1 } else { 0 };
        happens.then(|| one(&mut stream.random, call))
    }
}

fn one(random: &mut StdRng, call: &Call) -> Fault {
    match random.random_range(0..8) {
        0 | 1 => Fault::Refused(call.refusal(random)),
        2 => Fault::Reset,
        3 => Fault::LostReply,
        4 => Fault::Hung,
        5 => Fault::Delayed(delay(random, call)),
        6 => Fault::Truncated,
        _ => Fault::Twice,
    }
}

/// Most delays are shorter than an attempt of a client, some are longer. The delay of a poll is short.
fn delay(random: &mut StdRng, call: &Call) -> Duration {
    let short = call.operation == RECEIVE || random.random_bool(0.7);
    Duration::from_millis(random.random_range(if short { 200..3000 } else { 5500..9000 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, queue: &str) -> Call {
        let input = serde_json::json!({ "QueueUrl": queue });
        Call { service: "sqs", operation: operation.to_owned(), input }
    }

    fn kinds(seed: u64, call: &Call) -> Vec<Option<Kind>> {
        let mut faults = Faults::new(seed);
        (0..2000).map(|_| faults.next("alerts", call).map(|fault| fault.kind())).collect()
    }

    #[test]
    fn same_seed_has_the_same_faults_and_every_kind_of_them() {
        let call = call("SendMessage", "http://host/1/nova-watchdog");
        let first = kinds(1, &call);
        assert_eq!(first, kinds(1, &call));
        assert_ne!(first, kinds(2, &call));
        for kind in Kind::ALL {
            assert!(first.contains(&Some(kind)), "{kind}");
        }
        let faults = first.iter().flatten().count();
        assert!((120..280).contains(&faults), "{faults}");
    }

    #[test]
    fn dead_letter_is_spared_a_second_fault_in_a_row() {
        let seen = kinds(1, &call("SendMessage", "http://host/1/nova-alerts-dlq"));
        assert!(seen.iter().flatten().count() > 50);
        assert!(!seen.windows(2).any(|two| two[0].is_some() && two[1].is_some()));
    }
}
