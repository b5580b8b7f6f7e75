//! Files in other float types than 32 bits.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::module::attention;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData, activation};
use common::{Runtime, floats, inputs};
use fluxo_onnx::{Args, DataType, Error, Input, Options, Outputs, Spec, Target, evaluate, export};

#[derive(Module, Debug)]
struct Layer {
    norm: LayerNorm,
    query: Linear,
    rms: RmsNorm,
    inner: Linear,
    outer: Linear,
}

impl Layer {
    fn new() -> Self {
        let device = Device::flex();
        device.seed(7);
        Self {
            norm: LayerNormConfig::new(16).init(&device),
            query: LinearConfig::new(16, 16).init(&device),
            rms: RmsNormConfig::new(16).with_epsilon(1e-12).init(&device),
            inner: LinearConfig::new(16, 32).init(&device),
            outer: LinearConfig::new(32, 16).init(&device),
        }
    }

    /// Norms, attention under a mask that hides some rows whole, and a feed-forward.
    fn forward(&self, args: &mut Args) -> Outputs {
        let x = args.float::<3>("x"); // [batch, seq, 16]
        let hidden: Tensor<2, Bool> = args.float::<2>("hidden").greater_elem(0.0); // [batch, seq]
        let [batch, seq, width] = x.dims();
        let q = self.query.forward(self.norm.forward(x.clone()));
        let q = q.reshape([batch, seq, 2, width / 2]).swap_dims(1, 2);
        let mask = hidden
            .reshape([batch, 1, 1, seq])
            .expand([batch, 2, seq, seq]);
        let mixed = attention(
            q.clone(),
            q.clone(),
            q,
            Some(mask),
            None,
            Default::default(),
        );
        let x = x + mixed.swap_dims(1, 2).reshape([batch, seq, width]);
        let inner = activation::gelu(self.inner.forward(self.rms.forward(x.clone())));
        Outputs::new().float("y", x + self.outer.forward(inner))
    }
}

fn spec() -> Spec {
    Spec::new("layer")
        .input(Input::float(
            "x",
            [
                "batch".into(),
                "sequence".into(),
                fluxo_onnx::Dim::Fixed(16),
            ],
        ))
        .input(Input::float("hidden", ["batch", "sequence"]))
}

/// `x` of every size, large numbers among them, and a mask that hides the first row whole.
fn cases() -> Vec<BTreeMap<String, TensorData>> {
    let sizes = [(1, 1), (1, 4), (2, 1), (2, 9), (3, 17)];
    let case = |(batch, seq): (usize, usize)| {
        let x: Vec<f32> = floats(&[batch, seq, 16], 5).iter::<f32>().collect();
        // Squares of such numbers leave float16's range.
        let x = x
            .iter()
            .enumerate()
            .map(|(i, v)| if i % 7 == 0 { v * 300.0 } else { *v });
        let x = TensorData::new(x.collect::<Vec<_>>(), [batch, seq, 16]);
        let hidden = (0..batch * seq).map(|i| f32::from(u8::from(i < seq || i % 3 == 0)));
        let hidden = TensorData::new(hidden.collect::<Vec<_>>(), [batch, seq]);
        inputs([("x", x), ("hidden", hidden)])
    };
    sizes.into_iter().map(case).collect()
}

/// Float parameters in another type.
struct To(DType);

impl ModuleMapper for To {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.cast(self.0), mapper)
    }
}

/// The largest difference over the largest magnitude.
fn relative(wanted: &TensorData, found: &TensorData) -> f64 {
    assert_eq!(wanted.shape(), found.shape());
    let largest = wanted
        .iter::<f64>()
        .fold(0.0, |max: f64, v| max.max(v.abs()));
    let pairs = wanted.iter::<f64>().zip(found.iter::<f64>());
    pairs
        .map(|(a, b)| {
            if (a - b).is_finite() {
                (a - b).abs() / largest
            } else {
                f64::INFINITY
            }
        })
        .fold(0.0, f64::max)
}

/// The worst of all cases in a runtime against Burn with `reference`.
fn worst(
    reference: &Layer,
    options: &Options,
    module: &Layer,
    runtime: Runtime,
) -> Result<f64, String> {
    let model = export(module, &spec(), options, Layer::forward).unwrap();
    let bytes = model.to_bytes().unwrap();
    let mut worst = 0.0f64;
    for case in cases() {
        let wanted = evaluate(reference, &Device::flex(), &case, Layer::forward).unwrap();
        let found = runtime.run(&bytes, &model, &case)?;
        worst = worst.max(relative(&wanted[0].1, &found[0].1));
    }
    Ok(worst)
}

fn options(dtype: DType) -> Options {
    Options {
        dtype: Some(dtype),
        ..Options::default()
    }
}

#[test]
fn float16_is_near_burn_in_float16() {
    let layer = Layer::new();
    let half = layer.clone().map(&mut To(DType::F16));
    let targets = [
        (Target::Any, Runtime::Tract),
        (Target::Tract, Runtime::Tract),
        (Target::Any, Runtime::Rten),
        (Target::Rten, Runtime::Rten),
    ];
    for (target, runtime) in targets {
        let options = Options {
            dtype: Some(DType::F16),
            ..Options::for_target(target)
        };
        // In units of the last place at the largest magnitude.
        let units = worst(&half, &options, &layer, runtime).map(|gap| gap * 1024.0);
        println!("for {target} in {runtime:?}: {units:?}");
        // tract computes in float16 as Burn does, rten in float32: 0.05 and 1.0 were seen.
        assert!(
            units.clone().is_ok_and(|units| units <= 2.0),
            "{target} {runtime:?} {units:?}"
        );
    }
}

