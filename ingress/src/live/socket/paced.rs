//! The socket below the WebSocket, read at a bounded pace. Bytes and frames are counted here, because the protocol
//! implementation reads empty fragments and control frames without a message for each.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use events::contract::live::BYTES_PER_MS;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{BURST_MS_MAX, FRAME_COST_BYTES_MIN, MESSAGE_BYTES_MAX, PACE_MAX, frames::Frames, pace::Bucket};

/// See the module.
#[derive(Debug)]
pub(super) struct Paced<S> {
    socket: S,
    frames: Frames,
    rate: Bucket,
    /// Fires when the bucket has room again.
    wait: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(super) fn new(socket: S) -> Self {
        let now = Instant::now();
        let burst = Duration::from_millis(BURST_MS_MAX / PACE_MAX);
        let rate = Bucket::new(burst, now.into_std());
        Self { socket, frames: Frames::default(), rate, wait: Box::pin(sleep_until(now)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(until) = this.rate.full_until(Instant::now().into_std()) {
            this.wait.as_mut().reset(until.into());
            ready!(this.wait.as_mut().poll(context));
        }
        let read = buffer.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(context, buffer))?;
        let (rate, now) = (&mut this.rate, Instant::now().into_std());
        this.frames.pass(&buffer.filled()[read..], |payload| rate.fill(cost(payload), now));
        Poll::Ready(Ok(()))
    }
}

/// The cost of a frame in the rate limit, as time.
fn cost(payload: u64) -> Duration {
    // A longer frame is refused before it is read.
    let bytes = payload.clamp(FRAME_COST_BYTES_MIN, MESSAGE_BYTES_MAX as u64);
    Duration::from_micros(bytes * 1_000 / (BYTES_PER_MS * PACE_MAX))
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
