//! Two ways of a forward pass held against each other by numbers.
//!
//! Burn records the same thing in several forms: it leaves out what an axis of one element makes
//! needless, and folds products otherwise. Where operations differ at the smallest sizes, those that
//! were recorded there are run on made-up inputs, and so are those of larger sizes with the numbers
//! that they have there.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Int, Shape, Tensor, TensorData};
use burn_capture::TensorId;
use burn_ir::OperationIr;

use super::decompose::give;
use super::{Constant, Symbolic};
use crate::expr::Expr;
use crate::record::args::outside;
use crate::record::capture::Trace;
use crate::record::parameters::computes;
use crate::record::replay::replay;
use crate::spec::{Kind, Spec};

/// How far two values may lie apart, of the largest magnitude: float32 rounds sums in other orders
/// otherwise, and what is another computation is another by far.
const NEAR: f64 = 1e-4;

/// Sets of inputs: of one element, two ways may give the same by chance.
const SETS: usize = 8;

/// Whether `sym` gives `at` these sizes what `trace`, recorded there, gives. `None` where one of
/// them does not run.
pub(crate) fn same<M: Module>(
    module: &M,
    spec: &Spec,
    sym: &Symbolic,
    trace: &Trace,
    at: &[i64],
    dtype: DType,
) -> Option<bool> {
    let mut values = Values::default();
    module.visit(&mut values);
    let set = |set| same_on(set, &values, spec, sym, trace, (at, dtype));
    let sets: Option<Vec<bool>> = (0..SETS).map(set).collect();
    sets.map(|sets| sets.into_iter().all(|same| same))
}

/// [`same`] on one set of inputs.
fn same_on(
    set: usize,
    values: &Values,
    spec: &Spec,
    sym: &Symbolic,
    trace: &Trace,
    (at, dtype): (&[i64], DType),
) -> Option<bool> {
    let given = |inputs: &BTreeMap<TensorId, usize>, parameters: &BTreeMap<TensorId, String>| {
        let inputs = inputs.iter().map(|(id, index)| {
            let data = made_up(spec, [*index, set], &sym.sizes, at, dtype);
            Some((*id, data))
        });
        let parameters = parameters.iter().map(|(id, path)| {
            let data = values.found.get(path)?;
            // As the recording has them.
            let dtype = match data.dtype() {
                own if own.is_float() => computes(dtype),
                own => own,
            };
            Some((*id, data.clone().convert_dtype(dtype)))
        });
        inputs.chain(parameters).collect::<Option<BTreeMap<_, _>>>()
    };
    let mut here = given(&trace.inputs, &trace.parameters)?;
    here.extend(trace.captured.values.clone());
    let mut there = given(&sym.inputs, &sym.parameters)?;
    for op in &sym.ops {
        if let OperationIr::Init(init) = &op.ir
            && let (Some(constant), Some(shape)) = (
                sym.constants.get(&init.out.id),
                sym.shapes.get(&init.out.id),
            )
        {
            there.insert(init.out.id, data_of(constant, shape, at, init.out.dtype));
        }
    }
    let ops = trace.captured.graph.operations.iter().cloned();
    let recorded = replay(ops, here, ids(&trace.outputs));
    let ops = sym.ops.iter().map(|op| give(op, sym, at));
    let solved = replay(ops, there, ids(&sym.outputs));
    let (recorded, solved) = (recorded.ok()?, solved.ok()?);
    Some(recorded.iter().zip(&solved).all(|(a, b)| near(a, b)))
}

/// Which tensors the outputs are.
fn ids(outputs: &[(String, TensorId)]) -> Vec<TensorId> {
    outputs.iter().map(|(_, id)| *id).collect()
}

/// Whether no value differs.
fn near(a: &TensorData, b: &TensorData) -> bool {
    let values = |data: &TensorData| data.iter::<f64>().collect::<Vec<_>>();
    let (x, y) = (values(a), values(b));
    let finite = x.iter().filter(|value| value.is_finite());
    let largest = finite.fold(0.0f64, |most, value| most.max(value.abs()));
    let equal = |(x, y): (&f64, &f64)| {
        x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= NEAR * largest
    };
    a.shape() == b.shape() && x.iter().zip(&y).all(equal)
}

/// An input of the description with numbers that any forward pass takes: whole ones are 0 and 1.
fn made_up(
    spec: &Spec,
    [index, set]: [usize; 2],
    sizes: &[String],
    at: &[i64],
    dtype: DType,
) -> TensorData {
    let input = &spec.inputs[index];
    let dims = input.dims.iter().map(|dim| dim.expr(sizes).at(at) as usize);
    let shape = Shape::from(dims.collect::<Vec<_>>());
    // Golden-ratio steps are spread evenly, and no two are alike.
    let part =
        |i: usize| ((i + 1 + index * 977 + set * 7919) as f64 * 0.618_033_988_749_895).fract();
    let count = shape.num_elements();
    match input.kind {
        Kind::Float => {
            let values = (0..count).map(|i| (set + 1) as f32 * (2.0 * part(i) - 1.0) as f32);
            let data = TensorData::new(values.collect::<Vec<_>>(), shape);
            data.convert_dtype(outside(computes(dtype)))
        }
        Kind::Int => {
            let values = (0..count).map(|i| i64::from(part(i) < 0.5));
            TensorData::new(values.collect::<Vec<_>>(), shape)
        }
        Kind::Bool => {
            let values = (0..count).map(|i| part(i) < 0.5);
            TensorData::new(values.collect::<Vec<_>>(), shape)
        }
    }
}

/// A constant of the forward pass at these sizes.
fn data_of(constant: &Constant, shape: &[Expr], at: &[i64], dtype: DType) -> TensorData {
    let dims: Vec<usize> = shape.iter().map(|dim| dim.at(at).max(0) as usize).collect();
    let count: usize = dims.iter().product();
    let values: Vec<f64> = match constant {
        Constant::Data(data) => return data.clone(),
        Constant::Fill(scalar) => {
            let value = scalar.at(at, burn_ir::ScalarIr::Float(0.0)).elem::<f64>();
            vec![value; count]
        }
        Constant::Affine { base, steps } => {
            let steps: Vec<i64> = steps.iter().map(|step| step.at(at)).collect();
            let place = |mut i: usize| {
                let mut sum = base.at(at);
                for (dim, step) in dims.iter().zip(&steps).rev() {
                    sum += (i % dim) as i64 * step;
                    i /= dim;
                }
                sum as f64
            };
            (0..count).map(place).collect()
        }
        Constant::Ramp { axis, base, step } => {
            let after: usize = dims[axis + 1..].iter().product();
            let place = |i: usize| f64::from(base + (i / after % dims[*axis]) as f32 * step);
            (0..count).map(place).collect()
        }
    };
    TensorData::new(values, dims).convert_dtype(dtype)
}

/// The values of a module's parameters, by path.
#[derive(Default)]
struct Values {
    path: Vec<String>,
    found: BTreeMap<String, TensorData>,
}

impl Values {
    fn keep(&mut self, data: TensorData) {
        self.found.insert(self.path.join("."), data);
    }
}

impl ModuleVisitor for Values {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let value = match value.dtype() {
            DType::QFloat(_) => value.dequantize(),
            _ => value,
        };
        self.keep(value.into_data());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.keep(param.val().into_data());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.keep(param.val().into_data());
    }
}
