//! What must not be exported, and what the message says.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use common::*;
use fluxo_onnx::{Args, Dim, Error, Input, OnnxModel, Options, Outputs, Result, Spec, export};

#[derive(Module, Debug)]
struct Model {
    encoder: Encoder,
}

#[derive(Module, Debug)]
struct Encoder {
    first: Linear,
    second: Linear,
}

fn model() -> Model {
    let device = Device::flex();
    let encoder = Encoder {
        first: LinearConfig::new(4, 4).init(&device),
        second: LinearConfig::new(4, 4).init(&device),
    };
    Model { encoder }
}

fn spec() -> Spec {
    let dims: [Dim; 3] = ["batch".into(), "sequence".into(), 4.into()];
    Spec::new("model")
        .input(Input::float("x", dims))
        .input(Input::int("n", ["batch", "sequence"]))
}

fn refuse(forward: impl Fn(&Model, Tensor<3>, &mut Args) -> Tensor<3>) -> Error {
    attempt(&spec(), forward).unwrap_err()
}

fn attempt(
    spec: &Spec,
    forward: impl Fn(&Model, Tensor<3>, &mut Args) -> Tensor<3>,
) -> Result<OnnxModel> {
    export(&model(), spec, &Options::default(), |model, args| {
        let x = args.float::<3>("x");
        let x = model.encoder.first.forward(x);
        let x = forward(model, x, args);
        Outputs::new().float("y", model.encoder.second.forward(x))
    })
}

#[test]
fn a_host_table_is_not_frozen() {
    let error = refuse(|_, x, _| {
        let [_, seq, _] = x.dims();
        let values: Vec<f32> = (0..seq).map(|i| (i as f32).sin()).collect();
        let table = Tensor::<1>::from_data(TensorData::new(values, [seq]), &x.device());
        x * table.reshape([1, seq, 1])
    });
    let text = error.to_string();
    assert!(matches!(error, Error::NoClosedForm { .. }), "{text}");
    assert!(
        text.contains("shape [sequence]") && text.contains("`encoder`"),
        "{text}"
    );
}

#[test]
fn a_capped_size_is_not_frozen() {
    let error = refuse(|_, x, _| {
        let [batch, seq, _] = x.dims();
        x.slice([0..batch, 0..seq.min(12), 0..4])
    });
    assert!(
        matches!(&error, Error::NoClosedForm { what, .. } if what.contains("Slice")),
        "{error}"
    );
}

#[test]
fn a_branch_on_a_size_is_found() {
    let error = refuse(|_, x, _| if x.dims()[1] > 12 { x.exp() } else { x.sin() });
    let Error::Diverges(at) = &error else {
        panic!("{error}")
    };
    assert_eq!(at.module, "encoder");
    assert_ne!(at.left.0, at.right.0);
}

#[test]
fn reading_data_is_an_error_and_not_a_crash() {
    let error = refuse(|_, x, _| {
        let top = x.clone().max().into_scalar::<f32>();
        x / top
    });
    assert!(
        matches!(&error, Error::Forward { sizes, .. } if sizes.contains("batch=")),
        "{error}"
    );
    // The next export on this thread works.
    attempt(&spec(), |_, x, _| x).unwrap();
}

#[test]
fn all_unsupported_operations_are_named_at_once() {
    let error = refuse(|_, x, _| {
        let noise = x.random_like(Distribution::Default);
        let places = Tensor::<3, Int>::random([1, 1, 4], Distribution::Default, &x.device());
        x * noise + places.float()
    });
    let Error::Unsupported(list) = &error else {
        panic!("{error}")
    };
    let names: Vec<&str> = list.iter().map(|one| one.operation.as_str()).collect();
    assert_eq!(names, ["Float(Random)", "NumericInt(IntRandom)"]);
    assert!(list.iter().all(|one| one.module == "encoder"), "{error}");
    let hint = |one: &fluxo_onnx::Unsupported| {
        let reason = one.reason.as_deref();
        reason.is_some_and(|text| text.contains("as an input"))
    };
    assert!(list.iter().all(hint), "{error}");
}

