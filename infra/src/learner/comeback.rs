//! How a learner comes back to a conversation whose connection dropped, or that goes on at another task; and what has
//! to be said again then.

use std::collections::VecDeque;

use anyhow::{Context as _, bail, ensure};
use events::contract::{ConversationId, live::SAMPLE_RATE_HZ};
use tokio::time::Instant;

use super::{
    CALL_TIMEOUT, Learner, RETRY_INTERVAL, Started,
    connection::{PATIENCE, Socket, connect},
};

/// Audio that is kept to be sent again, in samples: a minute.
const KEPT_SAMPLES_MAX: usize = 60 * SAMPLE_RATE_HZ as usize;

/// Comes back to `id` at the first address that has it, beginning with the one after `address`. `turns` have been heard
/// of. Answers the connection and the address.
pub(super) async fn come_back(
    learner: &Learner,
    address: usize,
    id: ConversationId,
    turns: usize,
) -> anyhow::Result<(Socket, usize)> {
    let deadline = Instant::now() + PATIENCE;
    for address in address + 1.. {
        let address = address % learner.addresses.len();
        let missing = match attempt(learner, address, id, turns).await? {
            Ok(socket) => return Ok((socket, address)),
            Err(missing) => missing,
        };
        ensure!(Instant::now() < deadline, "cannot come back to the conversation: {missing:#}");
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
    bail!("there are no more addresses")
}

/// One attempt. The outer error is final, the inner one is not.
async fn attempt(
    learner: &Learner,
    address: usize,
    id: ConversationId,
    turns: usize,
) -> anyhow::Result<Result<Socket, anyhow::Error>> {
    let api = &learner.addresses[address];
    let post = learner.http.post(format!("{api}/api/conversations/{id}/ticket")).timeout(CALL_TIMEOUT);
    let answer = match post.bearer_auth(&learner.access_token).send().await {
        Ok(answer) => answer,
        Err(error) => return Ok(Err(error.into())),
    };
    let status = answer.status();
    let body = match answer.text().await {
        Ok(body) => body,
        Err(error) => return Ok(Err(error.into())),
    };
    ensure!(status != 404, "the conversation is over");
    if !status.is_success() {
        return Ok(Err(anyhow::anyhow!("{status} {body}")));
    }
    let ticket: Started =
        serde_json::from_str(&body).context("the ingress answered something else than a ticket")?;
    Ok(connect(&format!("{}&turns={turns}", learner.live_url(address, &ticket))).await)
}

/// What was sent of the microphone, as far back as it may have to be sent again.
#[derive(Debug, Default)]
pub(super) struct Sent {
    samples: u64,
    last: VecDeque<i16>,
}

impl Sent {
    /// A frame goes out.
    pub(super) fn push(&mut self, frame: &[i16]) {
        self.samples += frame.len() as u64;
        self.last.extend(frame);
        let excess = self.last.len().saturating_sub(KEPT_SAMPLES_MAX);
        self.last.drain(..excess);
    }

    /// The service has heard so many samples in all: returns the rest, which counts as not sent.
    ///
    /// # Errors
    /// When the service claims to have heard more than was sent, or less than is kept.
    pub(super) fn unheard(&mut self, heard: u64) -> anyhow::Result<Vec<i16>> {
        let lost = self.samples.checked_sub(heard).context("the ingress has heard more than was said")?;
        let from = self.last.len().checked_sub(usize::try_from(lost)?);
        let from = from.context("the ingress has lost more than a minute of audio")?;
        self.samples = heard;
        Ok(self.last.split_off(from).into())
    }

    /// The service does not know what it heard, and counts anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_heard_is_sent_again() {
        let mut sent = Sent::default();
        sent.push(&[1, 2, 3]);
        sent.push(&[4, 5]);
        assert_eq!(sent.unheard(5).unwrap(), [0_i16; 0]);
        assert_eq!(sent.unheard(3).unwrap(), [4, 5]);
        assert!(sent.unheard(4).is_err());
        sent.push(&[4, 5, 6]);
        assert_eq!(sent.unheard(2).unwrap(), [3, 4, 5, 6]);
        sent.forget();
        sent.push(&[7]);
        assert_eq!(sent.unheard(0).unwrap(), [7]);
    }

    #[test]
    fn a_minute_is_kept() {
        let mut sent = Sent::default();
        for _ in 0..100 {
            sent.push(&[0; SAMPLE_RATE_HZ as usize]);
        }
        assert_eq!(sent.last.len(), KEPT_SAMPLES_MAX);
        assert!(sent.unheard(30 * u64::from(SAMPLE_RATE_HZ)).is_err());
    }
}
