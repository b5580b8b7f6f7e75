//! Images made: a pair of adversaries (arXiv:1511.06434), U-Nets (arXiv:1505.04597), and a step of a
//! diffusion (arXiv:2006.11239).

use burn::module::Module;
use burn::nn::conv::{Conv2d, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Linear};
use burn::tensor::activation::{leaky_relu, relu, sigmoid, silu};
use burn::tensor::{Int, Tensor};

use super::{conv, device, linear};

fn twice(channels: [usize; 2]) -> ConvTranspose2d {
    ConvTranspose2dConfig::new(channels, [4, 4])
        .with_stride([2, 2])
        .with_padding([1, 1])
        .init(&device())
}

/// A generator of images out of noise, and the critic that reads them.
#[derive(Module, Debug)]
pub struct Adversaries {
    up: Vec<ConvTranspose2d>,
    norms: Vec<BatchNorm>,
    down: Vec<Conv2d>,
    head: Linear,
}

impl Adversaries {
    pub fn new() -> Self {
        Self {
            up: vec![twice([6, 8]), twice([8, 6]), twice([6, 3])],
            norms: [8, 6]
                .map(|n| BatchNormConfig::new(n).init(&device()))
                .to_vec(),
            down: vec![conv([3, 6], 3, 2), conv([6, 8], 3, 2), conv([8, 8], 3, 2)],
            head: linear(8, 1),
        }
    }

    /// The image, 8 times as large as the noise, and how true it looks.
    pub fn forward(&self, noise: Tensor<4>) -> (Tensor<4>, Tensor<2>) {
        let mut x = noise;
        for (i, up) in self.up.iter().enumerate() {
            x = up.forward(x);
            x = match self.norms.get(i) {
                Some(norm) => relu(norm.forward(x)),
                None => x.tanh(),
            };
        }
        let image = x.clone();
        for down in &self.down {
            x = leaky_relu(down.forward(x), 0.2);
        }
        let [batch, channels, _, _] = x.dims();
        let mean = x.mean_dim(3).mean_dim(2).reshape([batch, channels]);
        (image, sigmoid(self.head.forward(mean)))
    }
}

/// Down to an 8th and up again, by transposed convolutions or by interpolation, beside what was
/// seen on the way.
#[derive(Module, Debug)]
pub struct UNet {
    down: Vec<Conv2d>,
    up: Vec<ConvTranspose2d>,
    grow: Option<Interpolate2d>,
    smooth: Vec<Conv2d>,
    head: Conv2d,
}

impl UNet {
    pub fn new(mode: Option<InterpolateMode>) -> Self {
        let grow = mode.map(|mode| {
            let twice = Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0]));
            twice.with_mode(mode).init()
        });
        Self {
            down: vec![conv([3, 6], 3, 2), conv([6, 8], 3, 2), conv([8, 10], 3, 2)],
            up: vec![twice([10, 8]), twice([8, 6]), twice([6, 4])],
            smooth: if grow.is_some() {
                vec![conv([18, 8], 3, 1), conv([14, 6], 3, 1), conv([9, 4], 3, 1)]
            } else {
                vec![conv([16, 8], 3, 1), conv([12, 6], 3, 1), conv([7, 4], 3, 1)]
            },
            grow,
            head: conv([4, 2], 1, 1),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut seen = vec![x.clone()];
        let mut x = x;
        for down in &self.down {
            x = relu(down.forward(x));
            seen.push(x.clone());
        }
        seen.pop();
        for (up, smooth) in self.up.iter().zip(&self.smooth) {
            let grown = match &self.grow {
                Some(grow) => grow.forward(x),
                None => up.forward(x),
            };
            let beside = seen.pop().unwrap();
            x = relu(smooth.forward(Tensor::cat(vec![beside, grown], 1)));
        }
        self.head.forward(x)
    }
}

/// One step back from noise: what the network takes for noise at that time is taken off.
#[derive(Module, Debug)]
pub struct Diffusion {
    into: Conv2d,
    norms: [GroupNorm; 2],
    convs: [Conv2d; 2],
    time: [Linear; 2],
    out: Conv2d,
}

const CHANNELS: usize = 8;

impl Diffusion {
    pub fn new() -> Self {
        let norm = || GroupNormConfig::new(4, CHANNELS).init(&device());
        Self {
            into: conv([3, CHANNELS], 3, 1),
            norms: [norm(), norm()],
            convs: [
                conv([CHANNELS, CHANNELS], 3, 1),
                conv([CHANNELS, CHANNELS], 3, 1),
            ],
            time: [linear(16, 16), linear(16, CHANNELS)],
            out: conv([CHANNELS, 3], 3, 1),
        }
    }

    /// Sines and cosines of the time: `[batch] -> [batch, 16]`.
    fn embedded(&self, time: Tensor<1>) -> Tensor<2> {
        let steps = Tensor::<1, Int>::arange(0..8, &time.device()).float();
        let rates = (steps * -(1000f32.ln() / 8.0)).exp();
        let angles = time.unsqueeze_dim::<2>(1) * rates.unsqueeze_dim::<2>(0);
        let waves = Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1);
        self.time[1].forward(silu(self.time[0].forward(waves)))
    }

    /// The image `[batch, 3, height, width]` one step before, by `beta` and the share of the signal
    /// that is left, `[batch]` each.
    pub fn forward(
        &self,
        x: Tensor<4>,
        time: Tensor<1>,
        [beta, left]: [Tensor<1>; 2],
    ) -> Tensor<4> {
        let [batch, ..] = x.dims();
        let h = self.into.forward(x.clone());
        let y = self.convs[0].forward(silu(self.norms[0].forward(h.clone())));
        let y = y + self.embedded(time).reshape([batch, CHANNELS, 1, 1]);
        let y = h + self.convs[1].forward(silu(self.norms[1].forward(y)));
        let noise = self.out.forward(silu(y));
        // Shares between 0.1 and 0.9 of whatever is given.
        let share = |x: Tensor<1>| (sigmoid(x) * 0.8 + 0.1).reshape([batch, 1, 1, 1]);
        let (beta, left) = (share(beta), share(left));
        let rest = (left.neg() + 1.0).sqrt();
        (x - noise * (beta.clone() / rest)) / (beta.neg() + 1.0).sqrt()
    }
}