#[test]
fn operations_that_no_output_needs_are_not_missed() {
    attempt(&spec(), |_, x, _| {
        let _ = x.random_like(Distribution::Default);
        x
    })
    .unwrap();
}

#[test]
fn wrong_arguments_are_named() {
    let unknown = refuse(|_, x, args| x * args.float::<3>("z"));
    assert!(
        matches!(&unknown, Error::Argument { name, .. } if name == "z"),
        "{unknown}"
    );
    let rank = refuse(|_, x, args| x * args.int::<3>("n").float());
    assert!(rank.to_string().contains("2 dimensions"), "{rank}");
    let kind = refuse(|_, x, args| x * args.float::<2>("n").unsqueeze_dim(2));
    assert!(kind.to_string().contains("Int"), "{kind}");
}

#[test]
fn sizes_and_options_are_checked() {
    let nowhere = Spec::new("g").input(Input::float("x", [Dim::from("a + b"), 4.into()]));
    let run = |spec: &Spec, options: &Options| {
        export(&model(), spec, options, |_, args| {
            Outputs::new().float("y", args.float::<2>("x"))
        })
    };
    let error = run(&nowhere, &Options::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Spec(text) if text.contains("cannot be read")),
        "{error}"
    );
    let options = Options {
        opset: 9,
        ..Options::default()
    };
    assert!(matches!(run(&nowhere, &options), Err(Error::Option(_))));
}

#[test]
fn a_size_can_be_fixed_after_all() {
    let options = Options {
        static_sizes: BTreeMap::from([("sequence".to_string(), 6)]),
        metadata: BTreeMap::from([("family".to_string(), "test".to_string())]),
        ..Options::default()
    };
    let model = export(&model(), &spec(), &options, |model, args| {
        let x = model.encoder.first.forward(args.float::<3>("x"));
        Outputs::new().float("y", x)
    })
    .unwrap();
    assert_eq!(model.sizes(), ["batch"]);
    assert_eq!(model.outputs()[0].dims, ["batch", "6", "4"]);
    let folder = std::env::temp_dir().join(format!("fluxo-onnx-{}", std::process::id()));
    let path = folder.join("model.onnx");
    model.write(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), model.to_bytes().unwrap());
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        1,
        "nothing else is left there"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_output_may_be_an_input_or_stand_twice() {
    let case = inputs([("x", floats(&[2, 3, 4], 1)), ("n", ints(&[2, 3], 0, 5, 2))]);
    let forward = |model: &Model, args: &mut Args| {
        let x = args.float::<3>("x");
        let y = model.encoder.first.forward(x.clone());
        let n = args.int::<2>("n");
        Outputs::new()
            .float("same", x)
            .float("y", y.clone())
            .float("again", y)
            .int("ids", n)
    };
    agree(
        "passed through",
        &model(),
        &spec(),
        &ALL,
        1e-5,
        forward,
        &[case],
    )
    .unwrap();
}

#[derive(Module, Debug)]
struct Shared {
    norm: BatchNorm,
    a: Param<Tensor<2>>,
    b: Param<Tensor<2>>,
}

#[test]
fn running_statistics_survive_and_equal_matrices_are_stored_once() {
    let device = Device::flex();
    let table = Tensor::<2>::from_data(floats(&[4, 4], 3), &device);
    let module = Shared {
        norm: BatchNormConfig::new(4).init(&device),
        a: Param::from_tensor(table.clone()),
        b: Param::from_tensor(table),
    };
    let dims: [Dim; 3] = ["batch".into(), 4.into(), "length".into()];
    let spec = Spec::new("norm").input(Input::float("x", dims));
    let forward = |module: &Shared, args: &mut Args| {
        let x = module.norm.forward(args.float::<3>("x")).swap_dims(1, 2);
        let x = x.clone().matmul(module.a.val().unsqueeze()) + x.matmul(module.b.val().unsqueeze());
        Outputs::new().float("y", x)
    };
    let case = inputs([("x", floats(&[3, 4, 5], 4))]);
    let first = agree(
        "norm",
        &module,
        &spec,
        &ALL,
        1e-5,
        forward,
        std::slice::from_ref(&case),
    )
    .unwrap();
    // The module still stands on its device after the export.
    agree("norm", &module, &spec, &ALL, 1e-5, forward, &[case]).unwrap();
    assert_eq!(
        first
            .initializers()
            .iter()
            .filter(|value| value.dims == ["4", "4"])
            .count(),
        1
    );
}

