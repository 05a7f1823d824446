//! The program that hears and speaks, as a child process: requests and responses in frames over its pipes, one program for
//! all streams. When it dies it is started again, after a delay with backoff and jitter; it ends with the simulator, which
//! closes its input. The frames are described in `python/speech.py`.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use events::runtime::{env, jitter::full_jitter};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use crate::local::{Progress, SpeechModelOptions};

/// Longest frame in bytes: 87 s of speech at 24 kHz.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Requests that the program has at once. Fewer than its queues hold, so it always reads.
const REQUESTS_OPEN_MAX: usize = 64;
/// Requests that wait for the program; more are refused.
const REQUESTS_WAITING_MAX: usize = 64;
/// Time for one request. A program that takes longer hangs, and is started again.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Time for the program to load its models.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The longest delay before a restart; it doubles with each death that follows at once.
const RESTART_BASE: Duration = Duration::from_millis(250);
/// The longest delay before any restart.
const RESTART_CAP: Duration = Duration::from_secs(15);
/// A program that dies sooner after its start has died at once.
const IMMEDIATE: Duration = Duration::from_secs(10);

/// Whether the simulator understands a voice and answers with one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SpeechMode {
    /// If the program for it is installed or can be installed
    Auto,
    /// Always: without the program, nothing starts
    On,
    /// Never: it understands audible text and typed text
    #[default]
    Off,
}

/// The program that hears and speaks. Cheap to clone; the program ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Speech {
    requests: mpsc::Sender<Request>,
    process_id: watch::Receiver<Option<u32>>,
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    #[error("more than {REQUESTS_WAITING_MAX} requests wait for the speech program")]
    Busy,
    #[error("the speech program ended before it was done")]
    Ended,
    #[error("the speech program refuses the request: {0}")]
    Refused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Recognise = 1,
    Speak = 2,
}

#[derive(Debug)]
struct Request {
    task: Task,
    /// Sample rate in Hz, then samples or text.
    payload: Bytes,
    reply: oneshot::Sender<Result<Bytes, SpeechError>>,
}

/// A request that the program has.
#[derive(Debug)]
struct Open {
    since: Instant,
    reply: oneshot::Sender<Result<Bytes, SpeechError>>,
}

#[derive(Debug)]
struct Program {
    child: Child,
    input: FramedWrite<ChildStdin, LengthDelimitedCodec>,
    output: FramedRead<ChildStdout, LengthDelimitedCodec>,
}

/// The speech of `mode`: `None` where it is off, or where [`SpeechMode::Auto`] cannot have it. Installs the program if need
/// be, and waits until it has loaded its models.
///
/// # Errors
/// With [`SpeechMode::On`], why the program does not run and the way out.
pub(super) async fn start(
    mode: SpeechMode,
    model: &SpeechModelOptions,
    progress: &Progress,
) -> anyhow::Result<Option<Speech>> {
    match mode {
        SpeechMode::Off => Ok(None),
        SpeechMode::On => Speech::start(model, progress).await.map(Some),
        SpeechMode::Auto => match Speech::start(model, progress).await {
            Ok(speech) => Ok(Some(speech)),
            Err(error) => {
                tracing::warn!("the simulated tutor understands no voice: {error:#}");
                Ok(None)
            }
        },
    }
}

impl Speech {
    /// Installs the program unless it is there, starts it, and waits until it has loaded its models.
    ///
    /// # Errors
    /// Why it does not run, and the way out.
    pub async fn start(model: &SpeechModelOptions, progress: &Progress) -> anyhow::Result<Self> {
        let command = model.command(progress).await?;
        Self::run(command).await
    }

    async fn run(command: Command) -> anyhow::Result<Self> {
        let program = Program::start(&command).await?;
        let (requests, waiting) = mpsc::channel(REQUESTS_WAITING_MAX);
        let (ids, process_id) = watch::channel(program.child.id());
        tokio::spawn(supervise(command, program, waiting, ids));
        Ok(Self { requests, process_id })
    }

    /// The id of the running process, for tests that kill it; `None` while it starts again.
    #[must_use]
    pub fn process_id(&self) -> watch::Receiver<Option<u32>> {
        self.process_id.clone()
    }

