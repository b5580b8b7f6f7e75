//! The traces joined, operation by operation.

use std::cell::RefCell;
use std::collections::HashMap;

use burn::tensor::TensorData;
use burn_capture::TensorId;
use burn_ir::{OperationIr, ScalarIr};

use super::decompose::{OpParts, Parts, decompose, name_of};
use super::module_path::modules;
use super::solver::Solver;
use super::{Loop, Op, Range, Symbolic};
use crate::error::{Divergence, Error, Result, place};
use crate::expr::Expr;
use crate::loops::{Rolled, order, roll};
use crate::record::capture::Trace;
use crate::record::plan::{Plan, input_shape, show_sizes};
use crate::spec::Spec;
use crate::symbolic::windows::{lengths, runs};

/// The lengths of this axis of inputs with as many axes, which most operations keep.
fn kept<'a>(
    op: &'a OperationIr,
    shapes: &'a HashMap<TensorId, Vec<Expr>>,
    rank: usize,
    axis: usize,
) -> impl Iterator<Item = &'a Expr> {
    let shapes = op.inputs().filter_map(|input| shapes.get(&input.id));
    let alike = shapes.filter(move |shape| shape.len() == rank);
    alike.map(move |shape| &shape[axis])
}

/// Every operation of every trace, taken apart.
fn take_all(traces: &[Trace]) -> Vec<Vec<OpParts>> {
    let all = traces.iter().map(|trace| {
        let mut parts = Parts::default();
        let ops = trace.captured.graph.operations.iter();
        ops.map(|op| decompose(op, &mut parts)).collect()
    });
    all.collect()
}

/// The first operation that differs between the first trace and another, and that other.
fn parting(taken: &[Vec<OpParts>]) -> Option<(usize, usize)> {
    let (first, others) = taken.split_first()?;
    let differs = |other: &Vec<OpParts>| {
        (0..first.len().max(other.len())).find(|index| {
            match (first.get(*index), other.get(*index)) {
                (Some(left), Some(right)) => left.skeleton != right.skeleton,
                _ => true,
            }
        })
    };
    let mut others = others.iter().enumerate();
    others.find_map(|(index, other)| Some((differs(other)?, index + 1)))
}

/// Refuses traces of the same number of steps, recorded `at` these sizes, that record different
/// operations.
///
/// # Errors
/// [`Error::Diverges`] with the first of them.
pub(crate) fn part(traces: &[Trace], at: &[Vec<i64>], sizes: &[String]) -> Result<()> {
    match parting(&take_all(traces)) {
        None => Ok(()),
        Some(parting) => Err(diverging(traces, parting, at, sizes)),
    }
}

/// The error that says where the first trace and the trace `other` part.
fn diverging(
    traces: &[Trace],
    (index, other): (usize, usize),
    at: &[Vec<i64>],
    sizes: &[String],
) -> Error {
    let ops = |trace: usize| traces[trace].captured.graph.operations.as_slice();
    let modules = modules(ops(0), &traces[0].parameters);
    let side = |trace: usize| {
        let name = ops(trace).get(index).map_or("the end".into(), name_of);
        (name, show_sizes(sizes, &at[trace]))
    };
    Error::Diverges(Box::new(Divergence {
        index,
        module: place(modules.get(index).map_or("", String::as_str)).to_string(),
        left: side(0),
        right: side(other),
        advice: None,
    }))
}

/// Leaves the traces with the same operations, by rolling up loops; or says where they part, and
/// leaves them as they were.
fn align(traces: &mut [Trace]) -> std::result::Result<Vec<Vec<Rolled>>, (usize, usize)> {
    let Some(first) = parting(&take_all(traces)) else {
        return Ok(Vec::new());
    };
    let recorded = |trace: &Trace| trace.captured.graph.operations.clone();
    let before: Vec<Vec<OperationIr>> = traces.iter().map(recorded).collect();
    let (mut at, mut rolled) = (Some(first), Vec::new());
    while let Some((index, _)) = at {
        let Some(found) = roll(traces, index) else {
            for (trace, ops) in traces.iter_mut().zip(before) {
                trace.captured.graph.operations = ops;
            }
            return Err(first);
        };
        rolled.push(found);
        at = parting(&take_all(traces));
    }
    Ok(rolled)
}

