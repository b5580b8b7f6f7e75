//! From traces at several sizes to one graph whose numbers are expressions of the sizes.
//!
//! All traces must record the same operations; only shapes, slice bounds, scalars and constants
//! may differ, and each of those gets a closed form or the export ends with an error. Nothing is
//! frozen at the size of a trace.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use burn::tensor::{DType, Shape, Slice, TensorData};
use burn_capture::TensorId;
use burn_ir::{
    BaseOperationIr, IrVisitorMut, ModuleOperationIr, NumericOperationIr, OperationIr, ScalarIr,
    TensorIr, TensorStatus,
};

use crate::capture::Trace;
use crate::error::{Divergence, Error, Result, place};
use crate::expr::{Expr, gcd};
use crate::known::Known;
use crate::plan::{Plan, input_shape, show_sizes};
use crate::spec::Spec;
use crate::windows::{lengths, runs};

/// A scalar of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Constant(ScalarIr),
    /// A whole number that follows the sizes.
    Whole(Expr),
    /// One over such a number.
    Reciprocal(Expr),
}

/// One axis of a slice: bounds within `0..=dim`, `start <= end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub start: Expr,
    pub end: Expr,
    pub step: i64,
}

/// A tensor that the forward pass made out of nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    /// The same in every trace.
    Data(TensorData),
    /// One whole number everywhere.
    Fill(Scalar),
    /// `base + Σ step · index`, in whole numbers.
    Affine { base: Expr, steps: Vec<Expr> },
    /// `base + step · index` along one axis, in 32-bit floats.
    Ramp { axis: usize, base: f32, step: f32 },
}

/// One recorded operation.
pub(crate) struct Op {
    /// As the first trace has it. Its own shapes, ranges and scalars are those of that trace:
    /// lowerers take them from here.
    pub ir: OperationIr,
    pub ranges: Vec<Range>,
    pub scalars: Vec<Scalar>,
    /// Other numbers of the operation; see [`numbers`].
    pub numbers: Vec<Expr>,
    /// The module path nearest to it.
    pub module: String,
}

/// The graph that all traces agree on.
pub(crate) struct Symbolic {
    pub sizes: Vec<String>,
    /// Smallest run-time value of each size.
    pub minima: Vec<i64>,
    pub ops: Vec<Op>,
    pub shapes: HashMap<TensorId, Vec<Expr>>,
    pub constants: HashMap<TensorId, Constant>,
    pub parameters: BTreeMap<TensorId, String>,
    pub inputs: BTreeMap<TensorId, usize>,
    pub outputs: Vec<(String, TensorId)>,
}

/// Numbers of an operation that are neither shape, range nor scalar, and may follow the sizes.
/// Those not named here must be the same in all traces.
fn numbers(op: &mut OperationIr) -> Vec<&mut usize> {
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            match op {
                BaseOperationIr::RepeatDim(op) => vec![&mut op.times],
                _ => Vec::new(),
            }
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => match op {
            NumericOperationIr::Pad(op) => op
                .padding
                .iter_mut()
                .flat_map(|(before, after)| [before, after])
                .collect(),
            NumericOperationIr::TopK(op) | NumericOperationIr::ArgTopK(op) => {
                vec![&mut op.accumulator_len]
            }
            NumericOperationIr::TopKWithIndices(op) => vec![&mut op.k],
            _ => Vec::new(),
        },
        OperationIr::Module(ModuleOperationIr::Interpolate(op)) => {
            op.output_size.iter_mut().collect()
        }
        _ => Vec::new(),
    }
}

/// Takes an operation apart: what must be equal in all traces stays, what may differ is moved out.
#[derive(Default)]
struct Parts {
    order: HashMap<TensorId, u64>,
    tensors: Vec<TensorIr>,
    scalars: Vec<ScalarIr>,
    ranges: Vec<Slice>,
}

impl IrVisitorMut for Parts {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        self.tensors.push(tensor.clone());
        let next = self.order.len() as u64;
        let number = *self.order.entry(tensor.id).or_insert(next);
        tensor.id = TensorId::new(number);
        tensor.shape = Shape::from(vec![0usize; tensor.shape.num_dims()]);
        tensor.status = TensorStatus::NotInit;
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        self.scalars.push(*scalar);
        *scalar = ScalarIr::UInt(0);
    }

    fn visit_range_mut(&mut self, range: &mut Slice) {
        self.ranges.push(*range);
        range.start = 0;
        range.end = None;
    }
}