    /// The words of `samples`; empty when it understands none.
    ///
    /// # Errors
    /// Without a result; the same samples may be tried again.
    pub async fn recognise(&self, sample_rate: u32, samples: &[i16]) -> Result<String, SpeechError> {
        let mut payload = BytesMut::with_capacity(4 + 2 * samples.len());
        payload.put_u32_le(sample_rate);
        samples.iter().for_each(|&sample| payload.put_i16_le(sample));
        let text = self.request(Task::Recognise, payload.freeze()).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// `text` as speech; empty when it has no words of English.
    ///
    /// # Errors
    /// Without a result; the same text may be tried again.
    pub async fn speak(&self, sample_rate: u32, text: &str) -> Result<Vec<i16>, SpeechError> {
        let mut payload = BytesMut::with_capacity(4 + text.len());
        payload.put_u32_le(sample_rate);
        payload.put_slice(text.as_bytes());
        let sound = self.request(Task::Speak, payload.freeze()).await?;
        let (pairs, _) = sound.as_chunks::<2>();
        Ok(pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect())
    }

    async fn request(&self, task: Task, payload: Bytes) -> Result<Bytes, SpeechError> {
        if payload.len() + HEAD_BYTES > FRAME_BYTES_MAX {
            return Err(SpeechError::Refused(format!("more than {FRAME_BYTES_MAX} bytes")));
        }
        let (reply, result) = oneshot::channel();
        self.requests.try_send(Request { task, payload, reply }).map_err(|_| SpeechError::Busy)?;
        result.await.unwrap_or(Err(SpeechError::Ended))
    }
}

/// Keeps a program running until no [`Speech`] is left.
async fn supervise(
    command: Command,
    mut program: Program,
    mut requests: mpsc::Receiver<Request>,
    process_id: watch::Sender<Option<u32>>,
) {
    let mut deaths_at_once = 0;
    loop {
        let since = Instant::now();
        let Err(mut error) = program.serve(&mut requests).await else { return };
        if since.elapsed() >= IMMEDIATE {
            deaths_at_once = 0;
        }
        process_id.send_replace(None);
        // Kills what hangs.
        drop(program);
        program = loop {
            deaths_at_once += 1;
            let delay = full_jitter(RESTART_BASE, RESTART_CAP, deaths_at_once, env::random_fraction());
            tracing::warn!("the speech program starts again in {} ms: {error:#}", delay.as_millis());
            tokio::time::sleep(delay).await;
            if requests.is_closed() {
                return;
            }
            match Program::start(&command).await {
                Ok(program) => break program,
                Err(failed) => error = failed,
            }
        };
        process_id.send_replace(program.child.id());
    }
}

/// Kind and id, behind the length of a frame.
const HEAD_BYTES: usize = 5;
const KIND_READY: u8 = 0;
const KIND_TEXT: u8 = 1;
const KIND_SOUND: u8 = 2;
const KIND_FAILED: u8 = 3;

impl Program {
    async fn start(command: &Command) -> anyhow::Result<Self> {
        let command = command.as_std();
        let mut child = Command::new(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the speech program cannot be started")?;
        let input = child.stdin.take().context("the input was asked for")?;
        let output = child.stdout.take().context("the output was asked for")?;
        let mut codec = LengthDelimitedCodec::builder();
        codec.little_endian().max_frame_length(FRAME_BYTES_MAX);
        let (input, output) = (codec.new_write(input), codec.new_read(output));
        let mut program = Self { child, input, output };
        let ready = tokio::time::timeout(START_LIMIT, program.receive()).await;
        let (kind, ..) = ready.with_context(|| {
            format!("the speech program did not load its models within {} s", START_LIMIT.as_secs())
        })??;
        ensure!(kind == KIND_READY, "the speech program began with a frame of kind {kind}");
        Ok(program)
    }

    /// Serves requests until none can come any more, or the program fails. Open requests fail with it.
    async fn serve(&mut self, requests: &mut mpsc::Receiver<Request>) -> anyhow::Result<()> {
        let mut open = BTreeMap::new();
        let mut last_id = 0_u32;
        loop {
            let oldest = open.values().next().map(|open: &Open| open.since);
            let limit = oldest.map(|since| since + REQUEST_LIMIT);
            tokio::select! {
                received = self.receive() => {
                    let (kind, id, payload) = received?;
                    let Some(open) = open.remove(&id) else { bail!("it responds to no request of ours") };
                    // A stream that ended wants no result.
                    let _gone = open.reply.send(result(kind, payload));
                }
                request = requests.recv(), if open.len() < REQUESTS_OPEN_MAX => {
                    let Some(Request { task, payload, reply }) = request else { return Ok(()) };
                    if reply.is_closed() {
                        continue;
                    }
                    last_id = last_id.wrapping_add(1);
                    self.send(task, last_id, &payload).await?;
                    open.insert(last_id, Open { since: Instant::now(), reply });
                }
                () = tokio::time::sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                    bail!("it has not responded for {} s", REQUEST_LIMIT.as_secs());
                }
            }
        }
    }

    async fn send(&mut self, task: Task, id: u32, payload: &Bytes) -> anyhow::Result<()> {
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + payload.len());
        frame.put_u8(task as u8);
        frame.put_u32_le(id);
        frame.put_slice(payload);
        let sent = tokio::time::timeout(REQUEST_LIMIT, self.input.send(frame.freeze())).await;
        sent.context("it does not read")?.context("it cannot be written to")
    }

