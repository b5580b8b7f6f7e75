//! From recorded operations to nodes: one match over everything that Burn records.
//!
//! There is no wildcard arm, so an operation that an upgrade of Burn adds does not compile until
//! it has a place here.

mod activation;
mod attention;
mod compare;
mod context;
mod conv;
mod create;
mod elementwise;
mod index;
mod layout;
mod matmul;
mod norm;
mod pool;
mod reduce;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use burn_capture::TensorId;
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BoolOperationIr as Bool,
    FloatOperationIr as Float, IntOperationIr as Int, ModuleOperationIr as Mod,
    NumericOperationIr as Num, OperationIr,
};

use crate::error::{Error, Result, Unsupported, place};
use crate::expr::Expr;
use crate::graph::{Data, DataType, Graph};
use crate::spec::{Kind, Spec};
use crate::symbolic::{Scalar, Symbolic, name_of};
use context::{Context, Lowered, Refusal};
use conv::Window;

/// Which operations the outputs depend on, and which parameters those read.
pub(crate) fn live(sym: &Symbolic) -> (Vec<usize>, BTreeSet<String>) {
    let mut wanted: HashSet<TensorId> = sym.outputs.iter().map(|(_, id)| *id).collect();
    let mut live = Vec::new();
    for (index, op) in sym.ops.iter().enumerate().rev() {
        if op.ir.outputs().any(|tensor| wanted.contains(&tensor.id)) {
            live.push(index);
            wanted.extend(op.ir.inputs().map(|tensor| tensor.id));
        }
    }
    live.reverse();
    let used = sym.parameters.iter().filter(|(id, _)| wanted.contains(id));
    let parameters = used.map(|(_, path)| path.clone()).collect();
    (live, parameters)
}

/// Builds the graph.
pub(crate) fn lower(
    spec: &Spec,
    sym: &Symbolic,
    live: &[usize],
    mut parameters: BTreeMap<String, Data>,
) -> Result<Graph> {
    let mut cx = Context::new(&spec.name, sym);
    let input_ids: BTreeMap<usize, TensorId> =
        sym.inputs.iter().map(|(id, index)| (*index, *id)).collect();
    for (index, input) in spec.inputs.iter().enumerate() {
        let dtype = match input.kind {
            Kind::Float => DataType::Float,
            Kind::Int => DataType::Int64,
            Kind::Bool => DataType::Bool,
        };
        let shape: Vec<Expr> = input.dims.iter().map(|dim| dim.expr(&sym.sizes)).collect();
        for (dim, expr) in input.dims.iter().zip(&shape) {
            if expr.as_constant().is_none() {
                cx.graph
                    .spelled
                    .entry(expr.clone())
                    .or_insert_with(|| dim.to_string());
            }
        }
        cx.reserve(&input.name);
        let value = cx.value(input.name.clone(), dtype, shape);
        cx.graph.inputs.push(value);
        if let Some(id) = input_ids.get(&index) {
            cx.bind_source(*id, value);
        }
    }
    check_sizes(&cx.graph)?;
    for (name, _) in &sym.outputs {
        cx.reserve(name);
    }
    for (id, path) in &sym.parameters {
        if let Some(data) = parameters.remove(path) {
            let value = cx.parameter(path, data);
            cx.bind_source(*id, value);
        }
    }
    let mut refused = Vec::new();
    for index in live {
        let op = &sym.ops[*index];
        if op.ir.outputs().all(|tensor| cx.bound(tensor.id).is_some()) {
            continue; // inputs and parameters
        }
        cx.enter(op);
        match lower_op(&mut cx, sym, &op.ir) {
            Ok(()) => {}
            Err(Refusal::Fatal(error)) => return Err(error),
            Err(Refusal::Unsupported(reason)) => {
                let module = place(&op.module).to_string();
                refused.push(Unsupported {
                    operation: name_of(&op.ir),
                    module,
                    reason,
                });
                op.ir
                    .outputs()
                    .for_each(|tensor| cx.bind_placeholder(tensor));
            }
        }
    }
    if !refused.is_empty() {
        return Err(Error::Unsupported(refused));
    }
    name_outputs(&mut cx, sym)?;
    Ok(cx.graph)
}

