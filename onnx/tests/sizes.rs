//! Images that shrink to a pixel, what is done for single rows alone, and sizes that are multiples.
#![allow(clippy::unwrap_used)]

mod common;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use common::{ALL, agree, floats, inputs};
use fluxo_onnx::{Args, Dim, Error, Input, OnnxModel, Options, Outputs, Result, Spec, export};

fn device() -> Device {
    Device::flex()
}

fn out<const D: usize>(tensor: Tensor<D>) -> Outputs {
    Outputs::new().float("y", tensor)
}

/// A module without weights.
#[derive(Module, Debug)]
struct Nothing;

fn attempt<const D: usize>(
    spec: &Spec,
    forward: impl Fn(Tensor<2>) -> Tensor<D>,
) -> Result<OnnxModel> {
    let run = |_: &Nothing, args: &mut Args| out(forward(args.float("x")));
    export(&Nothing, spec, &Options::default(), run)
}

fn rows() -> Spec {
    Spec::new("rows").input(Input::float("x", ["batch", "width"]))
}

fn images() -> Spec {
    let dims: [Dim; 4] = ["batch".into(), 3.into(), "height".into(), "width".into()];
    Spec::new("images").input(Input::float("x", dims))
}

/// Halves the map so often, as a ResNet does, before one mean of all of it.
#[derive(Module, Debug)]
struct Shrinking {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    pool: MaxPool2d,
    mean: AdaptiveAvgPool2d,
    head: Linear,
}

impl Shrinking {
    fn new(depth: usize, to: [usize; 2]) -> Self {
        let conv = |i: usize| {
            let from = if i == 0 { 3 } else { 4 };
            let config = Conv2dConfig::new([from, 4], [3, 3]).with_stride([2, 2]);
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            config.with_padding(padding).init(&device())
        };
        Self {
            convs: (0..depth).map(conv).collect(),
            norms: (0..depth)
                .map(|_| BatchNormConfig::new(4).init(&device()))
                .collect(),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            mean: AdaptiveAvgPool2dConfig::new(to).init(),
            head: LinearConfig::new(4 * to[0] * to[1], 5).init(&device()),
        }
    }

    fn forward(&self, mut x: Tensor<4>) -> Tensor<2> {
        for (i, (conv, norm)) in self.convs.iter().zip(&self.norms).enumerate() {
            x = relu(norm.forward(conv.forward(x)));
            if i == 0 {
                x = self.pool.forward(x);
            }
        }
        self.head.forward(self.mean.forward(x).flatten(1, 3))
    }
}

/// Small, odd and large images, none of a size that is recorded.
fn image_cases(
    sizes: &[[usize; 3]],
) -> Vec<std::collections::BTreeMap<String, burn::tensor::TensorData>> {
    let case = |&[batch, height, width]: &[usize; 3]| {
        inputs([("x", floats(&[batch, 3, height, width], 1))])
    };
    sizes.iter().map(case).collect()
}

#[test]
fn open_images_shrink_to_a_pixel() {
    let cases = image_cases(&[
        [1, 1, 1],
        [2, 32, 33],
        [1, 65, 20],
        [1, 224, 224],
        [3, 97, 161],
    ]);
    for to in [[1, 1], [2, 3]] {
        let net = Shrinking::new(4, to);
        let run = |net: &Shrinking, args: &mut Args| out(net.forward(args.float("x")));
        agree("shrinking", &net, &images(), &ALL, 1e-5, run, &cases).unwrap();
    }
}

#[derive(Module, Debug)]
struct Patches {
    conv: Conv2d,
    mean: AdaptiveAvgPool2d,
}

#[test]
fn patches_of_32_pixels_are_averaged() {
    let net = Patches {
        conv: Conv2dConfig::new([3, 4], [32, 32])
            .with_stride([32, 32])
            .init(&device()),
        mean: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
    };
    let cases = image_cases(&[[1, 32, 32], [2, 63, 64], [1, 100, 224]]);
    let pooled =
        |net: &Patches, args: &mut Args| out(net.mean.forward(net.conv.forward(args.float("x"))));
    agree("pooled", &net, &images(), &ALL, 1e-5, pooled, &cases).unwrap();
    let means = |net: &Patches, args: &mut Args| {
        out(net.conv.forward(args.float("x")).mean_dim(2).mean_dim(3))
    };
    agree("means", &net, &images(), &ALL, 1e-5, means, &cases).unwrap();
}

