//! Lengths that follow from an operation's numbers: how many windows, or steps, fit an axis.
//!
//! Traces alone do not tell the divisor of a rounded quotient for certain; the record does.

use std::collections::HashMap;

use burn_capture::TensorId;
use burn_ir::{
    BaseOperationIr as Base, ModuleOperationIr as Mod, NumericOperationIr as Num, OperationIr,
    TensorIr,
};

use crate::expr::Expr;
use crate::symbolic::Range;

/// The numbers of windows along one axis.
struct Window {
    size: usize,
    stride: usize,
    padding: (usize, usize),
    dilation: usize,
    /// Whether a last window may begin inside and end outside.
    ceil: bool,
}

impl Window {
    /// How many there are along an axis of this length.
    fn count(&self, length: &Expr) -> Expr {
        let number = |n: usize| n as i64;
        let (before, after) = (number(self.padding.0), number(self.padding.1));
        let span = number(self.dilation * self.size.saturating_sub(1)) + 1;
        let stride = number(self.stride);
        let room = before + after - span;
        // A window that begins behind the elements, in the padding, is none.
        let room = if self.ceil {
            (room + stride - 1).min(before - 1)
        } else {
            room
        };
        length.add(&Expr::constant(room + stride)).divided(stride)
    }
}

/// Lengths that axes of the operation's results may have, for certain: by axis.
pub(crate) fn lengths(
    op: &OperationIr,
    shapes: &HashMap<TensorId, Vec<Expr>>,
    ranges: &[Range],
    numbers: &[Expr],
) -> HashMap<usize, Expr> {
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            match op {
                Base::Unfold(op) => {
                    let window = Window {
                        size: op.size,
                        stride: op.step,
                        padding: (0, 0),
                        dilation: 1,
                        ceil: false,
                    };
                    along(&op.input, shapes, op.dim, [window])
                }
                Base::Cat(op) => {
                    let parts = op.tensors.iter().map(|tensor| shapes.get(&tensor.id));
                    let sum = parts.map(|shape| shape.map(|shape| shape[op.dim].clone()));
                    let sum = sum.reduce(|a, b| Some(a?.add(&b?))).flatten();
                    sum.map(|sum| (op.dim, sum)).into_iter().collect()
                }
                Base::RepeatDim(op) => match (shapes.get(&op.tensor.id), numbers) {
                    (Some(shape), [times]) => [(op.dim, shape[op.dim].mul(times))].into(),
                    _ => HashMap::new(),
                },
                Base::Slice(_) => ranges
                    .iter()
                    .enumerate()
                    .map(|(axis, range)| (axis, steps(range)))
                    .collect(),
                Base::AnyDim(op) | Base::AllDim(op) => alone([op.axis]),
                _ => HashMap::new(),
            }
        }
        OperationIr::NumericFloat(_, Num::Pad(op)) | OperationIr::NumericInt(_, Num::Pad(op)) => {
            let Some(shape) = shapes.get(&op.input.id) else {
                return HashMap::new();
            };
            let padded = shape.iter().zip(numbers.chunks(2));
            padded
                .map(|(dim, pads)| pads.iter().fold(dim.clone(), |sum, pad| sum.add(pad)))
                .enumerate()
                .collect()
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => reduced(op),
        OperationIr::Module(op) => spatial(op, shapes, numbers),
        _ => HashMap::new(),
    }
}

/// Axes of which one element is left.
fn alone(axes: impl IntoIterator<Item = usize>) -> HashMap<usize, Expr> {
    let one = |axis| (axis, Expr::constant(1));
    axes.into_iter().map(one).collect()
}