/// Every named size must be readable from some input: alone, or in a sum of others that are.
fn check_sizes(graph: &Graph) -> Result<()> {
    let dims: Vec<&Expr> = graph
        .inputs
        .iter()
        .flat_map(|input| &graph.values[*input].shape)
        .collect();
    for (size, name) in graph.sizes.iter().enumerate() {
        let alone = dims.iter().any(|dim| dim.as_size() == Some(size));
        let in_sum = dims.iter().any(|dim| {
            let (terms, _) = dim.parts();
            terms.get(&vec![size]) == Some(&1)
                && terms.keys().all(|monomial| {
                    monomial.iter().all(|other| {
                        *other == size || dims.iter().any(|dim| dim.as_size() == Some(*other))
                    })
                })
        });
        if !alone && !in_sum {
            return Err(Error::Spec(format!(
                "size `{name}` cannot be read from any input"
            )));
        }
    }
    Ok(())
}

/// Gives results the names that the caller chose.
fn name_outputs(cx: &mut Context, sym: &Symbolic) -> Result<()> {
    for (index, (name, id)) in sym.outputs.iter().enumerate() {
        if sym.outputs[..index].iter().any(|(other, _)| other == name)
            || cx
                .graph
                .inputs
                .iter()
                .any(|input| cx.graph.values[*input].name == *name)
        {
            return Err(Error::Spec(format!("the name `{name}` is used twice")));
        }
        let Some(value) = cx.bound(*id) else {
            return Err(Error::Unsound(format!("output `{name}` was not computed")));
        };
        let made = cx
            .graph
            .nodes
            .iter()
            .any(|node| node.outputs.contains(&value));
        let value = if made && !cx.graph.outputs.contains(&value) {
            value
        } else {
            // An input, a weight or a second name for the same tensor.
            let (dtype, shape) = (cx.dtype(value), cx.shape(value));
            let attrs = vec![];
            let node = cx.unique(&format!("{name}/Identity"));
            let out = cx.value(name.clone(), dtype, shape);
            cx.graph.nodes.push(crate::graph::Node {
                op: "Identity",
                name: node,
                inputs: vec![Some(value)],
                outputs: vec![out],
                attrs,
            });
            out
        };
        cx.graph.values[value].name = name.clone();
        cx.graph.outputs.push(value);
    }
    Ok(())
}

fn no() -> Lowered {
    Err(Refusal::Unsupported(None))
}

fn lower_op(cx: &mut Context, sym: &Symbolic, op: &OperationIr) -> Lowered {
    // These lowerers take their scalars as they stand in the record.
    let takes_record = matches!(op, OperationIr::Module(_) | OperationIr::Activation(_));
    let varies = cx
        .op()?
        .scalars
        .iter()
        .any(|scalar| !matches!(scalar, Scalar::Constant(_)));
    if takes_record && varies {
        return context::unsupported("a scalar that varies with the sizes");
    }
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            lower_base(cx, op)
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => lower_numeric(cx, op),
        OperationIr::Bool(op) => lower_bool(cx, op),
        OperationIr::Int(op) => lower_int(cx, op),
        OperationIr::Float(_, op) => lower_float(cx, op),
        OperationIr::Module(op) => lower_module(cx, op),
        OperationIr::Activation(op) => lower_activation(cx, op),
        OperationIr::Init(op) => match sym.constants.get(&op.out.id) {
            Some(constant) => create::constant(cx, op, constant),
            None => no(),
        },
        OperationIr::Drop(_) => Ok(()),
        OperationIr::Custom(_) | OperationIr::Distributed(_) => no(),
    }
}

