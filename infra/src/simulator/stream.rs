//! One bidirectional stream: moves bytes between the HTTP request, the pure [`Session`] and the HTTP response, runs the
//! simulator's clock, and injects the requested faults.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use http_body_util::BodyExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::control::StreamPermit;
use super::faults::{Fault, PlannedFault};
use super::latency::monotonic;
use super::session::{Output, ProtocolError, Session};
use super::signature::Chain;
use super::speech::{Speech, SpeechError};
use super::wire;

/// Messages buffered for the client; at this number the stream waits.
pub(crate) const MESSAGES_WAITING_MAX: usize = 32;

/// Time for which the rest of a request is read after its response has ended. A request dropped before its end is reset
/// (RFC 9113, section 8.1), and a client may see the reset before the last message of the response.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// Closes the TCP connection without GOAWAY.
    pub(crate) cut: CancellationToken,
    /// Announces its end with GOAWAY.
    pub(crate) goaway: CancellationToken,
}

/// Resets the stream when it is sent as an error of the response's body.
#[derive(Debug, thiserror::Error)]
#[error("the stream is reset on purpose")]
pub(crate) struct InjectedResetError(#[source] h2::Error);

/// A chunk of the response.
pub(crate) type Message = Result<Bytes, InjectedResetError>;

/// A stream that runs until its session is over or the client is gone.
pub(crate) struct Stream {
    pub(crate) place: StreamPermit,
    pub(crate) session: Session,
    /// Present when the session's settings say so.
    pub(crate) speech: Option<Speech>,
    /// Present when signatures are verified.
    pub(crate) chain: Option<Chain>,
    pub(crate) faults: Vec<PlannedFault>,
    pub(crate) connection: Connection,
    pub(crate) messages: mpsc::Sender<Message>,
    /// Whether audio carries stamps.
    pub(crate) stamps: bool,
    /// Notified when the response may begin.
    pub(crate) ready: Option<oneshot::Sender<()>>,
}

/// Why a stream ended; for the record.
type End = &'static str;

enum Next {
    Input(Option<Bytes>),
    Done(Done),
    FaultNow(Fault),
    Due,
    ClientGone,
}

/// The result of a request to the speech program.
enum Done {
    Recognised(u32, Result<String, SpeechError>),
    Spoken(u32, Result<Vec<i16>, SpeechError>),
}

struct Running {
    stream: Stream,
    /// Requests to the speech program.
    requests: FuturesUnordered<BoxFuture<'static, Done>>,
    clock: Clock,
    reader: wire::Reader,
    input_open: bool,
    stalled: bool,
    corrupt: bool,
}

impl Stream {
    /// Runs the stream to its end.
    pub(crate) async fn run(mut self, mut body: Body) {
        self.faults.sort_by_key(|planned| planned.after);
        let clock = Clock { start: Instant::now(), scale: self.place.tuning.clock_scale };
        if self.stamps {
            self.session.carry_stamps(monotonic());
        }
        let mut running = Running {
            stream: self,
            requests: FuturesUnordered::new(),
            clock,
            reader: wire::Reader::default(),
            input_open: true,
            stalled: false,
            corrupt: false,
        };
        let end = running.drive(&mut body).await;
        running.stream.place.record.end(end);
        tracing::debug!(end, "a stream ended");
        // The response ends and the permit is free.
        drop(running);
        // The client is gone or slow: its request is reset.
        let _late = tokio::time::timeout(LINGER, read_out(body)).await;
    }
}

/// Reads the rest of a request and discards it.
async fn read_out(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

impl Running {
    async fn drive(&mut self, body: &mut Body) -> End {
        loop {
            if let Err(end) = self.send_due().await {
                return end;
            }
            if let Some(fault) = self.due_fault() {
                if let Err(end) = self.make(fault).await {
                    return end;
                }
                continue;
            }
            if self.stream.session.is_over() && !self.stalled {
                return "over";
            }
            if self.stalled && self.clock.now() >= self.stream.place.tuning.settings().stream_limit {
                return "stalled";
            }
            if self.stream.session.is_started() {
                self.begin_response();
            }
            match self.next(body).await {
                Next::Input(Some(bytes)) => self.read(&bytes),
                Next::Input(None) => {
                    self.input_open = false;
                    self.stream.session.input_closed(self.clock.now());
                }
                Next::FaultNow(fault) => {
                    if let Err(end) = self.make(fault).await {
                        return end;
                    }
                }
                Next::Done(done) => self.take(done),
                Next::Due => {}
                Next::ClientGone => return "client gone",
            }
        }
    }

    async fn next(&mut self, body: &mut Body) -> Next {
        let wake = self.clock.instant(self.wake());
        tokio::select! {
            biased;
            Some(fault) = self.stream.place.faults.recv() => Next::FaultNow(fault),
            () = self.stream.messages.closed() => Next::ClientGone,
            Some(done) = self.requests.next() => Next::Done(done),
            frame = body.frame(), if self.input_open => match frame {
                None => Next::Input(None),
                Some(Err(_)) => Next::ClientGone,
                Some(Ok(frame)) => Next::Input(Some(frame.into_data().unwrap_or_default())),
            },
            () = tokio::time::sleep_until(wake) => Next::Due,
        }
    }

    /// The next time at which something is due without input.
    fn wake(&self) -> Duration {
        let limit = self.stream.place.tuning.settings().stream_limit;
        let session = if self.stalled { None } else { self.stream.session.deadline() };
        let fault = self.stream.faults.first().map(|planned| planned.after);
        [session, fault].into_iter().flatten().fold(limit, Duration::min)
    }

    fn read(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
        loop {
            let now = self.clock.now();
            let arrived = match self.reader.read() {
                Ok(Some(arrived)) => arrived,
                Ok(None) => return,
                Err(wire::MalformedMessageError) => {
                    return self.stream.session.reject(ProtocolError::UnparsableChunk);
                }
            };
            if let Some(chain) = &mut self.stream.chain
                && !arrived.signed.as_ref().is_some_and(|signed| chain.verify(signed))
            {
                return self.stream.session.reject(ProtocolError::BadSignature);
            }
            match arrived.event {
                Some(event) => {
                    let kind = self.stream.session.input(&event, now);
                    self.stream.place.record.input(&event, kind);
                    let delays = self.stream.session.take_delays();
                    if !delays.is_empty() {
                        self.stream.place.heard_after(delays);
                    }
                }
                None => self.stream.session.input_closed(now),
            }
        }
    }

    async fn send_due(&mut self) -> Result<(), End> {
        while !self.stalled
            && self.due_fault_time().is_none_or(|after| after > self.clock.now())
            && let Some(output) = self.stream.session.poll(self.clock.now())
        {
            match output {
                Output::Event(event) => {
                    self.begin_response();
                    self.stream.place.record.output(&event);
                    self.send(wire::event(&event)).await?;
                }
                Output::Recognise { id, sample_rate, samples } => {
                    let Some(speech) = self.stream.speech.clone() else { continue };
                    let words = async move { speech.recognise(sample_rate, &samples).await };
                    self.requests.push(words.map(move |words| Done::Recognised(id, words)).boxed());
                }
                Output::Speak { id, sample_rate, text } => {
                    let Some(speech) = self.stream.speech.clone() else { continue };
                    let samples = async move { speech.speak(sample_rate, &text).await };
                    self.requests.push(samples.map(move |samples| Done::Spoken(id, samples)).boxed());
                }
                Output::Exception(rejection) => {
                    self.begin_response();
                    self.send(wire::exception(rejection.exception_type(), &rejection.to_string())).await?;
                    return Err(rejection.exception_type());
                }
            }
        }
        self.stream.place.record.answered_after(&self.stream.session.take_answer_delays());
        Ok(())
    }

    /// Passes a result to the session, which goes on without it when there is none.
    fn take(&mut self, done: Done) {
        let (session, now) = (&mut self.stream.session, self.clock.now());
        match done {
            Done::Recognised(id, words) => {
                if let Ok(words) = &words {
                    self.stream.place.recognised(words);
                }
                session.recognised(id, logged(words), now);
            }
            Done::Spoken(id, samples) => session.spoken(id, logged(samples), now),
        }
    }

    fn due_fault_time(&self) -> Option<Duration> {
        self.stream.faults.first().map(|planned| planned.after)
    }

    fn due_fault(&mut self) -> Option<Fault> {
        let due = self.due_fault_time()? <= self.clock.now();
        due.then(|| self.stream.faults.remove(0).fault)
    }

    /// Injects a fault; an error when it ends the stream.
    async fn make(&mut self, fault: Fault) -> Result<(), End> {
        match fault {
            Fault::Exception(exception) => {
                self.begin_response();
                let (exception_type, text) = exception.message();
                self.send(wire::exception(exception_type, text)).await?;
                Err("fault: exception")
            }
            Fault::Reset => self.reset(h2::Reason::INTERNAL_ERROR).await,
            Fault::ResetNoError => self.reset(h2::Reason::NO_ERROR).await,
            Fault::GoAway => {
                self.stream.connection.goaway.cancel();
                Ok(())
            }
            Fault::Cut => {
                self.stream.connection.cut.cancel();
                Err("fault: cut")
            }
            Fault::Stall => {
                self.stalled = true;
                Ok(())
            }
            Fault::Corrupt => {
                self.corrupt = true;
                Ok(())
            }
            Fault::End => {
                self.begin_response();
                Err("fault: end")
            }
            // Injected before a stream opens, or not into a stream.
            Fault::Refuse(_) | Fault::LateHeaders | Fault::Filter(_) => Ok(()),
        }
    }

    async fn reset(&mut self, reason: h2::Reason) -> Result<(), End> {
        self.begin_response();
        let reset = InjectedResetError(h2::Error::from(reason));
        // A client that is gone needs no reset.
        let _gone = self.stream.messages.send(Err(reset)).await;
        Err("fault: reset")
    }

    async fn send(&mut self, message: Bytes) -> Result<(), End> {
        let message = if std::mem::take(&mut self.corrupt) { corrupted(&message) } else { message };
        // A client that does not read has until the end of the stream's life.
        let limit = self.clock.instant(self.stream.place.tuning.settings().stream_limit);
        match tokio::time::timeout_at(limit, self.stream.messages.send(Ok(message))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("client gone"),
            Err(_) => Err("client does not read"),
        }
    }

    fn begin_response(&mut self) {
        if let Some(ready) = self.stream.ready.take() {
            // The receiver is gone when the client is; sending the next message fails then.
            let _gone = ready.send(());
        }
    }
}

/// The simulator's clock: runs `scale` times as fast as the wall clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Instant,
    scale: f64,
}

impl Clock {
    fn now(self) -> Duration {
        self.start.elapsed().mul_f64(self.scale)
    }

    fn instant(self, at: Duration) -> Instant {
        self.start + at.div_f64(self.scale)
    }
}

fn logged<T>(result: Result<T, SpeechError>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(%error, "a stream goes on without what it asked for")).ok()
}

/// `message` with its last byte, part of its checksum, changed.
fn corrupted(message: &[u8]) -> Bytes {
    let mut bytes = message.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 0xFF;
    }
    bytes.into()
}
