//! Loops: what a step reads of the step before, what it cuts and what it puts together.
//!
//! The operations of a step are lowered like all others, between two marks that
//! [`crate::loops::node`] makes one node of: whatever joins nodes before that joins them here too.

use std::collections::HashMap;

use burn_capture::TensorId;
use burn_ir::{BaseOperationIr, OperationIr};

use super::context::{Context, Lowered, unsupported};
use super::layout::{cut, whole};
use crate::error::Error;
use crate::expr::{Expr, Factor};
use crate::graph::build::{Along, Attr, BEGIN, DataType, END, Node, Turn, ValueId};
use crate::symbolic::{Carried, Loop, Op, Range, Symbolic};

/// A loop whose step is being lowered.
pub(super) struct Open<'a> {
    turn: &'a Loop,
    number: usize,
    /// What the step takes from the one before.
    states: Vec<Carried>,
    /// Tensors that steps fill, one element of an axis each.
    filled: Vec<(Carried, Along)>,
    /// Slices by what they are cut from, and how.
    slices: HashMap<(ValueId, usize, bool), ValueId>,
    /// What all steps put together: the tensor that it is, the slice of a step.
    made: Vec<(TensorId, ValueId, Along)>,
    /// Where the mark of its beginning stands.
    begin: usize,
}

/// Begins the step of a loop, of whose operations `live` are wanted.
pub(super) fn open<'a>(
    cx: &mut Context<'a>,
    sym: &'a Symbolic,
    turn: &'a Loop,
    live: &[usize],
) -> Lowered<Open<'a>> {
    if turn.trips.at(&cx.graph.minima) < 1 {
        // ONNX Runtime 1.32 crashes in a Scan without steps, and a Loop gives no shape then.
        let trips = turn.trips.show(&cx.graph.sizes);
        return unsupported(format!(
            "a loop of {trips} steps may have none: give the size a minimum at which it has one"
        ));
    }
    let counted = cx.forms().counted;
    let trips = counted.then(|| cx.extent_scalar(&turn.trips));
    let steps = needs_number(sym, turn).then(|| {
        let trips = cx.extent_scalar(&turn.trips);
        let [zero, one] = [0, 1].map(|number| cx.extent_scalar(&Expr::constant(number)));
        let shape = vec![turn.trips.clone()];
        cx.emit("Range", &[zero, trips, one], vec![], DataType::Int64, shape)
    });
    let mut open = Open {
        turn,
        number: cx.graph.turns.len(),
        states: Vec::new(),
        filled: Vec::new(),
        slices: HashMap::new(),
        made: Vec::new(),
        begin: cx.graph.nodes.len(),
    };
    let own = live.iter().filter(|op| turn.ops.contains(op));
    let read: Vec<TensorId> = own
        .flat_map(|op| sym.ops[*op].ir.inputs())
        .map(|input| input.id)
        .collect();
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for carried in &turn.carried {
        if !read.contains(&carried.inside) {
            continue;
        }
        if let Some(along) = fills(sym, turn, carried) {
            open.filled.push((*carried, along));
            continue;
        }
        let Some(initial) = cx.bound(carried.initial) else {
            return Err(Error::Unsound(format!("{} is not made", carried.initial)).into());
        };
        let inside = like(cx, "state", initial);
        cx.bind_source(carried.inside, inside);
        inputs.push(Some(initial));
        outputs.push(inside);
        open.states.push(*carried);
    }
    cx.graph.turns.push(Turn {
        states: open.states.len(),
        cut: Vec::new(),
        put: Vec::new(),
        trips,
    });
    mark(cx, BEGIN, open.number, inputs, outputs);
    if let Some(steps) = steps {
        // The number of the step is an element of a range.
        let along = Along {
            axis: 0,
            back: false,
        };
        let step = open.slice(cx, steps, along);
        let axes = cx.ints(&[0]);
        let one = vec![Expr::constant(1)];
        let vector = cx.emit("Unsqueeze", &[step, axes], vec![], DataType::Int64, one);
        cx.set_step(turn.step, vector);
    }
    Ok(open)
}

fn mark(
    cx: &mut Context,
    op: &'static str,
    number: usize,
    inputs: Vec<Option<ValueId>>,
    outputs: Vec<ValueId>,
) {
    let name = cx.unique(op);
    cx.graph.nodes.push(Node {
        op,
        name,
        inputs,
        outputs,
        attrs: vec![("loop", Attr::Int(number as i64))],
    });
}