/// The axes of a sum or an extreme.
fn reduced(op: &Num) -> HashMap<usize, Expr> {
    match op {
        Num::MeanDim(op)
        | Num::SumDim(op)
        | Num::ProdDim(op)
        | Num::ArgMax(op)
        | Num::ArgMin(op)
        | Num::MaxDim(op)
        | Num::MinDim(op)
        | Num::MaxAbsDim(op) => alone([op.axis]),
        Num::SumDims(op) => alone(op.axes.iter().copied()),
        Num::MaxDimWithIndices(op) | Num::MinDimWithIndices(op) => alone([op.dim]),
        Num::Mean(_) | Num::Sum(_) | Num::Prod(_) | Num::Max(_) | Num::Min(_) | Num::MaxAbs(_) => {
            alone([0])
        }
        _ => HashMap::new(),
    }
}

/// Products of neighbouring axes, which a change of shape may merge.
pub(crate) fn runs(op: &OperationIr, shapes: &HashMap<TensorId, Vec<Expr>>) -> Vec<Expr> {
    let (OperationIr::BaseFloat(Base::Reshape(op))
    | OperationIr::BaseInt(Base::Reshape(op))
    | OperationIr::BaseBool(Base::Reshape(op))) = op
    else {
        return Vec::new();
    };
    let shape = shapes.get(&op.input.id).map_or(&[][..], Vec::as_slice);
    let starts = (0..shape.len()).map(|start| &shape[start..]);
    let runs = starts.flat_map(|rest| {
        rest.iter().scan(Expr::constant(1), |product, dim| {
            *product = product.mul(dim);
            Some(product.clone())
        })
    });
    runs.collect()
}

/// How many elements a range takes.
fn steps(range: &Range) -> Expr {
    let step = range.step.abs().max(1);
    range
        .end
        .sub(&range.start)
        .add(&Expr::constant(step - 1))
        .divided(step)
}

fn along<const N: usize>(
    input: &TensorIr,
    shapes: &HashMap<TensorId, Vec<Expr>>,
    first: usize,
    windows: [Window; N],
) -> HashMap<usize, Expr> {
    let Some(shape) = shapes.get(&input.id) else {
        return HashMap::new();
    };
    let windows = windows.iter().enumerate();
    windows
        .filter_map(|(axis, window)| {
            let length = shape.get(first + axis)?;
            Some((first + axis, window.count(length)))
        })
        .collect()
}

/// The windows of a convolution; Burn's operations differ in type by rank.
macro_rules! convolution {
    ($op:expr, $shapes:expr, $rank:literal, $padding:expr) => {{
        let windows = std::array::from_fn::<_, $rank, _>(|axis| Window {
            size: $op.weight.shape[2 + axis],
            stride: $op.options.stride[axis],
            padding: $padding($op.options.padding[axis]),
            dilation: $op.options.dilation[axis],
            ceil: false,
        });
        let mut lengths = along(&$op.x, $shapes, 2, windows);
        lengths.insert(1, Expr::constant($op.weight.shape[0] as i64));
        lengths
    }};
}

/// The windows of a pool on a plane.
macro_rules! pool2d {
    ($op:expr, $shapes:expr, $dilation:expr) => {{
        let windows = std::array::from_fn::<_, 2, _>(|axis| Window {
            size: $op.kernel_size[axis],
            stride: $op.stride[axis],
            padding: alike($op.padding[axis]),
            dilation: $dilation[axis],
            ceil: $op.ceil_mode,
        });
        along(&$op.x, $shapes, 2, windows)
    }};
}

/// The windows of a pool on a line.
macro_rules! pool1d {
    ($op:expr, $shapes:expr, $dilation:expr) => {{
        let window = Window {
            size: $op.kernel_size,
            stride: $op.stride,
            padding: alike($op.padding),
            dilation: $dilation,
            ceil: $op.ceil_mode,
        };
        along(&$op.x, $shapes, 2, [window])
    }};
}

/// The same padding at both ends.
fn alike(padding: usize) -> (usize, usize) {
    (padding, padding)
}

