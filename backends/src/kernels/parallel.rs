//! Loops under the processor's widest instructions, on all threads where that pays.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values that are worth a thread of their own where each is computed with.
pub(super) const COMPUTE: usize = 1 << 14;
/// The same where each is read from memory once: waking a thread takes as long as 100 kB.
pub(super) const READ: usize = 1 << 19;

struct Loop<F>(F);

impl<F: FnOnce()> WithSimd for Loop<F> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        (self.0)();
    }
}

/// Calls `body`, which is inlined and compiled once for each set of instructions.
#[inline(always)]
pub(super) fn wide(body: impl FnOnce()) {
    Arch::new().dispatch(Loop(body));
}

/// Columns of a share, in whole cache lines, where each of `columns` reads `rows` values: one
/// share a thread, and fewer where they would be smaller than [`READ`].
pub(super) fn share(columns: usize, rows: usize) -> usize {
    let threads = rayon::current_num_threads();
    let shares = (columns * rows / READ).clamp(1, threads);
    columns.div_ceil(shares).next_multiple_of(16)
}

/// Calls `body` with the number and the content of every piece of `all`, of `length` values each.
/// A piece costs `cost`; pieces run side by side in tasks of `task` at least.
pub(super) fn pieces(
    all: &mut [f32],
    length: usize,
    [cost, task]: [usize; 2],
    body: impl Fn(usize, &mut [f32]) + Sync,
) {
    let total = all.len().div_ceil(length.max(1)) * cost;
    if total <= task || rayon::current_num_threads() == 1 {
        for (i, piece) in all.chunks_mut(length).enumerate() {
            body(i, piece);
        }
        return;
    }
    let together = task.div_ceil(cost.max(1));
    all.par_chunks_mut(length * together)
        .enumerate()
        .for_each(|(task, pieces)| {
            for (i, piece) in pieces.chunks_mut(length).enumerate() {
                body(task * together + i, piece);
            }
        });
}
