//! Views moved to where they are used, so that the steps of a loop hold them.
//!
//! A sequence is often taken apart before a loop, all elements at once, and put together behind
//! it: `stack` gives every tensor a new axis first. Those cuts and changes of shape belong to the
//! steps. An element of a sequence stands before the first operation that reads it, and a tensor
//! that is only joined with others behind the one that makes it.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn_capture::TensorId;
use burn_ir::{BaseOperationIr, OperationIr};

/// The same operations in that order.
pub(super) fn sink_views(ops: &[OperationIr]) -> Vec<OperationIr> {
    let mut readers: HashMap<TensorId, Vec<usize>> = HashMap::new();
    let mut makers: HashMap<TensorId, usize> = HashMap::new();
    for (index, op) in ops.iter().enumerate() {
        op.inputs()
            .for_each(|tensor| readers.entry(tensor.id).or_default().push(index));
        op.outputs().for_each(|tensor| {
            makers.insert(tensor.id, index);
        });
    }
    let mut order = Order {
        ops,
        makers: &makers,
        joined: BTreeMap::new(),
        placed: vec![false; ops.len()],
        result: Vec::with_capacity(ops.len()),
    };
    for (index, op) in ops.iter().enumerate() {
        let all = op.outputs().flat_map(|tensor| readers.get(&tensor.id));
        let mut all = all.flatten().map(|reader| &ops[*reader]).peekable();
        let computed = |id: &TensorId| makers.get(id).filter(|maker| !is_source(&ops[**maker]));
        if let Some(maker) = viewed(op).and_then(|(id, _)| computed(&id))
            && all.peek().is_some()
            && all.all(is_cat)
        {
            order.joined.entry(*maker).or_default().push(index);
        }
    }
    let elements = elements(ops);
    for (index, is_element) in elements.iter().enumerate() {
        if !is_element {
            order.place(index);
        }
    }
    // Elements that nothing reads: results.
    (0..ops.len()).for_each(|index| order.place(index));
    let result = order.result;
    result.into_iter().map(|index| ops[index].clone()).collect()
}

struct Order<'a> {
    ops: &'a [OperationIr],
    makers: &'a HashMap<TensorId, usize>,
    /// Views that are only joined with others, by the operation that they stand behind.
    joined: BTreeMap<usize, Vec<usize>>,
    placed: Vec<bool>,
    result: Vec<usize>,
}

impl Order<'_> {
    fn place(&mut self, index: usize) {
        if std::mem::replace(&mut self.placed[index], true) {
            return;
        }
        let inputs = self.ops[index].inputs();
        let before: Vec<usize> = inputs
            .filter_map(|tensor| self.makers.get(&tensor.id).copied())
            .collect();
        before.into_iter().for_each(|maker| self.place(maker));
        self.result.push(index);
        let behind = self.joined.get(&index).cloned().unwrap_or_default();
        behind.into_iter().for_each(|view| self.place(view));
    }
}

/// What the operation views, and whether it cuts it.
fn viewed(op: &OperationIr) -> Option<(TensorId, bool)> {
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            match op {
                BaseOperationIr::Reshape(op) => Some((op.input.id, false)),
                BaseOperationIr::Slice(op) => Some((op.tensor.id, true)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Which operations take a tensor apart, or view a part of it: one that is cut at least thrice.
fn elements(ops: &[OperationIr]) -> Vec<bool> {
    let mut cuts: HashMap<TensorId, usize> = HashMap::new();
    for op in ops {
        if let Some((id, true)) = viewed(op) {
            *cuts.entry(id).or_default() += 1;
        }
    }
    let mut parts: HashSet<TensorId> = HashSet::new();
    let each = ops.iter().map(|op| {
        let part = viewed(op).is_some_and(|(id, cut)| {
            parts.contains(&id) || (cut && cuts.get(&id).is_some_and(|count| *count >= 3))
        });
        if part {
            parts.extend(op.outputs().map(|tensor| tensor.id));
        }
        part
    });
    each.collect()
}

/// An input, a weight, a constant: made of nothing.
fn is_source(op: &OperationIr) -> bool {
    op.inputs().next().is_none()
}

fn is_cat(op: &OperationIr) -> bool {
    matches!(
        op,
        OperationIr::BaseFloat(BaseOperationIr::Cat(_))
            | OperationIr::BaseInt(BaseOperationIr::Cat(_))
            | OperationIr::BaseBool(BaseOperationIr::Cat(_))
    )
}