/// A new value of the type and shape of another.
fn like(cx: &mut Context, name: &str, other: ValueId) -> ValueId {
    let (dtype, shape) = (cx.dtype(other), cx.shape(other));
    let name = cx.unique(name);
    cx.value(name, dtype, shape)
}

impl Open<'_> {
    /// Whether an operation is one of the step.
    pub fn contains(&self, op: usize) -> bool {
        self.turn.ops.contains(&op)
    }

    /// Lowers an operation of the step, if it is one that the loop itself does.
    pub fn lower(&mut self, cx: &mut Context, op: &OperationIr) -> Lowered<bool> {
        match base(op) {
            Some(BaseOperationIr::Slice(op)) => {
                let ranges = cx.op()?.ranges.clone();
                let (Some(from), Some((all, along))) =
                    (cx.bound(op.tensor.id), walk(&ranges, self.turn))
                else {
                    return Ok(false);
                };
                // What the step itself makes can only be cut in it.
                if self.inside(cx, from) {
                    return Ok(false);
                }
                let shape = cx.shape_of(&op.out)?;
                let mut together = shape.clone();
                together[along.axis] = self.turn.trips.clone();
                let from = cut(cx, from, &all, together)?;
                let slice = self.slice(cx, from, along);
                let slice = cx.reshape(slice, &shape);
                cx.bind(&op.out, slice)?;
                Ok(true)
            }
            Some(BaseOperationIr::SliceAssign(op)) => {
                let mut filled = self.filled.iter();
                let Some((_, along)) = filled.find(|(carried, _)| carried.next == op.out.id) else {
                    return Ok(false);
                };
                let (along, value) = (*along, cx.get(&op.value)?);
                self.put(cx, op.out.id, value, along);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether the value is made behind the mark where the loop begins.
    fn inside(&self, cx: &Context, value: ValueId) -> bool {
        let nodes = &cx.graph.nodes[self.begin..];
        nodes.iter().any(|node| node.outputs.contains(&value))
    }

    /// The slice of a step, without the axis.
    fn slice(&mut self, cx: &mut Context, from: ValueId, along: Along) -> ValueId {
        let key = (from, along.axis, along.back);
        if let Some(slice) = self.slices.get(&key) {
            return *slice;
        }
        let (dtype, mut shape) = (cx.dtype(from), cx.shape(from));
        shape.remove(along.axis);
        let name = cx.unique("slice");
        let slice = cx.value(name, dtype, shape);
        let begin = &mut cx.graph.nodes[self.begin];
        begin.inputs.push(Some(from));
        begin.outputs.push(slice);
        cx.graph.turns[self.number].cut.push(along);
        self.slices.insert(key, slice);
        slice
    }

    /// Notes that a value of each step is a slice of the tensor `id`.
    fn put(&mut self, cx: &mut Context, id: TensorId, value: ValueId, along: Along) {
        let mut shape = cx.shape(value);
        shape.remove(along.axis);
        let value = cx.reshape(value, &shape);
        self.made.push((id, value, along));
    }

    /// Ends the step: from here on, its tensors are those of the last step.
    pub fn close(mut self, cx: &mut Context) -> Lowered {
        for joined in &self.turn.joined {
            let Some(value) = cx.bound(joined.each) else {
                continue;
            };
            if !cx.shape(value)[joined.axis].is(1) {
                return unsupported("a loop that joins more than one element of each step");
            }
            let along = Along {
                axis: joined.axis,
                back: false,
            };
            self.put(cx, joined.whole, value, along);
        }
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let mut last: HashMap<TensorId, ValueId> = HashMap::new();
        for state in &self.states {
            let Some(next) = cx.bound(state.next) else {
                return Err(Error::Unsound(format!("{} is not made", state.next)).into());
            };
            let value = like(cx, "last", next);
            inputs.push(Some(next));
            outputs.push(value);
            last.insert(state.next, value);
        }
        for (id, slice, along) in &self.made {
            let (dtype, mut shape) = (cx.dtype(*slice), cx.shape(*slice));
            shape.insert(along.axis, self.turn.trips.clone());
            let name = cx.unique("steps");
            let value = cx.value(name, dtype, shape);
            inputs.push(Some(*slice));
            outputs.push(value);
            last.insert(*id, value);
            cx.graph.turns[self.number].put.push(*along);
        }
        mark(cx, END, self.number, inputs, outputs);
        for joined in &self.turn.joined {
            if let Some(value) = last.get(&joined.whole) {
                cx.bind_source(joined.whole, *value);
            }
        }
        for (inside, after) in &self.turn.last {
            match last.get(inside) {
                Some(value) => cx.bind_source(*after, *value),
                None if cx.bound(*inside).is_none() => {}
                None => {
                    return unsupported("a tensor of a loop's last step that no step passes on");
                }
            }
        }
        Ok(())
    }
}

fn base(op: &OperationIr) -> Option<&BaseOperationIr> {
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            Some(op)
        }
        _ => None,
    }
}

