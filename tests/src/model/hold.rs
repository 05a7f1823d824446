//! Calls that arrive and wait before they do what they ask for, until they are let go: how a test has two callers meet
//! at one point.

use tokio::sync::watch;

use super::{Cloud, call::Call};

/// Calls of one operation wait until this is dropped.
#[derive(Debug)]
pub struct Hold {
    cloud: Cloud,
    waiting: watch::Receiver<usize>,
}

/// What the calls know of it.
#[derive(Debug)]
pub(super) struct Held {
    operation: &'static str,
    waiting: watch::Sender<usize>,
}

impl Cloud {
    /// Holds the calls of `operation` that arrive from now on.
    ///
    /// # Panics
    /// Calls are held already.
    #[must_use]
    pub fn hold(&self, operation: &'static str) -> Hold {
        let (sender, waiting) = watch::channel(0);
        let before = self.state().held.replace(Held { operation, waiting: sender });
        assert!(before.is_none(), "calls are held already");
        Hold { cloud: self.clone(), waiting }
    }

    /// Returns at once, or when the calls of this operation are let go.
    pub(super) async fn pass(&self, call: &Call) {
        let mut released = {
            let state = self.state();
            let Some(held) = state.held.as_ref().filter(|held| held.operation == call.operation) else {
                return;
            };
            held.waiting.send_modify(|waiting| *waiting += 1);
            held.waiting.subscribe()
        };
        // It ends with an error, when the sender is dropped.
        while released.changed().await.is_ok() {}
    }
}

impl Hold {
    /// Waits until `calls` calls wait.
    pub async fn arrived(&mut self, calls: usize) {
        let arrived = self.waiting.wait_for(|waiting| *waiting >= calls).await;
        arrived.expect("what counts the calls lives as long as this");
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.cloud.state().held = None;
    }
}
