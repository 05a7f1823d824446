//! A simulator of Amazon Bedrock for machines without AWS: Nova Sonic's bidirectional stream, Converse, and InvokeModel of
//! models that make images, over TLS and HTTP/2, for any AWS client.
//!
//! The wire protocol is exact; the model behind it is a small set of deterministic rules. As at Bedrock, models past their end of
//! life return 404, and Claude from 4.7 on refuses `temperature` and `topP`. Speech is [`audible`] text: the
//! simulator transcribes the samples that arrived. Every response says in its metadata that it is simulated. Options set
//! faults and clocks at the start, `/simulator/control` sets them at run time.

pub mod audible;
pub mod faults;

mod control;
mod converse;
mod images;
pub(crate) mod latency;
mod models;
mod server;
mod session;
mod signature;
mod speech;
pub(crate) mod stamp;
mod stream;
mod tls;
mod tutor;
mod wire;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args as _, FromArgMatches as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::control::Control;
pub use self::control::{StreamEndedError, StreamRecord};
use self::faults::PlannedFault;
use self::server::ServerState;
use self::session::Settings;
pub use self::session::answer::Interruption;
use self::session::{hearing::WORDS_LIMIT, speaking::SAMPLES_LIMIT};
pub use self::speech::{Speech, SpeechError, SpeechMode};
use crate::local::SpeechModelOptions;
use crate::progress::Progress;

/// Time that open streams have to end when the simulator stops.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Options of `nova simulator`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulatorOptions {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Where to write the certificate of the simulator's authority (PEM), for AWS_CA_BUNDLE and NODE_EXTRA_CA_CERTS;
    /// the server's own certificate and key are kept beside it [default: in the user's cache folder]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Verify the signatures of requests and stream messages against a file of lines ACCESS_KEY=SECRET_KEY; without it,
    /// only the form of messages is checked
    #[arg(long, value_name = "FILE")]
    pub verify_signatures: Option<PathBuf>,
    /// Serve models past their end of life; without it, they return the service's 404
    #[arg(long)]
    pub allow_retired: bool,
    /// Send the response headers before the first input event is read
    #[arg(long)]
    pub headers_at_once: bool,
    /// Streams that one HTTP/2 connection may have open (SETTINGS_MAX_CONCURRENT_STREAMS)
    #[arg(long, default_value_t = 128)]
    pub connection_streams_max: u32,
    /// Stamp every chunk of output audio with its send time, and remove such stamps from input audio to measure its
    /// delay; for load tests
    #[arg(long)]
    pub stamps: bool,
    /// Whether it understands a voice and answers with one, beside audible text. The program for it is installed from the
    /// Python Package Index once, 119 MB
    #[arg(long, value_enum, default_value_t)]
    pub speech: SpeechMode,
    /// Which model recognises.
    #[command(flatten)]
    pub model: SpeechModelOptions,
    /// A fault for the next stream: WHAT, WHAT@MILLISECONDS or WHAT@MILLISECONDS*TIMES; may be repeated. WHAT is throttling, not-ready, internal, unavailable, access-denied, end-of-life, late-headers,
    /// exception:NAME, instability, reset, reset-no-error, goaway, cut, stall, corrupt, end, and for images filter-prompt
    /// or filter-image. TIMES is the number of streams, * means all
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<PlannedFault>,
    /// Settings that can also be changed at run time.
    #[command(flatten)]
    pub tuning: Tuning,
}

/// Settings that can be changed at run time, for streams opened from then on.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tuning {
    /// Seconds of audio generated per second of simulator time; 0 generates a whole answer at once, without a play-out
    /// clock
    #[arg(long, default_value_t = 2.5)]
    pub pace: f64,
    /// Factor for the silence that ends a learner's turn (1.5 to 2 seconds, set by the client)
    #[arg(long, default_value_t = 1.0)]
    pub endpointing_scale: f64,
    /// Speed of the simulator's clock relative to the wall clock: limits, pace and play-out
    #[arg(long, default_value_t = 1.0)]
    pub clock_scale: f64,
    /// Longest life of a stream
    #[arg(long, default_value_t = 480.0)]
    pub stream_limit_seconds: f64,
    /// Longest time without input events
    #[arg(long, default_value_t = 55.0)]
    pub idle_limit_seconds: f64,
    /// Quota of the account: streams open at the same time
    #[arg(long, default_value_t = 20)]
    pub streams_max: usize,
    /// How a barge-in is announced
    #[arg(long, value_enum, default_value_t)]
    pub interruption: Interruption,
}

/// A running simulator, stopped when dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    ca_file: PathBuf,
    control: Arc<Control>,
    speech: Option<Speech>,
    shutdown: CancellationToken,
    server: Option<JoinHandle<()>>,
}