/// What all steps of a loop together take, and along which axis they walk through it, an element
/// each.
fn walk(ranges: &[Range], turn: &Loop) -> Option<(Vec<Range>, Along)> {
    let mut walking = (0..ranges.len()).filter(|axis| follows(&ranges[*axis], turn));
    let (Some(axis), None) = (walking.next(), walking.next()) else {
        return None;
    };
    let (step, one) = (Expr::size(turn.step), Expr::constant(1));
    let range = &ranges[axis];
    if range.step != 1 || range.end.sub(&range.start) != one {
        return None;
    }
    let fixed = |bound: &Expr| !has(bound, turn.step);
    let (there, back) = (range.start.sub(&step), range.start.add(&step));
    let along = Along {
        axis,
        back: fixed(&back),
    };
    let start = match (fixed(&there), along.back) {
        (true, _) => there,
        (_, true) => back.sub(&turn.trips).add(&one),
        _ => return None,
    };
    let mut all = ranges.to_vec();
    all[axis] = Range {
        end: start.add(&turn.trips),
        start,
        step: 1,
    };
    Some((all, along))
}

/// Whether a bound of the range moves from step to step.
fn follows(range: &Range, turn: &Loop) -> bool {
    has(&range.start, turn.step) || has(&range.end, turn.step)
}

fn has(bound: &Expr, size: usize) -> bool {
    let mut factors = bound.terms().keys().flatten();
    factors.any(|factor| matches!(factor, Factor::Size(own) if *own == size))
}

/// Whether all that steps do with a tensor is to fill it, and along which axis.
fn fills(sym: &Symbolic, turn: &Loop, carried: &Carried) -> Option<Along> {
    let ops = &sym.ops[turn.ops.clone()];
    let reads = |id: TensorId| {
        let inputs = ops.iter().flat_map(|op| op.ir.inputs());
        inputs.filter(|input| input.id == id).count()
    };
    let op = ops.iter().find(|op| match base(&op.ir) {
        Some(BaseOperationIr::SliceAssign(assign)) => {
            assign.out.id == carried.next && assign.tensor.id == carried.inside
        }
        _ => false,
    })?;
    let joined = turn.joined.iter().any(|joined| joined.each == carried.next);
    let only = reads(carried.inside) == 1 && reads(carried.next) == 0 && !joined;
    let (all, along) = walk(&op.ranges, turn)?;
    (only && all == whole(sym.shapes.get(&carried.inside)?)).then_some(along)
}

/// Whether an operation of the step does something with its number that the loop does not do.
fn needs_number(sym: &Symbolic, turn: &Loop) -> bool {
    let ops = &sym.ops[turn.ops.clone()];
    let made = |id: TensorId| {
        let own = ops.iter().any(|op| op.ir.outputs().any(|out| out.id == id));
        own || turn.carried.iter().any(|carried| carried.inside == id)
    };
    let done = |op: &Op| match base(&op.ir) {
        Some(BaseOperationIr::Slice(slice)) => {
            !made(slice.tensor.id) && walk(&op.ranges, turn).is_some()
        }
        Some(BaseOperationIr::SliceAssign(assign)) => {
            let mut carried = turn.carried.iter();
            let carried = carried.find(|carried| carried.next == assign.out.id);
            carried.is_some_and(|carried| fills(sym, turn, carried).is_some())
        }
        _ => false,
    };
    let mut moving = ops
        .iter()
        .filter(|op| op.ranges.iter().any(|range| follows(range, turn)));
    moving.any(|op| !done(op))
}
