//! In models: weights, configurations and masks.

use super::*;

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
fn a_hundredth_of_a_percent_of_one_row() {
    for (family, stack) in FAMILIES {
        let good = model(family, &[], 10);
        for row in [0, 11, 30] {
            let bad = changed(&good, 1, |block| {
                let up = &mut block.feed_forward.as_mut().unwrap().up;
                up.weight = one_row(&up.weight, row);
            });
            let path = format!("{stack}.layers.1.feed_forward.up");
            found(&between(&good, &bad), &path);
            let bad = changed(&good, 0, |block| {
                let output = &mut block.attention.output;
                output.weight = one_row(&output.weight, row);
            });
            let path = format!("{stack}.layers.0.attention.output");
            found(&between(&good, &bad), &path);
        }
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
    let bad = head_off(&good);
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
        let bad = half(&good);
        found(&between(&good, &bad), &format!("{stack}.layers.1"));
    }
}

/// A model that is given its mask one position too late.
struct Shifted(BackendSuspect);

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
    fn label(&self) -> &Label {
        self.0.label()
    }
    fn plain(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>> {
        self.0.plain(&Self::shifted(inputs), scope)
    }
    fn forced(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>> {
        self.0.forced(&Self::shifted(inputs), scope)
    }
}

#[test]
fn a_mask_shifted_by_one() {
    let good = model("t5", &[], 9);
    let shifted = Shifted(BackendSuspect::new("bad", &good, "flex").unwrap());
    found(&at(&good, Box::new(shifted)), "encoder.layers.0.attention");
    let window = |window: &str| model("mistral", &[("sliding_window", window)], 9);
    found(
        &between(&window("4"), &window("5")),
        "decoder.layers.0.attention",
    );
}
