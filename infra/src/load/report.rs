//! PURE. The result of a load test: figures, a table, and one line of JSON.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{LoadOptions, conversation::Outcome, meter::Sample};
use crate::simulator::latency::Latency;

/// The most problems in a report.
const PROBLEMS_MAX: usize = 5;

/// From this load on, in processors, a processor is a bottleneck.
const BUSY: f64 = 0.8;

/// From this lateness on at p99, in milliseconds, the generator is a bottleneck.
const LATE_MS: f64 = 10.0;

/// From this number on, processors that are busy with other work distort the figures.
const DISTORTED: f64 = 0.2;

/// The measurements of the window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) seconds: f64,
    pub(super) conversation_seconds: f64,
    pub(super) used: Sample,
    pub(super) resident_kb: u64,
    pub(super) resident_empty_kb: u64,
    pub(super) reference_ns: u64,
    pub(super) up: Latency,
    pub(super) down: Latency,
    pub(super) late: Latency,
    pub(super) opening: Latency,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// The ingress.
    Service,
    /// The reference relay.
    Relay,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "Service",
            Self::Relay => "Reference relay",
        })
    }
}

/// The result of one measurement, also as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was measured.
    pub target: Target,
    /// `release` or `dev`: figures of a dev build do not apply to production.
    pub build: &'static str,
    /// Conversations requested.
    pub conversations: usize,
    /// Length of the window.
    pub seconds: f64,
    /// Whether one processor was reserved for the server.
    pub pinned: bool,
    /// Conversations that ended in order.
    pub held: usize,
    /// Conversations that were refused or broke off.
    pub failed: usize,
    /// Conversations with a turn that is not word for word what was said or heard.
    pub wrong_transcripts: usize,
    /// Journalled turns that were compared.
    pub turns: u64,
    /// The measured process.
    pub server: ServerFigures,
    /// Delays and the other processes.
    #[serde(flatten)]
    pub figures: Figures,
    /// What distorts the figures.
    pub warnings: Vec<String>,
    /// Descriptions of the first failures and wrong transcripts.
    pub troubles: Vec<String>,
}

/// Resources that the measured process used in the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerFigures {
    /// Processor time, user and system, in milliseconds per second of an open conversation.
    pub cpu_ms_per_conversation_second: f64,
    /// The processor time of the window in processors.
    pub cores: f64,
    /// Wake-ups of its threads per second of an open conversation.
    pub wakeups_per_conversation_second: f64,
    /// Resident memory after the warm-up conversation, in KB.
    pub resident_empty_kb: u64,
    /// Highest resident memory in the window, in KB.
    pub resident_kb: u64,
    /// The difference per conversation, in KB.
    pub resident_per_conversation_kb: f64,
}

/// Delays, and resources that the other processes used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// From the learner's send to the simulator, for every frame of the window.
    pub up: Latency,
    /// From the simulator's send to the learner, for every frame of the window.
    pub down: Latency,
    /// From the request for a conversation to `ready`.
    pub opening: Latency,
    /// How late the generator sent its frames.
    pub generator_late: Latency,
    /// Processors used by the load generator.
    pub generator_cores: f64,
    /// Processors used by the Bedrock simulator.
    pub simulator_cores: f64,
    /// Processors used by the model of AWS and the idle local cloud.
    pub cloud_cores: f64,
    /// Processors busy with other work on the machine.
    pub others_cores: f64,
    /// Processor time of the SHA-256 of 2119 bytes during the load, in nanoseconds: the speed of the machine.
    pub reference_ns: u64,
}