/// Joins the traces. Loops in them are left with one step.
pub(crate) fn solve(
    spec: &Spec,
    sizes: Vec<String>,
    plan: &Plan,
    mut traces: Vec<Trace>,
) -> Result<Symbolic> {
    let solver = Solver {
        plan,
        sizes: &sizes,
        known: RefCell::default(),
    };
    let rolled = align(&mut traces).or_else(|at| {
        let error = diverging(&traces, at, &plan.traces, &sizes);
        order(&mut traces);
        align(&mut traces).map_err(|_| error)
    })?;
    let taken = take_all(&traces);
    let Some(base) = traces.first() else {
        return Err(Error::Capture("nothing was recorded".into()));
    };
    let module_of = modules(&base.captured.graph.operations, &base.parameters);
    let loops = loops(&rolled, &solver, &module_of)?;
    let mut shapes: HashMap<TensorId, Vec<Expr>> = HashMap::new();
    let mut constants = HashMap::new();
    for (id, index) in &base.inputs {
        let shape = input_shape(spec, *index, &sizes);
        solver.note(&shape);
        shapes.insert(*id, shape);
    }
    let mut ops = Vec::new();
    for (index, op) in base.captured.graph.operations.iter().enumerate() {
        let module = module_of[index].clone();
        let here: Vec<&OpParts> = taken.iter().map(|trace| &trace[index]).collect();
        let seen = |values: &[i64]| values.iter().map(i64::to_string).collect::<Vec<_>>();
        let whole = |what: &str, values: Vec<i64>| {
            solver.solve(&values).ok_or_else(|| {
                solver.refuse(format!("{what} of {}", name_of(op)), &module, seen(&values))
            })
        };
        // A bound that keeps its distance from the end of the axis is meant from there.
        let sliced = here[0].tensors.first().and_then(|t| shapes.get(&t.id));
        let bound = |axis: usize, values: Vec<i64>| {
            let dim = sliced.map(|shape| &shape[axis]);
            let back = dim.and_then(|dim| solver.distance(&values, dim));
            match (dim, back) {
                (Some(dim), Some(back)) => Ok(dim.add(&Expr::constant(back))),
                _ => whole("a bound", values),
            }
        };
        let mut ranges = Vec::new();
        for axis in 0..here[0].ranges.len() {
            ranges.push(Range {
                start: bound(axis, here.iter().map(|t| t.ranges[axis].0).collect())?,
                end: bound(axis, here.iter().map(|t| t.ranges[axis].1).collect())?,
                step: here[0].ranges[axis].2,
            });
        }
        if let Some((turn, moves)) = turning(&loops, &rolled, index) {
            for (range, (start, end)) in ranges.iter_mut().zip(moves) {
                range.start = range.start.add(&turn.scale(*start));
                range.end = range.end.add(&turn.scale(*end));
            }
        }
        let mut numbers = Vec::new();
        for slot in 0..here[0].numbers.len() {
            numbers.push(whole(
                "a number",
                here.iter().map(|t| t.numbers[slot]).collect(),
            )?);
        }
        let lengths = lengths(op, &shapes, &ranges, &numbers);
        solver.note(&runs(op, &shapes));
        for (slot, tensor) in here[0].tensors.iter().enumerate() {
            if shapes.contains_key(&tensor.id) {
                continue;
            }
            // Parameters are as they are: none follows what is done with it.
            if base.parameters.contains_key(&tensor.id) {
                let shape = tensor.shape.iter().map(|dim| Expr::constant(*dim as i64));
                shapes.insert(tensor.id, shape.collect());
                continue;
            }
            let mut shape = Vec::new();
            for axis in 0..tensor.shape.num_dims() {
                let values: Vec<i64> = here
                    .iter()
                    .map(|taken| taken.tensors[slot].shape[axis] as i64)
                    .collect();
                let certain = lengths.get(&axis);
                let kept = kept(op, &shapes, tensor.shape.num_dims(), axis);
                let mut likely = certain.into_iter().chain(kept);
                let found = likely.find(|dim| solver.holds(dim, &values)).cloned();
                let found = found.or_else(|| solver.solve(&values));
                shape.push(found.ok_or_else(|| {
                    let what = format!("dimension {axis} of {}", name_of(op));
                    solver.refuse(what, &module, seen(&values))
                })?);
            }
            solver.note(&shape);
            shapes.insert(tensor.id, shape);
        }
        let mut scalars = Vec::new();
        for slot in 0..here[0].scalars.len() {
            let values: Vec<ScalarIr> = here.iter().map(|t| t.scalars[slot]).collect();
            scalars.push(solver.scalar(&values).ok_or_else(|| {
                let seen = values.iter().map(|v| v.elem::<f64>().to_string()).collect();
                solver.refuse(format!("a scalar of {}", name_of(op)), &module, seen)
            })?);
        }
        if let OperationIr::Init(init) = op {
            let mut data = Vec::new();
            for (trace, taken) in traces.iter().zip(&here) {
                let id = taken.tensors[0].id;
                data.push(trace.captured.values.get(&id).ok_or_else(|| {
                    Error::Capture(format!("constant {id} has no recorded value"))
                })?);
            }
            let shape = &shapes[&init.out.id];
            let constant = solver.constant(&data, shape).ok_or_else(|| {
                let dims: Vec<String> = shape.iter().map(|dim| dim.show(&sizes)).collect();
                let seen = data.iter().map(|d| sketch(d)).collect();
                solver.refuse(
                    format!("a constant of shape [{}]", dims.join(", ")),
                    &module,
                    seen,
                )
            })?;
            constants.insert(init.out.id, constant);
        }
        ops.push(Op {
            ir: op.clone(),
            ranges,
            scalars,
            numbers,
            module,
        });
    }
    let minima = sizes.iter().map(|name| spec.bounds(name).min as i64);
    let minima = minima.chain(loops.iter().map(|_| 0)).collect();
    Ok(Symbolic {
        minima,
        ops,
        shapes,
        constants,
        parameters: base.parameters.clone(),
        inputs: base.inputs.clone(),
        outputs: base.outputs.clone(),
        loops,
        sizes,
    })
}

