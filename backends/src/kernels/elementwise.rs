//! GELU.

use burn::tensor::{Tensor, activation};
use burn_flex::Flex;

use super::parallel::{COMPUTE, pieces, wide};
use super::{math, view};

/// Values of one piece of work.
const PIECE: usize = 1 << 12;

/// Burn's where `x` is not for this module.
pub(super) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let Some(mut y) = view::dense(&x) else {
        return activation::gelu(x);
    };
    // Then the storage is ours alone, if nobody else reads it, and is written in place.
    drop(x);
    if y.layout().start_offset() != 0 {
        y = y.to_contiguous();
    }
    let count = y.layout().num_elements();
    pieces(
        &mut y.storage_mut::<f32>()[..count],
        PIECE,
        [PIECE, COMPUTE],
        |_, piece| {
            wide(
                #[inline(always)]
                || {
                    for x in piece {
                        *x = math::gelu(*x);
                    }
                },
            );
        },
    );
    Tensor::from_primitive::<Flex>(y)
}