fn lower_base(cx: &mut Context, op: &Base) -> Lowered {
    match op {
        Base::Reshape(op) => layout::reshape(cx, op),
        Base::SwapDims(op) => layout::swap_dims(cx, op),
        Base::Permute(op) => layout::permute(cx, op),
        Base::Flip(op) => layout::flip(cx, op),
        Base::Expand(op) => layout::expand(cx, op),
        Base::Slice(op) => layout::slice(cx, op),
        Base::SliceAssign(op) => layout::slice_assign(cx, op),
        Base::RepeatDim(op) => layout::repeat(cx, op),
        Base::Cat(op) => layout::cat(cx, op),
        Base::Select(op) => index::select(cx, op),
        Base::SelectAssign(op) => index::select_assign(cx, op),
        Base::Gather(op) => index::gather(cx, op),
        Base::Scatter(op) => index::scatter(cx, op),
        Base::ScatterNd(op) => index::scatter_nd(cx, op),
        Base::GatherNd(op) => index::gather_nd(cx, op),
        Base::MaskWhere(op) => compare::mask_where(cx, op),
        Base::MaskFill(op) => compare::mask_fill(cx, op),
        Base::Equal(op) => compare::tensors(cx, op, "Equal", false),
        Base::EqualElem(op) => compare::scalar(cx, op, "Equal", false),
        Base::NotEqual(op) => compare::tensors(cx, op, "Equal", true),
        Base::NotEqualElem(op) => compare::scalar(cx, op, "Equal", true),
        Base::Cast(op) => elementwise::cast(cx, &op.input, &op.out),
        Base::Empty(op) | Base::Zeros(op) => create::fill(cx, op, 0.0),
        Base::Ones(op) => create::fill(cx, op, 1.0),
        Base::All(op) => reduce::all(cx, op, "ReduceMin"),
        Base::Any(op) => reduce::all(cx, op, "ReduceMax"),
        Base::AllDim(op) => reduce::dim(cx, op, "ReduceMin"),
        Base::AnyDim(op) => reduce::dim(cx, op, "ReduceMax"),
        Base::Unfold(_) => no(),
    }
}

fn lower_numeric(cx: &mut Context, op: &Num) -> Lowered {
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
        Num::Sign(op) => elementwise::unary(cx, op, "Sign"),
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
        Num::CumSum(op) => reduce::cumsum(cx, op),
        Num::Greater(op) => compare::tensors(cx, op, "Greater", false),
        Num::GreaterElem(op) => compare::scalar(cx, op, "Greater", false),
        Num::GreaterEqual(op) => compare::tensors(cx, op, "GreaterOrEqual", false),
        Num::GreaterEqualElem(op) => compare::scalar(cx, op, "GreaterOrEqual", false),
        Num::Lower(op) => compare::tensors(cx, op, "Less", false),
        Num::LowerElem(op) => compare::scalar(cx, op, "Less", false),
        Num::LowerEqual(op) => compare::tensors(cx, op, "LessOrEqual", false),
        Num::LowerEqualElem(op) => compare::scalar(cx, op, "LessOrEqual", false),
        Num::Pad(op) => layout::pad(cx, op),
        Num::CumProd(_) | Num::CumMin(_) | Num::CumMax(_) | Num::IntRandom(_) => no(),
    }
}

fn lower_bool(cx: &mut Context, op: &Bool) -> Lowered {
    match op {
        Bool::IntoFloat(op) => elementwise::cast(cx, &op.input, &op.out),
        Bool::IntoInt(op) => elementwise::count(cx, op),
        Bool::Not(op) => elementwise::unary(cx, op, "Not"),
        Bool::And(op) => elementwise::binary(cx, op, "And"),
        Bool::Or(op) => elementwise::binary(cx, op, "Or"),
        Bool::Xor(op) => elementwise::binary(cx, op, "Xor"),
    }
}

fn lower_int(cx: &mut Context, op: &Int) -> Lowered {
    match op {
        Int::IntoFloat(op) => elementwise::cast(cx, &op.input, &op.out),
        Int::BitwiseAnd(op) => elementwise::binary(cx, op, "BitwiseAnd"),
        Int::BitwiseAndScalar(op) => elementwise::scalar(cx, op, "BitwiseAnd"),
        Int::BitwiseOr(op) => elementwise::binary(cx, op, "BitwiseOr"),
        Int::BitwiseOrScalar(op) => elementwise::scalar(cx, op, "BitwiseOr"),
        Int::BitwiseXor(op) => elementwise::binary(cx, op, "BitwiseXor"),
        Int::BitwiseXorScalar(op) => elementwise::scalar(cx, op, "BitwiseXor"),
        Int::BitwiseNot(op) => elementwise::unary(cx, op, "BitwiseNot"),
        Int::BitwiseLeftShiftScalar(op) => elementwise::shift_left(cx, op),
        // ONNX shifts unsigned numbers only.
        Int::BitwiseLeftShift(_)
        | Int::BitwiseRightShift(_)
        | Int::BitwiseRightShiftScalar(_)
        | Int::Matmul(_) => no(),
    }
}

