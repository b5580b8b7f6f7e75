//! Operations on floats and integers.

use burn::tensor::ops::PadMode;
use burn::tensor::{Distribution, Int, Tensor};

use super::inputs::{Case, b, f, fi, i};

pub const CASES: &[Case] = &[
    ("Numeric(Add)", |mut a| f(a.x() + a.y())),
    ("Numeric(Add)", |mut a| i(a.s() + a.n())),
    ("Numeric(AddScalar)", |mut a| f(a.x() + 1.5)),
    ("Numeric(AddScalar)", |mut a| i(a.s() + 3)),
    ("Numeric(Sub)", |mut a| f(a.x() - a.y())),
    ("Numeric(Sub)", |mut a| i(a.s() - a.n())),
    ("Numeric(SubScalar)", |mut a| f(a.x() - 1.5)),
    ("Numeric(Div)", |mut a| f(a.x() / a.y())),
    // Toward zero.
    ("Numeric(Div)", |mut a| i(a.s() / (a.n() - 7))),
    ("Numeric(DivScalar)", |mut a| f(a.x() / 3.0)),
    ("Numeric(DivScalar)", |mut a| i(a.s() / 4)),
    ("Numeric(Mul)", |mut a| f(a.x() * a.y())),
    ("Numeric(Mul)", |mut a| f(a.x() * a.x())),
    ("Numeric(Mul)", |mut a| i(a.s() * a.n())),
    ("Numeric(Mul)", |mut a| i(a.s() * a.s())),
    ("Numeric(MulScalar)", |mut a| f(a.x() * 0.3)),
    // The sign of the divisor.
    ("Numeric(Rem)", |mut a| f(a.x().remainder(a.y()))),
    ("Numeric(Rem)", |mut a| f((a.x() * 1e4).remainder(a.y()))),
    ("Numeric(Rem)", |mut a| i(a.s().remainder(a.n() - 7))),
    ("Numeric(RemScalar)", |mut a| {
        f(a.x().remainder_scalar(0.75))
    }),
    ("Numeric(RemScalar)", |mut a| {
        f(a.x().remainder_scalar(-0.75))
    }),
    ("Numeric(RemScalar)", |mut a| i(a.s().remainder_scalar(-4))),
    ("Numeric(Abs)", |mut a| f(a.x().abs())),
    ("Numeric(Abs)", |mut a| i(a.s().abs())),
    ("Numeric(Neg)", |mut a| f(a.x().neg())),
    ("Numeric(Neg)", |mut a| i(a.s().neg())),
    ("Numeric(Sign)", |mut a| f(a.x().trunc().sign())),
    ("Numeric(Sign)", |mut a| i(a.s().sign())),
    ("Numeric(Clamp)", |mut a| f(a.x().clamp(-0.5, 1.0))),
    ("Numeric(Clamp)", |mut a| i(a.s().clamp(-3, 4))),
    ("Numeric(ClampMin)", |mut a| f(a.x().clamp_min(0.2))),
    ("Numeric(ClampMin)", |mut a| i(a.s().clamp_min(2))),
    ("Numeric(ClampMax)", |mut a| f(a.x().clamp_max(0.1))),
    ("Numeric(Powi)", |mut a| i(a.s().powi(a.n()))),
    ("Numeric(PowiScalar)", |mut a| f(a.x().powi_scalar(3))),
    ("Numeric(PowiScalar)", |mut a| f(a.x().powi_scalar(4))),
    ("Numeric(PowiScalar)", |mut a| {
        f((a.x().abs() + 0.5).powi_scalar(-3))
    }),
    ("Numeric(PowiScalar)", |mut a| i(a.s().powi_scalar(7))),
    ("Numeric(Full)", |mut a| {
        let [n, m, _] = a.x().dims();
        f(Tensor::<2>::full([n, m], 0.5, &a.device()))
    }),
    ("Numeric(Full)", |mut a| {
        let [n, m, _] = a.x().dims();
        i(Tensor::<2, Int>::full([n, 3], m as i64, &a.device()))
    }),
    ("Numeric(Mean)", |mut a| f(a.x().mean())),
    ("Numeric(MeanDim)", |mut a| f(a.x().mean_dim(1))),
    ("Numeric(Sum)", |mut a| f(a.x().sum())),
    ("Numeric(Sum)", |mut a| i(a.s().sum())),
    ("Numeric(SumDim)", |mut a| f(a.x().sum_dim(0))),
    ("Numeric(SumDim)", |mut a| i(a.s().sum_dim(1))),
    ("Numeric(SumDims)", |mut a| f(a.image().sum_dims(&[1, 3]))),
    ("Numeric(Prod)", |mut a| f(a.x().prod())),
    ("Numeric(ProdDim)", |mut a| f(a.x().prod_dim(2))),
    ("Numeric(ProdDim)", |mut a| i(a.s().prod_dim(2))),
    ("Numeric(Max)", |mut a| f(a.x().max())),
    ("Numeric(Max)", |mut a| i(a.s().max())),
    ("Numeric(MaxDim)", |mut a| f(a.x().max_dim(2))),
    ("Numeric(MaxDim)", |mut a| i(a.s().max_dim(1))),
    ("Numeric(Min)", |mut a| f(a.x().min())),
    ("Numeric(MinDim)", |mut a| f(a.x().min_dim(1))),
    ("Numeric(MinDim)", |mut a| i(a.s().min_dim(1))),
    ("Numeric(MaxAbs)", |mut a| f(a.x().max_abs())),
    ("Numeric(MaxAbsDim)", |mut a| f(a.x().max_abs_dim(2))),
    ("Numeric(MaxDimWithIndices)", |mut a| {
        fi(a.x().max_dim_with_indices(2))
    }),
    ("Numeric(MinDimWithIndices)", |mut a| {
        fi(a.x().min_dim_with_indices(1))
    }),
    ("Numeric(ArgMax)", |mut a| i(a.x().argmax(1))),
    ("Numeric(ArgMax)", |mut a| i(a.s().argmax(2))),
    ("Numeric(ArgMin)", |mut a| i(a.x().argmin(2))),
    ("Numeric(TopK)", |mut a| f(a.x().topk(2, 2))),
    ("Numeric(ArgTopK)", |mut a| i(a.x().argtopk(3, 2))),
    ("Numeric(ArgTopK)", |mut a| i(a.n().argtopk(3, 2))),
    ("Numeric(TopKWithIndices)", |mut a| {
        fi(a.x().topk_with_indices(3, 2))
    }),
    ("Numeric(Sort)", |mut a| f(a.x().sort(2))),
    ("Numeric(Sort)", |mut a| f(a.x().sort_descending(2))),
    ("Numeric(Sort)", |mut a| i(a.s().sort(2))),
    ("Numeric(ArgSort)", |mut a| i(a.x().argsort(2))),
    ("Numeric(ArgSort)", |mut a| i(a.n().argsort(2))),
    ("Numeric(ArgSort)", |mut a| i(a.n().argsort_descending(2))),
    ("Numeric(SortWithIndices)", |mut a| {
        fi(a.x().sort_with_indices(2))
    }),
    ("Numeric(SortWithIndices)", |mut a| {
        fi(a.x().sort_descending_with_indices(1))
    }),
    ("Numeric(CumSum)", |mut a| f(a.x().cumsum(1))),
    ("Numeric(CumSum)", |mut a| i(a.s().cumsum(2))),
    ("Numeric(CumProd)", |mut a| f(a.x().cumprod(1))),
    ("Numeric(CumProd)", |mut a| f(a.x().cumprod(2))),
    ("Numeric(CumProd)", |mut a| i(a.s().cumprod(2))),
    ("Numeric(CumMin)", |mut a| f(a.x().cummin(1))),
    ("Numeric(CumMin)", |mut a| i(a.s().cummin(1))),
    ("Numeric(CumMax)", |mut a| f(a.x().cummax(0))),
    ("Numeric(CumMax)", |mut a| i(a.s().cummax(2))),
    ("Numeric(Greater)", |mut a| b(a.x().greater(a.y()))),
    ("Numeric(Greater)", |mut a| b(a.s().greater(a.n()))),
    ("Numeric(GreaterElem)", |mut a| b(a.x().greater_scalar(0.3))),
    ("Numeric(GreaterEqual)", |mut a| {
        b(a.s().greater_equal(a.n()))
    }),
    ("Numeric(GreaterEqualElem)", |mut a| {
        b(a.s().greater_equal_scalar(3))
    }),
    ("Numeric(Lower)", |mut a| b(a.x().lower(a.y()))),
    ("Numeric(LowerElem)", |mut a| b(a.s().lower_scalar(3))),
    ("Numeric(LowerEqual)", |mut a| b(a.s().lower_equal(a.n()))),
    ("Numeric(LowerEqualElem)", |mut a| {
        b(a.s().lower_equal_scalar(3))
    }),
    ("Numeric(Pad)", |mut a| {
        f(a.image().pad((1, 2, 0, 3), PadMode::Constant(0.5)))
    }),
    ("Numeric(Pad)", |mut a| {
        f(a.image().pad((1, 2, 0, 3), PadMode::Edge))
    }),
    ("Numeric(Pad)", |mut a| {
        f(a.image().pad((1, 2, 3, 0), PadMode::Reflect))
    }),
    ("Numeric(Pad)", |mut a| {
        i(a.s().pad((1, 2, 3, 0), PadMode::Constant(-7.0)))
    }),
    ("Numeric(IntRandom)", |mut a| {
        let shape = a.x().dims();
        i(Tensor::<3, Int>::random(
            shape,
            Distribution::Uniform(0.0, 9.0),
            &a.device(),
        ))
    }),
    ("Float(Random)", |mut a| {
        f(a.x().random_like(Distribution::Default))
    }),
    ("Bool(IntoFloat)", |mut a| f(a.b().float())),
    ("Bool(IntoInt)", |mut a| i(a.b().int())),
    ("Bool(IntoInt)", |mut a| i(a.b().int().cumsum(1))),
    ("Bool(Not)", |mut a| b(a.b().bool_not())),
    ("Bool(And)", |mut a| b(a.b().bool_and(a.c()))),
    ("Bool(Or)", |mut a| b(a.b().bool_or(a.c()))),
    ("Bool(Xor)", |mut a| b(a.b().bool_xor(a.c()))),
    ("Int(IntoFloat)", |mut a| f(a.s().float())),
    ("Int(BitwiseAnd)", |mut a| i(a.s().bitwise_and(a.n()))),
    ("Int(BitwiseAndScalar)", |mut a| {
        i(a.s().bitwise_and_scalar(5))
    }),
    ("Int(BitwiseOr)", |mut a| i(a.s().bitwise_or(a.n()))),
    ("Int(BitwiseOrScalar)", |mut a| {
        i(a.s().bitwise_or_scalar(8))
    }),
    ("Int(BitwiseXor)", |mut a| i(a.s().bitwise_xor(a.n()))),
    ("Int(BitwiseXorScalar)", |mut a| {
        i(a.s().bitwise_xor_scalar(5))
    }),
    ("Int(BitwiseNot)", |mut a| i(a.s().bitwise_not())),
    ("Int(BitwiseLeftShift)", |mut a| {
        i(a.s().bitwise_left_shift(a.n()))
    }),
    ("Int(BitwiseLeftShiftScalar)", |mut a| {
        i(a.s().bitwise_left_shift_scalar(3))
    }),
    ("Int(BitwiseRightShift)", |mut a| {
        i((a.s() * 100).bitwise_right_shift(a.n()))
    }),
    ("Int(BitwiseRightShift)", |mut a| {
        i(a.s().bitwise_right_shift(a.n()))
    }),
    ("Int(BitwiseRightShiftScalar)", |mut a| {
        i((a.s() * 100).bitwise_right_shift_scalar(3))
    }),
    ("Int(BitwiseRightShiftScalar)", |mut a| {
        i(a.s().bitwise_right_shift_scalar(30))
    }),
    ("Int(Matmul)", |mut a| i(a.s().matmul(a.int("down")))),
];
