//! What long work says meanwhile, on stderr: a bar on a terminal, plain lines elsewhere.

use std::cell::RefCell;

use fluxo_compare::Step;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows the steps of an export.
pub enum Progress {
    Quiet,
    Bar(ProgressBar),
    /// The line that was shown last.
    Lines(RefCell<String>),
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let bar = ProgressBar::new(0);
        if bar.is_hidden() {
            return Self::Lines(RefCell::default());
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
            Self::Lines(shown) => {
                if *shown.borrow() != what {
                    match of {
                        0 => eprintln!("{what}"),
                        _ => eprintln!("{what} ({done} of {of} passes done)"),
                    }
                    *shown.borrow_mut() = what.to_string();
                }
            }
        }
    }

    /// When the work is over.
    pub fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
