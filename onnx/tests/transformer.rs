//! A decoder with a cache, at sizes that no trace had.
#![allow(clippy::unwrap_used)]

mod common;

use burn::module::{Module, Param};
use burn::nn::{
    Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, RmsNorm,
    RmsNormConfig,
};
use burn::tensor::activation::{gelu, silu};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData};
use common::*;
use fluxo_onnx::{Args, Dim, Input, Options, Outputs, Spec, export};

const WIDTH: usize = 16;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD: usize = 4;
const VOCAB: usize = 23;

#[derive(Module, Debug)]
struct Layer {
    norm_1: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm_2: LayerNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
}

#[derive(Module, Debug)]
struct Decoder {
    tokens: Embedding,
    positions: Param<Tensor<2>>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

impl Layer {
    fn new(device: &Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            norm_1: RmsNormConfig::new(WIDTH).init(device),
            query: linear(WIDTH, HEADS * HEAD),
            key: linear(WIDTH, KV_HEADS * HEAD),
            value: LinearConfig::new(WIDTH, KV_HEADS * HEAD)
                .with_bias(false)
                .init(device),
            output: linear(HEADS * HEAD, WIDTH),
            norm_2: LayerNormConfig::new(WIDTH).init(device),
            gate: linear(WIDTH, 32),
            up: linear(WIDTH, 32),
            down: linear(32, WIDTH),
        }
    }

    /// x: [batch, seq, width]; past: [batch, kv_heads, past, head]; mask: [batch, 1, seq, all]
    fn forward(
        &self,
        x: Tensor<3>,
        [past_key, past_value]: [Tensor<4>; 2],
        mask: Tensor<4, Bool>,
        angles: Tensor<3>,
    ) -> (Tensor<3>, [Tensor<4>; 2]) {
        let [batch, seq, _] = x.dims();
        let heads =
            |x: Tensor<3>, heads: usize| x.reshape([batch, seq, heads, HEAD]).swap_dims(1, 2);
        let normed = self.norm_1.forward(x.clone());
        let query = rotate(
            heads(self.query.forward(normed.clone()), HEADS),
            angles.clone(),
        );
        let key = rotate(heads(self.key.forward(normed.clone()), KV_HEADS), angles);
        let value = heads(self.value.forward(normed), KV_HEADS);
        let key = Tensor::cat(vec![past_key, key], 2);
        let value = Tensor::cat(vec![past_value, value], 2);
        let [_, _, all, _] = key.dims();
        let repeat = |x: Tensor<4>| {
            x.unsqueeze_dim::<5>(2)
                .expand([batch, KV_HEADS, HEADS / KV_HEADS, all, HEAD])
                .reshape([batch, HEADS, all, HEAD])
        };
        let mask = mask.expand([batch, HEADS, seq, all]);
        let options = AttentionModuleOptions::default();
        let out = attention(
            query,
            repeat(key.clone()),
            repeat(value.clone()),
            Some(mask),
            None,
            options,
        );
        let out = out.swap_dims(1, 2).reshape([batch, seq, HEADS * HEAD]);
        let x = x + self.output.forward(out);
        let normed = self.norm_2.forward(x.clone());
        let hidden = silu(self.gate.forward(normed.clone())) * gelu(self.up.forward(normed));
        (x + self.down.forward(hidden), [key, value])
    }
}

/// Halves rotated, as Llama does. x: [batch, heads, seq, head]; angles: [batch, seq, head / 2]
fn rotate(x: Tensor<4>, angles: Tensor<3>) -> Tensor<4> {
    let [batch, heads, seq, _] = x.dims();
    let angles = Tensor::cat(vec![angles.clone(), angles], 2).unsqueeze_dim::<4>(1);
    let left = x.clone().slice([0..batch, 0..heads, 0..seq, 0..HEAD / 2]);
    let right = x
        .clone()
        .slice([0..batch, 0..heads, 0..seq, HEAD / 2..HEAD]);
    let turned = Tensor::cat(vec![right.neg(), left], 3);
    x * angles.clone().cos() + turned * angles.sin()
}

