//! What an export says while it is made and checked.

use std::cell::Cell;

/// How far an export has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// What is done now: `recording onnx/model.onnx`, `checking: tract`.
    pub what: &'a str,
    /// How many passes are behind it.
    pub done: usize,
    /// How many there will be in all; 0 where that is not known yet.
    pub of: usize,
}

/// Who is told.
pub type Told<'a> = &'a dyn Fn(Step<'_>);

/// Nobody.
pub(crate) fn untold(_: Step<'_>) {}

/// Counts the passes of a check.
pub(crate) struct Meter<'a> {
    told: Told<'a>,
    done: Cell<usize>,
    of: usize,
}

impl<'a> Meter<'a> {
    /// Of a check of so many passes.
    pub fn new(told: Told<'a>, of: usize) -> Self {
        Self {
            told,
            done: Cell::new(0),
            of,
        }
    }

    /// `what` begins.
    pub fn begin(&self, what: &str) {
        let (done, of) = (self.done.get().min(self.of), self.of);
        (self.told)(Step { what, done, of });
    }

    /// `passes` of `what` are over.
    pub fn passed(&self, what: &str, passes: usize) {
        self.done.set(self.done.get() + passes);
        self.begin(what);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn passes_are_counted_over_all_that_is_done() {
        let said = RefCell::new(Vec::new());
        let note = |step: Step<'_>| {
            let Step { what, done, of } = step;
            said.borrow_mut().push((what.to_string(), done, of));
        };
        let meter = Meter::new(&note, 4);
        meter.begin("one");
        meter.passed("one", 3);
        meter.begin("two");
        meter.passed("two", 1);
        let wanted = [("one", 0, 4), ("one", 3, 4), ("two", 3, 4), ("two", 4, 4)];
        let wanted = wanted.map(|(what, done, of)| (what.to_string(), done, of));
        assert_eq!(*said.borrow(), wanted);
    }
}
