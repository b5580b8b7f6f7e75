//! Runs of operations that repeat.

use super::trace::Record;

/// A run of `count` steps of `period` operations each, from operation `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub first: usize,
    pub period: usize,
    pub count: usize,
}

impl Run {
    /// The operation behind the last step.
    pub fn end(&self) -> usize {
        self.first + self.period * self.count
    }
}

/// Every longest run of this period, at least three steps long.
///
/// From the second step on, each operation reads what the one a step earlier reads, or what a
/// step later stands in its place. The first step differs: it reads what the loop begins with.
pub(super) fn runs(record: &Record, period: usize) -> Vec<Run> {
    let pairs = record.len().saturating_sub(period);
    let mut moves: Vec<Option<Vec<(i64, i64)>>> = (0..pairs)
        .map(|index| record.next(index, period, |a, b| record.shifted(a, b, period)))
        .collect();
    moves.push(None);
    let mut found = Vec::new();
    let mut begin = 0;
    for index in 0..=pairs {
        let goes_on = moves[index].is_some()
            && (index < begin + period || moves[index] == moves[index - period]);
        if goes_on {
            continue;
        }
        if index > begin {
            found.extend(run(record, period, begin, index + period, &moves));
        }
        // Bounds that move otherwise from here on begin another run.
        begin = if moves[index].is_some() {
            index
        } else {
            index + 1
        };
    }
    found
}

/// The steps between two operations, and the one before them if it is a first step.
fn run(
    record: &Record,
    period: usize,
    begin: usize,
    end: usize,
    moves: &[Option<Vec<(i64, i64)>>],
) -> Option<Run> {
    let count = (end - begin) / period;
    let first = end - count * period;
    let run = |first, count| {
        (count >= 3).then_some(Run {
            first,
            period,
            count,
        })
    };
    let before = first.checked_sub(period);
    let begins = before.is_some_and(|before| {
        (before..first).all(|index| {
            let starts = |a, b| {
                let made = |id| record.maker(id).map(|(index, _)| index);
                let outside = made(a).is_none_or(|a| a < before);
                let carried = made(b).is_some_and(|b| (before..first).contains(&b));
                record.shifted(a, b, period) || (outside && carried)
            };
            let moved = record.next(index, period, starts);
            moved.is_some() && moved == moves[index + period]
        })
    });
    match before {
        Some(before) if begins => run(before, count + 1),
        _ => run(first, count),
    }
}
