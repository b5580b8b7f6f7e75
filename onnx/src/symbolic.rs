//! From traces at several sizes to one graph whose numbers are expressions of the sizes.
//!
//! All traces must record the same operations; only shapes, slice bounds, scalars and constants
//! may differ, and each of those gets a closed form or the export ends with an error. Nothing is
//! frozen at the size of a trace.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{DType, Shape, Slice, TensorData};
use burn_capture::TensorId;
use burn_ir::{
    BaseOperationIr, IrVisitorMut, NumericOperationIr, OperationIr, ScalarIr, TensorIr,
    TensorStatus,
};

use crate::capture::Trace;
use crate::error::{Divergence, Error, Result, place};
use crate::expr::Expr;
use crate::plan::{Plan, input_shape, show_sizes};
use crate::spec::Spec;

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
}

impl Solver<'_> {
    /// The expression that has these values at the plan's traces.
    fn solve(&self, values: &[i64]) -> Option<Expr> {
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
            let (parts, _) = product.parts();
            terms.extend(parts.iter().map(|(m, c)| (m.clone(), *c)));
        }
        let exact = Expr::from_terms(terms.clone(), all_gaps);
        if self.holds(&exact, values) && exact.parts().1 == 1 {
            return Some(exact);
        }
        // A rounded-down quotient: the offset inside the floor is what the traces leave open.
        let (parts, divisor) = exact.parts();
        let candidates: Vec<Expr> = (0..divisor)
            .map(|offset| {
                let terms = parts.iter().map(|(m, c)| (m.clone(), *c));
                Expr::from_terms(terms.chain([(Vec::new(), offset)]), divisor)
            })
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
                own.push((stride, if *dim > 1 { values[stride] - base } else { 0 }));
            }
            let fits = values.iter().enumerate().all(|(index, value)| {
                let along: i64 = own
                    .iter()
                    .zip(&dims)
                    .map(|((stride, step), dim)| ((index / stride) % dim) as i64 * step)
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
            .map(|step| self.solve(step))
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
    let own: Vec<Option<&str>> = ops
        .iter()
        .map(|op| {
            let path = op.inputs().find_map(|tensor| parameters.get(&tensor.id))?;
            Some(path.rsplit_once('.').map_or("", |(module, _)| module))
        })
        .collect();
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
        shapes.insert(*id, input_shape(spec, *index, &sizes));
    }
    let mut ops = Vec::new();
    for (index, op) in base.captured.graph.operations.iter().enumerate() {
        let module = module_of[index].clone();
        let here: Vec<&Taken> = taken.iter().map(|trace| &trace[index]).collect();
        let seen = |values: &[i64]| values.iter().map(i64::to_string).collect::<Vec<_>>();
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
                shape.push(solver.solve(&values).ok_or_else(|| {
                    let what = format!("dimension {axis} of {}", name_of(op));
                    solver.refuse(what, &module, seen(&values))
                })?);
            }
            shapes.insert(tensor.id, shape);
        }
        let whole = |what: &str, values: Vec<i64>| {
            solver.solve(&values).ok_or_else(|| {
                solver.refuse(format!("{what} of {}", name_of(op)), &module, seen(&values))
            })
        };
        let mut ranges = Vec::new();
        for axis in 0..here[0].ranges.len() {
            ranges.push(Range {
                start: whole("a bound", here.iter().map(|t| t.ranges[axis].0).collect())?,
                end: whole("a bound", here.iter().map(|t| t.ranges[axis].1).collect())?,
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