#[test]
fn what_is_done_for_one_row_alone_is_refused_with_the_mend() {
    let forward = |x: Tensor<2>| if x.dims()[0] > 1 { x * 2.0 } else { x + 1.0 };
    let error = attempt(&rows(), forward).unwrap_err();
    let Error::Diverges(at) = &error else {
        panic!("{error}")
    };
    assert!(at.right.1.contains("batch=1"), "{error}");
    let text = error.to_string();
    assert!(text.contains("`Spec::size_min(\"batch\", 2)`"), "{text}");
    // As it says, and with the size fixed, on either side.
    attempt(&rows().size_min("batch", 2), forward).unwrap();
    attempt(&rows().may_branch_at_min("batch"), forward).unwrap();
    for batch in [1, 3] {
        let options = Options {
            static_sizes: [("batch".to_string(), batch)].into(),
            ..Options::default()
        };
        let run = |_: &Nothing, args: &mut Args| out(forward(args.float("x")));
        export(&Nothing, &rows(), &options, run).unwrap();
    }
    // From a later size on.
    let later = |x: Tensor<2>| if x.dims()[1] > 3 { x.exp() } else { x };
    let text = attempt(&rows(), later).unwrap_err().to_string();
    assert!(text.contains("`Spec::size_min(\"width\", 4)`"), "{text}");
}

#[derive(Module, Debug)]
struct Two {
    layers: [Linear; 2],
}

#[test]
fn a_branch_between_layers_is_found() {
    let two = Two {
        layers: [6, 2].map(|to| LinearConfig::new(6, to).init(&device())),
    };
    let dims: [Dim; 3] = ["2*past".into(), "batch + sequence".into(), 6.into()];
    let spec = Spec::new("two")
        .input(Input::float("x", dims))
        .input(Input::float("z", ["batch", "sequence"]))
        .size_min("batch", 6);
    let run = |two: &Two, args: &mut Args| {
        let x = two.layers[0].forward(args.float::<3>("x"));
        let x = if x.dims()[0] > 5 { x * 2.0 } else { x + 1.0 };
        out(two.layers[1].forward(x))
    };
    let error = export(&two, &spec, &Options::default(), run).unwrap_err();
    assert!(
        error.to_string().contains("`Spec::size_min(\"past\", 3)`"),
        "{error}"
    );
}

#[test]
fn a_guard_against_one_row_is_found() {
    // A deviation, which one row has none of.
    let deviation = |x: Tensor<2>| {
        let rows = x.dims()[0];
        let mean = x.clone().mean_dim(0);
        let squares = (x - mean).powf_scalar(2.0).sum_dim(0);
        match rows {
            1 => squares,
            rows => (squares / (rows as f32 - 1.0)).sqrt(),
        }
    };
    let error = attempt(&rows(), deviation).unwrap_err();
    assert!(matches!(error, Error::Diverges(_)), "{error}");
}

#[test]
fn another_form_of_the_same_is_none() {
    // Nothing is repeated, cut or joined where there is one row.
    let cases = [[1, 1], [1, 6], [4, 1], [8, 9]];
    let cases: Vec<_> = cases
        .iter()
        .map(|dims| inputs([("x", floats(dims, 3))]))
        .collect();
    let run = |_: &Nothing, args: &mut Args| {
        let x: Tensor<2> = args.float("x");
        let [batch, width] = x.dims();
        let first = x.clone().slice_dim(0, 0..1);
        let again = if batch > 1 {
            first.repeat_dim(0, batch)
        } else {
            first
        };
        let all = match width {
            1 => x,
            width => Tensor::cat(
                vec![x.clone().narrow(1, 0, 1), x.narrow(1, 1, width - 1)],
                1,
            ),
        };
        out(all + again)
    };
    agree("another form", &Nothing, &rows(), &ALL, 1e-6, run, &cases).unwrap();
}

