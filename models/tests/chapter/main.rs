//! The statements of the chapter on the residual stream, as tests.
#![allow(clippy::unwrap_used)]

mod positions;

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use fluxo_models::blocks::activation::Activation;
use fluxo_models::blocks::attention::{Attention, AttentionConfig, AttentionContext};
use fluxo_models::blocks::block::{Block, BlockConfig, BlockContext, NormPosition};
use fluxo_models::blocks::feed_forward::FeedForwardConfig;
use fluxo_models::blocks::mask::{AttentionPattern, Span, attention_mask};
use fluxo_models::blocks::norm::{Norm, NormConfig, NormKind};
use fluxo_models::blocks::taps::Taps;
use fluxo_models::{Batch, Model, NewModelOptions};

const D_MODEL: usize = 24;

fn device() -> Device {
    fluxo_backends::device("flex").unwrap()
}

fn config(norm_position: NormPosition, kind: NormKind) -> BlockConfig {
    let norm = NormConfig {
        kind,
        epsilon: 1e-5,
    };
    let attention = AttentionConfig {
        kv_heads: 2,
        causal: true,
        ..AttentionConfig::new(4, 6)
    };
    let network = FeedForwardConfig::plain(48, Activation::Gelu);
    BlockConfig::new(norm_position, norm, attention, network)
}

fn stream(device: &Device) -> Tensor<3> {
    Tensor::random([2, 5, D_MODEL], Distribution::Normal(0.3, 1.5), device)
}

/// What the queries of [`stream`] see: nothing after themselves.
fn causal(device: &Device) -> AttentionContext {
    let span = Span {
        batch: 2,
        query: 5,
        past: 0,
        room: 0,
    };
    let sight = AttentionPattern {
        causal: true,
        window: None,
    };
    AttentionContext {
        mask: attention_mask(None, sight, span, device),
        ..AttentionContext::default()
    }
}

/// What `attention` makes of `x`.
fn attended(attention: &Attention, x: &Tensor<3>) -> Tensor<3> {
    let keys_values = attention.keys_values(x.clone(), None, &mut Taps::off());
    attention.attend(
        x.clone(),
        &keys_values,
        &causal(&x.device()),
        &mut Taps::off(),
    )
}

fn normed(norm: &Option<Norm>, x: &Tensor<3>) -> Tensor<3> {
    norm.as_ref().unwrap().forward(x.clone())
}

fn fed(block: &Block, x: &Tensor<3>) -> Tensor<3> {
    block
        .feed_forward
        .as_ref()
        .unwrap()
        .forward(x.clone(), &mut Taps::off())
}

fn taps_of(block: &Block, x: Tensor<3>, encoded: Option<Tensor<3>>) -> BTreeMap<String, Tensor<3>> {
    let around = BlockContext {
        view: causal(&x.device()),
        encoded,
        ..BlockContext::default()
    };
    let mut taps = Taps::on();
    block.forward(x, &around, None, &mut taps);
    let short = |name: String| name.trim_start_matches('.').to_string();
    taps.into_found()
        .into_iter()
        .map(|(name, value)| (short(name), value))
        .collect()
}

fn same(a: &Tensor<3>, b: &Tensor<3>) -> bool {
    a.to_data() == b.to_data()
}

/// The ten equations, each recomputed from the taps it names: equal to the last bit.
#[test]
fn the_equations_of_both_norm_positions_hold() {
    let device = device();
    let sum = |a: &Tensor<3>, b: &Tensor<3>| a.clone() + b.clone();
    for kind in [NormKind::Layer, NormKind::Rms] {
        let block = config(NormPosition::Post, kind).init(D_MODEL, 0.3, &device);
        let t = taps_of(&block, stream(&device), None);
        assert!(same(&t["t1"], &attended(&block.attention, &t["x"])));
        assert!(same(&t["t2"], &sum(&t["t1"], &t["x"])));
        assert!(same(&t["t3"], &normed(&block.attention_norm, &t["t2"])));
        assert!(same(&t["t4"], &fed(&block, &t["t3"])));
        assert!(same(&t["t5"], &sum(&t["t4"], &t["t3"])));
        assert!(same(&t["h"], &normed(&block.feed_forward_norm, &t["t5"])));

        let block = config(NormPosition::Pre, kind).init(D_MODEL, 0.3, &device);
        let t = taps_of(&block, stream(&device), None);
        assert!(same(&t["t1"], &normed(&block.attention_norm, &t["x"])));
        assert!(same(&t["t2"], &attended(&block.attention, &t["t1"])));
        assert!(same(&t["t3"], &sum(&t["t2"], &t["x"])));
        assert!(same(&t["t4"], &normed(&block.feed_forward_norm, &t["t3"])));
        assert!(same(&t["t5"], &fed(&block, &t["t4"])));
        assert!(same(&t["h"], &sum(&t["t5"], &t["t3"])));
    }
}