/// Neither embedded runtime reads such weights; the project's tests run them in ONNX Runtime.
#[test]
fn bfloat16_is_a_type_of_storage() {
    let layer = Layer::new();
    let model = export(&layer, &spec(), &options(DType::BF16), Layer::forward).unwrap();
    let full = export(&layer, &spec(), &Options::default(), Layer::forward).unwrap();
    let stored = model.initializers();
    let stored: Vec<_> = stored
        .iter()
        .filter(|w| w.name.contains("weight"))
        .collect();
    assert!(!stored.is_empty() && stored.iter().all(|w| w.dtype == DataType::BFloat16));
    // A cast a weight is all that is more.
    let casts = model.operators()["Cast"];
    assert_eq!(model.node_count(), full.node_count() + casts);
    for (runtime, reason) in [
        (Runtime::Tract, "Unknown DatumType Bfloat16"),
        (Runtime::Rten, "unsupported data type BFLOAT16"),
    ] {
        let found = worst(&layer, &options(DType::BF16), &layer, runtime);
        assert!(
            found.clone().is_err_and(|e| e.contains(reason)),
            "{found:?}"
        );
    }
    for target in [Target::Tract, Target::Rten] {
        let options = Options {
            dtype: Some(DType::BF16),
            ..Options::for_target(target)
        };
        let error = export(&layer, &spec(), &options, Layer::forward);
        assert!(matches!(error, Err(Error::Option(text)) if text.contains(target.name())));
    }
}

#[test]
fn a_module_brings_its_own_type() {
    let layer = Layer::new();
    let half = layer.clone().map(&mut To(DType::F16));
    let own = export(&half, &spec(), &Options::default(), Layer::forward).unwrap();
    let made = export(&layer, &spec(), &options(DType::F16), Layer::forward).unwrap();
    assert_eq!(own.to_bytes().unwrap(), made.to_bytes().unwrap());
    let full = export(&layer, &spec(), &Options::default(), Layer::forward).unwrap();
    assert!(made.weight_bytes() < full.weight_bytes() * 6 / 10);
    assert_eq!(made.inputs()[0].dtype, DataType::Float);
    assert_eq!(made.outputs()[0].dtype, DataType::Float);
}

#[test]
fn float64_goes_in_and_comes_out() {
    let layer = Layer::new();
    let model = export(&layer, &spec(), &options(DType::F64), Layer::forward).unwrap();
    assert_eq!(model.inputs()[0].dtype, DataType::Double);
    assert_eq!(model.outputs()[0].dtype, DataType::Double);
    let wide = layer.map(&mut To(DType::F64));
    let model = export(&wide, &spec(), &Options::default(), Layer::forward).unwrap();
    assert_eq!(model.outputs()[0].dtype, DataType::Double);
}

#[test]
fn other_types_are_refused() {
    let error = export(&Layer::new(), &spec(), &options(DType::I32), Layer::forward);
    assert!(matches!(error, Err(Error::Option(text)) if text.contains("I32")));
}

/// Makes a tensor in its forward pass, and may hold one that is no parameter.
#[derive(Module, Debug)]
struct Making {
    linear: Linear,
    held: Option<Tensor<1>>,
}

#[test]
fn what_a_forward_pass_makes_is_of_the_type_of_the_file() {
    let device = Device::flex();
    let linear = LinearConfig::new(4, 4).init(&device);
    let module = Making { linear, held: None };
    let spec = Spec::new("making").input(Input::float(
        "x",
        ["batch".into(), fluxo_onnx::Dim::Fixed(4)],
    ));
    let run = |module: &Making, args: &mut Args| {
        let x = module.linear.forward(args.float::<2>("x"));
        let x = x.clone() + Tensor::ones(x.dims(), &x.device()) * 0.5;
        Outputs::new().float(
            "y",
            match &module.held {
                Some(held) => x + held.clone().unsqueeze(),
                None => x,
            },
        )
    };
    let of = |dtype| Options {
        dtype: Some(dtype),
        ..Options::default()
    };
    let case = inputs([("x", floats(&[3, 4], 2))]);
    let wanted = evaluate(&module, &device, &case, run).unwrap();
    let half = export(&module, &spec, &of(DType::F16), run).unwrap();
    let bytes = half.to_bytes().unwrap();
    let given = Runtime::Tract.run(&bytes, &half, &case).unwrap();
    let gap = common::distance(&wanted[0].1, &given[0].1).unwrap();
    // Eleven bits, in a few sums of numbers below 4.
    assert!(gap < 4e-3 && gap > 0.0, "{gap}");
    let double = export(&module, &spec, &of(DType::F64), run).unwrap();
    assert_eq!(double.outputs()[0].dtype, DataType::Double);
    // What it holds in 32 bits Burn itself does not add to 16.
    let held = Some(Tensor::ones([4], &device));
    let holding = Making { held, ..module };
    export(&holding, &spec, &Options::default(), run).unwrap();
    let text = export(&holding, &spec, &of(DType::F16), run)
        .unwrap_err()
        .to_string();
    assert!(text.contains("tensor.cast(x.dtype())"), "{text}");
}
