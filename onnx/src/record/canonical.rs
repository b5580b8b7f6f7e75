//! One form for what Burn records in several: a product with a shared weight.
//!
//! Burn folds the leading axes of a linear layer's input into rows at some sizes and not at
//! others, whichever it expects to run faster. Traces at different sizes would then differ, so both
//! forms become the one operation that they compute, `Linear`.

use std::collections::HashMap;

use burn_capture::TensorId;
use burn_ir::{
    BaseOperationIr, BinaryOpIr, FloatOperationIr, LinearOpIr, MatmulOpIr, ModuleOperationIr,
    NumericOperationIr, OperationIr, ShapeOpIr,
};

/// Replaces every recorded form of a linear layer on three or more axes.
pub(crate) fn canonical(ops: Vec<OperationIr>, outputs: &[TensorId]) -> Vec<OperationIr> {
    let mut uses: HashMap<TensorId, usize> = HashMap::new();
    for id in ops
        .iter()
        .flat_map(OperationIr::inputs)
        .map(|tensor| tensor.id)
        .chain(outputs.iter().copied())
    {
        *uses.entry(id).or_default() += 1;
    }
    let once = |id: TensorId| uses.get(&id) == Some(&1);
    let mut result = Vec::with_capacity(ops.len());
    let mut rest = ops.as_slice();
    while let Some((first, after)) = rest.split_first() {
        match folded(rest, &once).or_else(|| batched(rest, &once)) {
            Some((mut linear, taken)) => {
                rest = &rest[taken..];
                if linear.bias.is_none()
                    && let Some((bias, sum)) = bias(rest, &linear.out.id, &once)
                {
                    linear.bias = Some(bias.input.clone());
                    linear.out = sum.out.clone();
                    rest = &rest[2..];
                }
                result.push(OperationIr::Module(ModuleOperationIr::Linear(linear)));
            }
            None => {
                result.push(first.clone());
                rest = after;
            }
        }
    }
    result
}

/// `x [.., k] → [rows, k]`, product, bias, `→ [.., n]`.
fn folded(ops: &[OperationIr], once: &impl Fn(TensorId) -> bool) -> Option<(LinearOpIr, usize)> {
    let fold = reshape(ops.first()?)?;
    let product = matmul(ops.get(1)?)?;
    let rank = fold.input.shape.num_dims();
    let fits = rank > 2
        && fold.out.shape.num_dims() == 2
        && product.lhs.id == fold.out.id
        && product.rhs.shape.num_dims() == 2
        && fold.input.shape[rank - 1] == fold.out.shape[1]
        && once(fold.out.id)
        && once(product.out.id);
    if !fits {
        return None;
    }
    let added = bias(&ops[2..], &product.out.id, once).filter(|(_, sum)| once(sum.out.id));
    let (flat, next) = match &added {
        Some((_, sum)) => (sum.out.id, 4),
        None => (product.out.id, 2),
    };
    let unfold = reshape(ops.get(next)?)?;
    let back = unfold.input.id == flat
        && unfold.out.shape.num_dims() == rank
        && unfold.out.shape[..rank - 1] == fold.input.shape[..rank - 1];
    back.then(|| {
        let linear = LinearOpIr {
            x: fold.input.clone(),
            weight: product.rhs.clone(),
            bias: added.map(|(bias, _)| bias.input.clone()),
            out: unfold.out.clone(),
        };
        (linear, next + 1)
    })
}

/// `weight [k, n] → [1, .., k, n]`, product.
fn batched(ops: &[OperationIr], once: &impl Fn(TensorId) -> bool) -> Option<(LinearOpIr, usize)> {
    let lift = reshape(ops.first()?)?;
    let product = matmul(ops.get(1)?)?;
    let rank = lift.out.shape.num_dims();
    let fits = lift.input.shape.num_dims() == 2
        && rank > 2
        && lift.out.shape[rank - 2..] == lift.input.shape[..]
        && lift.out.shape[..rank - 2].iter().all(|dim| *dim == 1)
        && product.rhs.id == lift.out.id
        && product.lhs.shape.num_dims() == rank
        && once(lift.out.id);
    fits.then(|| {
        let linear = LinearOpIr {
            x: product.lhs.clone(),
            weight: lift.input.clone(),
            bias: None,
            out: product.out.clone(),
        };
        (linear, 2)
    })
}

/// `bias [n] → [1, .., n]`, sum with `value`.
fn bias<'a>(
    ops: &'a [OperationIr],
    value: &TensorId,
    once: &impl Fn(TensorId) -> bool,
) -> Option<(&'a ShapeOpIr, &'a BinaryOpIr)> {
    let lift = reshape(ops.first()?)?;
    let OperationIr::NumericFloat(_, NumericOperationIr::Add(sum)) = ops.get(1)? else {
        return None;
    };
    let fits = lift.input.shape.num_dims() == 1
        && lift.out.shape.iter().rev().skip(1).all(|dim| *dim == 1)
        && sum.rhs.id == lift.out.id
        && sum.lhs.id == *value
        && sum.out.shape == sum.lhs.shape
        && once(*value)
        && once(lift.out.id);
    fits.then_some((lift, sum))
}

fn reshape(op: &OperationIr) -> Option<&ShapeOpIr> {
    match op {
        OperationIr::BaseFloat(BaseOperationIr::Reshape(op)) => Some(op),
        _ => None,
    }
}

fn matmul(op: &OperationIr) -> Option<&MatmulOpIr> {
    match op {
        OperationIr::Float(_, FloatOperationIr::Matmul(op)) => Some(op),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::{Device, Tensor};
    use burn_capture::CaptureBackend;

    /// The operations that matter, at an input of this shape.
    fn recorded(shape: [usize; 3], bias: bool) -> Vec<OperationIr> {
        let device = Device::capture();
        let captured = device.capture_scope(|scope| {
            let layer = LinearConfig::new(8, 16).with_bias(bias).init(&device);
            let out = layer.forward(Tensor::<3>::empty(shape, &device)).exp();
            let id = out
                .clone()
                .try_into_primitive::<CaptureBackend>()
                .unwrap()
                .id();
            scope.complete([], [id])
        });
        let graph = captured.unwrap().graph;
        canonical(graph.operations, &graph.outputs)
    }

    fn linears(ops: &[OperationIr]) -> Vec<&LinearOpIr> {
        let linear = |op| match op {
            &OperationIr::Module(ModuleOperationIr::Linear(ref op)) => Some(op),
            _ => None,
        };
        ops.iter().filter_map(linear).collect()
    }

    #[test]
    fn folded_and_batched_layers_look_alike() {
        // Few rows are folded, many rows are not.
        for shape in [[5, 3, 8], [5, 64, 8], [1, 7, 8]] {
            for bias in [false, true] {
                let ops = recorded(shape, bias);
                let found = linears(&ops);
                assert_eq!(found.len(), 1, "{shape:?}");
                assert_eq!(found[0].bias.is_some(), bias, "{shape:?}");
                assert!(ops.iter().all(|op| matmul(op).is_none()), "{shape:?}");
            }
        }
    }
}
