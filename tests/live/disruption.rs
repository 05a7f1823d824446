//! Disruptions of the conversations of a fault test, drawn from a seed: lost streams, lost connections, barge-ins.

use std::time::Duration;

use infra::simulator::faults::{Fault, PlannedFault};
use rand::{RngExt as _, rngs::StdRng};

/// A disruption and its time.
#[derive(Clone, Debug)]
pub(crate) struct Disruption {
    pub(crate) trigger: Trigger,
    pub(crate) kind: DisruptionKind,
}

/// A point of a conversation. Lines count from 0; the greeting counts as the response to line 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trigger {
    /// In a line of the learner, after this part of it, from 0 to 1.
    Speaking { line: usize, part: f64 },
    /// This long after the end of a line, if the response has not begun.
    Waiting { line: usize, after: Duration },
    /// This long after the response to a line began, while it is played.
    Answering { line: usize, after: Duration },
    /// When the next stream opens after the response to a line began.
    Renewing { line: usize },
}

#[derive(Clone, Debug)]
pub(crate) enum DisruptionKind {
    /// The stream to the model has a fault.
    Stream(Fault),
    /// The stream is reset, and this fault occurs when the next ones open.
    Opening(PlannedFault),
    /// The connection is lost.
    Disconnect(Disconnect),
    /// The learner speaks before the end of the response.
    BargeIn {
        /// The client detects it and sends `interrupt`.
        interrupt: bool,
    },
}

/// How a connection is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disconnect {
    /// From the loss to the reconnect.
    pub(crate) duration: Duration,
    /// The client closes the connection with the closing handshake.
    pub(crate) handshake: bool,
    /// Frames of the microphone that the client counts as sent and that never arrive.
    pub(crate) lost_frames: usize,
}

/// Faults of a stream that is open.
const IN_STREAM: [&str; 14] = [
    "exception:internalServerException",
    "exception:modelStreamErrorException",
    "exception:modelTimeoutException",
    "exception:serviceUnavailableException",
    "exception:throttlingException",
    "instability",
    "reset",
    "reset-no-error",
    "goaway",
    "cut",
    "stall",
    "corrupt",
    "end",
    "exception:modelStreamErrorException",
];

/// Faults of streams that open.
const AT_OPENING: [&str; 6] =
    ["throttling*1", "throttling*3", "not-ready*2", "internal*1", "unavailable*2", "late-headers@4000*1"];

/// Number of kinds. Conversation number `n` has the kind `n` modulo this number, and sometimes another one.
pub(crate) const KINDS: usize = IN_STREAM.len() + AT_OPENING.len() + 7;

/// The disruptions of conversation number `n` with `lines` lines.
pub(crate) fn disruptions(n: usize, lines: usize, random: &mut StdRng) -> Vec<Disruption> {
    let mut disruptions = vec![disruption(n % KINDS, lines, random)];
    if random.random_bool(0.4) {
        let kind = random.random_range(0..KINDS);
        disruptions.push(disruption(kind, lines, random));
    }
    disruptions
}

fn disruption(kind: usize, lines: usize, random: &mut StdRng) -> Disruption {
    let line = random.random_range(0..lines);
    let mut millis = |most| Duration::from_millis(random.random_range(0..most));
    let (waiting, answering, away) = (millis(2_500), millis(4_000), millis(9_000));
    let triggers = [
        Trigger::Speaking { line, part: random.random() },
        Trigger::Waiting { line, after: waiting },
        Trigger::Answering { line, after: answering },
    ];
    let anywhere = triggers[random.random_range(0..triggers.len())];
    let fault = |text: &str| text.parse::<PlannedFault>().expect("the names of faults are known");
    if let Some(name) = IN_STREAM.get(kind) {
        return Disruption { trigger: anywhere, kind: DisruptionKind::Stream(fault(name).fault) };
    }
    let kind = kind - IN_STREAM.len();
    if let Some(text) = AT_OPENING.get(kind) {
        return Disruption { trigger: anywhere, kind: DisruptionKind::Opening(fault(text)) };
    }
    // A learner who speaks over a response needs another line.
    let line = random.random_range(0..lines - 1);
    let interrupt = random.random();
    match kind - AT_OPENING.len() {
        0 | 1 => Disruption {
            trigger: Trigger::Answering { line, after: answering },
            kind: DisruptionKind::BargeIn { interrupt },
        },
        2 | 3 => {
            Disruption { trigger: Trigger::Renewing { line }, kind: DisruptionKind::BargeIn { interrupt } }
        }
        _ => {
            let lost_frames = if random.random() { random.random_range(0..4) } else { 0 };
            let disconnect = Disconnect { duration: away, handshake: random.random(), lost_frames };
            Disruption { trigger: anywhere, kind: DisruptionKind::Disconnect(disconnect) }
        }
    }
}
