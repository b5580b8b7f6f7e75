//! Operations on floats, and activation functions.

use burn::tensor::Tensor;
use burn::tensor::activation::*;
use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode as Padding, InterpolateMode};

use super::inputs::{A, Case, f, i};
use fluxo_onnx::Outputs;

pub const CASES: &[Case] = &[
    ("Float(Exp)", |mut a| f(a.x().exp())),
    ("Float(Log)", |mut a| f(a.positive().log())),
    ("Float(Log1p)", |mut a| f(a.positive().log1p())),
    ("Float(Log1p)", |mut a| f((a.x() * 1e-6).log1p() * 1e6)),
    ("Float(Erf)", |mut a| f(a.x().erf())),
    ("Float(PowfScalar)", |mut a| {
        f(a.positive().powf_scalar(1.7))
    }),
    ("Float(PowfScalar)", |mut a| {
        f(a.positive().powf_scalar(0.5))
    }),
    ("Float(Powf)", |mut a| f(a.positive().powf(a.y()))),
    ("Float(Sqrt)", |mut a| f(a.positive().sqrt())),
    ("Float(Cos)", |mut a| f(a.x().cos())),
    ("Float(Cosh)", |mut a| f(a.x().cosh())),
    ("Float(Sin)", |mut a| f(a.x().sin())),
    ("Float(Sinh)", |mut a| f(a.x().sinh())),
    ("Float(Tan)", |mut a| f(a.narrow().tan())),
    ("Float(Tanh)", |mut a| f(a.x().tanh())),
    ("Float(ArcCos)", |mut a| f(a.narrow().acos())),
    ("Float(ArcCosh)", |mut a| f(a.float::<3>("above").acosh())),
    ("Float(ArcSin)", |mut a| f(a.narrow().asin())),
    ("Float(ArcSinh)", |mut a| f(a.x().asinh())),
    ("Float(ArcTan)", |mut a| f(a.x().atan())),
    ("Float(ArcTanh)", |mut a| f(a.narrow().atanh())),
    ("Float(ArcTan2)", |mut a| f(a.x().atan2(a.y()))),
    // Axes and diagonals.
    ("Float(ArcTan2)", |mut a| {
        f(a.x().round().atan2(a.y().round()))
    }),
    // Infinities and signed zeros: every pair of them.
    ("Float(ArcTan2)", |mut a| {
        let one = a.x().sum() * 0.0 + 1.0;
        let ends = [f32::INFINITY, -f32::INFINITY, 0.0, -0.0, 3.0, -2.0];
        let ends = Tensor::<1>::from_floats(ends, &a.device()) * one;
        let y = ends.clone().reshape([6, 1]).expand([6, 6]);
        f(y.atan2(ends.reshape([1, 6]).expand([6, 6])))
    }),
    ("Float(Round)", |mut a| f(a.x().round())),
    // Halves go to even numbers.
    ("Float(Round)", |mut a| f((a.s().float() * 0.5).round())),
    ("Float(Floor)", |mut a| f(a.x().floor())),
    ("Float(Ceil)", |mut a| f(a.x().ceil())),
    ("Float(Trunc)", |mut a| f(a.x().trunc())),
    ("Float(IntoInt)", |mut a| i(a.x().int())),
    ("Float(Matmul)", |mut a| f(a.x().matmul(a.float("across")))),
    ("Float(Cross)", |mut a| {
        let (p, q) = (a.float::<3>("points"), a.float::<3>("others"));
        f(p.cross(q, 2))
    }),
    ("Float(Cross)", |mut a| {
        let p = a.float::<3>("points").swap_dims(1, 2);
        f(p.clone().cross(p.exp(), 1))
    }),
    ("Float(Recip)", |mut a| f(a.x().recip())),
    ("Float(Hypot)", |mut a| f(a.x().hypot(a.y()))),
    ("Float(Hypot)", |mut a| {
        f((a.x() * 1e30).hypot(a.y() * 1e29) / 1e30)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Bilinear, Padding::Zeros, false)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Bilinear, Padding::Zeros, true)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Bilinear, Padding::Border, false)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Bilinear, Padding::Border, true)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Bilinear, Padding::Reflection, false)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Bilinear, Padding::Reflection, true)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Nearest, Padding::Zeros, false)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Nearest, Padding::Border, true)
    }),
    ("Float(GridSample2d)", |a| {
        grid(a, InterpolateMode::Nearest, Padding::Reflection, false)
    }),
    ("Activation(Relu)", |mut a| f(relu(a.x()))),
    ("Activation(LeakyRelu)", |mut a| f(leaky_relu(a.x(), 0.1))),
    ("Activation(PRelu)", |mut a| {
        let slope = a.data([1]);
        f(prelu(a.x(), slope))
    }),
    ("Activation(PRelu)", |mut a| {
        let slopes = a.data([4]);
        f(prelu(a.image(), slopes))
    }),
    ("Activation(Gelu)", |mut a| f(gelu(a.x()))),
    ("Activation(Sigmoid)", |mut a| f(sigmoid(a.x()))),
    ("Activation(HardSigmoid)", |mut a| {
        f(hard_sigmoid(a.x(), 0.2, 0.5))
    }),
    ("Activation(LogSigmoid)", |mut a| f(log_sigmoid(a.x()))),
    ("Activation(Softmax)", |mut a| f(softmax(a.x(), 2))),
    ("Activation(Softmax)", |mut a| f(softmax(a.x(), 1))),
    ("Activation(LogSoftmax)", |mut a| f(log_softmax(a.x(), 2))),
    ("Activation(Softmin)", |mut a| f(softmin(a.x(), 2))),
];

/// An image read on a grid that leaves it.
fn grid(mut a: A, mode: InterpolateMode, padding: Padding, align: bool) -> Outputs {
    let options = GridSampleOptions::new(mode)
        .with_padding_mode(padding)
        .with_align_corners(align);
    let grid = a.float::<4>("grid");
    f(a.image().grid_sample_2d(grid, options))
}
