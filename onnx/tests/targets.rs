//! What each target's forms give in the runtimes, and that they are there.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData, activation};
use common::{Runtime, distance, floats, inputs};
use fluxo_onnx::{Args, Dim, Input, OnnxModel, Options, Outputs, Spec, Target, evaluate, export};

const WIDTH: usize = 16;
const HEADS: usize = 2;

#[derive(Module, Debug)]
struct Layer {
    norm: RmsNorm,
    linear: Linear,
}

static LAYER: LazyLock<Layer> = LazyLock::new(|| {
    let device = Device::flex();
    // Weights that are the same in every run.
    let mut linear: Linear = LinearConfig::new(WIDTH, WIDTH).init(&device);
    let weight = Tensor::<2>::from_data(floats(&[WIDTH, WIDTH], 7), &device);
    let bias = Tensor::<1>::from_data(floats(&[WIDTH], 8), &device);
    linear.weight = Param::from_tensor(weight / 4.0);
    linear.bias = Some(Param::from_tensor(bias / 4.0));
    Layer {
        norm: RmsNormConfig::new(WIDTH).init(&device),
        linear,
    }
});

/// One method by form.
impl Layer {
    fn gelu(&self, args: &mut Args) -> Outputs {
        Outputs::new().float("y", activation::gelu(self.x(args)))
    }

    fn gelu_tanh(&self, args: &mut Args) -> Outputs {
        let x = self.x(args);
        let cubed = x.clone() * x.clone() * x.clone();
        let inner = (x.clone() + cubed * 0.044715) * (2.0 / std::f64::consts::PI).sqrt();
        Outputs::new().float("y", (x * 0.5) * (inner.tanh() + 1.0))
    }

    fn swish(&self, args: &mut Args) -> Outputs {
        let x = self.x(args);
        let quick = x.clone() * activation::sigmoid(x.clone() * 1.702);
        Outputs::new()
            .float("y", x.clone() * activation::sigmoid(x))
            .float("quick", quick)
    }

    fn norm(&self, args: &mut Args) -> Outputs {
        Outputs::new().float("y", self.norm.forward(self.x(args)))
    }

    fn rotary(&self, args: &mut Args) -> Outputs {
        let x = self.x(args);
        let y = self.turned(x);
        Outputs::new().float("y", y.clone()).float("twice", y.exp())
    }

    fn attention(&self, args: &mut Args) -> Outputs {
        self.attend(args, false)
    }

    fn biased(&self, args: &mut Args) -> Outputs {
        self.attend(args, true)
    }

    fn causal(&self, args: &mut Args) -> Outputs {
        let x = heads(self.x(args));
        let options = AttentionModuleOptions {
            is_causal: true,
            ..Default::default()
        };
        Outputs::new().float("y", attention(x.clone(), x.clone(), x, None, None, options))
    }

    /// `[batch, seq, width]`.
    fn x(&self, args: &mut Args) -> Tensor<3> {
        self.linear.forward(args.float::<3>("x"))
    }

    /// Every head turned by its position, in halves.
    fn turned(&self, x: Tensor<3>) -> Tensor<4> {
        let ([batch, seq, _], device) = (x.dims(), x.device());
        let x = heads(x); // [batch, heads, seq, 8]
        let half = WIDTH / HEADS / 2;
        let rates = (0..half).map(|j| 10f32.powi(-(j as i32)));
        let rates = TensorData::new(rates.collect::<Vec<_>>(), [1, 1, 1, half]);
        let places = Tensor::<1, Int>::arange(0..seq as i64, &device).float();
        let places = places.reshape([1, 1, seq, 1]).expand([batch, 1, seq, 1]);
        let angles = places * Tensor::<4>::from_data(rates, &device);
        let (cos, sin) = (angles.clone().cos(), angles.sin());
        let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let low = a.clone() * cos.clone() - b.clone() * sin.clone();
        Tensor::cat(vec![low, b * cos + a * sin], 3)
    }

