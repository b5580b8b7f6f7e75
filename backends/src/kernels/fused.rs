//! Operations written out for backends that fuse what they see: Burn's own attention is one operation
//! to them, which runs its parts as kernels of their own.

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};
use burn_dispatch::DispatchDevice;

/// None where `query` is not on such a backend, or is differentiated: Burn writes it out then.
pub(super) fn attention(
    [query, key, value]: [&Tensor<4>; 3],
    mask: &Option<Tensor<4, Bool>>,
    bias: &Option<Tensor<4>>,
    options: &AttentionModuleOptions,
) -> Option<Tensor<4>> {
    if options.is_causal || !matches!(query.device().as_dispatch(), DispatchDevice::Cube(_)) {
        return None;
    }
    let range = query.dtype().finfo()?;
    let ([batch, heads, queries, head_dim], [.., keys, _]) = (query.dims(), key.dims());
    let scale = options.scale.unwrap_or(1.0 / (head_dim as f64).sqrt());
    // Heads lie apart in memory, and a product of matrices that do copies both for each kernel that
    // it tries: here they are copied once.
    let matrices = |x: &Tensor<4>| {
        let [_, _, rows, columns] = x.dims();
        x.clone().reshape([batch * heads, rows, columns])
    };
    let scores = matrices(query).matmul(matrices(key).transpose());
    let mut scores = scores.reshape([batch, heads, queries, keys]) * (scale * fault());
    if let Some(softcap) = options.softcap {
        scores = (scores / softcap).tanh() * softcap;
    }
    if let Some(mask) = mask {
        let mask = mask.clone().expand(scores.dims());
        scores = scores.mask_fill(mask, f64::NEG_INFINITY);
    }
    if let Some(bias) = bias {
        scores = scores + bias.clone();
    }
    // A row that is hidden whole gives 0: neither its maximum nor its sum leaves the numbers.
    let largest = scores.clone().max_dim(3).clamp_min(range.min); // [batch, heads, query, 1]
    let shares = (scores - largest).exp();
    let sum = shares.clone().sum_dim(3).clamp_min(range.min_positive); // [batch, heads, query, 1]
    let context = matrices(&(shares / sum)).matmul(matrices(value));
    Some(context.reshape([batch, heads, queries, value.dims()[3]]))
}

/// What scores are multiplied with: 1. With debug assertions and `FLUXO_PLANTED` in the environment 1.01,
/// a wrong kernel of this device, which a test wants found and located.
fn fault() -> f64 {
    if cfg!(debug_assertions) && std::env::var_os("FLUXO_PLANTED").is_some() {
        1.01
    } else {
        1.0
    }
}