fn lower_float(cx: &mut Context, op: &Float) -> Lowered {
    match op {
        Float::Exp(op) => elementwise::unary(cx, op, "Exp"),
        Float::Log(op) => elementwise::unary(cx, op, "Log"),
        Float::Log1p(op) => elementwise::log1p(cx, op),
        Float::Erf(op) => elementwise::unary(cx, op, "Erf"),
        Float::PowfScalar(op) => elementwise::power_scalar(cx, op),
        Float::Powf(op) => elementwise::power(cx, op),
        Float::Sqrt(op) => elementwise::unary(cx, op, "Sqrt"),
        Float::Cos(op) => elementwise::unary(cx, op, "Cos"),
        Float::Cosh(op) => elementwise::unary(cx, op, "Cosh"),
        Float::Sin(op) => elementwise::unary(cx, op, "Sin"),
        Float::Sinh(op) => elementwise::unary(cx, op, "Sinh"),
        Float::Tan(op) => elementwise::unary(cx, op, "Tan"),
        Float::Tanh(op) => elementwise::unary(cx, op, "Tanh"),
        Float::ArcCos(op) => elementwise::unary(cx, op, "Acos"),
        Float::ArcCosh(op) => elementwise::unary(cx, op, "Acosh"),
        Float::ArcSin(op) => elementwise::unary(cx, op, "Asin"),
        Float::ArcSinh(op) => elementwise::unary(cx, op, "Asinh"),
        Float::ArcTan(op) => elementwise::unary(cx, op, "Atan"),
        Float::ArcTanh(op) => elementwise::unary(cx, op, "Atanh"),
        Float::Round(op) => elementwise::unary(cx, op, "Round"),
        Float::Floor(op) => elementwise::unary(cx, op, "Floor"),
        Float::Ceil(op) => elementwise::unary(cx, op, "Ceil"),
        Float::Trunc(op) => elementwise::trunc(cx, op),
        Float::Recip(op) => elementwise::unary(cx, op, "Reciprocal"),
        Float::Hypot(op) => elementwise::hypot(cx, op),
        Float::IntoInt(op) => elementwise::cast(cx, &op.input, &op.out),
        Float::Matmul(op) => matmul::matmul(cx, op),
        Float::IsNan(op) => predicate(cx, op, "IsNaN"),
        Float::IsInf(op) => predicate(cx, op, "IsInf"),
        Float::ArcTan2(_)
        | Float::Cross(_)
        | Float::Random(_)
        | Float::Quantize(_)
        | Float::Dequantize(_)
        | Float::GridSample2d(_) => no(),
    }
}

fn predicate(cx: &mut Context, op: &burn_ir::UnaryOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let shape = cx.shape(input);
    let out = cx.emit(name, &[input], vec![], DataType::Bool, shape);
    cx.bind(&op.out, out)
}

/// Lowers a convolution: Burn's operations differ in type by rank and direction, and have the
/// same fields.
macro_rules! convolution {
    ($cx:expr, $op:expr, $padding:expr, $extra:expr) => {{
        let window = Window {
            stride: &$op.options.stride,
            padding: $padding,
            dilation: &$op.options.dilation,
            groups: $op.options.groups,
        };
        let inputs = [&$op.x, &$op.weight];
        conv::conv($cx, inputs, $op.bias.as_ref(), &window, $extra, &$op.out)
    }};
}

/// The same padding at both ends of each axis.
fn alike(padding: &[usize]) -> Vec<(usize, usize)> {
    padding.iter().map(|p| (*p, *p)).collect()
}

