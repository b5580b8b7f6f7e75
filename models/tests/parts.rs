//! Parts of a network by themselves: what is left of an encoder's output beside a cache, taps by
//! name, towers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fluxo_models::{
    Batch, Cache, KeyValue, LayerCache, Model, NewModelOptions, OutputOptions, Probe, Taps,
    Tensors, Weights,
};

fn device() -> Device {
    fluxo_backends::device("flex").unwrap()
}

fn model(family: &str) -> Model {
    Model::new(family, &NewModelOptions::default(), 5, &device()).unwrap()
}

fn ids(rows: usize, seq: usize) -> TensorData {
    let ids = (0..rows * seq).map(|i| (i * 37 % 200) as i64 + 3);
    TensorData::new(ids.collect::<Vec<_>>(), [rows, seq])
}

/// The largest difference of two tensors' values.
fn difference(a: Tensor<3>, b: Tensor<3>) -> f32 {
    (a - b).abs().max().into_scalar::<f32>()
}

/// Whatever part of the encoder's keys is cached, the others are made: the answer is the same.
#[test]
fn a_cache_may_hold_any_part_of_the_encoders_keys() {
    for family in ["t5", "bart", "marian", "whisper"] {
        let model = model(family);
        let network = &model.network;
        let (rows, source) = (2, if family == "whisper" { 50 } else { 6 });
        let mut read = Batch {
            decoder_input_ids: Some(Tensor::<2, Int>::from_data(ids(rows, 3), &device())),
            ..Batch::default()
        };
        match family {
            "whisper" => {
                let shape = [rows, 40, 2 * source];
                let noise = burn::tensor::Distribution::Default;
                read.input_features = Some(Tensor::random(shape, noise, &device()));
            }
            _ => {
                read.input_ids = Some(Tensor::from_data(ids(rows, source), &device()));
                let mut keep = vec![1_i64; rows * source];
                keep[2 * source - 1] = 0;
                let keep = TensorData::new(keep, [rows, source]);
                read.attention_mask = Some(Tensor::from_data(keep, &device()));
            }
        }
        let first = network.forward(read.clone(), &mut Taps::off());
        let (cache, state) = (first.cache.unwrap(), first.encoder_last_hidden_state);
        let next = |cross: Option<usize>, encoded: Option<Tensor<3>>| {
            let layers = cache.layers.iter().cloned().map(|layer| {
                let all = layer.cross.unwrap();
                LayerCache {
                    own: layer.own,
                    cross: cross.map(|places| KeyValue {
                        key: all.key.narrow(2, 0, places),
                        value: all.value.narrow(2, 0, places),
                    }),
                }
            });
            let batch = Batch {
                decoder_input_ids: Some(Tensor::from_data(ids(rows, 2), &device())),
                encoded,
                cache: Some(Cache::full(layers.collect())),
                ..read.clone()
            };
            network.forward(batch, &mut Taps::off())
        };
        let wanted = next(Some(source), None);
        for cross in [None, Some(1), Some(source - 1), Some(source)] {
            let found = next(cross, state.clone());
            let places = found.cache.unwrap().layers[0]
                .cross
                .clone()
                .unwrap()
                .places();
            assert_eq!(places, source, "{family} {cross:?}");
            // Rows of a product are added up in another order where there are fewer of them.
            let off = difference(found.logits.unwrap(), wanted.logits.clone().unwrap());
            assert!(off < 1e-5, "{family} {cross:?}: {off}");
        }
    }
}

