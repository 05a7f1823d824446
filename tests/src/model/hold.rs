//! Delays the calls of one operation before their effect until a test continues them, so that two callers can be brought to
//! the same point.

use tokio::sync::watch;

use super::{Cloud, call::Call};

/// The calls of one operation wait until this value is dropped.
#[derive(Debug)]
pub struct Hold {
    cloud: Cloud,
    waiting: watch::Receiver<usize>,
}

/// The side of the calls.
#[derive(Debug)]
pub(super) struct Gate {
    operation: &'static str,
    waiting: watch::Sender<usize>,
}

impl Cloud {
    /// Delays the calls of `operation` that arrive from now on.
    ///
    /// # Panics
    /// Another operation is delayed already.
    #[must_use]
    pub fn hold(&self, operation: &'static str) -> Hold {
        let (sender, waiting) = watch::channel(0);
        let before = self.state().gate.replace(Gate { operation, waiting: sender });
        assert!(before.is_none(), "another operation is delayed already");
        Hold { cloud: self.clone(), waiting }
    }

    /// Waits while the operation of `call` is delayed.
    pub(super) async fn pass(&self, call: &Call) {
        let mut released = {
            let state = self.state();
            let Some(gate) = state.gate.as_ref().filter(|gate| gate.operation == call.operation) else {
                return;
            };
            gate.waiting.send_modify(|waiting| *waiting += 1);
            gate.waiting.subscribe()
        };
        // The loop ends when the sender is dropped.
        while released.changed().await.is_ok() {}
    }
}

impl Hold {
    /// Waits until `calls` calls wait.
    pub async fn arrived(&mut self, calls: usize) {
        let arrived = self.waiting.wait_for(|waiting| *waiting >= calls).await;
        arrived.expect("the sender lives as long as this value");
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.cloud.state().gate = None;
    }
}
