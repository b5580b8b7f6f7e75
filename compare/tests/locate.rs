//! Faults that were put in on purpose are found in the part that they were put into.
#![allow(clippy::unwrap_used)]

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use fluxo_compare::locate::{Accused, Asked, Location, Locator, Suspect};
use fluxo_compare::runner::Kind;
use fluxo_compare::{Result, samples};
use fluxo_models::blocks::activation::Activation;
use fluxo_models::blocks::block::Block;
use fluxo_models::blocks::rotary::RotaryLayout;
use fluxo_models::stack::{Stack, StackConfig};
use fluxo_models::{Model, NetworkConfig, Part, Settings, Tensors};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Gives every weight a value that matters: fresh biases are 0 and fresh gains are 1.
struct Lively(StdRng);

impl ModuleMapper for Lively {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let device = value.device();
        let data = value.into_data();
        let shape = data.shape().clone();
        let moved = |value: f32| value * 3.0 + self.0.random_range(-0.1..0.1);
        let values: Vec<f32> = data.iter::<f32>().map(moved).collect();
        let value = Tensor::from_data(TensorData::new(values, shape), &device);
        Param::from_mapped_value(id, value, mapper)
    }
}

fn model(family: &str, set: &[(&str, &str)], seed: u64) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    let set = set.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    let settings = Settings {
        set: set.collect(),
        ..Settings::default()
    };
    let mut model = Model::new(family, &settings, seed, &device).unwrap();
    let mut lively = Lively(StdRng::seed_from_u64(seed));
    model.network = model.network.map(&mut lively);
    model
}

fn at(good: &Model, mut suspect: Box<dyn Suspect>) -> Location {
    let inputs = samples::inputs(good.config(), 2, 9);
    let mut locator = Locator::new(good, &inputs).unwrap().unwrap();
    locator.look(&mut *suspect).unwrap()
}

/// Where `bad` parts from `good`, both on flex.
fn between(good: &Model, bad: &Model) -> Location {
    at(good, Box::new(Accused::new("bad", bad, "flex").unwrap()))
}

/// Asserts that the fault is found in `path`, and that the part is beyond its noise.
#[track_caller]
fn found(location: &Location, path: &str) {
    assert_eq!(location.path.as_deref(), Some(path), "{location:#?}");
    let guilty = location.guilty().unwrap();
    assert!(guilty.times() > 4.0, "{guilty:?}");
}

fn stack(model: &mut Model) -> &mut Stack {
    let network = &mut model.network;
    let stacks = [
        &mut network.decoder,
        &mut network.encoder,
        &mut network.vision,
    ];
    stacks.into_iter().flatten().next().unwrap()
}

/// `model` with `change` made to its block `layer`.
fn changed(model: &Model, layer: usize, change: impl FnOnce(&mut Block)) -> Model {
    let mut model = model.clone();
    change(&mut stack(&mut model).layers[layer]);
    model
}

/// `model` with the same weights in a network that is configured otherwise.
fn configured(model: &Model, change: impl FnOnce(&mut NetworkConfig)) -> Model {
    let mut model = model.clone();
    let mut config = model.config().clone();
    change(&mut config);
    let record = model.network.clone().into_record();
    model.network = config.init(&model.device()).load_record(record);
    model
}

fn main_stack(config: &mut NetworkConfig) -> &mut StackConfig {
    let stacks = [&mut config.decoder, &mut config.encoder, &mut config.vision];
    stacks.into_iter().flatten().next().unwrap()
}

/// The values of `weight` with `change` made to them.
fn with<const D: usize>(
    weight: &Param<Tensor<D>>,
    change: impl FnOnce(&mut Vec<f32>),
) -> Param<Tensor<D>> {
    let value = weight.val();
    let device = value.device();
    let data = value.into_data();
    let shape = data.shape().clone();
    let mut values = data.try_to_vec::<f32>().unwrap();
    change(&mut values);
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
}

const FAMILIES: [(&str, &str); 5] = [
    ("bert", "encoder"),
    ("gpt2", "decoder"),
    ("llama", "decoder"),
    ("t5", "decoder"),
    ("vit", "vision"),
];

#[test]
fn one_weight_of_one_layer() {
    for (family, stack) in FAMILIES {
        let good = model(family, &[], 1);
        let bad = changed(&good, 1, |block| {
            let up = &mut block.feed_forward.as_mut().unwrap().up;
            // The largest weight: 1 % of it.
            up.weight = with(&up.weight, |values| {
                let largest =
                    (0..values.len()).max_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
                values[largest.unwrap()] *= 1.01;
            });
        });
        found(
            &between(&good, &bad),
            &format!("{stack}.layers.1.feed_forward.up"),
        );
        let bad = changed(&good, 0, |block| {
            let query = &mut block.attention.query;
            query.weight = with(&query.weight, |values| values[7] *= 1.01);
        });
        found(
            &between(&good, &bad),
            &format!("{stack}.layers.0.attention.query"),
        );
    }
}

#[test]
fn swapped_norms() {
    for (family, stack) in FAMILIES {
        let good = model(family, &[], 2);
        let bad = changed(&good, 1, |block| {
            std::mem::swap(&mut block.attention_norm, &mut block.feed_forward_norm);
        });
        found(
            &between(&good, &bad),
            &format!("{stack}.layers.1.attention_norm"),
        );
    }
}