/// A past that is no past of these inputs is refused, not read.
#[test]
fn keys_of_another_source_are_refused() {
    let model = model("t5");
    let mut inputs = Tensors::from([
        ("input_ids".to_string(), ids(1, 4)),
        ("decoder_input_ids".to_string(), ids(1, 2)),
    ]);
    let outputs = model.run(&inputs, &OutputOptions::default()).unwrap();
    let caches = outputs.into_iter().filter_map(|(name, cache)| {
        let name = name.strip_prefix("present.")?.to_string();
        Some((format!("past_key_values.{name}"), cache))
    });
    inputs.extend(caches);
    model.run(&inputs, &OutputOptions::default()).unwrap();
    inputs.insert("input_ids".into(), ids(1, 5));
    let error = model.run(&inputs, &OutputOptions::default()).unwrap_err();
    let wanted = "have 4 positions of the encoder, which reads 5";
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn the_names_of_the_taps_are_known_without_a_run() {
    for family in ["bert", "gpt-neox", "albert", "bart", "clip", "vit"] {
        let model = model(family);
        let mut inputs = Tensors::new();
        for name in fluxo_models::inputs::names(model.config()).0 {
            let data = match name {
                "pixel_values" => TensorData::zeros::<f32, _>([1, 3, 32, 32]),
                _ => ids(1, 3),
            };
            inputs.insert(name.to_string(), data);
        }
        let request = |taps| OutputOptions {
            hidden_states: false,
            taps,
        };
        let mut found = model.run(&inputs, &request(true)).unwrap();
        for name in model.run(&inputs, &request(false)).unwrap().keys() {
            found.remove(name);
        }
        let mut known = model.config().taps();
        known.sort();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), known, "{family}");
    }
}

/// Each embeds as the model of both does, before lengths are made 1.
#[test]
fn towers_embed_as_the_whole_does() {
    let model = model("clip");
    let pixels = TensorData::zeros::<f32, _>([1, 3, 32, 32]);
    let texts = Tensors::from([("input_ids".to_string(), ids(2, 5))]);
    let images = Tensors::from([("pixel_values".to_string(), pixels)]);
    let both = texts.clone().into_iter().chain(images.clone()).collect();
    let whole = model.run(&both, &OutputOptions::default()).unwrap();
    let towers = model.towers().unwrap();
    for ((tower, inputs), name) in towers
        .iter()
        .zip([texts, images])
        .zip(["text_embeds", "image_embeds"])
    {
        let outputs = tower.run(&inputs, &OutputOptions::default()).unwrap();
        let found = Tensor::<2>::from_data(outputs[name].clone(), &device());
        let length = (found.clone() * found.clone()).sum_dim(1).sqrt();
        let wanted = Tensor::<2>::from_data(whole[name].clone(), &device());
        assert_eq!((found / length).to_data(), wanted.to_data());
        assert!(tower.towers().unwrap().is_empty());
    }
}

/// A part that is loaded alone computes what it does in the whole model.
#[test]
fn a_part_loads_alone() {
    for family in ["gpt2", "albert", "bert", "t5"] {
        let folder = tempfile::tempdir().unwrap();
        let whole = model(family);
        whole.save(folder.path()).unwrap();
        let mut inputs = Tensors::from([("input_ids".to_string(), ids(2, 6))]);
        if family == "t5" {
            inputs.insert("decoder_input_ids".to_string(), ids(2, 3));
        }
        let probe = || Probe::new(Weights::AsTheyAre);
        let parts = |model: &Model, probe| model.probe(&inputs, &OutputOptions::default(), probe);
        let (_, outermost) = parts(&whole, probe().within("")).unwrap();
        let given: BTreeMap<String, TensorData> = outermost
            .iter()
            .filter_map(|part| Some((part.path.clone(), part.input.clone()?)))
            .collect();
        let divided: Vec<&str> = outermost
            .iter()
            .filter(|part| part.divides)
            .map(|part| part.path.as_str())
            .collect();
        assert!(divided.iter().any(|path| path.contains(".layers.1")));
        for path in divided {
            let probe = || probe().within(path).only(path).given(given.clone());
            let part = Model::load_part(folder.path(), None, &device(), DType::F32, path);
            let (_, alone) = parts(&part.unwrap(), probe()).unwrap();
            let (_, wanted) = parts(&whole, probe()).unwrap();
            assert!(!wanted.is_empty());
            assert_eq!(alone, wanted, "{family} {path}");
        }
    }
}