#[test]
fn a_branch_at_a_large_size_is_refused() {
    for axis in [0, 1] {
        for limit in [80, 1000, 4000] {
            let forward = |x: Tensor<2>| if x.dims()[axis] > limit { x.exp() } else { x };
            let error = attempt(&rows(), forward).unwrap_err();
            assert!(
                matches!(error, Error::Diverges(_)),
                "{axis} {limit}: {error}"
            );
        }
    }
}

#[derive(Module, Debug)]
struct Unet {
    down: Vec<Conv2d>,
    up: Vec<ConvTranspose2d>,
    head: Conv2d,
}

impl Unet {
    fn new() -> Self {
        let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
        let down = |from: usize| {
            let config = Conv2dConfig::new([from, 4], [3, 3]).with_stride([2, 2]);
            config.with_padding(same.clone()).init(&device())
        };
        let up = |from: usize| {
            let config = ConvTranspose2dConfig::new([from, 4], [2, 2]).with_stride([2, 2]);
            config.init(&device())
        };
        Self {
            down: vec![down(3), down(4), down(4)],
            up: vec![up(4), up(8), up(8)],
            head: Conv2dConfig::new([7, 2], [1, 1]).init(&device()),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut maps = vec![x];
        for conv in &self.down {
            let last = maps[maps.len() - 1].clone();
            maps.push(relu(conv.forward(last)));
        }
        let mut x = maps.pop().unwrap();
        for conv in &self.up {
            let skip = maps.pop().unwrap();
            x = Tensor::cat(vec![skip, relu(conv.forward(x))], 1);
        }
        self.head.forward(x)
    }
}

#[test]
fn a_u_net_reads_multiples_of_its_strides() {
    let dims: [Dim; 4] = ["batch".into(), 3.into(), "8*h".into(), "8 * w".into()];
    let spec = Spec::new("unet").input(Input::float("x", dims));
    let cases = image_cases(&[
        [1, 8, 8],
        [2, 16, 40],
        [1, 96, 64],
        [3, 24, 8],
        [1, 136, 200],
    ]);
    let run = |net: &Unet, args: &mut Args| out(net.forward(args.float("x")));
    let model = agree("unet", &Unet::new(), &spec, &ALL, 1e-5, run, &cases).unwrap();
    assert_eq!(model.inputs()[0].dims, ["batch", "3", "8*h", "8*w"]);
    assert_eq!(model.outputs()[0].dims, ["batch", "2", "8*h", "8*w"]);
    // Any height is none: the maps do not fit each other again.
    let error = export(&Unet::new(), &images(), &Options::default(), run).unwrap_err();
    assert!(matches!(error, Error::Forward { .. }), "{error}");
}

#[test]
fn sizes_are_read_from_multiples_and_sums_of_them() {
    let spec = Spec::new("multiples")
        .input(Input::float("x", ["2*batch", "half + half"]))
        .input(Input::float("y", ["3*batch + past", "past"]));
    let run = |_: &Nothing, args: &mut Args| {
        let (x, y) = (args.float::<2>("x"), args.float::<2>("y"));
        let ([rows, width], [_, past]) = (x.dims(), y.dims());
        let (batch, half) = (rows / 2, width / 2);
        let x = x.reshape([batch, 2 * width]).slice([0..batch, half..width]);
        let y = y.slice([0..batch, 0..past]);
        Outputs::new().float("halves", x).float("rows", y)
    };
    let cases = [(1, 1, 1), (2, 3, 1), (5, 2, 8), (7, 10, 3), (12, 1, 9)];
    let cases: Vec<_> = cases
        .iter()
        .map(|&(batch, half, past)| {
            let x = floats(&[2 * batch, 2 * half], 1);
            inputs([("x", x), ("y", floats(&[3 * batch + past, past], 2))])
        })
        .collect();
    agree("multiples", &Nothing, &spec, &ALL, 1e-6, run, &cases).unwrap();
}