    async fn receive(&mut self) -> anyhow::Result<(u8, u32, Bytes)> {
        let Some(frame) = self.output.next().await else {
            let status = tokio::time::timeout(REQUEST_LIMIT, self.child.wait()).await;
            let status = status.context("it closed its output")?.context("it closed its output")?;
            bail!("it ended ({status})");
        };
        let mut frame = frame.context("its output is damaged")?.freeze();
        ensure!(frame.len() >= HEAD_BYTES, "it sent a frame of {} bytes", frame.len());
        let (kind, id) = (frame.get_u8(), frame.get_u32_le());
        Ok((kind, id, frame))
    }
}

fn result(kind: u8, payload: Bytes) -> Result<Bytes, SpeechError> {
    match kind {
        KIND_TEXT | KIND_SOUND => Ok(payload),
        KIND_FAILED => Err(SpeechError::Refused(String::from_utf8_lossy(&payload).into_owned())),
        other => Err(SpeechError::Refused(format!("a response of kind {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that says it is ready, and then runs `script`.
    fn program(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("printf '\\005\\000\\000\\000\\000\\000\\000\\000\\000'; {script}")]);
        command
    }

    /// A response to the request `id`, as an argument of `printf`.
    fn response(kind: u8, id: u8, payload: &str) -> String {
        format!(
            "\\{:03o}\\000\\000\\000\\{kind:03o}\\{id:03o}\\000\\000\\000{payload}",
            HEAD_BYTES + payload.len()
        )
    }

    #[tokio::test]
    async fn responses_reach_their_requests_in_any_order() {
        let (second, first) = (response(KIND_TEXT, 2, "two"), response(KIND_TEXT, 1, "one"));
        let speech =
            Speech::run(program(&format!("head -c 30 >/dev/null; printf '{second}{first}'; cat >/dev/null")))
                .await;
        let speech = speech.unwrap();
        let both = tokio::join!(speech.recognise(16_000, &[1]), speech.recognise(16_000, &[2]));
        assert_eq!(both, (Ok("one".to_owned()), Ok("two".to_owned())));
    }

    #[tokio::test]
    async fn death_fails_the_open_request_and_the_program_starts_again() {
        let speech = Speech::run(program("head -c 13 >/dev/null")).await.unwrap();
        let mut ids = speech.process_id();
        let first = *ids.borrow_and_update();
        assert_eq!(speech.recognise(16_000, &[]).await, Err(SpeechError::Ended));
        let again = ids.wait_for(|id| id.is_some() && *id != first);
        tokio::time::timeout(Duration::from_secs(20), again).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn damaged_output_is_the_end_of_the_program() {
        for damage in ["\\377\\377\\377\\377", "\\001\\000\\000\\000x", &response(KIND_TEXT, 99, "")] {
            let speech =
                Speech::run(program(&format!("head -c 13 >/dev/null; printf '{damage}'; cat >/dev/null")))
                    .await;
            assert_eq!(speech.unwrap().recognise(16_000, &[]).await, Err(SpeechError::Ended), "{damage}");
        }
    }

    #[tokio::test]
    async fn program_that_does_not_begin_is_an_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo hello"]);
        assert!(Speech::run(command).await.is_err());
        assert!(Speech::run(Command::new("/does/not/exist")).await.is_err());
        let mut silent = Command::new("sh");
        silent.args(["-c", "cat >/dev/null"]);
        tokio::time::pause();
        let error = Speech::run(silent).await.unwrap_err().to_string();
        assert!(error.contains("30 s"), "{error}");
    }

    #[tokio::test]
    async fn program_that_hangs_is_ended_and_no_more_wait_than_can() {
        let speech = Speech::run(program("cat >/dev/null")).await.unwrap();
        let all = (0..=REQUESTS_OPEN_MAX + REQUESTS_WAITING_MAX).map(|_| speech.speak(16_000, "Hello"));
        tokio::time::pause();
        let results = futures_util::future::join_all(all).await;
        let busy = results.iter().filter(|result| **result == Err(SpeechError::Busy)).count();
        let ended = results.iter().filter(|result| **result == Err(SpeechError::Ended)).count();
        assert!(busy > 0 && ended > 0 && busy + ended == results.len(), "{busy} and {ended}");
        let long = vec![0; FRAME_BYTES_MAX / 2];
        assert!(matches!(speech.recognise(16_000, &long).await, Err(SpeechError::Refused(_))));
    }

    #[tokio::test]
    async fn refusal_says_why() {
        let refused = response(KIND_FAILED, 1, "why");
        let speech =
            Speech::run(program(&format!("head -c 18 >/dev/null; printf '{refused}'; cat >/dev/null"))).await;
        let result = speech.unwrap().speak(16_000, "Hello").await;
        assert_eq!(result, Err(SpeechError::Refused("why".to_owned())));
    }
}