    /// With keys hidden, in some rows all of them.
    fn attend(&self, args: &mut Args, biased: bool) -> Outputs {
        let hidden: Tensor<2, Bool> = args.float::<2>("hidden").greater_elem(0.0);
        let x = self.x(args);
        let [batch, seq, _] = x.dims();
        let shape = [batch, HEADS, seq, seq];
        let mask = hidden.reshape([batch, 1, 1, seq]).expand(shape);
        let x = heads(x);
        let bias = biased.then(|| x.clone().matmul(x.clone().swap_dims(2, 3)));
        let y = attention(
            x.clone(),
            x.clone(),
            x,
            Some(mask),
            bias,
            Default::default(),
        );
        Outputs::new().float("y", y)
    }
}

fn heads(x: Tensor<3>) -> Tensor<4> {
    let [batch, seq, width] = x.dims();
    x.reshape([batch, seq, HEADS, width / HEADS])
        .swap_dims(1, 2)
}

type Forward = fn(&Layer, &mut Args) -> Outputs;

/// A computation, the operator that it may be, and the first set with that.
const FORMS: [(&str, Forward, &str, i64); 8] = [
    ("gelu", Layer::gelu, "Gelu", 20),
    ("gelu by tanh", Layer::gelu_tanh, "Gelu", 20),
    ("rms norm", Layer::norm, "RMSNormalization", 23),
    ("rotary", Layer::rotary, "RotaryEmbedding", 23),
    ("attention", Layer::attention, "Attention", 23),
    ("attention with a bias", Layer::biased, "Attention", 23),
    ("causal attention", Layer::causal, "Attention", 23),
    ("swish", Layer::swish, "Swish", 24),
];

fn spec(form: &str) -> Spec {
    let rows: [Dim; 3] = ["batch".into(), "sequence".into(), Dim::Fixed(WIDTH)];
    let spec = Spec::new("form").input(Input::float("x", rows));
    if form.starts_with("attention") {
        spec.input(Input::float("hidden", ["batch", "sequence"]))
    } else {
        spec
    }
}

fn cases(form: &str) -> Vec<BTreeMap<String, TensorData>> {
    let sizes = [(1, 1), (1, 4), (2, 1), (2, 9), (3, 17)];
    let case = |(batch, seq): (usize, usize)| {
        let hidden = (0..batch * seq).map(|i| f32::from(u8::from(i < seq || i % 3 == 0)));
        let hidden = TensorData::new(hidden.collect::<Vec<_>>(), [batch, seq]);
        let mut case = inputs([("x", floats(&[batch, seq, WIDTH], 5)), ("hidden", hidden)]);
        if !form.starts_with("attention") {
            case.remove("hidden");
        }
        case
    };
    sizes.into_iter().map(case).collect()
}

fn model(form: &str, forward: Forward, options: &Options) -> OnnxModel {
    export(&*LAYER, &spec(form), options, forward).unwrap()
}

/// The largest difference to Burn over all sizes.
fn worst(form: &str, forward: Forward, model: &OnnxModel, runtime: Runtime) -> Result<f64, String> {
    let bytes = model.to_bytes().unwrap();
    let mut worst = 0.0f64;
    for case in cases(form) {
        let wanted = evaluate(&*LAYER, &Device::flex(), &case, forward).unwrap();
        let found = runtime.run(&bytes, model, &case)?;
        for ((_, wanted), (_, found)) in wanted.iter().zip(&found) {
            worst = worst.max(distance(wanted, found)?);
        }
    }
    Ok(worst)
}

/// The runtime of a target that is embedded here.
fn runtime(target: Target) -> Option<Runtime> {
    match target {
        Target::Tract => Some(Runtime::Tract),
        Target::Rten => Some(Runtime::Rten),
        Target::Any | Target::Ort | Target::Web => None,
    }
}