impl Decoder {
    fn new(device: &Device) -> Self {
        Self {
            tokens: EmbeddingConfig::new(VOCAB, WIDTH).init(device),
            positions: Param::from_tensor(Tensor::random(
                [64, WIDTH],
                Distribution::Normal(0.0, 1.0),
                device,
            )),
            layers: (0..2).map(|_| Layer::new(device)).collect(),
            norm: LayerNormConfig::new(WIDTH).init(device),
        }
    }

    fn forward(&self, args: &mut Args) -> Outputs {
        let ids = args.int::<2>("input_ids");
        let attention_mask = args.int::<2>("attention_mask");
        let device = ids.device();
        let [batch, seq] = ids.dims();
        let [_, all] = attention_mask.dims();
        let past = all - seq;
        let positions: Tensor<2, Int> = attention_mask.clone().cumsum(1).sub_scalar(1).clamp_min(0);
        let positions = positions.slice([0..batch, past..all]);
        let learned = self
            .positions
            .val()
            .select(0, positions.clone().reshape([batch * seq]))
            .reshape([batch, seq, WIDTH]);
        let mut x = self.tokens.forward(ids) + learned;
        let inverse: Tensor<3> = Tensor::<1>::from_floats([1.0, 0.01], &device).unsqueeze();
        let angles = positions.float().unsqueeze_dim::<3>(2) * inverse;
        let rows = Tensor::<1, Int>::arange(past as i64..all as i64, &device).reshape([seq, 1]);
        let columns = Tensor::<1, Int>::arange(0..all as i64, &device).reshape([1, all]);
        let future = columns
            .expand([seq, all])
            .greater(rows.expand([seq, all]))
            .unsqueeze::<4>();
        let padding = attention_mask.equal_elem(0).reshape([batch, 1, 1, all]);
        let mask = future
            .expand([batch, 1, seq, all])
            .bool_or(padding.expand([batch, 1, seq, all]));
        let mut outputs = Outputs::new();
        let mut caches = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let past = ["key", "value"]
                .map(|kind| args.float::<4>(&format!("past_key_values.{index}.{kind}")));
            let (next, cache) = layer.forward(x, past, mask.clone(), angles.clone());
            x = next;
            caches.push(cache);
        }
        let x = self.norm.forward(x);
        // Tied head: the token table, transposed.
        let table = self.tokens.weight.val().transpose().unsqueeze::<3>();
        outputs = outputs.float("logits", x.matmul(table));
        for (index, [key, value]) in caches.into_iter().enumerate() {
            outputs = outputs
                .float(format!("present.{index}.key"), key)
                .float(format!("present.{index}.value"), value);
        }
        outputs
    }
}

fn spec() -> Spec {
    let mut spec = Spec::new("decoder")
        .input(Input::int("input_ids", ["batch", "sequence"]))
        .input(Input::int(
            "attention_mask",
            ["batch", "past_sequence + sequence"],
        ))
        .size_min("past_sequence", 0);
    for layer in 0..2 {
        for kind in ["key", "value"] {
            let dims: [Dim; 4] = [
                "batch".into(),
                KV_HEADS.into(),
                "past_sequence".into(),
                HEAD.into(),
            ];
            spec = spec.input(Input::float(
                format!("past_key_values.{layer}.{kind}"),
                dims,
            ));
        }
    }
    spec
}