/// The loops, by what they are in the first trace.
fn loops(rolled: &[Vec<Rolled>], solver: &Solver, modules: &[String]) -> Result<Vec<Loop>> {
    let each = rolled.iter().enumerate().map(|(number, traces)| {
        let base = &traces[0];
        let counts: Vec<i64> = traces.iter().map(|trace| trace.count as i64).collect();
        let trips = solver.solve(&counts).ok_or_else(|| {
            let module = modules.get(base.first).map_or("", String::as_str);
            let seen = counts.iter().map(i64::to_string).collect();
            solver.refuse("the number of steps of a loop".into(), module, seen)
        })?;
        Ok(Loop {
            ops: base.first..base.first + base.period,
            trips,
            step: solver.sizes.len() + number,
            carried: base.carried.clone(),
            last: base.last.clone(),
            joined: base.joined.clone(),
        })
    });
    each.collect()
}

/// How many steps the one that was kept is away from the one that is done, and how far its bounds
/// move at each, if the operation is one of a loop. The second step was kept.
fn turning<'a>(
    loops: &[Loop],
    rolled: &'a [Vec<Rolled>],
    index: usize,
) -> Option<(Expr, &'a [(i64, i64)])> {
    let number = loops.iter().position(|turn| turn.ops.contains(&index))?;
    let turn = &loops[number];
    let away = Expr::size(turn.step).sub(&Expr::constant(1));
    Some((away, &rolled[number][0].moves[index - turn.ops.start]))
}

/// The first elements of a constant.
fn sketch(data: &TensorData) -> String {
    let values: Vec<String> = data.iter::<f64>().take(4).map(|v| v.to_string()).collect();
    let more = if data.num_elements() > 4 { ", …" } else { "" };
    format!("[{}{more}]", values.join(", "))
}