/// The defaults of the command line.
impl Default for SimulatorOptions {
    fn default() -> Self {
        let command = Self::augment_args(clap::Command::new("simulator").no_binary_name(true));
        let defaults =
            command.try_get_matches_from([""; 0]).and_then(|matches| Self::from_arg_matches(&matches));
        defaults.expect("every option has a default")
    }
}

impl Default for Tuning {
    fn default() -> Self {
        SimulatorOptions::default().tuning
    }
}

/// `nova simulator`: prints its endpoint and runs until `shutdown`.
///
/// # Errors
/// An option is out of range, the port is in use, or the certificates cannot be written.
pub async fn run(options: SimulatorOptions, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut simulator = Simulator::start(options).await?;
    let (endpoint, ca_file) = (simulator.endpoint(), simulator.ca_file().display());
    let mut out = std::io::stdout();
    writeln!(out, "The Bedrock simulator answers at {endpoint}, its authority is {ca_file}.\n")?;
    writeln!(out, "  export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={endpoint}")?;
    writeln!(out, "  export AWS_CA_BUNDLE={ca_file}")?;
    writeln!(out, "  export NODE_EXTRA_CA_CERTS={ca_file}")?;
    if simulator.speech().is_some() {
        writeln!(out, "\nIt understands a voice and answers with one.")?;
    }
    out.flush()?;
    shutdown.cancelled().await;
    simulator.stop().await;
    Ok(())
}

impl Simulator {
    /// Starts a simulator in this process.
    ///
    /// # Errors
    /// As for [`run`].
    pub async fn start(options: SimulatorOptions) -> anyhow::Result<Self> {
        options.tuning.check().map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            !options.stamps || (options.tuning.clock_scale - 1.0).abs() < f64::EPSILON,
            "stamps tell real time, so they need a clock scale of 1"
        );
        let ca_file = match &options.ca_file {
            Some(file) => file.clone(),
            None => default_ca_file()?,
        };
        let tls = tls::server_config(&ca_file)?;
        let speech = speech::start(options.speech, &options.model, &Progress::silent()).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .await
            .with_context(|| format!("the simulator cannot listen on port {}", options.port))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let control = Control::new(options.tuning, options.faults.clone());
        let shared = ServerState {
            control: Arc::clone(&control),
            options: Arc::new(options),
            streams: TaskTracker::new(),
            speech: speech.clone(),
        };
        let shutdown = CancellationToken::new();
        let serving = server::serve(listener, TlsAcceptor::from(tls), shared.clone(), shutdown.clone());
        let server = tokio::spawn(async move {
            serving.await;
            shared.streams.close();
            if tokio::time::timeout(STOP_LIMIT, shared.streams.wait()).await.is_err() {
                tracing::warn!("streams were still open when the simulator stopped");
            }
        });
        Ok(Self { address, ca_file, control, speech, shutdown, server: Some(server) })
    }

    /// The endpoint: `https://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of its authority, PEM.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// What it hears and speaks with; `None` without [`SimulatorOptions::speech`].
    pub fn speech(&self) -> Option<&Speech> {
        self.speech.as_ref()
    }

    /// Queues a fault for the next streams.
    pub fn plan(&self, fault: PlannedFault) {
        self.control.plan(fault);
    }

    /// The number of streams opened so far, and the records of those opened after the first `known`, oldest first.
    #[must_use]
    pub fn streams_after(&self, known: u64) -> (u64, Vec<Arc<StreamRecord>>) {
        self.control.streams_after(known)
    }

    /// Closes open connections and waits until the server has stopped.
    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::error!(%error, "the simulator's server failed");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Tuning {
    /// Rejects values that are out of range.
    fn check(&self) -> Result<(), String> {
        let positive = [
            ("clock scale", self.clock_scale),
            ("stream limit", self.stream_limit_seconds),
            ("idle limit", self.idle_limit_seconds),
            ("endpointing scale", self.endpointing_scale),
        ];
        for (name, value) in positive {
            if !(value > 0.0 && value <= 1e6) {
                return Err(format!("the {name} must be above 0 and at most a million, not {value}"));
            }
        }
        if !(0.0..=1e6).contains(&self.pace) {
            return Err(format!("the pace must be from 0 to a million, not {}", self.pace));
        }
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings {
            endpointing_scale: self.endpointing_scale,
            pace: self.pace,
            interruption: self.interruption,
            stream_limit: Duration::from_secs_f64(self.stream_limit_seconds),
            idle_limit: Duration::from_secs_f64(self.idle_limit_seconds),
            speech: false,
            // The speech program works in real time.
            words_limit: WORDS_LIMIT.mul_f64(self.clock_scale),
            samples_limit: SAMPLES_LIMIT.mul_f64(self.clock_scale),
        }
    }
}

fn default_ca_file() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let folder = folder.context("there is no home folder; name the certificate file with --ca-file")?;
    Ok(folder.join("nova-english/simulator/ca.pem"))
}