/// [1.2, 0.4, 0.1, 0.9]: mean 0.65, deviation √(0.73 / 4) = 0.42720. The chapter rounds the
/// deviation to 0.43.
#[test]
fn the_layer_norm_example_has_its_true_values() {
    let device = device();
    let norm = NormConfig {
        kind: NormKind::Layer,
        epsilon: 1e-12,
    }
    .init(4, &device);
    let x = Tensor::<2>::from_data([[1.2f32, 0.4, 0.1, 0.9]], &device);
    let mean: f32 = x.clone().mean().into_scalar();
    assert!((mean - 0.65).abs() < 1e-6, "{mean}");
    let deviation: f32 = (x.clone() - 0.65).square().mean().sqrt().into_scalar();
    assert!((deviation - 0.4272).abs() < 5e-5, "{deviation}"); // half of the last digit given
    let normalised = norm.forward(x).to_data();
    let wanted = [1.2875f32, -0.5852, -1.2875, 0.5852];
    for (got, wanted) in normalised.as_slice::<f32>().unwrap().iter().zip(wanted) {
        assert!((got - wanted).abs() < 5e-5, "{got} is not {wanted}");
    }
}

#[test]
fn position_free_names_are_the_same_points() {
    let cases = [
        (
            NormPosition::Post,
            [
                ("resid_pre", "x"),
                ("attn_out", "t1"),
                ("resid_mid", "t3"),
                ("ffn_out", "t4"),
                ("resid_post", "h"),
            ],
        ),
        (
            NormPosition::Pre,
            [
                ("resid_pre", "x"),
                ("attn_out", "t2"),
                ("resid_mid", "t3"),
                ("ffn_out", "t5"),
                ("resid_post", "h"),
            ],
        ),
    ];
    for (position, names) in cases {
        let block = config(position, NormKind::Layer).init(D_MODEL, 0.3, &device());
        let taps = taps_of(&block, stream(&device()), None);
        for (free, chapter) in names {
            assert!(same(&taps[free], &taps[chapter]), "{position:?} {free}");
        }
    }
}

/// A fresh norm has gain 1 and bias 0, so its output is the normalised value itself.
#[test]
fn normalised_taps_have_mean_0_and_variance_1() {
    let cases = [
        (NormPosition::Post, ["t3", "h"]),
        (NormPosition::Pre, ["t1", "t4"]),
    ];
    for (position, names) in cases {
        let block = config(position, NormKind::Layer).init(D_MODEL, 0.3, &device());
        let taps = taps_of(&block, stream(&device()), None);
        for name in names {
            let tap = taps[name].clone();
            let mean = tap.clone().mean_dim(2);
            let variance = (tap - mean.clone()).square().mean_dim(2);
            let mean: f32 = mean.abs().max().into_scalar();
            let off: f32 = (variance - 1.0).abs().max().into_scalar();
            assert!(mean < 1e-6, "{position:?} {name}: mean {mean:e}");
            // ε = 1e-5 takes up to ε / σ² off, and σ² here is over 0.1.
            assert!(off < 1e-4, "{position:?} {name}: variance off by {off:e}");
        }
    }
}

