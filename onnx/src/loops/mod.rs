//! Loops found again in recordings, which hold their steps only.
//!
//! A recurrent module is a loop in Rust: at twice the length, its recording has twice the steps.
//! Where two traces part, a run of operations that each trace repeats, as often as its sizes say,
//! becomes one step; see [`crate::symbolic::Loop`].

mod find;
pub mod node;
mod sink_views;
mod step;
mod trace;

use std::collections::BTreeSet;

use burn_capture::TensorId;

use crate::record::capture::Trace;
use crate::symbolic::{Carried, Joined};
use find::{Run, runs};
use sink_views::sink_views;
use step::{Step, describe};
use trace::Record;

/// A loop of one trace, whose operations now hold one step.
pub(crate) struct Rolled {
    pub first: usize,
    pub period: usize,
    pub count: usize,
    pub carried: Vec<Carried>,
    pub last: Vec<(TensorId, TensorId)>,
    pub joined: Vec<Joined>,
    /// How far the bounds of each operation move from one step to the next, by axis.
    pub moves: Vec<Vec<(i64, i64)>>,
}

/// Puts the operations in an order in which steps are alike. What they compute stays.
pub(crate) fn order(traces: &mut [Trace]) {
    for trace in traces {
        let ops = sink_views(&trace.captured.graph.operations);
        trace.captured.graph.operations = ops;
    }
}

/// Rolls up the loop because of which the traces part at operation `at`; none if there is no such
/// loop, and then nothing is changed.
pub(crate) fn roll(traces: &mut [Trace], at: usize) -> Option<Vec<Rolled>> {
    let records: Vec<Record> = traces.iter().map(Record::new).collect();
    let longest = records.iter().max_by_key(|record| record.len())?;
    let steps = (1..=longest.len() / 2).find_map(|period| {
        let here = runs(longest, period);
        let mut near = here.iter().filter(|run| run.first <= at && at <= run.end());
        near.find_map(|run| alike(&records, run))
    })?;
    drop(records);
    let rolled = traces.iter_mut().zip(steps);
    Some(rolled.map(|(trace, step)| step.apply(trace)).collect())
}

/// The same loop in all traces, where they do not go round it equally often.
fn alike(records: &[Record], wanted: &Run) -> Option<Vec<Step>> {
    let steps: Vec<Step> = records
        .iter()
        .map(|record| {
            let mut runs = runs(record, wanted.period).into_iter();
            let run = runs.find(|run| run.first == wanted.first)?;
            describe(record, &run)
        })
        .collect::<Option<_>>()?;
    let first = steps.first()?;
    let counts: BTreeSet<usize> = steps.iter().map(|step| step.run.count).collect();
    (counts.len() > 1 && steps.iter().all(|step| step.like(first))).then_some(steps)
}
