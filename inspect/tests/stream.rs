//! The residual stream of tiny models with random weights, on flex.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use burn::module::Param;
use burn::tensor::{Distribution, Tensor, TensorData};
use fluxo_inspect::{Error, StreamReport, stream};
use fluxo_models::{Model, Settings, Tensors, blocks::taps};

/// A tiny model of `family`, its norms' weights random too.
fn model(family: &str) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    let mut model = Model::new(family, &Settings::default(), 7, &device).unwrap();
    let random = |gain: Param<Tensor<1>>| {
        gain.map(|values| values.random_like(Distribution::Uniform(-1.0, 2.0)))
    };
    for block in &mut model.network.layers {
        for norm in [&mut block.attention_norm, &mut block.feed_forward_norm] {
            norm.weight = random(norm.weight.clone());
            norm.bias = norm.bias.clone().map(random);
        }
    }
    model
}

/// Two rows of `seq` tokens, the second with `padding` dropped at its end.
fn inputs(seq: usize, padding: usize) -> Tensors {
    let ids = (0..2 * seq as i64).map(|i| (i * 37 + 11) % 256);
    let mask = (0..2 * seq).map(|i| i64::from(i < 2 * seq - padding));
    Tensors::from([
        (
            "input_ids".into(),
            TensorData::new(ids.collect::<Vec<_>>(), [2, seq]),
        ),
        (
            "attention_mask".into(),
            TensorData::new(mask.collect::<Vec<_>>(), [2, seq]),
        ),
    ])
}

fn shares(report: &StreamReport) -> f64 {
    let layers = report.layers.iter().map(|layer| {
        layer.attention_share + layer.feed_forward_share + layer.norm_bias_share.unwrap_or(0.0)
    });
    report.embedding_share + layers.sum::<f64>()
}

#[test]
fn the_parts_give_the_stream_back_in_both_norm_positions() {
    for family in ["gpt2", "llama", "bert"] {
        let report = stream(&model(family), &inputs(9, 4)).unwrap();
        assert_eq!(report.positions, 14);
        // The model ran in float32 (6e-8 a step) through 4 layers, measured 2.5e-7; the sums here
        // are in float64.
        assert!(report.remainder < 1e-6, "{family}: {}", report.remainder);
        assert!(
            (shares(&report) - 1.0).abs() < 1e-6,
            "{family}: {}",
            shares(&report)
        );
        let biased = report
            .layers
            .iter()
            .all(|layer| layer.norm_bias_share.is_some());
        assert_eq!(biased, family == "bert");
    }
}

#[test]
fn dropped_positions_do_not_count() {
    // A decoder's tokens do not see what follows, so the padded batch's kept positions are
    // those of its two rows alone.
    let model = model("gpt2");
    let padded = stream(&model, &inputs(9, 4)).unwrap();
    let whole = inputs(9, 0);
    let row = |row: usize, seq: usize| {
        let ids: Vec<i64> = whole["input_ids"].try_to_vec().unwrap();
        let ids = ids[9 * row..9 * row + seq].to_vec();
        let inputs = Tensors::from([("input_ids".into(), TensorData::new(ids, [1, seq]))]);
        stream(&model, &inputs).unwrap()
    };
    let (first, second) = (row(0, 9), row(1, 5));
    assert_eq!((first.positions, second.positions), (9, 5));
    for (layer, padded) in padded.layers.iter().enumerate() {
        for name in taps::NAMES {
            let norm = |report: &StreamReport| report.layers[layer].tap(name).unwrap().norm;
            let alone = (9.0 * norm(&first) + 5.0 * norm(&second)) / 14.0;
            let together = padded.tap(name).unwrap().norm;
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
    for family in ["gpt2", "bert"] {
        let mut model = model(family);
        let output = &mut model.network.layers[1].attention.output;
        output.weight = output.weight.clone().map(|weight| weight.zeros_like());
        output.bias = output
            .bias
            .clone()
            .map(|bias| bias.map(|bias| bias.zeros_like()));
        let report = stream(&model, &inputs(6, 1)).unwrap();
        assert_eq!(report.layers[1].attention_share, 0.0);
        assert_eq!(report.layers[1].tap("attn_out").unwrap().norm, 0.0);
        assert_ne!(report.layers[0].attention_share, 0.0);
        assert!((shares(&report) - 1.0).abs() < 1e-6);
    }
}

#[test]
fn an_empty_mask_and_a_broken_weight_are_named() {
    let mut model = model("gpt2");
    let error = stream(&model, &inputs(3, 6)).unwrap_err();
    assert!(matches!(error, Error::NothingKept), "{error}");

    let norm = &mut model.network.layers[2].feed_forward_norm;
    norm.weight = norm.weight.clone().map(|weight| weight * f32::NAN);
    let error = stream(&model, &inputs(3, 0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`layers.2.t4` is not finite: look for the cause in the weights or inputs before it"
    );
}

#[test]
fn the_table_fits_a_terminal_and_json_holds_every_tap() {
    let report = stream(&model("bert"), &inputs(5, 0)).unwrap();
    let table = report.to_string();
    let widest = table
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap();
    assert!(widest <= 100, "{widest} columns:\n{table}");
    assert_eq!(
        table.lines().filter(|line| line.contains(" t3 ")).count(),
        4
    );

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["norm_position"], "post");
    assert_eq!(json["layers"][3]["taps"].as_array().unwrap().len(), 12);
    assert!(json["layers"][3]["taps"][0]["deviation"].as_f64().unwrap() > 0.0);
    println!("{table}");
}
