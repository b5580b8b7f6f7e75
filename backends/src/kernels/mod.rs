//! What runs between the large matrix products, and products of a single row.
//!
//! A backend's own operation is used, but for flex in float32: that one computes GELU and softmax
//! a value at a time, and gives the product of one row to a kernel for many. Those are computed
//! here, eight or sixteen values at a time, in safe code that the compiler vectorises for the
//! processor found at run time (the `pulp` crate). Tensors that are differentiated, recorded for
//! an export, or of another type always take Burn's way.

#[cfg(feature = "flex")]
mod attention;
mod coarse;
#[cfg(feature = "flex")]
mod elementwise;
#[cfg(feature = "cubecl")]
mod fused;
#[cfg(feature = "flex")]
mod math;
#[cfg(feature = "flex")]
mod parallel;
#[cfg(feature = "flex")]
mod product;
mod sequence;
#[cfg(feature = "flex")]
mod view;

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor, module};

pub use coarse::{coarse, coarsened, unit};
pub use sequence::{Sums, in_sequence};

/// `x · Φ(x)`, Φ the normal distribution's (Hendrycks and Gimpel 2016), of any shape.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    return elementwise::gelu(x);
    #[cfg(not(feature = "flex"))]
    burn::tensor::activation::gelu(x)
}

/// Scaled dot-product attention as [`module::attention`] has it: queries
/// `[batch, heads, query, head_dim]`, keys and values `[batch, heads, key, head_dim]`, the mask
/// (true is hidden) and what is added to the scores `[batch, heads, query, key]`.
pub fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<4, Bool>>,
    bias: Option<Tensor<4>>,
    options: AttentionModuleOptions,
) -> Tensor<4> {
    let bias = match coarse::of_scores(key.dims()[2], &key.device(), key.dtype()) {
        None => bias,
        Some(errors) => Some(match bias {
            None => errors,
            Some(bias) => bias + errors,
        }),
    };
    #[cfg(feature = "flex")]
    if let Some(y) = attention::attention([&query, &key, &value], &mask, &bias, &options) {
        return y;
    }
    #[cfg(feature = "cubecl")]
    if let Some(y) = fused::attention([&query, &key, &value], &mask, &bias, &options) {
        return y;
    }
    module::attention(query, key, value, mask, bias, options)
}

/// `x · weight + bias`: `[…, d_in]` by `[d_in, d_out]`.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    if sequence::is_on() {
        let y = sequence::product(x, weight);
        return match bias {
            Some(bias) => y + bias.unsqueeze(),
            None => y,
        };
    }
    #[cfg(feature = "flex")]
    if let Some(y) = product::linear(&x, &weight, bias.as_ref()) {
        return y;
    }
    module::linear(x, weight, bias)
}

/// The mean of each row: `[…, width] -> […, 1]`.
pub fn mean<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if sequence::of_means() {
        return sequence::mean(x);
    }
    x.mean_dim(D - 1)
}

/// `(x − mean) / √(variance + ε) · γ + β` over the last axis, of any shape.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    if !sequence::of_means() {
        return module::layer_norm(x, weight, bias, epsilon);
    }
    let x = x.clone() - mean(x);
    let variance = mean(x.clone() * x.clone());
    let y = x / (variance + epsilon).sqrt() * weight.unsqueeze();
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// `x · tableᵀ`: `[…, d_model]` by `[vocab, d_model]`, the output of a tied embedding.
pub fn tied<const D: usize>(x: Tensor<D>, table: Tensor<2>) -> Tensor<D> {
    if sequence::is_on() {
        return sequence::tied(x, table);
    }
    #[cfg(feature = "flex")]
    if let Some(y) = product::tied(&x, &table) {
        return y;
    }
    x.matmul(table.transpose().unsqueeze())
}
