//! Images: residual blocks (arXiv:1512.03385), inverted residuals (arXiv:1801.04381), a patch
//! transformer (arXiv:2010.11929).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, PaddingConfig2d};
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Int, Tensor};

use super::{attend, conv, device, linear};

fn norm(channels: usize) -> BatchNorm {
    BatchNormConfig::new(channels).init(&device())
}

/// Two convolutions beside the identity, or beside a projection where the map shrinks.
#[derive(Module, Debug)]
pub struct Residual {
    convs: [Conv2d; 2],
    norms: [BatchNorm; 2],
    project: Option<Conv2d>,
}

impl Residual {
    fn new(from: usize, to: usize, stride: usize) -> Self {
        Self {
            convs: [conv([from, to], 3, stride), conv([to, to], 3, 1)],
            norms: [norm(to), norm(to)],
            project: (from != to || stride > 1).then(|| conv([from, to], 1, stride)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = relu(self.norms[0].forward(self.convs[0].forward(x.clone())));
        let y = self.norms[1].forward(self.convs[1].forward(y));
        let x = match &self.project {
            Some(project) => project.forward(x),
            None => x,
        };
        relu(x + y)
    }
}

/// A ResNet of four stages: the map is a 32nd of the image.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    blocks: Vec<Residual>,
    mean: AdaptiveAvgPool2d,
    head: Linear,
}

impl ResNet {
    pub fn new() -> Self {
        let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]);
        Self {
            stem: conv([3, 8], 7, 2),
            norm: norm(8),
            pool: pool
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            blocks: vec![
                Residual::new(8, 8, 1),
                Residual::new(8, 12, 2),
                Residual::new(12, 16, 2),
                Residual::new(16, 24, 2),
            ],
            mean: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: linear(24, 10),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm.forward(self.stem.forward(x)));
        let x = self.pool.forward(x);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(self.mean.forward(x).flatten(1, 3))
    }
}

/// Widens, filters every channel alone, narrows; beside the identity where the shape allows.
#[derive(Module, Debug)]
pub struct Inverted {
    widen: Conv2d,
    alone: Conv2d,
    narrow: Conv2d,
    norms: [BatchNorm; 3],
    residual: bool,
}

impl Inverted {
    fn new(from: usize, to: usize, stride: usize) -> Self {
        let wide = 4 * from;
        let alone = Conv2dConfig::new([wide, wide], [3, 3])
            .with_stride([stride, stride])
            .with_groups(wide)
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        Self {
            widen: conv([from, wide], 1, 1),
            alone: alone.init(&device()),
            narrow: conv([wide, to], 1, 1),
            norms: [norm(wide), norm(wide), norm(to)],
            residual: from == to && stride == 1,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let relu6 = |x: Tensor<4>| x.clamp(0.0, 6.0);
        let y = relu6(self.norms[0].forward(self.widen.forward(x.clone())));
        let y = relu6(self.norms[1].forward(self.alone.forward(y)));
        let y = self.norms[2].forward(self.narrow.forward(y));
        if self.residual { x + y } else { y }
    }
}

/// A MobileNet: inverted residuals down to a 32nd, and the mean by two sums.
#[derive(Module, Debug)]
pub struct MobileNet {
    stem: Conv2d,
    blocks: Vec<Inverted>,
    head: Linear,
}

impl MobileNet {
    pub fn new() -> Self {
        let strides = [
            (4, 4, 1),
            (4, 6, 2),
            (6, 6, 1),
            (6, 8, 2),
            (8, 8, 2),
            (8, 12, 2),
        ];
        let block = |(from, to, stride)| Inverted::new(from, to, stride);
        Self {
            stem: conv([3, 4], 3, 2),
            blocks: strides.into_iter().map(block).collect(),
            head: linear(12, 10),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = relu(self.stem.forward(x));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let [batch, channels, _, _] = x.dims();
        let mean = x.mean_dim(2).mean_dim(3).reshape([batch, channels]);
        self.head.forward(mean)
    }
}

/// Patches of 4 × 4 pixels, places as sines of their row and column, two blocks, a class token.
#[derive(Module, Debug)]
pub struct Patches {
    patches: Conv2d,
    class: burn::module::Param<Tensor<3>>,
    norms: Vec<LayerNorm>,
    mixing: Vec<Linear>,
    inner: Vec<Linear>,
    outer: Vec<Linear>,
    head: Linear,
}

const WIDTH: usize = 16;

impl Patches {
    pub fn new() -> Self {
        let patches = Conv2dConfig::new([3, WIDTH], [4, 4]).with_stride([4, 4]);
        let each = |from: usize, to: usize| (0..2).map(|_| linear(from, to)).collect();
        Self {
            patches: patches.init(&device()),
            class: burn::nn::Initializer::Normal {
                mean: 0.0,
                std: 1.0,
            }
            .init([1, 1, WIDTH], &device()),
            norms: (0..4)
                .map(|_| LayerNormConfig::new(WIDTH).init(&device()))
                .collect(),
            mixing: (0..8).map(|_| linear(WIDTH, WIDTH)).collect(),
            inner: each(WIDTH, 32),
            outer: each(32, WIDTH),
            head: linear(WIDTH, 10),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.patches.forward(x); // [batch, width, rows, columns]
        let [batch, width, rows, columns] = x.dims();
        let device = x.device();
        let waves = |count: usize| {
            let places = Tensor::<1, Int>::arange(0..count as i64, &device).float();
            let steps = Tensor::<1, Int>::arange(0..width as i64, &device).float() * 0.3;
            (places.unsqueeze_dim::<2>(1) * steps.unsqueeze_dim::<2>(0)).sin() // [count, width]
        };
        let x = x
            + waves(rows).transpose().reshape([1, width, rows, 1])
            + waves(columns).transpose().reshape([1, width, 1, columns]);
        let x = x.reshape([batch, width, rows * columns]).swap_dims(1, 2);
        let class = self.class.val().expand([batch, 1, width]);
        let mut x = Tensor::cat(vec![class, x], 1); // [batch, 1 + rows * columns, width]
        for (i, (inner, outer)) in self.inner.iter().zip(&self.outer).enumerate() {
            let y = self.norms[2 * i].forward(x.clone());
            let of = |j: usize| self.mixing[4 * i + j].forward(y.clone());
            let mixed = attend(of(0), of(1), of(2));
            x = x + self.mixing[4 * i + 3].forward(mixed);
            let y = self.norms[2 * i + 1].forward(x.clone());
            x = x + outer.forward(gelu(inner.forward(y)));
        }
        self.head.forward(x.narrow(1, 0, 1).reshape([batch, width]))
    }
}