/// One operation of one trace, taken apart.
struct Taken {
    skeleton: OperationIr,
    tensors: Vec<TensorIr>,
    scalars: Vec<ScalarIr>,
    ranges: Vec<(i64, i64, i64)>,
    numbers: Vec<i64>,
}

fn take(op: &OperationIr, parts: &mut Parts) -> Taken {
    let mut skeleton = op.clone();
    let numbers = numbers(&mut skeleton)
        .into_iter()
        .map(|n| std::mem::take(n) as i64)
        .collect();
    skeleton.visit_mut(parts);
    let tensors = std::mem::take(&mut parts.tensors);
    // Bounds from the end, or open, become plain ones: the sliced tensor is always visited first.
    let ranges = std::mem::take(&mut parts.ranges)
        .into_iter()
        .enumerate()
        .map(|(axis, range)| {
            let dim = tensors.first().map_or(0, |t| t.shape[axis]) as i64;
            let from_end = |bound: i64| if bound < 0 { bound + dim } else { bound };
            let start = from_end(range.start as i64).clamp(0, dim);
            let end = range
                .end
                .map_or(dim, |end| from_end(end as i64))
                .clamp(start, dim);
            (start, end, range.step as i64)
        })
        .collect();
    Taken {
        skeleton,
        tensors,
        scalars: std::mem::take(&mut parts.scalars),
        ranges,
        numbers,
    }
}

/// The operation's name: `Module(LayerNorm)`, `BaseFloat(Slice)`.
pub(crate) fn name_of(op: &OperationIr) -> String {
    let text = format!("{op:?}");
    let head: String = text
        .chars()
        .take_while(|c| *c != '{' && *c != '[')
        .collect();
    let mut words: Vec<&str> = head
        .split(['(', ','])
        .map(|word| word.trim().trim_end_matches("OpIr"))
        .filter(|word| !word.is_empty())
        .collect();
    // Category and variant; the name of the payload and the element type say nothing more.
    if let (Some("NumericFloat" | "NumericInt" | "Float"), true) =
        (words.first().copied(), words.len() > 2)
    {
        words.remove(1);
    }
    words.truncate(2);
    match words.as_slice() {
        [category, variant] => format!("{category}({variant})"),
        _ => head.trim().to_string(),
    }
}

/// Finds closed forms by the traces of the plan.
struct Solver<'a> {
    plan: &'a Plan,
    sizes: &'a [String],
    known: RefCell<Known>,
}

