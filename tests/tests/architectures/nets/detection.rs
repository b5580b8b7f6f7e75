//! A detector with three scales (feature pyramids, arXiv:1612.03144; heads without anchors,
//! arXiv:2107.08430).

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::interpolate::{Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::{Int, Tensor};

use super::conv;

/// Maps of an 8th, a 16th and a 32nd of the image, the coarse ones brought up into the finer ones.
#[derive(Module, Debug)]
pub struct Detector {
    down: Vec<Conv2d>,
    lateral: Vec<Conv2d>,
    up: Interpolate2d,
    heads: Vec<Conv2d>,
}

/// A box's middle and size, whether there is one, and two classes.
const EACH: usize = 7;

impl Detector {
    pub fn new() -> Self {
        let up = Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0]));
        Self {
            down: vec![
                conv([3, 6], 3, 2),
                conv([6, 8], 3, 2),
                conv([8, 8], 3, 2),
                conv([8, 10], 3, 2),
                conv([10, 12], 3, 2),
            ],
            lateral: vec![conv([8, 8], 1, 1), conv([10, 8], 1, 1), conv([12, 8], 1, 1)],
            up: up.with_mode(InterpolateMode::Nearest).init(),
            heads: (0..3).map(|_| conv([8, EACH], 1, 1)).collect(),
        }
    }

    /// `[batch, places of all scales, 7]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<3> {
        let mut x = x;
        let mut maps = Vec::new();
        for conv in &self.down {
            x = silu(conv.forward(x));
            maps.push(x.clone());
        }
        let lateral = |i: usize| self.lateral[i].forward(maps[i + 2].clone());
        let coarse = lateral(2);
        let middle = lateral(1) + self.up.forward(coarse.clone());
        let fine = lateral(0) + self.up.forward(middle.clone());
        let scales = [(fine, 8), (middle, 16), (coarse, 32)];
        let boxes = scales
            .into_iter()
            .zip(&self.heads)
            .map(|((map, stride), head)| {
                let y = head.forward(map);
                let [batch, each, rows, columns] = y.dims();
                let y = y.reshape([batch, each, rows * columns]).swap_dims(1, 2);
                decoded(y, rows, columns, stride)
            });
        Tensor::cat(boxes.collect(), 1)
    }
}

/// Middles in pixels: offsets from the place in the grid, times the stride.
fn decoded(y: Tensor<3>, rows: usize, columns: usize, stride: usize) -> Tensor<3> {
    let device = y.device();
    let row = Tensor::<1, Int>::arange(0..rows as i64, &device).float();
    let column = Tensor::<1, Int>::arange(0..columns as i64, &device).float();
    let row = row.reshape([rows, 1]).expand([rows, columns]);
    let column = column.reshape([1, columns]).expand([rows, columns]);
    let grid = Tensor::<2>::stack::<3>(vec![column, row], 2);
    let grid = grid.reshape([1, rows * columns, 2]);
    let middle = (y.clone().narrow(2, 0, 2) + grid) * stride as f32;
    let size = y.clone().narrow(2, 2, 2).exp() * stride as f32;
    let scores = sigmoid(y.narrow(2, 4, EACH - 4));
    Tensor::cat(vec![middle, size, scores], 2)
}