impl Report {
    pub(super) fn new(
        (target, conversations): (Target, usize),
        options: &LoadOptions,
        window: &Window,
        outcomes: &[Outcome],
    ) -> Self {
        let cores = |time: Duration| time.as_secs_f64() / window.seconds;
        let conversation_seconds = window.conversation_seconds.max(f64::MIN_POSITIVE);
        let used = window.used;
        let growth = window.resident_kb.saturating_sub(window.resident_empty_kb) as f64;
        let server = ServerFigures {
            cpu_ms_per_conversation_second: used.server.as_secs_f64() * 1_000.0 / conversation_seconds,
            cores: cores(used.server),
            wakeups_per_conversation_second: used.wakeups as f64 / conversation_seconds,
            resident_empty_kb: window.resident_empty_kb,
            resident_kb: window.resident_kb,
            resident_per_conversation_kb: growth / conversations as f64,
        };
        let figures = Figures {
            up: window.up,
            down: window.down,
            opening: window.opening,
            generator_late: window.late,
            generator_cores: cores(used.generator),
            simulator_cores: cores(used.simulator),
            cloud_cores: cores(used.clouds),
            others_cores: used.others_cores(window.seconds),
            reference_ns: window.reference_ns,
        };
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        Self {
            target,
            build: if cfg!(debug_assertions) { "dev" } else { "release" },
            conversations,
            seconds: window.seconds,
            pinned: options.pinned,
            held: outcomes.len() - failed,
            failed,
            wrong_transcripts: count(|outcome| matches!(outcome, Outcome::Wrong { .. })),
            turns: outcomes.iter().map(Outcome::turns).sum(),
            warnings: warnings(&server, &figures, (options.pinned, used.processors())),
            server,
            figures,
            troubles: outcomes.iter().filter_map(Outcome::problem).take(PROBLEMS_MAX).collect(),
        }
    }

    /// Whether every conversation ended in order and every word is correct.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.held == self.conversations && self.failed == 0 && self.wrong_transcripts == 0
    }

    /// The figures as lines of a table.
    #[must_use]
    pub fn table(&self) -> Vec<String> {
        let (server, figures) = (&self.server, &self.figures);
        let row = |name: &str, value: String| format!("  {name:<38} {value}");
        let delays = |name: &str, delays: &Latency| {
            let Latency { p50_ms, p99_ms, p999_ms, max_ms, count } = delays;
            row(name, format!("{p50_ms:.2} / {p99_ms:.2} / {p999_ms:.2} / {max_ms:.2}   of {count}"))
        };
        let pinned = if self.pinned { "one processor reserved for the server" } else { "processors shared" };
        vec![
            row("Conversations", format!("{}, {:.0} s, {}", self.conversations, self.seconds, self.target)),
            row("Build, placement", format!("{}, {pinned}", self.build)),
            row("Completed / failed / wrong transcripts", {
                format!("{} / {} / {}   {} turns", self.held, self.failed, self.wrong_transcripts, self.turns)
            }),
            row("Server CPU, ms per conversation-second", {
                format!("{:.2}   {:.2} cores", server.cpu_ms_per_conversation_second, server.cores)
            }),
            row("Server wake-ups per conversation-second", {
                format!("{:.1}", server.wakeups_per_conversation_second)
            }),
            row("Server memory per conversation, KB", {
                let (per, at, empty) =
                    (server.resident_per_conversation_kb, server.resident_kb, server.resident_empty_kb);
                format!("{per:.0}   {at} at most, {empty} without conversations")
            }),
            delays("Added latency up, ms p50/p99/p99.9/max", &figures.up),
            delays("Added latency down, ms p50/p99/p99.9/max", &figures.down),
            delays("Opening, ms p50/p99/p99.9/max", &figures.opening),
            delays("Generator late, ms p50/p99/p99.9/max", &figures.generator_late),
            row("Cores: generator / simulator / cloud", {
                let (generator, simulator) = (figures.generator_cores, figures.simulator_cores);
                format!("{generator:.2} / {simulator:.2} / {:.2}", figures.cloud_cores)
            }),
            row("Cores busy with other work", format!("{:.2}", figures.others_cores)),
            row("Reference: SHA-256 of 2119 bytes, ns", figures.reference_ns.to_string()),
        ]
    }

    /// The figures as one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a report has string keys and finite numbers")
    }
}

