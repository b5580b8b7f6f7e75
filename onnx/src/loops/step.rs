//! One step of a loop, and the trace with it in place of all.

use std::collections::{BTreeMap, HashMap};

use burn_capture::TensorId;
use burn_ir::{BaseOperationIr, CatOpIr, OperationIr};

use super::Rolled;
use super::find::Run;
use super::trace::Record;
use crate::record::capture::Trace;
use crate::symbolic::{Carried, Joined};

/// A tensor by its place in a step: operation, result.
type Slot = (usize, usize);

/// A loop of one trace.
pub(super) struct Step {
    pub run: Run,
    /// What a step takes from the one before, and what the first step reads instead.
    carried: BTreeMap<Slot, TensorId>,
    /// What is read after the loop, of the last step.
    last: Vec<(Slot, TensorId)>,
    /// Where what each step made is joined: which operation, counted from the end of the loop,
    /// from which of its tensors on, and what.
    joined: Vec<(usize, usize, Slot)>,
    moves: Vec<Vec<(i64, i64)>>,
    /// The tensors of the second step, which stands for all.
    tensors: HashMap<Slot, TensorId>,
    /// Those of the first, which the second reads as the step before.
    before: HashMap<Slot, TensorId>,
    /// Those of the third, which nothing reads any more, stand for those of all steps, joined.
    whole: HashMap<Slot, TensorId>,
}

/// What the steps of a run read and give; none if it is no loop: a step reads what another than
/// the one before it made, or something else than the last step, or all of them, is read later.
pub(super) fn describe(record: &Record, run: &Run) -> Option<Step> {
    let Run {
        first,
        period,
        count,
    } = *run;
    // In which step, and where in it, a tensor is made.
    let place = |id: TensorId| -> Option<(usize, Slot)> {
        let (index, result) = record.maker(id)?;
        let within = (first..run.end()).contains(&index);
        let from = index.wrapping_sub(first);
        within.then(|| (from / period, (from % period, result)))
    };
    let tensors = |step: usize| -> HashMap<Slot, TensorId> {
        let ops = (0..period).flat_map(|op| {
            let results = record.outputs[first + step * period + op].iter();
            results
                .enumerate()
                .map(move |(result, id)| ((op, result), *id))
        });
        ops.collect()
    };
    let mut carried = BTreeMap::new();
    for op in first..first + period {
        let pairs = record.inputs[op].iter().zip(&record.inputs[op + period]);
        for (at_first, at_second) in pairs {
            match (place(*at_first), place(*at_second)) {
                (None, Some((0, slot))) => {
                    // Two beginnings of one tensor would be two loops.
                    if carried
                        .insert(slot, *at_first)
                        .is_some_and(|other| other != *at_first)
                    {
                        return None;
                    }
                }
                (None, None) if at_first == at_second => {}
                (Some((0, a)), Some((1, b))) if a == b => {}
                _ => return None,
            }
        }
    }
    let mut last: Vec<(Slot, TensorId)> = Vec::new();
    let mut joined = Vec::new();
    let mut ends = |id: TensorId| match place(id) {
        Some((step, slot)) if step + 1 == count => {
            if !last.contains(&(slot, id)) {
                last.push((slot, id));
            }
            true
        }
        Some(_) => false,
        None => true,
    };
    for op in run.end()..record.len() {
        let found = all(&record.trace.captured.graph.operations[op], count, &place);
        let inputs = &record.inputs[op];
        let (before, after) = match found {
            Some((from, slot)) => {
                joined.push((op - run.end(), from, slot));
                (&inputs[..from], &inputs[from + count..])
            }
            None => (&inputs[..], &[][..]),
        };
        if !before.iter().chain(after).all(|id| ends(*id)) {
            return None;
        }
    }
    let outputs = record.trace.outputs.iter();
    let fits = outputs.map(|(_, id)| *id).all(&mut ends);
    let shifted = |op: usize| {
        let any = |_, _| true;
        record.next(first + op, period, any)
    };
    let moves = (0..period).map(shifted).collect::<Option<_>>()?;
    fits.then(|| Step {
        run: *run,
        carried,
        last,
        joined,
        moves,
        tensors: tensors(1),
        before: tensors(0),
        whole: tensors(2),
    })
}

/// From which of its tensors on an operation joins those of all steps, in order, and which.
fn all(
    op: &OperationIr,
    count: usize,
    place: &impl Fn(TensorId) -> Option<(usize, Slot)>,
) -> Option<(usize, Slot)> {
    let tensors = &cat(op)?.tensors;
    let mut places = tensors.iter().enumerate();
    let (from, slot) = places.find_map(|(from, tensor)| match place(tensor.id) {
        Some((0, slot)) => Some((from, slot)),
        _ => None,
    })?;
    let mut steps = tensors.get(from..from + count)?.iter().enumerate();
    let each = steps.all(|(step, tensor)| place(tensor.id) == Some((step, slot)));
    each.then_some((from, slot))
}

fn cat(op: &OperationIr) -> Option<&CatOpIr> {
    match op {
        OperationIr::BaseFloat(BaseOperationIr::Cat(op))
        | OperationIr::BaseInt(BaseOperationIr::Cat(op))
        | OperationIr::BaseBool(BaseOperationIr::Cat(op)) => Some(op),
        _ => None,
    }
}

fn cat_mut(op: &mut OperationIr) -> Option<&mut CatOpIr> {
    match op {
        OperationIr::BaseFloat(BaseOperationIr::Cat(op))
        | OperationIr::BaseInt(BaseOperationIr::Cat(op))
        | OperationIr::BaseBool(BaseOperationIr::Cat(op)) => Some(op),
        _ => None,
    }
}

impl Step {
    /// Whether another trace goes round the same loop, as often as it may.
    pub fn like(&self, other: &Self) -> bool {
        let slots = |step: &Self| {
            let carried: Vec<Slot> = step.carried.keys().copied().collect();
            let last: Vec<Slot> = step.last.iter().map(|(slot, _)| *slot).collect();
            (carried, last, step.joined.clone(), step.moves.clone())
        };
        slots(self) == slots(other)
    }

    /// Leaves the second step in the trace, for all.
    pub fn apply(self, trace: &mut Trace) -> Rolled {
        let Run {
            first,
            period,
            count,
        } = self.run;
        let ops = &mut trace.captured.graph.operations;
        let mut joined = Vec::new();
        for (op, from, slot) in &self.joined {
            if let Some(cat) = cat_mut(&mut ops[self.run.end() + op]) {
                let mut whole = cat.tensors[from + 2].clone();
                whole.shape[cat.dim] *= count;
                cat.tensors.splice(*from..from + count, [whole]);
                joined.push(Joined {
                    each: self.tensors[slot],
                    whole: self.whole[slot],
                    axis: cat.dim,
                });
            }
        }
        ops.drain(first + 2 * period..self.run.end());
        ops.drain(first..first + period);
        let carried = self.carried.iter().map(|(slot, initial)| Carried {
            inside: self.before[slot],
            initial: *initial,
            next: self.tensors[slot],
        });
        let last = self.last.iter().map(|(slot, id)| (self.tensors[slot], *id));
        Rolled {
            first,
            period,
            count,
            carried: carried.collect(),
            last: last.collect(),
            joined,
            moves: self.moves,
        }
    }
}
