//! Operations on tensors of any kind.

use burn::tensor::{Bool, DType, IndexingUpdateOp as Update, Int, Tensor, s};

use super::inputs::{Case, b, f, i};

pub const CASES: &[Case] = &[
    ("Base(Reshape)", |mut a| {
        let [n, m, _] = a.x().dims();
        f(a.x().reshape([n, m * 2, 2]))
    }),
    ("Base(Reshape)", |mut a| b(a.b().flatten::<2>(0, 1))),
    ("Base(SwapDims)", |mut a| f(a.x().swap_dims(0, 2))),
    ("Base(SwapDims)", |mut a| b(a.b().swap_dims(1, 2))),
    ("Base(Permute)", |mut a| f(a.x().permute([2, 0, 1]))),
    ("Base(Permute)", |mut a| i(a.s().permute([1, 2, 0]))),
    ("Base(Flip)", |mut a| f(a.x().flip([1, 2]))),
    ("Base(Flip)", |mut a| b(a.b().flip([0]))),
    ("Base(Expand)", |mut a| {
        let [n, m, _] = a.x().dims();
        f(a.float::<3>("row").expand([n, m, 4]))
    }),
    ("Base(Expand)", |mut a| {
        let [n, m, _] = a.x().dims();
        f(a.x().unsqueeze_dim::<4>(1).expand([n, 3, m, 4]))
    }),
    ("Base(Unfold)", |mut a| f(a.x().unfold::<4, _>(2, 3, 1))),
    ("Base(Unfold)", |mut a| {
        f(a.signal().unfold::<4, _>(2, 4, 3))
    }),
    ("Base(Unfold)", |mut a| f(a.image().unfold::<5, _>(2, 2, 2))),
    ("Base(Unfold)", |mut a| i(a.s().unfold::<4, _>(2, 2, 2))),
    ("Base(Unfold)", |mut a| b(a.b().unfold::<4, _>(2, 3, 1))),
    ("Base(Slice)", |mut a| {
        f(a.image().slice(s![.., 1..3, 1..-1, ..]))
    }),
    ("Base(Slice)", |mut a| f(a.x().slice(s![.., .., 0..4;2]))),
    ("Base(Slice)", |mut a| f(a.x().slice(s![.., .., 0..4;-1]))),
    ("Base(Slice)", |mut a| i(a.s().slice(s![.., .., 1..4;-2]))),
    ("Base(Slice)", |mut a| {
        f(a.image().slice(s![.., .., 1..;2, ..]))
    }),
    ("Base(SliceAssign)", |mut a| {
        let left = a.float("left");
        f(a.x().slice_assign(s![.., .., 1..3], left))
    }),
    ("Base(SliceAssign)", |mut a| {
        let left = a.float("left");
        f(a.x().slice_assign(s![.., .., 0..4;2], left))
    }),
    ("Base(SliceAssign)", |mut a| {
        let left = a.float("left");
        f(a.x().slice_assign(s![.., .., 1..4;-2], left))
    }),
    ("Base(SliceAssign)", |mut a| {
        let part = a.image().slice(s![.., 1..3, 0..;3, ..]);
        f(a.image().slice_assign(s![.., 1..3, 0..;3, ..], part * 2.0))
    }),
    ("Base(SliceAssign)", |mut a| {
        let n = a.n().slice(s![.., .., 0..2]);
        i(a.s().slice_assign(s![.., .., 2..4], n))
    }),
    ("Base(Select)", |mut a| {
        let places = a.ints([3, 0, 0]);
        f(a.x().select(2, places))
    }),
    ("Base(Select)", |mut a| {
        let places = a.ints([1, 2]);
        b(a.b().select(2, places))
    }),
    ("Base(SelectAssign)", |mut a| {
        let (places, y) = (a.ints([3, 0, 0, 1]), a.y());
        f(a.x().select_assign(2, places, y, Update::Add))
    }),
    ("Base(SelectAssign)", |mut a| {
        let (places, n) = (a.ints([2, 0, 3, 1]), a.n());
        i(a.s().select_assign(2, places, n, Update::Add))
    }),
    ("Base(SelectAssign)", |mut a| {
        let (places, other) = (a.ints([2, 0, 2, 1]), a.c());
        b(a.b().select_assign(2, places, other, Update::Add))
    }),
    ("Base(MaskWhere)", |mut a| f(a.x().mask_where(a.b(), a.y()))),
    ("Base(MaskWhere)", |mut a| i(a.s().mask_where(a.b(), a.n()))),
    ("Base(MaskFill)", |mut a| f(a.x().mask_fill(a.b(), -7.5))),
    ("Base(MaskFill)", |mut a| i(a.s().mask_fill(a.b(), -7))),
    ("Base(Gather)", |mut a| f(a.x().gather(2, a.places()))),
    ("Base(Gather)", |mut a| b(a.b().gather(2, a.places()))),
    ("Base(Scatter)", |mut a| {
        f(a.x().scatter(2, a.places(), a.y(), Update::Add))
    }),
    ("Base(Scatter)", |mut a| {
        i(a.s().scatter(2, a.places(), a.n(), Update::Add))
    }),
    ("Base(Scatter)", |mut a| {
        let other = a.c();
        b(a.b().scatter(2, a.places(), other, Update::Add))
    }),
    ("Base(ScatterNd)", |mut a| {
        f(scattered(a.x(), &a, Update::Assign))
    }),
    ("Base(ScatterNd)", |mut a| {
        f(scattered(a.x(), &a, Update::Add))
    }),
    ("Base(ScatterNd)", |mut a| {
        f(scattered(a.x(), &a, Update::Mul))
    }),
    ("Base(ScatterNd)", |mut a| {
        f(scattered(a.x(), &a, Update::Min))
    }),
    ("Base(ScatterNd)", |mut a| {
        f(scattered(a.x(), &a, Update::Max))
    }),
    ("Base(GatherNd)", |mut a| {
        let places = a.stored([[0, 0], [0, 0]]);
        f(a.x().gather_nd::<2, 2>(places))
    }),
    ("Base(GatherNd)", |mut a| {
        let places = a.stored([[2], [0], [3]]);
        f(a.image().swap_dims(0, 1).gather_nd::<2, 4>(places))
    }),
    ("Base(Equal)", |mut a| b(a.s().equal(a.n()))),
    ("Base(Equal)", |mut a| b(a.b().equal(a.c()))),
    ("Base(EqualElem)", |mut a| b(a.s().equal_scalar(2))),
    ("Base(NotEqual)", |mut a| b(a.s().not_equal(a.n()))),
    ("Base(NotEqual)", |mut a| b(a.b().not_equal(a.c()))),
    // How questions after NaN are recorded.
    ("Base(NotEqual)", |mut a| b(a.x().log().is_nan())),
    ("Base(NotEqualElem)", |mut a| b(a.n().not_equal_scalar(4))),
    ("Base(RepeatDim)", |mut a| {
        f(a.x().repeat_dim(2, 3).repeat_dim(0, 2))
    }),
    ("Base(RepeatDim)", |mut a| {
        let [_, m, _] = a.x().dims();
        f(a.x().slice(s![.., 0..1, ..]).repeat_dim(1, m))
    }),
    ("Base(Cat)", |mut a| {
        f(Tensor::cat(vec![a.x(), a.y(), a.x()], 1))
    }),
    ("Base(Cat)", |mut a| b(Tensor::cat(vec![a.b(), a.b()], 2))),
    ("Base(Cast)", |mut a| {
        f(a.x().cast(DType::F64).cast(DType::F32))
    }),
    ("Base(Empty)", |mut a| {
        let [n, m, _] = a.x().dims();
        // What it holds is not defined; in Burn (flex) and in the file it is 0.
        f(Tensor::<2>::empty([n, m], &a.device()))
    }),
    ("Base(Ones)", |mut a| {
        let [n, m, _] = a.x().dims();
        f(Tensor::<2>::ones([n, m], &a.device()))
    }),
    ("Base(Zeros)", |mut a| {
        let [n, m, _] = a.x().dims();
        i(Tensor::<2, Int>::zeros([n, m], &a.device()))
    }),
    ("Base(All)", |mut a| b(a.b().all())),
    ("Base(All)", |mut a| b((a.s() + 10).all())),
    ("Base(All)", |mut a| b(a.s().all())),
    ("Base(Any)", |mut a| b(a.b().any())),
    ("Base(Any)", |mut a| b(a.s().abs().neg().any())),
    ("Base(AllDim)", |mut a| b(a.b().all_dim(2))),
    ("Base(AllDim)", |mut a| b(a.x().trunc().all_dim(2))),
    ("Base(AnyDim)", |mut a| b(a.b().any_dim(1))),
    ("Base(AnyDim)", |mut a| {
        b(a.x().trunc().abs().neg().any_dim(2))
    }),
    ("Init", |mut a| {
        let [_, m, _] = a.x().dims();
        i(Tensor::<1, Int>::arange(1..m as i64 + 1, &a.device()))
    }),
    ("Init", |mut a| {
        let [_, m, _] = a.x().dims();
        b(Tensor::<2, Bool>::tril_mask([m, m], 0, &a.device()))
    }),
];

/// Rows of the first sequence, updated.
fn scattered(x: Tensor<3>, a: &super::inputs::A, update: Update) -> Tensor<3> {
    let places = a.stored([[0, 0, 1], [0, 0, 3]]);
    let values = a.data([2]);
    x.scatter_nd(places, values, update)
}