fn case(batch: usize, seq: usize, past: usize) -> std::collections::BTreeMap<String, TensorData> {
    let mut mask = vec![1i64; batch * (past + seq)];
    if batch > 1 {
        // The second sequence is padded on the left.
        (0..(past + seq) / 2).for_each(|i| mask[past + seq + i] = 0);
    }
    let mut case = inputs([
        ("input_ids", ints(&[batch, seq], 0, VOCAB as i64, 1)),
        ("attention_mask", TensorData::new(mask, [batch, past + seq])),
    ]);
    for layer in 0..2u64 {
        for (slot, kind) in ["key", "value"].into_iter().enumerate() {
            let data = floats(&[batch, KV_HEADS, past, HEAD], layer * 2 + slot as u64 + 7);
            case.insert(format!("past_key_values.{layer}.{kind}"), data);
        }
    }
    case
}

#[test]
fn a_decoder_with_a_cache_is_right_at_every_size() {
    let module = Decoder::new(&Device::flex());
    let mut cases = Vec::new();
    for batch in [1, 3] {
        for seq in [1, 2, 17] {
            for past in [0, 5] {
                cases.push(case(batch, seq, past));
            }
        }
    }
    let model = agree(
        "decoder",
        &module,
        &spec(),
        &ALL,
        2e-5,
        Decoder::forward,
        &cases,
    );
    let model = model.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(model.operators().get("Gather"), Some(&2));
}

#[test]
fn weights_have_their_paths_and_the_tied_one_is_stored_once() {
    let module = Decoder::new(&Device::flex());
    let model = export(&module, &spec(), &Options::default(), Decoder::forward).unwrap();
    let names: Vec<String> = model
        .initializers()
        .into_iter()
        .map(|value| value.name)
        .collect();
    for name in [
        "tokens.weight",
        "positions",
        "layers.1.query.weight",
        "layers.0.norm_2.gamma",
    ] {
        assert_eq!(
            names.iter().filter(|n| *n == name).count(),
            1,
            "{name} in {names:?}"
        );
    }
    assert_eq!(
        model.outputs()[1].dims,
        ["batch", "2", "past_sequence + sequence", "4"]
    );
    let table = model
        .initializers()
        .iter()
        .filter(|v| v.dims == ["23", "16"])
        .count();
    assert_eq!(table, 1);
    let nodes: Vec<&str> = model.nodes().map(|(name, _)| name).collect();
    assert!(nodes.contains(&"layers.1.query/MatMul"), "{nodes:?}");
    assert!(nodes.contains(&"layers.0/Softmax"), "{nodes:?}");
}

#[test]
fn linear_layers_are_one_product_and_one_sum() {
    let module = Decoder::new(&Device::flex());
    let model = export(&module, &spec(), &Options::default(), Decoder::forward).unwrap();
    // Seven linear layers and two products of attention a layer, and the head.
    assert_eq!(model.operators()["MatMul"], 2 * 9 + 1);
    for (name, op) in model.nodes() {
        assert!(op != "Reshape" || !name.contains("gate"), "{name}");
        assert_ne!(op, "Identity", "{name}");
    }
}

#[test]
fn large_weights_can_stand_beside_the_file() {
    use tract_onnx::prelude::*;
    let module = Decoder::new(&Device::flex());
    let model = export(&module, &spec(), &Options::default(), Decoder::forward).unwrap();
    let folder = std::env::temp_dir().join(format!("fluxo-onnx-beside-{}", std::process::id()));
    let path = folder.join("model.onnx");
    model.write_external(&path).unwrap();
    let (graph, data) = (path.metadata().unwrap(), folder.join("model.onnx_data"));
    assert!(graph.len() < model.to_bytes().unwrap().len() as u64);
    assert!(data.metadata().unwrap().len() > 64 * 16 * 4);
    if let Ok(keep) = std::env::var("FLUXO_KEEP_ONNX") {
        let keep = std::path::Path::new(&keep).join("beside");
        std::fs::create_dir_all(&keep).unwrap();
        for name in ["model.onnx", "model.onnx_data"] {
            std::fs::copy(folder.join(name), keep.join(name)).unwrap();
        }
    }
    let loaded = tract_onnx::onnx().model_for_path(&path).unwrap();
    loaded.into_optimized().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
