//! The kernels beside Burn's own operations on the same backend.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Distribution, Tensor, activation, module};
use fluxo_backends::kernels;

fn device() -> Device {
    fluxo_backends::device("flex").unwrap()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

/// The largest difference, divided by the largest magnitude where that is over 1.
fn difference<const D: usize>(ours: Tensor<D>, burns: Tensor<D>) -> f32 {
    assert_eq!(ours.dims(), burns.dims());
    let (ours, burns) = (values(ours), values(burns));
    let largest = burns.iter().fold(1f32, |a, b| a.max(b.abs()));
    let pairs = ours.iter().zip(&burns);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

/// A few units of float32's last place for sums of this many products: rounding grows like the
/// root of their number.
fn rounding(products: usize) -> f32 {
    4.0 * f32::EPSILON * (products as f32).sqrt()
}

#[test]
fn gelu_on_any_shape_and_layout() {
    for shape in [[1, 1, 1], [2, 3, 5], [1, 128, 1536], [0, 3, 4]] {
        let x = random(shape) * 4.0;
        let swapped = x.clone().swap_dims(1, 2);
        // Twice the accuracy that `math` promises.
        let off = difference(kernels::gelu(swapped.clone()), activation::gelu(swapped));
        assert!(off < 2.8e-6, "{shape:?}: {off:e}");
        let part = x.clone().narrow(2, shape[2] / 2, shape[2] - shape[2] / 2);
        let off = difference(kernels::gelu(part.clone()), activation::gelu(part));
        assert!(off < 2.8e-6, "{shape:?}, a part: {off:e}");
        // What others hold stays as it was.
        let before = values(x.clone());
        kernels::gelu(x.clone());
        assert_eq!(values(x), before);
    }
}

#[test]
fn products_of_one_row() {
    for (d_in, d_out) in [(1, 1), (3, 7), (64, 64), (577, 1537), (576, 4096)] {
        let (weight, bias) = (random([d_in, d_out]), random([d_out]));
        for x in [random([1, 1, d_in]), random([1, 4, d_in]).narrow(1, 2, 1)] {
            for bias in [None, Some(bias.clone())] {
                let ours = kernels::linear(x.clone(), weight.clone(), bias.clone());
                let off = difference(ours, module::linear(x.clone(), weight.clone(), bias));
                assert!(off < rounding(d_in), "{d_in} by {d_out}: {off:e}");
            }
            let table = random([d_out, d_in]);
            let ours = kernels::tied(x.clone(), table.clone());
            let off = difference(ours, x.matmul(table.transpose().unsqueeze()));
            assert!(off < rounding(d_in), "{d_in} by {d_out}, tied: {off:e}");
        }
    }
    // A weight that lies transposed, and rows that are many.
    let (x, weight) = (random([1, 1, 5]), random([6, 5]).transpose());
    let off = difference(
        kernels::linear(x.clone(), weight.clone(), None),
        module::linear(x, weight, None),
    );
    assert!(off < rounding(5), "{off:e}");
    let (x, weight) = (random([2, 3, 5]), random([5, 6]));
    let ours = kernels::linear(x.clone(), weight.clone(), None);
    assert_eq!(values(ours), values(module::linear(x, weight, None)));
}

#[test]
fn attention_with_masks_and_biases() {
    let sizes = [
        (1, 1, 1, 1, 4),
        (2, 3, 1, 17, 64),
        (2, 3, 5, 9, 5),
        (1, 2, 33, 70, 16),
    ];
    for (batch, heads, queries, keys, size) in sizes {
        let q = random([batch, heads, queries, size]);
        let [k, v] = [(); 2].map(|()| random([batch, heads, keys, size]));
        // As the blocks have them: values are a view of `[batch, key, heads, head_dim]`.
        let v_view = v
            .clone()
            .swap_dims(1, 2)
            .reshape([batch, keys, heads * size]);
        let v_view = v_view.reshape([batch, keys, heads, size]).swap_dims(1, 2);
        let mask = random([batch, 1, queries, keys]).greater_elem(0.7);
        let hidden: Tensor<4, Bool> = Tensor::full([batch, 1, queries, keys], true, &device());
        let masks = [
            None,
            Some(mask.expand([batch, heads, queries, keys])),
            Some(hidden),
        ];
        let bias = random([1, heads, queries, keys]).expand([batch, heads, queries, keys]);
        for (i, mask) in masks.iter().enumerate() {
            for bias in [None, Some(bias.clone())] {
                for scale in [None, Some(0.3)] {
                    let options = AttentionModuleOptions {
                        scale,
                        softcap: None,
                        is_causal: false,
                    };
                    let burns = module::attention(
                        q.clone(),
                        k.clone(),
                        v.clone(),
                        mask.clone(),
                        bias.clone(),
                        options,
                    );
                    let ours = kernels::attention(
                        q.clone(),
                        k.clone(),
                        v_view.clone(),
                        mask.clone(),
                        bias.clone(),
                        options,
                    );
                    let off = difference(ours, burns);
                    // Scores are sums of `size` products, and outputs of `keys`.
                    let bound = rounding(size) + rounding(keys);
                    assert!(off < bound, "{queries} by {keys}, mask {i}: {off:e}");
                }
            }
        }
    }
}

/// Gradients go Burn's way: those of the kernels' calls are those of Burn's.
#[test]
fn gradients_are_burns() {
    let device = device().autodiff();
    let x = Tensor::<3>::random([1, 1, 6], Distribution::Default, &device).require_grad();
    let weight = Tensor::<2>::random([6, 6], Distribution::Default, &device).require_grad();
    let gradients = |y: Tensor<3>| {
        let gradients = y.sum().backward();
        let of_x = values(x.grad(&gradients).unwrap());
        [of_x, values(weight.grad(&gradients).unwrap())]
    };
    let ours = kernels::tied(
        kernels::linear(x.clone(), weight.clone(), None),
        weight.clone(),
    );
    let burns = module::linear(x.clone(), weight.clone(), None);
    let burns = burns.matmul(weight.clone().transpose().unsqueeze());
    assert_eq!(
        gradients(kernels::gelu(ours)),
        gradients(activation::gelu(burns))
    );
    // A graph of its own for each: going back through one consumes it.
    let options = AttentionModuleOptions::default();
    let heads = || {
        let y = module::linear(x.clone(), weight.clone(), None);
        y.reshape([1, 2, 1, 3])
    };
    let flat = |y: Tensor<4>| y.reshape([1, 1, 6]);
    let (q, k) = (heads(), heads());
    let ours = kernels::attention(q, k.clone(), k, None, None, options);
    let (q, k) = (heads(), heads());
    let burns = module::attention(q, k.clone(), k, None, None, options);
    assert_eq!(gradients(flat(ours)), gradients(flat(burns)));
}

/// Other types go Burn's way too.
#[test]
fn half_precision_is_burns() {
    let x = random([1, 1, 8]).cast(burn::tensor::DType::F16);
    let ours = kernels::gelu(x.clone()).into_data();
    assert_eq!(ours, activation::gelu(x).into_data());
}
