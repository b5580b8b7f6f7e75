//! Products of one row, as in decoding: each weight is read once, so that memory sets the speed.

use burn::tensor::Tensor;

use super::parallel::{READ, pieces, share, wide};
use super::{math, view};

/// Rows of a table in one piece of work.
const ROWS: usize = 64;

fn is_one_row<const D: usize>(x: &Tensor<D>) -> bool {
    x.dims()[..D - 1].iter().product::<usize>() == 1
}

/// `x · weight + bias`; none where it is not for this module.
pub(super) fn linear<const D: usize>(
    x: &Tensor<D>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    if !is_one_row(x) {
        return None;
    }
    let (x, weight) = (view::dense(x)?, view::floats(weight)?);
    if !weight.layout().is_contiguous() {
        return None;
    }
    let [d_in, d_out] = [weight.layout().shape()[0], weight.layout().shape()[1]];
    let mut y = match bias {
        Some(bias) => view::values(&view::dense(bias)?).to_vec(),
        None => vec![0.0; d_out],
    };
    let (row, weights) = (view::values(&x), view::values(&weight));
    if row.len() != d_in || y.len() != d_out || d_out == 0 {
        return None;
    }
    let columns = share(d_out, d_in);
    pieces(&mut y, columns, [columns * d_in, READ], |i, y| {
        let from = weights.get(i * columns..).unwrap_or_default();
        wide(
            #[inline(always)]
            || math::add_rows(y, row, from, d_out),
        );
    });
    let mut shape = x.layout().shape().clone();
    shape[D - 1] = d_out;
    Some(view::tensor(y, shape))
}

/// `x · tableᵀ`; none where it is not for this module.
pub(super) fn tied<const D: usize>(x: &Tensor<D>, table: &Tensor<2>) -> Option<Tensor<D>> {
    if !is_one_row(x) {
        return None;
    }
    let (x, table) = (view::dense(x)?, view::floats(table)?);
    if !table.layout().is_contiguous() {
        return None;
    }
    let [vocab, d_model] = [table.layout().shape()[0], table.layout().shape()[1]];
    let (row, rows) = (view::values(&x), view::values(&table));
    if row.len() != d_model || d_model == 0 || vocab == 0 {
        return None;
    }
    let mut y = vec![0.0; vocab];
    pieces(&mut y, ROWS, [ROWS * d_model, READ], |i, y| {
        let rows = &rows[i * ROWS * d_model..];
        wide(
            #[inline(always)]
            || {
                for (y, other) in y.iter_mut().zip(rows.chunks_exact(d_model)) {
                    *y = math::dot(row, other);
                }
            },
        );
    });
    let mut shape = x.layout().shape().clone();
    shape[D - 1] = vocab;
    Some(view::tensor(y, shape))
}
