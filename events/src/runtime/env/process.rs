//! A simulated process: tasks that are stopped, continued and killed together, with a skewed clock. Binaries do not use it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use jiff::SignedDuration;
use tokio::task::{AbortHandle, JoinHandle};

tokio::task_local! {
    static PROCESS: Process;
}

/// A group of tasks that behaves like an operating-system process. [`super::spawn`] inside one of its tasks adds a task.
#[derive(Clone, Debug)]
pub struct Process {
    skew: SignedDuration,
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Debug, Default)]
struct Tasks {
    stopped: bool,
    /// Tasks to poll after the process continues.
    waiting: Vec<Waker>,
    spawned: Vec<AbortHandle>,
}

struct Stoppable<F> {
    process: Process,
    task: Pin<Box<F>>,
}

impl Process {
    /// A process whose clock is `skew` ahead.
    #[must_use]
    pub fn new(skew: SignedDuration) -> Self {
        Self { skew, tasks: Arc::default() }
    }

    /// Spawns a task of the process, inside a tokio runtime.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let task = Stoppable { process: self.clone(), task: Box::pin(task) };
        let spawned = tokio::spawn(PROCESS.scope(self.clone(), task));
        let mut tasks = self.tasks();
        tasks.spawned.retain(|task| !task.is_finished());
        tasks.spawned.push(spawned.abort_handle());
        spawned
    }

    /// SIGSTOP: none of its tasks runs until it continues; its clock keeps running.
    pub fn stop(&self) {
        self.tasks().stopped = true;
    }

    pub fn go_on(&self) {
        let waiting = {
            let mut tasks = self.tasks();
            tasks.stopped = false;
            std::mem::take(&mut tasks.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// SIGKILL: all of its tasks are dropped.
    pub fn kill(&self) {
        for task in std::mem::take(&mut self.tasks().spawned) {
            task.abort();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future> Future for Stoppable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut tasks = self.process.tasks();
            if tasks.stopped {
                if !tasks.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    tasks.waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
        }
        self.task.as_mut().poll(context)
    }
}

/// The process of the current task; `None` outside a simulation.
pub(super) fn current() -> Option<Process> {
    PROCESS.try_with(Clone::clone).ok()
}

/// The lead of the current process's clock.
pub(super) fn skew() -> SignedDuration {
    PROCESS.try_with(|process| process.skew).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU32, sync::atomic::Ordering, time::Duration};

    use super::*;
    use crate::runtime::env;

    /// Counts seconds, in a task that another task of the process spawned.
    fn count(process: &Process, seconds: &Arc<AtomicU32>) {
        let seconds = Arc::clone(seconds);
        process.spawn(async move {
            env::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    seconds.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
    }

    #[tokio::test(start_paused = true)]
    async fn process_stops_goes_on_and_dies_with_all_of_its_tasks() {
        let (stopped, other) = (Process::new(SignedDuration::ZERO), Process::new(SignedDuration::ZERO));
        let (seconds, others) = (Arc::default(), Arc::default());
        count(&stopped, &seconds);
        count(&other, &others);
        let counted = || (seconds.load(Ordering::Relaxed), others.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        assert_eq!(counted(), (10, 10));
        stopped.stop();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(counted(), (10, 20));
        stopped.go_on();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(counted(), (20, 30), "it continues where it stopped");
        stopped.kill();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(counted(), (20, 40));
        assert_eq!(Arc::strong_count(&seconds), 1, "what it held is dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn clock_of_a_process_is_its_own() {
        let _world = env::Simulated::start("2026-11-24T08:00:00Z".parse().unwrap(), 1);
        let process = Process::new(SignedDuration::from_secs(-30));
        let behind = process.spawn(async { env::spawn(async { env::now() }).await }).await.unwrap().unwrap();
        assert_eq!(env::now().duration_since(behind), SignedDuration::from_secs(30));
    }
}
