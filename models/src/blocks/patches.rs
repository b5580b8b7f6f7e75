//! Images into the stream: patches, class tokens and their positions (ViT,
//! arXiv:2010.11929).

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use super::norm::{Norm, NormConfig};
use super::taps::Taps;

/// How an image starts the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchesConfig {
    /// Height and width of the image.
    pub image: [usize; 2],
    /// Height and width of a patch.
    pub patch: [usize; 2],
    /// Colours.
    pub channels: usize,
    /// Whether the projection has a bias.
    pub bias: bool,
    /// Whether a second token stands behind the class token (DeiT, arXiv:2012.12877).
    pub distillation: bool,
    /// Whether images may have other sizes, for which the positions are interpolated.
    pub interpolates: bool,
    /// A norm after the sum.
    pub norm: Option<NormConfig>,
}

impl PatchesConfig {
    /// Patches along each axis of an image of `height` and `width`.
    pub fn grid(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        [height / self.patch[0].max(1), width / self.patch[1].max(1)]
    }

    /// Patches of an image.
    pub fn patches(&self) -> usize {
        let [rows, columns] = self.grid(self.image);
        rows * columns
    }

    /// Tokens before the patches.
    pub fn class_tokens(&self) -> usize {
        1 + usize::from(self.distillation)
    }

    /// The projection and its tables, normal with deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Patches {
        let normal = Initializer::Normal { mean: 0.0, std };
        let token = || normal.init([1, 1, d_model], device);
        let positions = self.class_tokens() + self.patches();
        Patches {
            projection: Conv2dConfig::new([self.channels, d_model], self.patch)
                .with_stride(self.patch)
                .with_padding(PaddingConfig2d::Valid)
                .with_bias(self.bias)
                .with_initializer(normal.clone())
                .init(device),
            class_token: token(),
            distillation_token: self.distillation.then(token),
            position: normal.init([1, positions, d_model], device),
            norm: self.norm.map(|norm| norm.init(d_model, device)),
            grid: self.grid(self.image),
        }
    }
}

/// The projection of patches, and what is added to them.
#[derive(Module, Debug)]
pub struct Patches {
    /// `[d_model, channels, height, width]` of a patch.
    pub projection: Conv2d,
    /// `[1, 1, d_model]`.
    pub class_token: Param<Tensor<3>>,
    /// `[1, 1, d_model]`.
    pub distillation_token: Option<Param<Tensor<3>>>,
    /// `[1, class tokens + patches, d_model]`.
    pub position: Param<Tensor<3>>,
    /// The norm after the sum.
    pub norm: Option<Norm>,
    grid: [usize; 2],
}

impl Patches {
    /// `[batch, channels, height, width] -> [batch, class tokens + patches, d_model]`.
    pub fn forward(&self, pixels: Tensor<4>, taps: &mut Taps) -> Tensor<3> {
        let patches = self.projection.forward(pixels); // [batch, d_model, rows, columns]
        let [batch, d_model, rows, columns] = patches.dims();
        let patches = patches
            .reshape([batch, d_model, rows * columns])
            .swap_dims(1, 2);
        let mut tokens = vec![self.class_token.val().expand([batch, 1, d_model])];
        if let Some(token) = &self.distillation_token {
            tokens.push(token.val().expand([batch, 1, d_model]));
        }
        tokens.push(patches);
        let x = Tensor::cat(tokens, 1) + self.positions([rows, columns]);
        match &self.norm {
            Some(norm) => {
                let x = taps.begin(format_args!("norm"), x);
                taps.end(norm.forward(x))
            }
            None => x,
        }
    }

    /// The positions of `grid` patches behind those of the class tokens:
    /// `[1, class tokens + patches, d_model]`.
    fn positions(&self, grid: [usize; 2]) -> Tensor<3> {
        let positions = self.position.val();
        if grid == self.grid {
            return positions;
        }
        let [_, count, d_model] = positions.dims();
        let ([rows, columns], [wanted_rows, wanted_columns]) = (self.grid, grid);
        let classes = count - rows * columns;
        let patches = positions.clone().narrow(1, classes, rows * columns);
        let (device, dtype) = (positions.device(), positions.dtype());
        // [wanted_rows, rows] · [rows, columns · d_model]
        let along_rows = cubic(rows, wanted_rows, &device)
            .cast(dtype)
            .matmul(patches.reshape([rows, columns * d_model]));
        // [wanted_columns, columns] · [columns, wanted_rows · d_model]
        let along_columns = along_rows
            .reshape([wanted_rows, columns, d_model])
            .swap_dims(0, 1)
            .reshape([columns, wanted_rows * d_model]);
        let patches = cubic(columns, wanted_columns, &device)
            .cast(dtype)
            .matmul(along_columns)
            .reshape([wanted_columns, wanted_rows, d_model])
            .swap_dims(0, 1)
            .reshape([1, wanted_rows * wanted_columns, d_model]);
        Tensor::cat(vec![positions.narrow(1, 0, classes), patches], 1)
    }
}

/// What each of `to` places takes of `from` places, `[to, from]`: cubic convolution with
/// a = −0.75, places being the middles of equal parts, the border repeated (PyTorch's `bicubic`
/// without antialiasing; Keys, 1981).
fn cubic(from: usize, to: usize, device: &Device) -> Tensor<2> {
    const A: f64 = -0.75;
    let weight = |distance: f64| match distance.abs() {
        d if d <= 1.0 => ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0,
        d if d < 2.0 => ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A,
        _ => 0.0,
    };
    let mut weights = vec![0f32; to * from];
    for place in 0..to {
        let at = (place as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let first = at.floor() as i64 - 1;
        for near in first..first + 4 {
            let taken = near.clamp(0, from as i64 - 1) as usize;
            weights[place * from + taken] += weight(at - near as f64) as f32;
        }
    }
    Tensor::from_data(TensorData::new(weights, [to, from]), device)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// An image of the same size is itself; weights of a place always sum to one.
    #[test]
    fn interpolation_keeps_what_is_constant() {
        let device = fluxo_backends::device("flex").unwrap();
        let same = cubic(4, 4, &device).to_data();
        assert_eq!(same, Tensor::<2>::eye(4, &device).to_data());
        for (from, to) in [(4, 7), (7, 3), (1, 5)] {
            let sums = cubic(from, to, &device).sum_dim(1).to_data();
            for sum in sums.as_slice::<f32>().unwrap() {
                assert!((sum - 1.0).abs() < 1e-6, "{from} to {to}: {sum}");
            }
        }
    }
}
