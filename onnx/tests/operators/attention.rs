//! Attention: masks, biases, causality, scales and longer keys.

use burn::tensor::Tensor;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use fluxo_onnx::Outputs;

use crate::case::*;

/// query, key, value: [batch, 2, seq, 2]
fn heads(a: &mut A) -> [Tensor<4>; 3] {
    let split = |x: Tensor<3>| {
        let [n, m, _] = x.dims();
        x.reshape([n, m, 2, 2]).swap_dims(1, 2)
    };
    [split(a.x()), split(a.y()), split(a.x() - a.y())]
}

fn attend(mut a: A, mask: bool, bias: bool, options: AttentionModuleOptions) -> Outputs {
    let [q, k, v] = heads(&mut a);
    let [n, h, m, _] = q.dims();
    let lead = a.x().slice([0..n, 0..m, 0..1]).reshape([n, 1, 1, m]);
    // Whole rows are masked where every key is.
    let mask = mask.then(|| lead.clone().greater_elem(-1.0).expand([n, h, m, m]));
    let bias = bias.then(|| {
        let bias = lead
            .clone()
            .mask_fill(lead.clone().greater_elem(1.0), f32::NEG_INFINITY);
        bias.expand([n, h, m, m])
    });
    f(attention(q, k, v, mask, bias, options))
}

#[test]
fn attention_in_all_its_forms() {
    fn options(
        scale: Option<f64>,
        softcap: Option<f64>,
        is_causal: bool,
    ) -> AttentionModuleOptions {
        AttentionModuleOptions {
            scale,
            softcap,
            is_causal,
        }
    }
    check(&[
        ("plain", BOTH, |a| {
            attend(a, false, false, options(None, None, false))
        }),
        ("masked", BOTH, |a| {
            attend(a, true, false, options(None, None, false))
        }),
        ("biased", BOTH, |a| {
            attend(a, false, true, options(None, None, false))
        }),
        ("masked biased", BOTH, |a| {
            attend(a, true, true, options(Some(0.3), None, false))
        }),
        ("causal", BOTH, |a| {
            attend(a, false, false, options(None, None, true))
        }),
        ("causal masked", BOTH, |a| {
            attend(a, true, false, options(None, Some(2.0), true))
        }),
        ("softcap", BOTH, |a| {
            attend(a, false, false, options(None, Some(1.5), false))
        }),
        ("longer keys", BOTH, |mut a| {
            let [q, k, v] = heads(&mut a);
            let k = Tensor::cat(vec![k.clone(), k], 2);
            let v = Tensor::cat(vec![v.clone(), v], 2);
            f(attention(q, k, v, None, None, options(None, None, true)))
        }),
    ]);
}
