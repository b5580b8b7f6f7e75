//! An operation taken apart: what must be equal in all traces, and what may differ.

use std::collections::HashMap;

use burn::tensor::{Shape, Slice};
use burn_capture::TensorId;
use burn_ir::{
    BaseOperationIr, IrVisitorMut, ModuleOperationIr, NumericOperationIr, OperationIr, ScalarIr,
    TensorIr, TensorStatus,
};

#[cfg(feature = "flex")]
use super::{Op, Range, Scalar, Symbolic};

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
pub(super) struct Parts {
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
pub(super) struct OpParts {
    pub skeleton: OperationIr,
    pub tensors: Vec<TensorIr>,
    pub scalars: Vec<ScalarIr>,
    pub ranges: Vec<(i64, i64, i64)>,
    pub numbers: Vec<i64>,
}

pub(super) fn decompose(op: &OperationIr, parts: &mut Parts) -> OpParts {
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
    OpParts {
        skeleton,
        tensors,
        scalars: std::mem::take(&mut parts.scalars),
        ranges,
        numbers,
    }
}

/// The operation `op` as it would be recorded `at` these sizes.
#[cfg(feature = "flex")]
pub(super) fn give(op: &Op, sym: &Symbolic, at: &[i64]) -> OperationIr {
    /// Numbers that are put where others were.
    struct Given<'a> {
        sym: &'a Symbolic,
        at: &'a [i64],
        scalars: std::slice::Iter<'a, Scalar>,
        ranges: std::slice::Iter<'a, Range>,
    }
    impl IrVisitorMut for Given<'_> {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            if let Some(shape) = self.sym.shapes.get(&tensor.id) {
                let dims = shape.iter().map(|dim| dim.at(self.at).max(0) as usize);
                tensor.shape = Shape::from(dims.collect::<Vec<_>>());
            }
            tensor.status = TensorStatus::ReadOnly;
        }

        fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
            if let Some(given) = self.scalars.next() {
                *scalar = given.at(self.at, *scalar);
            }
        }

        fn visit_range_mut(&mut self, range: &mut Slice) {
            if let Some(given) = self.ranges.next() {
                range.start = given.start.at(self.at) as isize;
                range.end = Some(given.end.at(self.at) as isize);
            }
        }
    }
    let mut given = op.ir.clone();
    for (number, expr) in numbers(&mut given).into_iter().zip(&op.numbers) {
        *number = expr.at(at).max(0) as usize;
    }
    given.visit_mut(&mut Given {
        sym,
        at,
        scalars: op.scalars.iter(),
        ranges: op.ranges.iter(),
    });
    given
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

/// The operation without what may differ from step to step of a loop, and its bounds by axis.
pub(crate) fn parts_of(op: &OperationIr) -> (OperationIr, Vec<(i64, i64, i64)>) {
    /// Forgets which tensors they are.
    struct Nameless;
    impl IrVisitorMut for Nameless {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            tensor.id = TensorId::new(0);
            tensor.status = TensorStatus::NotInit;
        }

        fn visit_range_mut(&mut self, range: &mut Slice) {
            range.start = 0;
            range.end = None;
        }
    }
    let ranges = decompose(op, &mut Parts::default()).ranges;
    let mut nameless = op.clone();
    nameless.visit_mut(&mut Nameless);
    (nameless, ranges)
}
