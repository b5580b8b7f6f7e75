//! Operations on floats and integers.

use burn_ir::NumericOperationIr as Num;

use super::refused;
use crate::lower::context::{Context, Lowered, unsupported};
use crate::lower::{compare, create, cumulative, elementwise, layout, reduce};

/// Appends the nodes of an operation on numbers.
pub(super) fn lower(cx: &mut Context, op: &Num) -> Lowered {
    match op {
        Num::Add(op) => elementwise::binary(cx, op, "Add"),
        Num::AddScalar(op) => elementwise::scalar(cx, op, "Add"),
        Num::Sub(op) => elementwise::binary(cx, op, "Sub"),
        Num::SubScalar(op) => elementwise::scalar(cx, op, "Sub"),
        Num::Div(op) => elementwise::binary(cx, op, "Div"),
        Num::DivScalar(op) => elementwise::scalar(cx, op, "Div"),
        Num::Mul(op) => elementwise::binary(cx, op, "Mul"),
        Num::MulScalar(op) => elementwise::scalar(cx, op, "Mul"),
        Num::Rem(op) => elementwise::rem(cx, op),
        Num::RemScalar(op) => elementwise::rem_scalar(cx, op),
        Num::Abs(op) => elementwise::unary(cx, op, "Abs"),
        Num::Neg(op) => elementwise::unary(cx, op, "Neg"),
        Num::Sign(op) => elementwise::sign(cx, op),
        Num::Clamp(op) => elementwise::clamp(cx, op),
        Num::ClampMin(op) => elementwise::clamp_one(cx, op, "Max"),
        Num::ClampMax(op) => elementwise::clamp_one(cx, op, "Min"),
        Num::Powi(op) => elementwise::power(cx, op),
        Num::PowiScalar(op) => elementwise::power_scalar(cx, op),
        Num::Full(op) => create::full(cx, op),
        Num::Mean(op) => reduce::all(cx, op, "ReduceMean"),
        Num::MeanDim(op) => reduce::dim(cx, op, "ReduceMean"),
        Num::Sum(op) => reduce::all(cx, op, "ReduceSum"),
        Num::SumDim(op) => reduce::dim(cx, op, "ReduceSum"),
        Num::SumDims(op) => reduce::dims(cx, op, "ReduceSum"),
        Num::Prod(op) => reduce::all(cx, op, "ReduceProd"),
        Num::ProdDim(op) => reduce::dim(cx, op, "ReduceProd"),
        Num::Max(op) => reduce::all(cx, op, "ReduceMax"),
        Num::MaxDim(op) => reduce::dim(cx, op, "ReduceMax"),
        Num::Min(op) => reduce::all(cx, op, "ReduceMin"),
        Num::MinDim(op) => reduce::dim(cx, op, "ReduceMin"),
        Num::MaxAbs(op) => reduce::max_abs(cx, op),
        Num::MaxAbsDim(op) => reduce::max_abs_dim(cx, op),
        Num::MaxDimWithIndices(op) => reduce::with_indices(cx, op, "ReduceMax", "ArgMax"),
        Num::MinDimWithIndices(op) => reduce::with_indices(cx, op, "ReduceMin", "ArgMin"),
        Num::ArgMax(op) => reduce::arg(cx, op, "ArgMax"),
        Num::ArgMin(op) => reduce::arg(cx, op, "ArgMin"),
        Num::TopK(op) => reduce::top_k(cx, op, 0),
        Num::ArgTopK(op) => reduce::top_k(cx, op, 1),
        Num::TopKWithIndices(op) => reduce::top_k_with_indices(cx, op),
        Num::Sort(op) => reduce::sort(cx, op, 0),
        Num::ArgSort(op) => reduce::sort(cx, op, 1),
        Num::SortWithIndices(op) => reduce::sort_with_indices(cx, op),
        Num::CumSum(op) => cumulative::sum(cx, op),
        Num::Greater(op) => compare::tensors(cx, op, "Greater", false),
        Num::GreaterElem(op) => compare::scalar(cx, op, "Greater", false),
        Num::GreaterEqual(op) => compare::tensors(cx, op, "GreaterOrEqual", false),
        Num::GreaterEqualElem(op) => compare::scalar(cx, op, "GreaterOrEqual", false),
        Num::Lower(op) => compare::tensors(cx, op, "Less", false),
        Num::LowerElem(op) => compare::scalar(cx, op, "Less", false),
        Num::LowerEqual(op) => compare::tensors(cx, op, "LessOrEqual", false),
        Num::LowerEqualElem(op) => compare::scalar(cx, op, "LessOrEqual", false),
        Num::Pad(op) => layout::pad(cx, op),
        Num::CumProd(op) => cumulative::running(cx, op, "ReduceProd", 1.0),
        Num::CumMin(op) => cumulative::running(cx, op, "ReduceMin", f64::INFINITY),
        Num::CumMax(op) => cumulative::running(cx, op, "ReduceMax", f64::NEG_INFINITY),
        Num::IntRandom(_) => unsupported(refused::RANDOM),
    }
}