impl Solver<'_> {
    /// The expression that has these values at the plan's traces.
    fn solve(&self, values: &[i64]) -> Option<Expr> {
        self.of_sizes(values)
            .or_else(|| self.known.borrow().find(values))
    }

    /// Remembers the lengths of a tensor.
    fn note(&self, shape: &[Expr]) {
        let mut known = self.known.borrow_mut();
        shape
            .iter()
            .for_each(|dim| known.note(dim, &self.plan.traces));
    }

    /// The sum of products of sizes, or its quotient, that has these values.
    fn of_sizes(&self, values: &[i64]) -> Option<Expr> {
        let first = *values.first()?;
        if values.iter().all(|value| *value == first) {
            return Some(Expr::constant(first));
        }
        let gaps: Vec<i64> = self
            .plan
            .low
            .iter()
            .zip(&self.plan.high)
            .map(|(low, high)| high - low)
            .collect();
        let all_gaps: i64 = gaps.iter().product();
        // Σ over subsets of (finite difference / gaps) · Π (size - low), all over `all_gaps`.
        let mut terms = Vec::new();
        for subset in &self.plan.subsets {
            let mut difference = 0;
            for (index, other) in self.plan.subsets.iter().enumerate() {
                if other.iter().all(|i| subset.contains(i)) {
                    let sign = if (subset.len() - other.len()) % 2 == 0 {
                        1
                    } else {
                        -1
                    };
                    difference += sign * values[index];
                }
            }
            let scale: i64 = all_gaps / subset.iter().map(|i| gaps[*i]).product::<i64>();
            let mut product = Expr::constant(difference * scale);
            for i in subset {
                let shifted = Expr::size(*i).sub(&Expr::constant(self.plan.low[*i]));
                product = product.mul(&shifted);
            }
            terms.extend(product.terms().iter().map(|(m, c)| (m.clone(), *c)));
        }
        // The divisor without what all terms share with it.
        let sum = Expr::from_terms(terms);
        let shared = sum.terms().values().fold(all_gaps, |a, b| gcd(a, *b));
        let (sum, divisor) = (sum.exactly(&Expr::constant(shared))?, all_gaps / shared);
        if divisor == 1 {
            return self.holds(&sum, values).then_some(sum);
        }
        // A rounded-down quotient: the offset inside the floor is what the traces leave open.
        let candidates: Vec<Expr> = (0..divisor)
            .map(|offset| sum.add(&Expr::constant(offset)).divided(divisor))
            .filter(|candidate| self.holds(candidate, values))
            .collect();
        match candidates.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    fn holds(&self, expr: &Expr, values: &[i64]) -> bool {
        self.plan
            .traces
            .iter()
            .zip(values)
            .all(|(sizes, value)| expr.at(sizes) == *value)
    }

    /// How far the values are from a length that varies, if always as far.
    fn distance(&self, values: &[i64], length: &Expr) -> Option<i64> {
        let pairs = self.plan.traces.iter().zip(values);
        let mut distances = pairs.map(|(sizes, value)| value - length.at(sizes));
        let first = distances.next()?;
        let same = distances.all(|distance| distance == first);
        let fixed = values.iter().all(|value| *value == values[0]);
        (same && !fixed).then_some(first)
    }

    fn scalar(&self, values: &[ScalarIr]) -> Option<Scalar> {
        let first = *values.first()?;
        let same = |a: &ScalarIr, b: &ScalarIr| match (a, b) {
            (ScalarIr::Float(a), ScalarIr::Float(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        };
        if values.iter().all(|value| same(value, &first)) {
            return Some(Scalar::Constant(first));
        }
        let floats: Vec<f64> = values.iter().map(|value| value.elem::<f64>()).collect();
        if let Some(whole) = whole(&floats) {
            return self.solve(&whole).map(Scalar::Whole);
        }
        let inverse: Vec<f64> = floats.iter().map(|value| (1.0 / value).round()).collect();
        let exact = floats
            .iter()
            .zip(&inverse)
            .all(|(value, n)| *value == 1.0 / n || *value == f64::from(1.0 / *n as f32));
        if exact {
            return self.solve(&whole(&inverse)?).map(Scalar::Reciprocal);
        }
        None
    }

    fn refuse(&self, what: String, module: &str, seen: Vec<String>) -> Error {
        let seen: Vec<String> = self
            .plan
            .traces
            .iter()
            .zip(seen)
            .take(4)
            .map(|(sizes, value)| format!("{value} at {}", show_sizes(self.sizes, sizes)))
            .collect();
        Error::NoClosedForm {
            what,
            module: place(module).to_string(),
            sizes: self
                .sizes
                .iter()
                .map(|s| format!("`{s}`"))
                .collect::<Vec<_>>()
                .join(", "),
            seen: seen.join("; "),
        }
    }

    /// The closed form of a constant, given its value in every trace.
    fn constant(&self, data: &[&TensorData], shape: &[Expr]) -> Option<Constant> {
        let first = *data.first()?;
        if data
            .iter()
            .all(|d| d.shape() == first.shape() && d.as_bytes() == first.as_bytes())
        {
            return Some(Constant::Data(first.clone()));
        }
        let values: Vec<Vec<f64>> = data.iter().map(|d| d.iter::<f64>().collect()).collect();
        if values
            .iter()
            .all(|v| !v.is_empty() && v.iter().all(|x| x.to_bits() == v[0].to_bits()))
        {
            let fill: Vec<ScalarIr> = values.iter().map(|v| ScalarIr::Float(v[0])).collect();
            return self.scalar(&fill).map(Constant::Fill);
        }
        if first.dtype().is_bool() {
            return None;
        }
        self.affine(data, &values, shape)
            .or_else(|| self.ramp(data, &values))
    }

    fn affine(
        &self,
        data: &[&TensorData],
        values: &[Vec<f64>],
        shape: &[Expr],
    ) -> Option<Constant> {
        let rank = shape.len();
        let mut bases = Vec::new();
        let mut steps = vec![Vec::new(); rank];
        for (data, values) in data.iter().zip(values) {
            let values = whole(values)?;
            let dims: Vec<usize> = data.shape().to_vec();
            let base = *values.first()?;
            let mut stride = values.len();
            let mut own = Vec::new();
            for dim in &dims {
                stride /= dim;
                own.push((stride, (*dim > 1).then(|| values[stride] - base)));
            }
            let fits = values.iter().enumerate().all(|(index, value)| {
                let along: i64 = own
                    .iter()
                    .zip(&dims)
                    .map(|((stride, step), dim)| {
                        ((index / stride) % dim) as i64 * step.unwrap_or(0)
                    })
                    .sum();
                *value == base + along
            });
            if !fits {
                return None;
            }
            bases.push(base);
            own.iter()
                .zip(&mut steps)
                .for_each(|((_, step), all)| all.push(*step));
        }
        let steps = steps
            .iter()
            .map(|step: &Vec<Option<i64>>| {
                // An axis of one element has any step: that of the traces where it has more.
                let known = step.iter().flatten().next().copied().unwrap_or(0);
                let same = step.iter().flatten().all(|step| *step == known);
                let all: Option<Vec<i64>> = step.iter().copied().collect();
                match (same, all) {
                    (true, _) => Some(Expr::constant(known)),
                    (false, all) => self.solve(&all?),
                }
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Constant::Affine {
            base: self.solve(&bases)?,
            steps,
        })
    }

    fn ramp(&self, data: &[&TensorData], values: &[Vec<f64>]) -> Option<Constant> {
        let first: Vec<usize> = data.first()?.shape().to_vec();
        let axis = first.iter().position(|dim| *dim > 1)?;
        let (base, next) = (values[0][0] as f32, values[0][1] as f32);
        let step = next - base;
        let fits = data.iter().zip(values).all(|(data, values)| {
            let along: usize = data.shape()[axis];
            data.dtype() == DType::F32
                && along == values.len()
                && values
                    .iter()
                    .enumerate()
                    .all(|(i, v)| *v as f32 == base + i as f32 * step)
        });
        fits.then_some(Constant::Ramp { axis, base, step })
    }
}

/// The numbers as integers, if all of them are.
fn whole(values: &[f64]) -> Option<Vec<i64>> {
    let small = |v: &f64| v.fract() == 0.0 && v.abs() < 9e15;
    values
        .iter()
        .all(small)
        .then(|| values.iter().map(|v| *v as i64).collect())
}

/// The module path of every operation: the module whose parameter it reads, else what the
/// neighbours with parameters have in common.
fn modules(ops: &[OperationIr], parameters: &BTreeMap<TensorId, String>) -> Vec<String> {
    // What is made of parameters alone, such as a weight in another shape, stands for them.
    let named = parameters.iter().map(|(id, path)| (*id, path.as_str()));
    let mut paths: HashMap<TensorId, &str> = named.collect();
    let mut own: Vec<Option<&str>> = Vec::new();
    for op in ops {
        // Its own parameter first: a tied head reads its table in another shape, and its own bias.
        let direct = op.inputs().find_map(|tensor| parameters.get(&tensor.id));
        let mut derived = op.inputs().filter_map(|tensor| paths.get(&tensor.id));
        let path = direct.map(String::as_str).or(derived.next().copied());
        if let Some(path) = path
            && op.inputs().all(|tensor| paths.contains_key(&tensor.id))
        {
            paths.extend(op.outputs().map(|tensor| (tensor.id, path)));
        }
        own.push(path.map(|path| path.rsplit_once('.').map_or("", |(module, _)| module)));
    }
    let mut after: Vec<Option<&str>> = vec![None; ops.len()];
    let mut next = None;
    for index in (0..ops.len()).rev() {
        next = own[index].or(next);
        after[index] = next;
    }
    let mut before = None;
    own.iter()
        .zip(&after)
        .map(|(own, after)| {
            before = own.or(before);
            match (*own, before, *after) {
                (Some(own), _, _) => own.to_string(),
                (None, Some(a), Some(b)) => common(a, b),
                (None, Some(one), None) | (None, None, Some(one)) => one
                    .rsplit_once('.')
                    .map_or("", |(module, _)| module)
                    .to_string(),
                (None, None, None) => String::new(),
            }
        })
        .collect()
}

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

fn common(a: &str, b: &str) -> String {
    let parts: Vec<&str> = a
        .split('.')
        .zip(b.split('.'))
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect();
    parts.join(".")
}

/// Joins the traces.
pub(crate) fn solve(
    spec: &Spec,
    sizes: Vec<String>,
    plan: &Plan,
    traces: &[Trace],
) -> Result<Symbolic> {
    let solver = Solver {
        plan,
        sizes: &sizes,
        known: RefCell::default(),
    };
    let Some(base) = traces.first() else {
        return Err(Error::Capture("nothing was recorded".into()));
    };
    let module_of = modules(&base.captured.graph.operations, &base.parameters);
    let taken: Vec<Vec<Taken>> = traces
        .iter()
        .map(|trace| {
            let mut parts = Parts::default();
            trace
                .captured
                .graph
                .operations
                .iter()
                .map(|op| take(op, &mut parts))
                .collect()
        })
        .collect();
    for (taken_here, sizes_here) in taken.iter().zip(&plan.traces).skip(1) {
        let longest = taken[0].len().max(taken_here.len());
        for index in 0..longest {
            let (left, right) = (taken[0].get(index), taken_here.get(index));
            if left.map(|t| &t.skeleton) != right.map(|t| &t.skeleton) {
                let show = |t: Option<&Taken>| t.map_or("the end".into(), |t| name_of(&t.skeleton));
                return Err(Error::Diverges(Box::new(Divergence {
                    index,
                    module: place(module_of.get(index).map_or("", String::as_str)).to_string(),
                    left: (show(left), show_sizes(&sizes, &plan.traces[0])),
                    right: (show(right), show_sizes(&sizes, sizes_here)),
                })));
            }
        }
    }
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
        let here: Vec<&Taken> = taken.iter().map(|trace| &trace[index]).collect();
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
    let minima = sizes
        .iter()
        .map(|name| spec.bounds(name).min as i64)
        .collect();
    Ok(Symbolic {
        minima,
        ops,
        shapes,
        constants,
        parameters: base.parameters.clone(),
        inputs: base.inputs.clone(),
        outputs: base.outputs.clone(),
        sizes,
    })
}

/// The first elements of a constant.
fn sketch(data: &TensorData) -> String {
    let values: Vec<String> = data.iter::<f64>().take(4).map(|v| v.to_string()).collect();
    let more = if data.num_elements() > 4 { ", …" } else { "" };
    format!("[{}{more}]", values.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::spec::Input;

    fn plan() -> (Plan, Vec<String>) {
        let spec = Spec::new("g").input(Input::int("ids", ["batch", "sequence", "past"]));
        (Plan::new(&spec, &spec.sizes()).unwrap(), spec.sizes())
    }

    #[test]
    fn multilinear_expressions_are_found() {
        let (plan, sizes) = plan();
        let solver = Solver {
            plan: &plan,
            sizes: &sizes,
            known: RefCell::default(),
        };
        let values: Vec<i64> = plan
            .traces
            .iter()
            .map(|s| 3 * s[0] * s[1] + s[2] - 4)
            .collect();
        let expr = solver.solve(&values).unwrap();
        assert_eq!(expr.show(&sizes), "3*batch*sequence + past - 4");
    }

    #[test]
    fn a_halved_size_is_found_and_a_square_is_not() {
        let (plan, sizes) = plan();
        let solver = Solver {
            plan: &plan,
            sizes: &sizes,
            known: RefCell::default(),
        };
        let halves: Vec<i64> = plan.traces.iter().map(|s| (s[1] + 1) / 2).collect();
        assert_eq!(
            solver.solve(&halves).unwrap().show(&sizes),
            "floor((sequence + 1)/2)"
        );
        let squares: Vec<i64> = plan.traces.iter().map(|s| s[1] * s[1]).collect();
        assert_eq!(solver.solve(&squares), None);
        let capped: Vec<i64> = plan.traces.iter().map(|s| s[1].min(12)).collect();
        assert_eq!(solver.solve(&capped), None);
    }

    #[test]
    fn reciprocals_of_sizes_are_found() {
        let (plan, sizes) = plan();
        let solver = Solver {
            plan: &plan,
            sizes: &sizes,
            known: RefCell::default(),
        };
        let values: Vec<ScalarIr> = plan
            .traces
            .iter()
            .map(|s| ScalarIr::Float(1.0 / s[1] as f64))
            .collect();
        assert_eq!(
            solver.scalar(&values),
            Some(Scalar::Reciprocal(Expr::size(1)))
        );
    }
}
