//! Products of matrices.

use burn_ir::{LinearOpIr, MatmulOpIr};

use super::context::{Context, Lowered};

/// `[.., m, k] · [.., k, n]`
pub(super) fn matmul(cx: &mut Context, op: &MatmulOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = cx.matmul(a, b)?;
    cx.bind(&op.out, out)
}

/// `[.., d_in] · [d_in, d_out] + [d_out]`
pub(super) fn linear(cx: &mut Context, op: &LinearOpIr) -> Lowered {
    let (x, weight) = (cx.get(&op.x)?, cx.get(&op.weight)?);
    let mut out = cx.matmul(x, weight)?;
    if let Some(bias) = &op.bias {
        let bias = cx.get(bias)?;
        out = cx.binary("Add", out, bias)?;
    }
    cx.bind(&op.out, out)
}
