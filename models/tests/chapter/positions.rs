//! What a block writes in every norm position, with and without an encoder to read.

use std::collections::BTreeMap;

use burn::tensor::{Distribution, Tensor};
use fluxo_models::blocks::attention::{AttentionConfig, AttentionContext};
use fluxo_models::blocks::block::{Block, NormPosition};
use fluxo_models::blocks::norm::NormKind;
use fluxo_models::blocks::taps::{self, Taps};

use super::{D_MODEL, attended, config, device, fed, normed, same, stream, taps_of};

const ALL: [NormPosition; 6] = [
    NormPosition::Post,
    NormPosition::Pre,
    NormPosition::Sandwich,
    NormPosition::BranchPost,
    NormPosition::ParallelOneNorm,
    NormPosition::ParallelTwoNorms,
];

type Found = BTreeMap<String, Tensor<3>>;

/// A block with or without an encoder to read, with or without LayerScale, and its taps. Gains
/// are not 1, so that a norm that is skipped or doubled shows.
fn block(position: NormPosition, cross: bool, scale: Option<f64>) -> (Block, Found, Tensor<3>) {
    let device = device();
    let mut config = config(position, NormKind::Layer);
    config.layer_scale = scale;
    config.cross = cross.then(|| AttentionConfig::new(3, 8));
    let mut block = config.init(D_MODEL, 0.3, &device);
    for norm in [
        &mut block.attention_norm,
        &mut block.attention_out_norm,
        &mut block.cross_norm,
        &mut block.feed_forward_norm,
        &mut block.feed_forward_out_norm,
    ]
    .into_iter()
    .flatten()
    {
        let random = Distribution::Uniform(0.5, 1.5);
        norm.weight = norm.weight.clone().map(|gain| gain.random_like(random));
    }
    let encoded = Tensor::random([2, 7, D_MODEL], Distribution::Default, &device);
    let taps = taps_of(&block, stream(&device), cross.then(|| encoded.clone()));
    (block, taps, encoded)
}

fn sum(a: &Tensor<3>, b: &Tensor<3>) -> Tensor<3> {
    a.clone() + b.clone()
}

/// The stream is what was there and what each sublayer wrote, bit for bit; post-norm norms
/// each sum.
#[test]
fn every_sublayer_adds_what_its_tap_says() {
    for position in ALL {
        for (cross, scale) in [(false, None), (true, None), (true, Some(0.25))] {
            let (block, t, _) = block(position, cross, scale);
            let stream = |norm, sum: Tensor<3>| match position {
                NormPosition::Post => normed(norm, &sum),
                _ => sum,
            };
            let mid = stream(&block.attention_norm, sum(&t["attn_out"], &t["resid_pre"]));
            assert!(same(&t["resid_mid"], &mid), "{position:?}");
            let before = if cross {
                let read = stream(&block.cross_norm, sum(&t["cross_out"], &mid));
                assert!(same(&t["resid_cross"], &read), "{position:?}");
                read
            } else {
                mid
            };
            let post = stream(&block.feed_forward_norm, sum(&t["ffn_out"], &before));
            assert!(same(&t["resid_post"], &post), "{position:?}");
            assert!(same(&t["h"], &t["resid_post"]) && same(&t["t3"], &t["resid_mid"]));
        }
    }
}

/// What is read of the encoder: a query of the stream, normed before it but in post-norm.
#[test]
fn the_encoder_is_read_between_the_other_sublayers() {
    for position in ALL {
        let (block, t, encoded) = block(position, true, None);
        let cross = block.cross.as_ref().unwrap();
        let query = match position {
            NormPosition::Post => t["t3"].clone(),
            _ => normed(&block.cross_norm, &t["t3"]),
        };
        let keys_values = cross.keys_values(encoded, None, &mut Taps::off());
        let read = cross.attend(
            query,
            &keys_values,
            &AttentionContext::default(),
            &mut Taps::off(),
        );
        assert!(same(&t["cross_out"], &read), "{position:?}");
    }
}

/// The definitions of [`NormPosition`], step by step.
#[test]
fn the_equations_of_the_other_norm_positions_hold() {
    let (b, t, _) = block(NormPosition::Sandwich, false, None);
    assert!(same(&t["t1"], &normed(&b.attention_norm, &t["x"])));
    let attention = attended(&b.attention, &t["t1"]);
    assert!(same(&t["t2"], &normed(&b.attention_out_norm, &attention)));
    assert!(same(&t["t4"], &normed(&b.feed_forward_norm, &t["t3"])));
    let network = fed(&b, &t["t4"]);
    assert!(same(&t["t5"], &normed(&b.feed_forward_out_norm, &network)));

    let (b, t, _) = block(NormPosition::BranchPost, false, None);
    assert!(b.attention_norm.is_none() && b.feed_forward_norm.is_none());
    assert!(same(&t["t1"], &attended(&b.attention, &t["x"])));
    assert!(same(&t["t2"], &normed(&b.attention_out_norm, &t["t1"])));
    assert!(same(&t["t4"], &fed(&b, &t["t3"])));
    assert!(same(&t["t5"], &normed(&b.feed_forward_out_norm, &t["t4"])));

    let (b, t, _) = block(NormPosition::ParallelOneNorm, false, None);
    assert!(b.feed_forward_norm.is_none());
    assert!(same(&t["t1"], &normed(&b.attention_norm, &t["x"])));
    assert!(same(&t["t2"], &attended(&b.attention, &t["t1"])));
    assert!(same(&t["t4"], &t["t1"]) && same(&t["t5"], &fed(&b, &t["t1"])));

    let (b, t, _) = block(NormPosition::ParallelTwoNorms, false, None);
    assert!(same(&t["t1"], &normed(&b.attention_norm, &t["x"])));
    assert!(same(&t["t2"], &attended(&b.attention, &t["t1"])));
    assert!(same(&t["t4"], &normed(&b.feed_forward_norm, &t["x"])));
    assert!(same(&t["t5"], &fed(&b, &t["t4"])));
}

/// LayerScale multiplies what a sublayer writes: a scale of 0 leaves the stream alone.
#[test]
fn layer_scale_scales_what_is_written() {
    for position in ALL {
        let (_, t, _) = block(position, false, Some(0.0));
        for tap in ["attn_out", "ffn_out"] {
            let largest: f32 = t[tap].clone().abs().max().into_scalar();
            assert_eq!(largest, 0.0, "{position:?} {tap}");
        }
        if position != NormPosition::Post {
            assert!(same(&t["h"], &t["x"]), "{position:?}");
        }
    }
}

#[test]
fn the_taps_are_those_of_the_block() {
    for position in ALL {
        for cross in [false, true] {
            let (_, t, _) = block(position, cross, None);
            // The last two are those of a block that reads an encoder.
            let wanted = &taps::NAMES[..if cross { 14 } else { 12 }];
            assert_eq!(t.len(), wanted.len());
            for name in wanted {
                assert_eq!(t[*name].dims(), [2, 5, D_MODEL], "{position:?} {name}");
            }
        }
    }
}