fn warnings(server: &ServerFigures, figures: &Figures, (pinned, processors): (bool, f64)) -> Vec<String> {
    let mut warnings = Vec::new();
    if cfg!(debug_assertions) {
        warnings.push("this is a dev build; measure with `cargo run --release -- load`".to_owned());
    }
    let helpers = figures.generator_cores + figures.simulator_cores + figures.cloud_cores;
    let room = if pinned { processors - 1.0 } else { processors - server.cores };
    if figures.generator_cores > BUSY || figures.simulator_cores > BUSY || helpers > BUSY * room {
        warnings.push(format!(
            "the generator, the simulator and the cloud used {helpers:.2} of their {room:.2} processors: the delays \
             are partly theirs"
        ));
    }
    if figures.generator_late.p99_ms > LATE_MS {
        let late = figures.generator_late.p99_ms;
        warnings.push(format!("the generator sent frames {late:.1} ms late (p99) and was a bottleneck"));
    }
    if server.cores > BUSY && pinned {
        warnings.push(format!("the processor of the server was fully used ({:.2} cores)", server.cores));
    }
    if figures.others_cores > DISTORTED {
        warnings.push(format!("other work kept {:.2} processors busy", figures.others_cores));
    }
    warnings
}

#[cfg(test)]
pub(in crate::load) mod tests {
    use super::*;

    fn latency(p99_ms: f64) -> Latency {
        Latency { count: 10, p50_ms: 0.5, p99_ms, p999_ms: p99_ms, max_ms: 2.0 * p99_ms }
    }

    fn figures() -> Figures {
        Figures {
            up: latency(1.0),
            down: latency(2.0),
            opening: latency(3.0),
            generator_late: latency(1.0),
            generator_cores: 0.1,
            simulator_cores: 0.1,
            cloud_cores: 0.1,
            others_cores: 0.0,
            reference_ns: 1_000,
        }
    }

    fn server() -> ServerFigures {
        ServerFigures {
            cpu_ms_per_conversation_second: 2.0,
            cores: 0.4,
            wakeups_per_conversation_second: 9.0,
            resident_empty_kb: 1_000,
            resident_kb: 3_000,
            resident_per_conversation_kb: 10.0,
        }
    }

    pub(in crate::load) fn report() -> Report {
        Report {
            target: Target::Service,
            build: "release",
            conversations: 2,
            seconds: 3.0,
            pinned: true,
            held: 2,
            failed: 0,
            wrong_transcripts: 0,
            turns: 8,
            server: server(),
            figures: figures(),
            warnings: Vec::new(),
            troubles: Vec::new(),
        }
    }

    #[test]
    fn json_is_one_line_with_every_figure() {
        let json = report().json();
        assert!(!json.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["server"]["cpuMsPerConversationSecond"], 2.0);
        assert_eq!(json["up"]["p99Ms"], 1.0);
        assert_eq!(json["wrongTranscripts"], 0);
    }

    #[test]
    fn report_with_a_failed_conversation_or_a_wrong_word_is_not_clean() {
        assert!(report().is_clean());
        assert!(!Report { held: 1, ..report() }.is_clean());
        assert!(!Report { wrong_transcripts: 1, ..report() }.is_clean());
    }

    #[test]
    fn bottleneck_causes_a_warning() {
        let usual = usize::from(cfg!(debug_assertions));
        let count = |figures: &Figures| warnings(&server(), figures, (false, 2.0)).len() - usual;
        assert_eq!(count(&Figures { generator_late: latency(20.0), ..figures() }), 1);
        assert_eq!(count(&Figures { simulator_cores: 0.9, ..figures() }), 1);
        assert_eq!(count(&Figures { others_cores: 0.5, ..figures() }), 1);
        let full = ServerFigures { cores: 0.95, ..server() };
        assert!(
            warnings(&full, &figures(), (true, 2.0)).iter().any(|warning| warning.contains("fully used"))
        );
    }
}
