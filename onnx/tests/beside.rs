//! What stands beside the table of operations: the one mode of resizing that Burn's flex backend
//! does not have, by its definition; and the loss that Burn records as its parts.
#![allow(clippy::unwrap_used)]

mod common;

use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::module::{ctc_loss, interpolate};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use common::{ALL, agree, floats, inputs, ints};
use fluxo_onnx::{Args, Dim, Input, Options, Outputs, Spec, export};

#[derive(Module, Debug)]
struct Nothing {
    weight: Param<Tensor<1>>,
}

impl Nothing {
    fn new() -> Self {
        let weight = Tensor::from_data(floats(&[1], 1), &Device::flex());
        Self {
            weight: Param::from_tensor(weight),
        }
    }
}

#[test]
fn exact_places_are_the_middles_of_what_is_drawn() {
    let module = Nothing::new();
    let dims: [Dim; 4] = ["batch".into(), 2.into(), "height".into(), 6.into()];
    let spec = Spec::new("image").input(Input::float("x", dims));
    let forward = |_: &Nothing, args: &mut Args| {
        let options = InterpolateOptions::new(InterpolateMode::NearestExact);
        let options = options.with_output_size([5, 9]);
        Outputs::new().float("y", interpolate(args.float::<4>("x"), options))
    };
    let model = export(&module, &spec, &Options::default(), forward).unwrap();
    let bytes = model.to_bytes().unwrap();
    for height in [4, 8, 15] {
        let data = floats(&[3, 2, height, 6], 2);
        let values: Vec<f32> = data.iter::<f32>().collect();
        let place = |to: usize, length: usize, size: usize| (2 * to + 1) * length / (2 * size);
        let wanted = (0..6 * 5 * 9).map(|index| {
            let (plane, row, column) = (index / 45, index / 9 % 5, index % 9);
            let at = plane * height * 6 + place(row, height, 5) * 6 + place(column, 6, 9);
            values[at]
        });
        let wanted: Vec<f32> = wanted.collect();
        for runtime in ALL {
            let given = runtime
                .run(&bytes, &model, &inputs([("x", data.clone())]))
                .unwrap();
            let given: Vec<f32> = given[0].1.iter::<f32>().collect();
            assert_eq!(given, wanted, "{runtime:?} at {height}");
        }
    }
}

#[test]
fn a_ctc_loss_over_a_fixed_time_is_exported() {
    let logits: [Dim; 3] = [7.into(), "batch".into(), 5.into()];
    let targets: [Dim; 2] = ["batch".into(), 3.into()];
    let spec = Spec::new("loss")
        .input(Input::float("logits", logits))
        .input(Input::int("targets", targets))
        .input(Input::int("lengths", ["batch"]))
        .input(Input::int("target_lengths", ["batch"]));
    let forward = |_: &Nothing, args: &mut Args| {
        let logits = log_softmax(args.float::<3>("logits"), 2);
        let (targets, lengths) = (args.int("targets"), args.int("lengths"));
        let loss = ctc_loss(logits, targets, lengths, args.int("target_lengths"), 0);
        Outputs::new().float("loss", loss)
    };
    let cases = [1, 4].map(|batch| {
        inputs([
            ("logits", floats(&[7, batch, 5], 1)),
            ("targets", ints(&[batch, 3], 1, 5, 2)),
            ("lengths", ints(&[batch], 6, 8, 3)),
            ("target_lengths", ints(&[batch], 1, 4, 4)),
        ])
    });
    agree("loss", &Nothing::new(), &spec, &ALL, 2e-5, forward, &cases).unwrap();
}