/// What a transposed convolution makes of each axis, and its channels.
macro_rules! transposed {
    ($op:expr, $shapes:expr) => {{
        let shape = $shapes.get(&$op.x.id).map_or(&[][..], Vec::as_slice);
        let axes = shape.iter().skip(2).enumerate().map(|(axis, length)| {
            let options = &$op.options;
            let span = options.dilation[axis] * ($op.weight.shape[2 + axis] - 1);
            let more = (span + options.padding_out[axis] + 1) as i64;
            let more = more - (options.stride[axis] + 2 * options.padding[axis]) as i64;
            let length = length.scale(options.stride[axis] as i64);
            (2 + axis, length.add(&Expr::constant(more)))
        });
        let channels = $op.weight.shape[1] * $op.options.groups;
        axes.chain([(1, Expr::constant(channels as i64))]).collect()
    }};
}

/// Lengths that an operation is told.
fn told<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> HashMap<usize, Expr> {
    let sizes = sizes.into_iter().map(|size| Expr::constant(*size as i64));
    (2..).zip(sizes).collect()
}

/// The axes behind `[batch, channels]`.
fn spatial(
    op: &Mod,
    shapes: &HashMap<TensorId, Vec<Expr>>,
    numbers: &[Expr],
) -> HashMap<usize, Expr> {
    match op {
        Mod::Conv1d(op) => convolution!(op, shapes, 1, |pair| pair),
        Mod::Conv2d(op) => convolution!(op, shapes, 2, |pair| pair),
        Mod::Conv3d(op) => convolution!(op, shapes, 3, alike),
        Mod::DeformableConv2d(op) => convolution!(op, shapes, 2, alike),
        Mod::ConvTranspose1d(op) => transposed!(op, shapes),
        Mod::ConvTranspose2d(op) => transposed!(op, shapes),
        Mod::ConvTranspose3d(op) => transposed!(op, shapes),
        Mod::AdaptiveAvgPool1d(op) => told([&op.output_size]),
        Mod::AdaptiveAvgPool2d(op) => told(&op.output_size),
        Mod::AdaptiveAvgPool3d(op) => told(&op.output_size),
        Mod::Interpolate(_) => (2..).zip(numbers.iter().cloned()).collect(),
        Mod::AvgPool1d(op) => pool1d!(op, shapes, 1),
        Mod::AvgPool2d(op) => pool2d!(op, shapes, [1, 1]),
        Mod::MaxPool1d(op) => pool1d!(op, shapes, op.dilation),
        Mod::MaxPool2d(op) => pool2d!(op, shapes, op.dilation),
        Mod::MaxPool1dWithIndices(op) => pool1d!(op, shapes, op.dilation),
        Mod::MaxPool2dWithIndices(op) => pool2d!(op, shapes, op.dilation),
        Mod::Unfold4d(op) => {
            let windows = std::array::from_fn::<_, 2, _>(|axis| Window {
                size: op.kernel_size[axis],
                stride: op.options.stride[axis],
                padding: alike(op.options.padding[axis]),
                dilation: op.options.dilation[axis],
                ceil: false,
            });
            let counts = along(&op.x, shapes, 2, windows);
            let both = counts.get(&2).zip(counts.get(&3));
            both.map(|(rows, columns)| (2, rows.mul(columns)))
                .into_iter()
                .collect()
        }
        _ => HashMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_as_burn_counts_them() {
        let length = Expr::size(0);
        for (size, stride, padding, dilation) in [(3, 2, 1, 1), (2, 3, 0, 2), (3, 3, 1, 1)] {
            for ceil in [false, true] {
                let padding = (padding, padding);
                let window = Window {
                    size,
                    stride,
                    padding,
                    dilation,
                    ceil,
                };
                let count = window.count(&length);
                for n in 4..40 {
                    let span = dilation * (size - 1) + 1;
                    // Every place that begins no later than its kind may.
                    let begins = (0..).map(|index| index * stride).take_while(|begin| {
                        let padded = n + padding.0 + padding.1;
                        if ceil {
                            begin + span < padded + stride && *begin < n + padding.0
                        } else {
                            begin + span <= padded
                        }
                    });
                    assert_eq!(count.at(&[n as i64]), begins.count() as i64);
                }
            }
        }
    }
}
