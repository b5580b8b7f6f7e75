//! A trace as the search for loops reads it.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use burn_capture::TensorId;
use burn_ir::OperationIr;

use crate::record::capture::Trace;
use crate::symbolic::parts_of;

/// Bounds by axis: start, end, step.
type Ranges = Vec<(i64, i64, i64)>;

/// What is compared of a trace's operations.
pub(super) struct Record<'a> {
    pub trace: &'a Trace,
    /// A number that alike operations share, whatever they read and wherever they cut.
    kinds: Vec<u64>,
    pub inputs: Vec<Vec<TensorId>>,
    pub outputs: Vec<Vec<TensorId>>,
    ranges: Vec<Ranges>,
    /// Which operation makes a tensor, and its place among the results.
    makers: HashMap<TensorId, (usize, usize)>,
}

impl<'a> Record<'a> {
    pub fn new(trace: &'a Trace) -> Self {
        let ops = &trace.captured.graph.operations;
        let mut record = Self {
            trace,
            kinds: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            ranges: Vec::new(),
            makers: HashMap::new(),
        };
        for (index, op) in ops.iter().enumerate() {
            let (nameless, ranges) = parts_of(op);
            let mut hasher = DefaultHasher::new();
            nameless.hash(&mut hasher);
            if let OperationIr::Init(init) = op
                && let Some(data) = trace.captured.values.get(&init.out.id)
            {
                data.as_bytes().hash(&mut hasher);
            }
            record.kinds.push(hasher.finish());
            record.ranges.push(ranges);
            let ids = |tensors: Vec<&burn_ir::TensorIr>| -> Vec<TensorId> {
                tensors.iter().map(|tensor| tensor.id).collect()
            };
            let outputs = ids(op.outputs().collect());
            for (place, id) in outputs.iter().enumerate() {
                record.makers.insert(*id, (index, place));
            }
            record.inputs.push(ids(op.inputs().collect()));
            record.outputs.push(outputs);
        }
        record
    }

    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    pub fn maker(&self, id: TensorId) -> Option<(usize, usize)> {
        self.makers.get(&id).copied()
    }

    /// How far the bounds move from operation `index` to the one `period` later, if that may be
    /// the same operation of the next step: of its kind, reading what `reads` accepts.
    pub fn next(
        &self,
        index: usize,
        period: usize,
        reads: impl Fn(TensorId, TensorId) -> bool,
    ) -> Option<Vec<(i64, i64)>> {
        let later = index + period;
        let (here, there) = (&self.inputs[index], &self.inputs[later]);
        let (from, to) = (&self.ranges[index], &self.ranges[later]);
        let alike = self.kinds[index] == self.kinds[later]
            && here.len() == there.len()
            && here.iter().zip(there).all(|(a, b)| reads(*a, *b))
            && from.iter().zip(to).all(|(a, b)| a.2 == b.2);
        let moves = from.iter().zip(to);
        alike.then(|| moves.map(|(a, b)| (b.0 - a.0, b.1 - a.1)).collect())
    }

    /// Whether `b` is `a`, or what the next step has in its place.
    pub fn shifted(&self, a: TensorId, b: TensorId, period: usize) -> bool {
        a == b
            || match (self.maker(a), self.maker(b)) {
                (Some((a, i)), Some((b, j))) => a + period == b && i == j,
                _ => false,
            }
    }
}
