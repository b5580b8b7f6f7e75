//! Images into the stream: patches, class tokens and their positions (ViT,
//! arXiv:2010.11929).

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::norm::{Norm, NormConfig};

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
    /// A norm after the sum.
    pub norm: Option<NormConfig>,
}

impl PatchesConfig {
    /// Patches of an image.
    pub fn patches(&self) -> usize {
        let [height, width] = [0, 1].map(|axis| self.image[axis] / self.patch[axis].max(1));
        height * width
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
}

impl Patches {
    /// `[batch, channels, height, width] -> [batch, class tokens + patches, d_model]`.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
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
        let x = Tensor::cat(tokens, 1) + self.position.val();
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}
