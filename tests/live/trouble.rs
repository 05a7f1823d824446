//! What goes wrong in a conversation of the test, and when: all of it drawn from a seed.

use std::time::Duration;

use infra::simulator::faults::{Fault, PlannedFault};
use rand::{RngExt as _, rngs::StdRng};

/// What goes wrong, and when.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) when: When,
    pub(crate) what: Mishap,
}

/// A moment of a conversation. Lines count from 0; what is before the first line has the line 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    /// In the middle of a line of the learner, after this part of it, from 0 to 1.
    Speaking { line: usize, part: f64 },
    /// So long after the end of a line, if the answer has not begun.
    Waiting { line: usize, after: Duration },
    /// So long after the answer to a line began, while it is played.
    Answering { line: usize, after: Duration },
    /// When the next stream is opened after the answer to a line began.
    Renewing { line: usize },
}

#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    /// The stream to the model has a fault.
    Stream(Fault),
    /// The stream is reset, and the next ones are opened with these.
    Opening(PlannedFault),
    /// The socket is lost.
    Away(Away),
    /// The learner does not wait for the end of the answer.
    BargeIn {
        /// The page hears it, too, and says so.
        hint: bool,
    },
}

/// How a socket is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    pub(crate) how_long: Duration,
    /// The page says goodbye.
    pub(crate) politely: bool,
    /// Frames of the microphone that the page believes to be sent and that never arrive.
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

/// Faults of streams that are being opened.
const AT_OPENING: [&str; 6] =
    ["throttling*1", "throttling*3", "not-ready*2", "internal*1", "unavailable*2", "late-headers@4000*1"];

/// Kinds of trouble: each is the main one of every so manieth conversation.
pub(crate) const KINDS: usize = IN_STREAM.len() + AT_OPENING.len() + 7;

/// The trouble of conversation number `n`, which has `lines` lines: one of the kind that is its turn, and sometimes
/// another.
pub(crate) fn troubles(n: usize, lines: usize, random: &mut StdRng) -> Vec<Trouble> {
    let mut troubles = vec![trouble(n % KINDS, lines, random)];
    if random.random_bool(0.4) {
        let kind = random.random_range(0..KINDS);
        troubles.push(trouble(kind, lines, random));
    }
    troubles
}

fn trouble(kind: usize, lines: usize, random: &mut StdRng) -> Trouble {
    let line = random.random_range(0..lines);
    let mut millis = |most| Duration::from_millis(random.random_range(0..most));
    let (waiting, answering, away) = (millis(2_500), millis(4_000), millis(9_000));
    let moments = [
        When::Speaking { line, part: random.random() },
        When::Waiting { line, after: waiting },
        When::Answering { line, after: answering },
    ];
    let anywhere = moments[random.random_range(0..moments.len())];
    let fault = |text: &str| text.parse::<PlannedFault>().expect("the names of faults are known");
    if let Some(name) = IN_STREAM.get(kind) {
        return Trouble { when: anywhere, what: Mishap::Stream(fault(name).fault) };
    }
    let kind = kind - IN_STREAM.len();
    if let Some(text) = AT_OPENING.get(kind) {
        return Trouble { when: anywhere, what: Mishap::Opening(fault(text)) };
    }
    // Whoever speaks over an answer needs another line to say.
    let line = random.random_range(0..lines - 1);
    let hint = random.random();
    match kind - AT_OPENING.len() {
        0 | 1 => Trouble { when: When::Answering { line, after: answering }, what: Mishap::BargeIn { hint } },
        2 | 3 => Trouble { when: When::Renewing { line }, what: Mishap::BargeIn { hint } },
        _ => {
            let lost_frames = if random.random() { random.random_range(0..4) } else { 0 };
            let away = Away { how_long: away, politely: random.random(), lost_frames };
            Trouble { when: anywhere, what: Mishap::Away(away) }
        }
    }
}
