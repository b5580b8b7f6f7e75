//! Labels of images: the cross entropy of each image's label.
//!
//! The data are folders with a folder for each class ([`crate::data::images`]). Images are read
//! as ViT's processor does, in the model's size, which `preprocessor_config.json` says.

use burn::tensor::{Device, Tensor};
use fluxo_models::image::ImageProcessor;
use fluxo_models::stack::InputConfig;
use fluxo_models::{Batch, Model, Network, Taps};
use serde_json::json;

use super::{Loss, labelled};
use crate::config::TrainConfig;
use crate::data::images::Images;
use crate::data::{Row, Split};
use crate::error::{Error, Result};

/// Images and their labels.
pub(super) struct TrainingTask {
    images: Images,
    /// Edge of the model's images, in pixels.
    size: usize,
    /// Positions of the stream that an image takes.
    positions: usize,
}

impl TrainingTask {
    /// Finds the images of `config`.
    pub(super) fn open(config: &TrainConfig) -> Result<Self> {
        Ok(Self {
            images: Images::load(config)?,
            size: 0,
            positions: 0,
        })
    }
}

impl super::TrainingTask for TrainingTask {
    fn digest(&self) -> &str {
        &self.images.digest
    }

    fn labels(&self) -> &[String] {
        &self.images.labels
    }

    fn fit(&mut self, model: &Model, _config: &TrainConfig) -> Result<()> {
        let stack = model.config().main();
        match &stack.input {
            InputConfig::Patches(patches)
                if patches.image[0] == patches.image[1] && patches.channels == 3 =>
            {
                self.size = patches.image[0];
                self.positions = stack.max_positions;
                Ok(())
            }
            _ => Err(Error::Config(
                "image-classification is learned by models of square images in three colours"
                    .into(),
            )),
        }
    }

    fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let size = self.size;
        let settings = json!({
            "image_processor_type": "ViTImageProcessor",
            "do_resize": true,
            "size": {"height": size, "width": size},
            "resample": 2,
            "do_rescale": true,
            "rescale_factor": 1.0 / 255.0,
            "do_normalize": true,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        });
        vec![(
            "preprocessor_config.json",
            format!("{settings:#}").into_bytes(),
        )]
    }

    fn examples(&self) -> usize {
        self.images.examples.training.len()
    }

    fn evaluated(&self, most: usize) -> Vec<usize> {
        self.images.examples.spread(most)
    }

    fn answers(&self, _split: Split, rows: &[Row]) -> usize {
        rows.len()
    }

    fn loss(&self, network: &Network, split: Split, rows: &[Row], device: &Device) -> Result<Loss> {
        let examples = self.images.examples.rows(split, rows);
        let paths: Vec<_> = examples.iter().map(|(path, _)| path).collect();
        let labels: Vec<i64> = examples.iter().map(|(_, label)| *label as i64).collect();
        let pixels = ImageProcessor::from_defaults(self.size).read_all(&paths)?;
        let batch = Batch::images(Tensor::from_data(pixels, device));
        let tokens = (labels.len() * self.positions) as u64;
        let output = network.forward(batch, &mut Taps::off());
        labelled(output, labels, tokens, device)
    }
}
