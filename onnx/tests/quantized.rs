//! Quantized parameters: stored as 8-bit integers, and computed as Burn computes them.
#![allow(clippy::unwrap_used)]

mod common;
mod judge;

use burn::module::{Module, Quantizer};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::Device;
use burn::tensor::quantization::{Calibration, QuantScheme, QuantStore, QuantValue, ScaleDtype};
use common::{ALL, agree, inputs, ints};
use fluxo_onnx::{Args, DataType, Error, Input, Options, Outputs, Spec, evaluate, export};

#[derive(Module, Debug)]
struct Model {
    table: Embedding,
    layer: Linear,
}

fn model(scheme: QuantScheme) -> Model {
    let device = Device::flex();
    let model = Model {
        table: EmbeddingConfig::new(6, 8).init(&device),
        // Only matrices have rows of blocks.
        layer: LinearConfig::new(8, 12).with_bias(false).init(&device),
    };
    model.quantize_weights(&mut Quantizer::new(Calibration::MinMax, scheme))
}

fn scheme(value: QuantValue, store: QuantStore) -> QuantScheme {
    QuantScheme::default().with_value(value).with_store(store)
}

fn spec() -> Spec {
    Spec::new("model").input(Input::int("ids", ["batch", "sequence"]))
}

fn forward(model: &Model, args: &mut Args) -> Outputs {
    let x = model.table.forward(args.int::<2>("ids"));
    Outputs::new().float("y", model.layer.forward(x))
}

#[test]
fn integers_and_scales_give_what_burn_computes() {
    let native = |value| scheme(value, QuantStore::Native);
    let schemes = [
        native(QuantValue::Q8S).per_tensor(ScaleDtype::F32),
        native(QuantValue::Q8F).per_tensor(ScaleDtype::F32),
        native(QuantValue::Q8S).per_block([4], ScaleDtype::F32),
        native(QuantValue::Q8S).per_block([2], ScaleDtype::F32),
    ];
    let cases = [(1, 1), (3, 2)]
        .map(|(batch, seq)| inputs([("ids", ints(&[batch, seq], 0, 6, (batch + seq) as u64))]));
    for scheme in schemes {
        let model = model(scheme);
        let name = format!("{scheme:?}");
        let file = agree(&name, &model, &spec(), &ALL, 1e-6, forward, &cases).unwrap();
        let stored = file.initializers();
        let narrow = stored.iter().filter(|value| value.dtype == DataType::Int8);
        assert_eq!(narrow.count(), 2, "{name}");
        // 6 · 8 + 8 · 12 integers, and little beside.
        assert!(file.weight_bytes() < 144 * 4, "{name}");
        let expected = evaluate(&model, &Device::flex(), &cases[1], forward).unwrap();
        if let Some(mut judge) = judge::Judge::start() {
            let set = (cases[1].clone(), expected.into_iter().collect());
            let ruling = judge.rule(&file.to_bytes().unwrap(), &[set]);
            assert_eq!(ruling.checker, None, "{name}");
            assert!(
                matches!(ruling.runs[0], Ok(gap) if gap < 1e-6),
                "{name}: {:?}",
                ruling.runs
            );
        }
    }
}

#[test]
fn blocks_of_several_rows_are_refused_by_path() {
    let scheme = scheme(QuantValue::Q8S, QuantStore::Native).per_block([2, 4], ScaleDtype::F32);
    let error = export(&model(scheme), &spec(), &Options::default(), forward).unwrap_err();
    let Error::Unsupported(list) = &error else {
        panic!("{error}")
    };
    let paths: Vec<&str> = list.iter().map(|one| one.module.as_str()).collect();
    assert_eq!(paths, ["table.weight", "layer.weight"]);
    assert!(list.iter().all(|one| one.reason.is_some()));
}
