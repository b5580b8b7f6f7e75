//! What long work says meanwhile, on stderr: a bar on a terminal, plain lines elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use fluxo_compare::Step;
use indicatif::{ProgressBar, ProgressStyle};

/// Lines are for work that takes longer: what is refused at once is one line, the refusal.
const SOON: Duration = Duration::from_millis(500);

/// Shows the steps of an export.
pub enum Progress {
    Quiet,
    Bar(ProgressBar),
    Lines(Arc<Mutex<Lines>>),
}

/// Lines of which each is shown once.
#[derive(Default)]
pub struct Lines {
    /// What is done now.
    what: String,
    /// The last one.
    line: String,
    /// Whether the work has taken long enough for any to be shown.
    long: bool,
    over: bool,
}

impl Lines {
    fn show(&self) {
        if self.long && !self.over {
            eprintln!("{}", self.line);
        }
    }
}

/// What holds the lines only prints and sets them.
fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let bar = ProgressBar::new(0);
        if bar.is_hidden() {
            let lines = Arc::new(Mutex::new(Lines::default()));
            let shown = Arc::clone(&lines);
            thread::spawn(move || {
                thread::sleep(SOON);
                let mut lines = locked(&shown);
                lines.long = true;
                lines.show();
            });
            return Self::Lines(lines);
        }
        Self::Bar(bar)
    }

    /// Work without parts begins.
    pub fn begin(&self, what: &str) {
        self.step(Step {
            what,
            done: 0,
            of: 0,
        });
    }

    /// A part of the work begins, or a pass of it is over. On lines each part is said once.
    pub fn step(&self, step: Step<'_>) {
        let Step { what, done, of } = step;
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                let style = match of {
                    0 => "{spinner} {msg}",
                    _ => "{bar:24} {pos}/{len}  {msg}  {elapsed}",
                };
                let style = ProgressStyle::with_template(style);
                bar.set_style(style.unwrap_or(ProgressStyle::default_bar()));
                bar.set_length(of as u64);
                bar.set_position(done as u64);
                bar.set_message(what.to_string());
                bar.tick();
            }
            Self::Lines(lines) => {
                let mut lines = locked(lines);
                if lines.what != what {
                    lines.what = what.to_string();
                    lines.line = match of {
                        0 => what.to_string(),
                        _ => format!("{what} ({done} of {of} passes done)"),
                    };
                    lines.show();
                }
            }
        }
    }

    /// When the work is over.
    pub fn end(&self) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines(lines) => locked(lines).over = true,
        }
    }
}

/// An error must not find a bar in its line.
impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