fn lower_module(cx: &mut Context, op: &Mod) -> Lowered {
    match op {
        Mod::Embedding(op) => index::embedding(cx, op),
        Mod::Linear(op) => matmul::linear(cx, op),
        Mod::LayerNorm(op) => norm::layer_norm(cx, op),
        Mod::BatchNorm(op) => norm::batch_norm(cx, op),
        Mod::Attention(op) => attention::attention(cx, op),
        Mod::Conv1d(op) => convolution!(cx, op, op.options.padding.to_vec(), None),
        Mod::Conv2d(op) => convolution!(cx, op, op.options.padding.to_vec(), None),
        Mod::Conv3d(op) => convolution!(cx, op, alike(&op.options.padding), None),
        Mod::ConvTranspose1d(op) => convolution!(
            cx,
            op,
            alike(&op.options.padding),
            Some(&op.options.padding_out)
        ),
        Mod::ConvTranspose2d(op) => convolution!(
            cx,
            op,
            alike(&op.options.padding),
            Some(&op.options.padding_out)
        ),
        Mod::ConvTranspose3d(op) => convolution!(
            cx,
            op,
            alike(&op.options.padding),
            Some(&op.options.padding_out)
        ),
        Mod::AvgPool1d(op) => pool::average(
            cx,
            [&op.x, &op.out],
            [&[op.kernel_size], &[op.stride], &[op.padding]],
            op.count_include_pad,
            op.ceil_mode,
        ),
        Mod::AvgPool2d(op) => pool::average(
            cx,
            [&op.x, &op.out],
            [&op.kernel_size, &op.stride, &op.padding],
            op.count_include_pad,
            op.ceil_mode,
        ),
        Mod::MaxPool1d(op) => pool::max(
            cx,
            [&op.x, &op.out],
            [
                &[op.kernel_size],
                &[op.stride],
                &[op.padding],
                &[op.dilation],
            ],
            op.ceil_mode,
        ),
        Mod::MaxPool2d(op) => pool::max(
            cx,
            [&op.x, &op.out],
            [&op.kernel_size, &op.stride, &op.padding, &op.dilation],
            op.ceil_mode,
        ),
        Mod::AdaptiveAvgPool1d(op) => pool::adaptive(cx, [&op.x, &op.out], &[op.output_size]),
        Mod::AdaptiveAvgPool2d(op) => pool::adaptive(cx, [&op.x, &op.out], &op.output_size),
        Mod::AdaptiveAvgPool3d(op) => pool::adaptive(cx, [&op.x, &op.out], &op.output_size),
        // Forward operations without a lowering yet.
        Mod::DeformableConv2d(_)
        | Mod::MaxPool1dWithIndices(_)
        | Mod::MaxPool2dWithIndices(_)
        | Mod::Interpolate(_)
        | Mod::CtcLoss(_)
        | Mod::Unfold4d(_) => no(),
        // Gradients have no place in an exported graph.
        Mod::EmbeddingBackward(_)
        | Mod::LinearXBackward(_)
        | Mod::LinearWeightBackward(_)
        | Mod::LinearBiasBackward(_)
        | Mod::Conv1dXBackward(_)
        | Mod::Conv1dWeightBackward(_)
        | Mod::Conv1dBiasBackward(_)
        | Mod::Conv2dXBackward(_)
        | Mod::Conv2dWeightBackward(_)
        | Mod::Conv2dBiasBackward(_)
        | Mod::Conv3dXBackward(_)
        | Mod::Conv3dWeightBackward(_)
        | Mod::Conv3dBiasBackward(_)
        | Mod::DeformableConv2dBackward(_)
        | Mod::AvgPool1dBackward(_)
        | Mod::AvgPool2dBackward(_)
        | Mod::AdaptiveAvgPool1dBackward(_)
        | Mod::AdaptiveAvgPool2dBackward(_)
        | Mod::AdaptiveAvgPool3dBackward(_)
        | Mod::MaxPool1dWithIndicesBackward(_)
        | Mod::MaxPool2dWithIndicesBackward(_)
        | Mod::InterpolateBackward(_)
        | Mod::CtcLossBackward(_)
        | Mod::ConvTranspose1dWeightBackward(_)
        | Mod::ConvTranspose1dBiasBackward(_)
        | Mod::ConvTranspose2dWeightBackward(_)
        | Mod::ConvTranspose2dBiasBackward(_)
        | Mod::ConvTranspose3dWeightBackward(_)
        | Mod::ConvTranspose3dBiasBackward(_) => no(),
    }
}

fn lower_activation(cx: &mut Context, op: &Activation) -> Lowered {
    match op {
        Activation::Relu(op) => elementwise::unary(cx, op, "Relu"),
        Activation::LeakyRelu(op) => activation::leaky_relu(cx, op),
        Activation::PRelu(op) => activation::prelu(cx, op),
        Activation::Gelu(op) => activation::gelu(cx, op),
        Activation::Sigmoid(op) => elementwise::unary(cx, op, "Sigmoid"),
        Activation::HardSigmoid(op) => activation::hard_sigmoid(cx, op),
        Activation::LogSigmoid(op) => activation::log_sigmoid(cx, op),
        Activation::Softmax(op) => activation::softmax(cx, op, "Softmax"),
        Activation::LogSoftmax(op) => activation::softmax(cx, op, "LogSoftmax"),
        Activation::Softmin(op) => activation::softmin(cx, op),
        Activation::ReluBackward(_)
        | Activation::GeluBackward(_)
        | Activation::SigmoidBackward(_)
        | Activation::LogSigmoidBackward(_) => no(),
    }
}