#[test]
fn cache_positions_start_behind_the_past() {
    let spec = Spec::new("positions")
        .input(Input::int("ids", ["batch", "sequence"]))
        .input(Input::float(
            "past",
            [Dim::from("batch"), "past_sequence".into()],
        ))
        .size_min("past_sequence", 0);
    let forward = |_: &Model, args: &mut Args| {
        let [_, seq] = args.int::<2>("ids").dims();
        let [_, past] = args.float::<2>("past").dims();
        let range = past as i64..(past + seq) as i64;
        Outputs::new().float("y", Tensor::<1, Int>::arange(range, &args.device()).float())
    };
    let cases = [0, 4].map(|past| {
        inputs([
            ("ids", ints(&[1, 3], 0, 9, 1)),
            ("past", floats(&[1, past], 2)),
        ])
    });
    agree("positions", &model(), &spec, &ALL, 0.0, forward, &cases).unwrap();
}

#[test]
fn the_reason_of_a_shape_error_is_said() {
    let text = refuse(|_, x, _| {
        let [batch, seq, _] = x.dims();
        x.clone() + x.reshape([batch, 4, seq])
    })
    .to_string();
    assert!(text.contains("incompatible"), "{text}");
}

#[test]
fn tensors_of_another_device_are_told_where_to_go() {
    let elsewhere = Tensor::<3>::ones([1, 1, 4], &Device::flex());
    let text = refuse(|_, x, _| x + elsewhere.clone()).to_string();
    assert!(text.contains("to_device(&args.device())"), "{text}");
    attempt(&spec(), |_, x, args| {
        x + elsewhere.clone().to_device(&args.device())
    })
    .unwrap();
}

#[test]
fn no_output_and_unknown_fixed_sizes_are_refused() {
    let none = export(&model(), &spec(), &Options::default(), |_, _| {
        Outputs::new()
    });
    let text = none.unwrap_err().to_string();
    assert!(text.contains("no output"), "{text}");
    let options = Options {
        static_sizes: BTreeMap::from([("bacth".to_string(), 6)]),
        ..Options::default()
    };
    let run = |_: &Model, args: &mut Args| Outputs::new().float("y", args.float::<3>("x"));
    let text = export(&model(), &spec(), &options, run)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("`bacth`") && text.contains("batch, sequence"),
        "{text}"
    );
}

#[test]
fn a_module_that_trains_is_evaluated_as_it_is_exported() {
    use burn::nn::{Dropout, DropoutConfig};
    #[derive(Module, Debug)]
    struct Dropping {
        dropout: Dropout,
        linear: Linear,
    }
    let device = Device::flex().autodiff();
    let module = Dropping {
        dropout: DropoutConfig::new(0.5).init(),
        linear: LinearConfig::new(4, 4).init(&device),
    };
    let case = inputs([("x", floats(&[2, 3, 4], 1))]);
    let run = |module: &Dropping, args: &mut Args| {
        let x = module.dropout.forward(args.float::<3>("x"));
        Outputs::new().float("y", module.linear.forward(x))
    };
    let once = |device: &Device| fluxo_onnx::evaluate(&module, device, &case, run).unwrap();
    let (first, plain) = (once(&device), once(&Device::flex()));
    assert_eq!(first, once(&device));
    assert_eq!(first, plain);
}
