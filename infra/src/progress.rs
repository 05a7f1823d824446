//! PURE. The progress of long work. The caller shows it.

use std::{fmt, sync::Arc};

/// A report of long work. Steps follow one another; they do not nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A step begins; the text is its title. It ends the step before.
    Begin(&'a str),
    /// The current part of the step.
    Detail(&'a str),
    /// How many of its equal parts are done.
    Part {
        done: usize,
        /// Parts in all.
        total: usize,
    },
    /// The step succeeded; the text is its result, and may be empty.
    End(&'a str),
    /// The step failed, and the work goes on.
    Fail(&'a str),
}

/// Receives the steps. Cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Step<'_>) + Send + Sync>);

impl Progress {
    #[must_use]
    pub fn new(observer: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observer))
    }

    /// Reports nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub fn begin(&self, title: &str) {
        (self.0)(Step::Begin(title));
    }

    pub fn detail(&self, text: &str) {
        (self.0)(Step::Detail(text));
    }

    pub fn part(&self, done: usize, total: usize) {
        (self.0)(Step::Part { done, total });
    }

    /// The step succeeded.
    pub fn end(&self, result: &str) {
        (self.0)(Step::End(result));
    }

    /// The step failed, and the work goes on. A failure that ends the work is returned as an error instead.
    pub fn fail(&self, reason: &str) {
        (self.0)(Step::Fail(reason));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::silent()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