/// Without its activation the network is `x·W + b` with `W = W1·W2`, `b = b1·W2 + b2`.
#[test]
fn without_its_activation_the_feed_forward_is_one_linear_map() {
    let device = device();
    let mut network =
        FeedForwardConfig::plain(48, Activation::Identity).init(D_MODEL, 0.3, &device);
    let bias =
        |size| Param::from_tensor(Tensor::<1>::random([size], Distribution::Default, &device));
    network.up.bias = Some(bias(48));
    network.down.bias = Some(bias(D_MODEL));
    let x = stream(&device);
    let (w1, w2) = (network.up.weight.val(), network.down.weight.val());
    let b = network
        .up
        .bias
        .as_ref()
        .unwrap()
        .val()
        .unsqueeze::<2>()
        .matmul(w2.clone())
        + network.down.bias.as_ref().unwrap().val().unsqueeze::<2>();
    let one = x.clone().matmul(w1.matmul(w2).unsqueeze()) + b.unsqueeze();
    let off = |two: Tensor<3>| -> f32 { (two - one.clone()).abs().max().into_scalar() };
    // Sums of 48 products of magnitude up to 10 in float32, in another order.
    let linear = off(network.forward(x.clone(), &mut Taps::off()));
    assert!(linear < 5e-5, "{linear:e}");
    let mut bent = FeedForwardConfig::plain(48, Activation::Gelu).init(D_MODEL, 0.3, &device);
    bent.up = network.up.clone();
    bent.down = network.down.clone();
    let bent = off(bent.forward(x, &mut Taps::off()));
    assert!(bent > 0.1, "with it, it is not: {bent}");
}

/// How strongly a loss at the top of `depth` layers pulls at the first layer's output
/// projection, with and without the residual connections.
fn first_layer_gradient(depth: usize, residual: bool) -> f64 {
    let device = device().autodiff();
    device.seed(3);
    let blocks: Vec<Block> = (0..depth)
        .map(|_| config(NormPosition::Pre, NormKind::Layer).init(D_MODEL, 0.02, &device))
        .collect();
    let mut x = stream(&device);
    for block in &blocks {
        if residual {
            let around = BlockContext {
                view: causal(&device),
                ..BlockContext::default()
            };
            x = block.forward(x, &around, None, &mut Taps::off()).0;
        } else {
            x = fed(block, &attended(&block.attention, &x));
        }
    }
    let gradients = x.square().mean().backward();
    let weight = blocks[0].attention.output.weight.val();
    let gradient = weight.grad(&gradients).unwrap();
    f64::from(gradient.square().sum().sqrt().into_scalar::<f32>())
}

#[test]
fn the_residual_keeps_the_first_layers_gradient() {
    let (with, without) = (
        first_layer_gradient(1, true),
        first_layer_gradient(1, false),
    );
    assert!(with > 0.0 && without > 0.0);
    let kept = first_layer_gradient(8, true) / with;
    assert!(kept > 0.1, "with the residual 8 layers keep {kept:e} of it");
    let left = first_layer_gradient(8, false) / without;
    assert!(left < 1e-6, "without it {left:e} is left");
}

/// A block's output is its input plus what its two sublayers wrote (pre-norm).
#[test]
fn the_final_stream_is_the_sum_of_what_was_written() {
    let device = device();
    let model = Model::new("gpt2", &NewModelOptions::default(), 5, &device).unwrap();
    let ids = Tensor::<2, Int>::from_data([[72i64, 101, 108, 108, 111]], &device);
    let mut taps = Taps::on();
    model.network.forward(Batch::new(ids), &mut taps);
    let found: BTreeMap<_, _> = taps.into_found().into_iter().collect();
    let layers = model.config().layers();
    let mut sum = found["layers.0.x"].clone();
    for layer in 0..layers {
        sum = sum + found[&format!("layers.{layer}.attn_out")].clone();
        sum = sum + found[&format!("layers.{layer}.ffn_out")].clone();
    }
    let last = &found[&format!("layers.{}.h", layers - 1)];
    let off: f32 = (sum - last.clone()).abs().max().into_scalar();
    assert!(off < 1e-6, "{off:e}"); // the same sum in another order
}

#[test]
fn reading_taps_changes_nothing() {
    let device = device();
    let model = Model::new("bert", &NewModelOptions::default(), 5, &device).unwrap();
    let ids = || Tensor::<2, Int>::from_data(TensorData::new(vec![1i64, 2, 3, 4], [1, 4]), &device);
    let without = model.network.forward(Batch::new(ids()), &mut Taps::off());
    let with = model.network.forward(Batch::new(ids()), &mut Taps::on());
    let states = [without, with].map(|output| output.last_hidden_state.unwrap());
    assert!(same(&states[0], &states[1]));
}