/// Every form in the runtime that it was made for; the plain ones in both. Rows of 16 numbers, a
/// handful of roundings each.
#[test]
fn every_form_gives_what_burn_gives() {
    let mut wrong = Vec::new();
    for (form, forward, op, since) in FORMS {
        for target in [Target::Any, Target::Tract, Target::Rten] {
            let options = Options::for_target(target);
            let model = model(form, forward, &options);
            let fused = model.operators().contains_key(op);
            let not = target == Target::Tract && ["Swish", "Attention"].contains(&op);
            let wanted = target != Target::Any && options.opset >= since && !not;
            assert_eq!(
                fused,
                wanted,
                "{form} for {target}: {:?}",
                model.operators()
            );
            for runtime in common::ALL {
                if self::runtime(target).is_some_and(|own| own != runtime) {
                    continue;
                }
                let found = worst(form, forward, &model, runtime);
                println!("{form} for {target} in {runtime:?}: {found:?}");
                if !found.clone().is_ok_and(|gap| gap <= 1e-6) {
                    wrong.push(format!("{form} for {target} in {runtime:?}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Why tract has neither: should this fail after an upgrade, it may.
#[test]
fn what_tract_does_with_the_forms_that_it_is_not_given() {
    let options = Options {
        opset: 24,
        ..Options::for_target(Target::Rten)
    };
    let swish = model("swish", Layer::swish, &options);
    let gap = worst("swish", Layer::swish, &swish, Runtime::Tract).unwrap();
    assert!(gap > 0.1, "{gap}");
    let masked = model("attention", Layer::attention, &options);
    let error = worst("attention", Layer::attention, &masked, Runtime::Tract).unwrap_err();
    assert!(error.contains("Mask must be floating point"), "{error}");
}

#[test]
fn a_form_waits_for_its_set() {
    for (form, forward, op, since) in FORMS {
        for opset in 17..=24 {
            let options = Options {
                opset,
                ..Options::for_target(Target::Rten)
            };
            let model = model(form, forward, &options);
            let fused = model.operators().contains_key(op);
            assert_eq!(fused, opset >= since, "{form} in {opset}");
        }
    }
}

/// Look-alikes stay as they are.
#[test]
fn what_only_resembles_a_form_is_left() {
    let options = Options::for_target(Target::Rten);
    let other_sum = |layer: &Layer, args: &mut Args| {
        let x = layer.x(args);
        let y = x.clone() * activation::sigmoid(x + 1.0);
        Outputs::new().float("y", y)
    };
    // Over the wrong axis, and of another tensor.
    let other_axis = |layer: &Layer, args: &mut Args| {
        let x = layer.x(args);
        let mean = (x.clone() * x.clone()).mean_dim(1);
        let y = x / (mean + 1e-2).sqrt() * layer.norm.gamma.val().unsqueeze();
        Outputs::new().float("y", y)
    };
    let other_angle = |layer: &Layer, args: &mut Args| {
        let x = heads(layer.x(args));
        let (a, b) = (x.clone().narrow(3, 0, 4), x.narrow(3, 4, 4));
        let (cos, sin) = (a.clone().cos(), b.clone().sin());
        let low = a.clone() * cos.clone() - b.clone() * sin.clone();
        Outputs::new().float("y", Tensor::cat(vec![low, b * sin + a * cos], 3))
    };
    let looks: [(&str, Forward); 3] = [
        ("Swish", other_sum),
        ("RMSNormalization", other_axis),
        ("RotaryEmbedding", other_angle),
    ];
    for (op, forward) in looks {
        let model = model("look-alike", forward, &options);
        assert!(!model.operators().contains_key(op), "{op}");
        let gap = worst("look-alike", forward, &model, Runtime::Rten);
        assert!(gap.clone().is_ok_and(|gap| gap <= 1e-6), "{op} {gap:?}");
    }
}
