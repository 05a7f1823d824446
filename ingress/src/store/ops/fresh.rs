//! A value that is read again when it is too old. Callers that come while it is read wait for that one read.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

#[derive(Debug)]
pub(super) struct Fresh<T> {
    age_max: Duration,
    last: Mutex<Option<Last<T>>>,
}

#[derive(Debug)]
struct Last<T> {
    at: Instant,
    /// `None` after a failed read.
    value: Option<Arc<T>>,
}

impl<T> Fresh<T> {
    pub(super) fn new(age_max: Duration) -> Self {
        Self { age_max, last: Mutex::new(None) }
    }

    /// The value, read by `read` if there is none that is fresh. `None` if the last read failed: a failure is logged and counts as
    /// a read, so that many callers do not repeat it.
    pub(super) async fn get(
        &self,
        what: &'static str,
        read: impl AsyncFnOnce() -> anyhow::Result<T>,
    ) -> Option<Arc<T>> {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.at.elapsed() < self.age_max) {
            return last.value.clone();
        }
        let value = read().await.inspect_err(|error| {
            tracing::warn!(what, error = format!("{error:#}"), "failed to read what operators see");
        });
        let value = value.ok().map(Arc::new);
        *last = Some(Last { at: Instant::now(), value: value.clone() });
        value
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const AGE_MAX: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn many_callers_are_one_read_until_the_value_is_too_old() {
        let (fresh, reads) = (Fresh::new(AGE_MAX), Cell::new(0));
        let read = async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            reads.set(reads.get() + 1);
            Ok(reads.get())
        };
        let get = || fresh.get("a number", read);
        let together = tokio::join!(get(), get(), get());
        assert_eq!([together.0, together.1, together.2].map(|value| *value.unwrap()), [1, 1, 1]);
        tokio::time::sleep(AGE_MAX).await;
        assert_eq!(get().await.as_deref(), Some(&2));
    }

    #[tokio::test(start_paused = true)]
    async fn failed_read_is_repeated_when_it_is_too_old_and_not_before() {
        let (fresh, reads) = (Fresh::<u32>::new(AGE_MAX), Cell::new(0));
        let read = async || {
            reads.set(reads.get() + 1);
            if reads.get() == 1 { Err(anyhow::anyhow!("away")) } else { Ok(reads.get()) }
        };
        assert_eq!(fresh.get("a number", read).await, None);
        assert_eq!((fresh.get("a number", read).await, reads.get()), (None, 1));
        tokio::time::sleep(AGE_MAX).await;
        assert_eq!(fresh.get("a number", read).await.as_deref(), Some(&2));
    }
}
