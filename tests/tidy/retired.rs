//! PURE. Names that have been replaced and do not come back, each with the paths in which it is retired.

/// A name.
pub(crate) struct Retired {
    /// Its tokens, separated by spaces.
    pub(crate) identifier: &'static str,
    /// The beginning of the paths in which it is retired.
    pub(crate) scope: &'static str,
    /// What is used in its place.
    pub(crate) instead: &'static str,
}

const fn retired(identifier: &'static str, scope: &'static str, instead: &'static str) -> Retired {
    Retired { identifier, scope, instead }
}

/// Identifiers.
pub(crate) const IDENTIFIERS: &[Retired] = &[
    retired("FromPage", "", "ClientEvent"),
    retired("Page", "ingress/src/live/", "ClientConnection"),
    retired("Farewell", "", "CloseReason"),
    retired("let_go", "", "close or detach"),
    retired("leave", "ingress/src/live/", "close or detach"),
    retired("Visit", "", "Reconnect"),
    retired("Arrivals", "", "SessionInputs"),
    retired("door", "ingress/src/live/", "connect_tx"),
    retired("Seats", "", "AdmissionControl"),
    retired("Seated", "", "Slot"),
    retired("NoSeat", "", "AdmissionError"),
    retired("sit", "", "acquire"),
    retired("Place", "ingress/src/results/", "StreamPermit"),
    retired("NoPlace", "", "StreamLimitError"),
    retired("Talk", "ingress/src/live/session", "SessionLoop"),
    retired("struct Held", "ingress/src/live/session", "ActiveConversation"),
    retired("Parts", "ingress/src/live/session", "Dependencies"),
    retired("App", "ingress/src/", "AppState"),
    retired("Records", "ingress/src/", "Stores"),
    retired("Measured", "", "Metrics"),
    retired("measured", "events/src/runtime/", "metrics"),
    retired("measured", "ingress/src/", "metrics"),
    retired("Told", "", "Sent or SeenFacts"),
    retired("tell", "", "send or notify"),
    retired("telling", "", "sending"),
    retired("Letting", "", "HandoverRequest"),
    retired("Released", "ingress/src/live/session", "HandedOver"),
    retired("Wanted", "ingress/src/live/session", "TakeoverRequested"),
    retired("Look", "ingress/src/live/session", "Poll"),
    retired("Turn", "events/src/runtime/consumer", "RunPermit"),
    retired("NoTurn", "", "CannotRun"),
    retired("Company", "", "Concurrency"),
    retired("Shared", "ingress/src/", "Coordination"),
    retired("world :: now", "", "env::now"),
    retired("world :: fraction", "", "env::random"),
    retired("runtime :: world", "", "runtime::env"),
    retired("NotDeleted", "", "DeleteError"),
    retired("NotUpdated", "", "UpdateError"),
    retired("NotHeld", "", "an error that ends in Error"),
    retired("NotKeepingUp", "", "BackpressureError"),
    retired("OtherProtocol", "", "UnsupportedProtocolError"),
    retired("InvalidTraceParent", "", "TraceParentError"),
    retired("Refusal", "ingress/", "an error that ends in Error"),
    retired("Refusal", "tests/src/", "ServiceError"),
    retired("Fate", "tests/", "Fault"),
    retired("Gone", "tests/sim/", "an error"),
    retired("Deadly", "tests/", "Killer"),
    retired("Journalled", "tests/", "Acknowledged"),
    retired("Observed", "tests/sim/", "Acknowledgements"),
    retired("Seen", "tests/e2e/", "Actual"),
    retired("Judge", "tests/", "Comparison"),
    retired("Trouble", "tests/e2e/", "Disturbance"),
    retired("prank", "tests/", "anomaly"),
    retired("pranks", "tests/", "anomalies"),
    retired("found_out", "tests/", "first_failure"),
];

/// Words of comments, with those that say it plainly.
pub(crate) const WORDS: &[(&str, &str)] = &[
    ("told", "sent, reported or distinguished"),
    ("tells", "sends, reports or shows"),
    ("telling", "sending or reporting"),
    ("whatever", "any, or the thing itself"),
    ("whoever", "the caller, the process or the learner"),
    ("somebody", "another learner, process or client"),
    ("nobody", "no learner, no worker or no client"),
    ("fate", "fault"),
    ("suffers", "has"),
    ("prank", "anomaly"),
    ("pranks", "anomalies"),
    ("books", "log"),
];

/// The beginnings of the paths in which [`WORDS`] are retired.
pub(crate) const WORD_SCOPES: [&str; 4] = ["infra/src/simulator", "tests/e2e/", "tests/sim/", "tests/src/"];

/// File names without `.rs`.
pub(crate) const FILE_NAMES: &[Retired] = &[
    retired("books", "tests/", "call_log"),
    retired("cable", "tests/", "tcp_proxy"),
    retired("due", "tests/", "expected"),
    retired("leaving", "tests/", "account_deletion"),
    retired("observed", "tests/", "journalled"),
    retired("left", "tests/", "leftovers"),
    retired("small", "tests/", "small_scale"),
    retired("telling", "tests/", "alert_batching"),
    retired("weather", "tests/", "fault_model"),
    retired("wrong", "tests/", "mutants"),
    retired("told", "", "what the module is"),
    retired("age", "infra/", "message_age"),
    retired("dropped", "infra/", "unsupported_properties"),
    retired("ear", "infra/", "speech_detector"),
    retired("held", "", "what the module holds"),
    retired("letter", "infra/", "dead_letter"),
    retired("place", "infra/", "target"),
    retired("settle", "infra/", "apply_properties"),
    retired("places", "ingress/", "permits"),
    retired("process", "ingress/", "in_process"),
    retired("shared", "ingress/", "coordination"),
];
