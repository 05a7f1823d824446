//! What `nova` shows: on a terminal a line that moves for the step at hand, elsewhere one plain line a step.
//!
//! The only place that writes to standard output and standard error.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin, stdout},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use infra::local::{Progress, Step};

/// How often the moving line moves.
const TICK: Duration = Duration::from_millis(100);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Console(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    interactive: bool,
    current: Mutex<Option<Current>>,
}

/// The step at hand.
#[derive(Debug)]
struct Current {
    title: String,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Console {
    pub(crate) fn new() -> Self {
        let interactive = stdout().is_terminal() && stderr().is_terminal();
        Self(Arc::new(Shared { interactive, current: Mutex::new(None) }))
    }

    /// Whether it is a terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        self.0.interactive
    }

    /// Whether a person can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.0.interactive && stdin().is_terminal()
    }

    /// Asks whether to go on with what was shown.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub(crate) fn agrees(&self) -> anyhow::Result<bool> {
        self.line("Go on? Type y for yes.");
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
        Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }

    /// An observer that shows steps here.
    pub(crate) fn progress(&self) -> Progress {
        let console = self.clone();
        Progress::new(move |step| match step {
            Step::Begin(title) => console.begin(title),
            Step::Detail(text) => console.detail(text),
            Step::Part { done, total } => console.part(done, total),
            Step::End(result) => console.end("✓", result),
            Step::Fail(reason) => console.end("✗", reason),
        })
    }

    pub(crate) fn line(&self, text: &str) {
        // The reader of the output may be gone; that is not a failure.
        self.beside_bar(|| {
            let _ = writeln!(stdout(), "{text}");
        });
    }

    /// A line on standard error: how far a long command is.
    pub(crate) fn note(&self, text: &str) {
        self.beside_bar(|| {
            let _ = writeln!(stderr(), "{text}");
        });
    }

    /// Says why the command failed, in place of the step at hand.
    pub(crate) fn error(&self, text: &str) {
        self.end("✗", "failed");
        let _ = writeln!(stderr(), "error: {text}");
    }

    fn begin(&self, title: &str) {
        self.end("✓", "");
        let bar = self.0.interactive.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg:.dim}") {
                bar.set_style(style);
            }
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(TICK);
            bar
        });
        if bar.is_none() {
            let _ = writeln!(stdout(), "… {title}");
        }
        *self.current() = Some(Current { title: title.to_owned(), since: Instant::now(), bar });
    }

    fn detail(&self, text: &str) {
        if let Some(Current { bar: Some(bar), .. }) = &*self.current() {
            bar.set_message(text.to_owned());
        }
    }

    fn part(&self, done: usize, total: usize) {
        if let Some(Current { bar: Some(bar), .. }) = &*self.current() {
            if bar.length().is_none()
                && let Ok(style) =
                    ProgressStyle::with_template("{spinner} {prefix}  {bar:25} {pos}/{len}  {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
    }

    fn end(&self, mark: &str, result: &str) {
        let current = self.current().take();
        if let Some(current) = current {
            self.settle(&current, mark, result);
        }
    }

    fn settle(&self, current: &Current, mark: &str, result: &str) {
        if let Some(bar) = &current.bar {
            bar.finish_and_clear();
        }
        let seconds = current.since.elapsed().as_secs_f64();
        let gap = if result.is_empty() { "" } else { ": " };
        let _ = writeln!(stdout(), "{mark} {}{gap}{result} ({seconds:.1} s)", current.title);
    }

    fn beside_bar(&self, write: impl FnOnce()) {
        match &*self.current() {
            Some(Current { bar: Some(bar), .. }) => bar.suspend(write),
            Some(Current { bar: None, .. }) | None => write(),
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        // A panic elsewhere leaves the current step valid.
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