#[test]
fn a_dropped_bias() {
    for (family, stack) in [("bert", "encoder"), ("gpt2", "decoder"), ("vit", "vision")] {
        let good = model(family, &[], 3);
        let bad = changed(&good, 1, |block| block.attention.output.bias = None);
        found(
            &between(&good, &bad),
            &format!("{stack}.layers.1.attention.output"),
        );
    }
}

#[test]
fn a_wrong_epsilon() {
    for (family, key, value, path) in [
        (
            "gpt2",
            "layer_norm_epsilon",
            "1e-4",
            "decoder.layers.0.attention_norm",
        ),
        (
            "llama",
            "rms_norm_eps",
            "1e-5",
            "decoder.layers.0.attention_norm",
        ),
        (
            "t5",
            "layer_norm_epsilon",
            "1e-5",
            "encoder.layers.0.attention_norm",
        ),
    ] {
        let (good, bad) = (model(family, &[], 4), model(family, &[(key, value)], 4));
        found(&between(&good, &bad), path);
    }
}

#[test]
fn another_gelu() {
    for (family, stack) in [("bert", "encoder"), ("vit", "vision")] {
        let good = model(family, &[], 5);
        let bad = configured(&good, |config| {
            let stack = main_stack(config);
            for block in &mut stack.blocks {
                block.feed_forward.activation = Activation::GeluTanh;
            }
        });
        found(
            &between(&good, &bad),
            &format!("{stack}.layers.0.feed_forward"),
        );
    }
}

#[test]
fn rotary_halves_for_pairs() {
    for family in ["llama", "gpt_neox"] {
        let good = model(family, &[], 6);
        let bad = configured(&good, |config| {
            for block in &mut main_stack(config).blocks {
                block.attention.rotary.as_mut().unwrap().layout = RotaryLayout::Interleaved;
            }
        });
        found(&between(&good, &bad), "decoder.layers.0.attention");
    }
}

#[test]
fn one_key_value_head_off() {
    let good = model("llama", &[], 7);
    let head = good.config().head_dim();
    let columns = head * good.config().kv_heads();
    assert!(good.config().kv_heads() > 1);
    let bad = changed(&good, 1, |block| {
        let key = &mut block.attention.key;
        key.weight = with(&key.weight, |values| {
            values
                .chunks_mut(columns)
                .for_each(|row| row.rotate_left(head));
        });
    });
    found(&between(&good, &bad), "decoder.layers.1.attention.key");
    // In the arithmetic rather than in the weights.
    let bad = configured(&good, |config| {
        for block in &mut main_stack(config).blocks {
            block.attention.scale = Some(1.0);
        }
    });
    found(&between(&good, &bad), "decoder.layers.0.attention");
}

#[test]
fn half_precision_in_one_layer() {
    for (family, stack) in FAMILIES {
        let good = model(family, &[], 8);
        let bad = changed(&good, 1, |block| {
            struct Rounded;
            impl ModuleMapper for Rounded {
                fn map_float<const D: usize>(
                    &mut self,
                    param: Param<Tensor<D>>,
                ) -> Param<Tensor<D>> {
                    param.map(|value| value.cast(DType::F16).cast(DType::F32))
                }
            }
            *block = block.clone().map(&mut Rounded);
        });
        found(&between(&good, &bad), &format!("{stack}.layers.1"));
    }
}

/// A model that is given its mask one position too late.
struct Shifted(Accused);

impl Shifted {
    fn shifted(inputs: &Tensors) -> Tensors {
        let mut inputs = inputs.clone();
        let mask = inputs.get_mut("attention_mask").unwrap();
        let shape = mask.shape().clone();
        let mut values: Vec<i64> = mask.iter::<i64>().collect();
        let row = shape.as_slice()[1];
        values.chunks_mut(row).for_each(|row| row.rotate_right(1));
        *mask = TensorData::new(values, shape);
        inputs
    }
}

impl Suspect for Shifted {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn kind(&self) -> Kind {
        self.0.kind()
    }
    fn plain(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.0.plain(&Self::shifted(inputs), scope)
    }
    fn forced(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.0.forced(&Self::shifted(inputs), scope)
    }
}

#[test]
fn a_mask_shifted_by_one() {
    let good = model("t5", &[], 9);
    let shifted = Shifted(Accused::new("bad", &good, "flex").unwrap());
    found(&at(&good, Box::new(shifted)), "encoder.layers.0.attention");
    let window = |window: &str| model("mistral", &[("sliding_window", window)], 9);
    found(
        &between(&window("4"), &window("5")),
        "decoder.layers.0.attention",
    );
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for family in fluxo_models::catalog::FAMILIES {
        let good = model(family.name, &[], 10);
        for backend in ["flex", "ndarray"] {
            let same = Accused::new(backend, &good, backend).unwrap();
            let location = at(&good, Box::new(same));
            assert_eq!(
                (&location.path, &location.note),
                (&None, &None),
                "{} {location:#?}",
                family.name
            );
        }
    }
}
