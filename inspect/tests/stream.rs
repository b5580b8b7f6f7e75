//! The residual stream of tiny models with random weights, on flex.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{inputs, model, shares, tokens};
use fluxo_inspect::{Error, StreamReport, stream};
use fluxo_models::blocks::block::NormPosition;
use fluxo_models::{Tensors, blocks::taps, catalog};

/// Every family, with its first head; between them every norm position, LayerScale, and
/// post-norm with an encoder to read.
#[test]
fn the_parts_give_the_stream_back_in_every_family() {
    let (mut positions, mut post_and_cross, mut scaled) = (Vec::new(), 0, 0);
    for family in catalog::FAMILIES {
        let model = model(family.name);
        let name = family.name;
        let report = stream(&model, &inputs(model.config())).unwrap();
        let block = model.config().main().block();
        // The model ran in float32 (6e-8 a step) through its layers; the largest measured is
        // 4.5e-7 (albert). The sums here are in float64.
        assert!(report.remainder < 1e-6, "{name}: {}", report.remainder);
        let sum = shares(&report);
        assert!((sum - 1.0).abs() < 1e-6, "{name}: {sum}");
        for layer in &report.layers {
            let post = block.norm_position == NormPosition::Post;
            assert_eq!(layer.norm_bias_share.is_some(), post, "{name}");
            assert_eq!(layer.cross_share.is_some(), block.cross.is_some(), "{name}");
            let wanted = taps::NAMES.len() - if block.cross.is_some() { 0 } else { 2 };
            assert_eq!(layer.taps.len(), wanted, "{name}");
            post_and_cross += usize::from(post && block.cross.is_some());
        }
        scaled += usize::from(block.layer_scale.is_some());
        if !positions.contains(&report.norm_position) {
            positions.push(report.norm_position);
        }
    }
    assert_eq!(positions.len(), 6, "{positions:?}");
    assert!(post_and_cross > 0 && scaled > 0);
}

#[test]
fn an_encoder_decoders_positions_are_the_decoders() {
    let model = model("bart");
    let mut inputs = inputs(model.config());
    let report = stream(&model, &inputs).unwrap();
    assert_eq!(report.positions, 2 * 6 - 1);
    inputs.remove("decoder_attention_mask");
    assert_eq!(stream(&model, &inputs).unwrap().positions, 2 * 6);
}

#[test]
fn dropped_positions_do_not_count() {
    // A decoder's tokens do not see what follows, so the padded batch's kept positions are
    // those of its two rows alone.
    let model = model("gpt2");
    let padded = stream(&model, &tokens(9, 4)).unwrap();
    let whole = tokens(9, 0);
    let row = |row: usize, seq: usize| {
        let ids: Vec<i64> = whole["input_ids"].try_to_vec().unwrap();
        let ids = ids[9 * row..9 * row + seq].to_vec();
        let ids = burn::tensor::TensorData::new(ids, [1, seq]);
        stream(&model, &Tensors::from([("input_ids".into(), ids)])).unwrap()
    };
    let (first, second) = (row(0, 9), row(1, 5));
    assert_eq!((first.positions, second.positions), (9, 5));
    for (layer, padded) in padded.layers.iter().enumerate() {
        for name in taps::NAMES {
            let norm = |report: &StreamReport| Some(report.layers[layer].tap(name)?.norm);
            let Some(together) = padded.tap(name).map(|tap| tap.norm) else {
                continue; // a tap of blocks that read an encoder
            };
            let alone = (9.0 * norm(&first).unwrap() + 5.0 * norm(&second).unwrap()) / 14.0;
            // Other batch sizes add in another order: float32 rounding through 4 layers.
            assert!((together / alone - 1.0).abs() < 1e-5, "{layer}.{name}");
        }
    }
    // And had they counted, the numbers would be others.
    let counted = stream(&model, &whole).unwrap();
    let norm = |report: &StreamReport| report.layers[0].tap("x").unwrap().norm;
    assert!((norm(&counted) / norm(&padded) - 1.0).abs() > 1e-4);
}

#[test]
fn attention_that_writes_nothing_has_no_share() {
    for family in ["gpt2", "bert", "dinov2", "bart"] {
        let mut model = model(family);
        let network = &mut model.network;
        let stacks = [
            &mut network.decoder,
            &mut network.encoder,
            &mut network.vision,
        ];
        let stack = stacks.into_iter().flatten().next().unwrap();
        let output = &mut stack.layers[1].attention.output;
        output.weight = output.weight.clone().map(|weight| weight.zeros_like());
        output.bias = output
            .bias
            .clone()
            .map(|bias| bias.map(|bias| bias.zeros_like()));
        let report = stream(&model, &inputs(model.config())).unwrap();
        assert_eq!(report.layers[1].attention_share, 0.0);
        assert_eq!(report.layers[1].tap("attn_out").unwrap().norm, 0.0);
        assert_ne!(report.layers[0].attention_share, 0.0);
        assert!((shares(&report) - 1.0).abs() < 1e-6);
    }
}

#[test]
fn an_empty_mask_and_a_broken_weight_are_named() {
    let mut model = model("gpt2");
    let error = stream(&model, &tokens(3, 6)).unwrap_err();
    assert!(matches!(error, Error::NothingKept), "{error}");

    let decoder = model.network.decoder.as_mut().unwrap();
    let norm = decoder.layers[2].feed_forward_norm.as_mut().unwrap();
    norm.weight = norm.weight.clone().map(|weight| weight * f32::NAN);
    let error = stream(&model, &tokens(3, 0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`layers.2.t4` is not finite: look for the cause in the weights or inputs before it"
    );
}

#[test]
fn the_table_fits_a_terminal_and_json_holds_every_tap() {
    for (family, layers, taps) in [("bert", 4, 12), ("bart", 3, 14)] {
        let model = model(family);
        let report = stream(&model, &inputs(model.config())).unwrap();
        let table = report.to_string();
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest.unwrap() <= 100, "{widest:?} columns:\n{table}");
        let rows = table.lines().filter(|line| line.contains(" t3 "));
        assert_eq!(rows.count(), layers);
        assert_eq!(table.contains("cross %"), taps == 14, "{table}");

        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["norm_position"], "post");
        assert_eq!(json["layers"][2]["taps"].as_array().unwrap().len(), taps);
        assert!(json["layers"][2]["taps"][0]["deviation"].as_f64().unwrap() > 0.0);
    }
}
