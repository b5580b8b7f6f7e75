//! Inputs of floats: images and frames of sound.

use burn::tensor::{Tensor, TensorData};

use super::{Reader, refuse};
use crate::error::{Error, Result};
use crate::stack::InputConfig;

/// The most patches along an axis of an image.
const LARGEST_GRID: usize = 1024;

impl Reader<'_> {
    pub(super) fn pixels(&self) -> Result<Option<Tensor<4>>> {
        let Some(InputConfig::Patches(patches)) = self.config.vision.as_ref().map(|v| &v.input)
        else {
            return Ok(None);
        };
        let [mut height, mut width] = patches.image;
        let shape = self
            .inputs
            .get("pixel_values")
            .map(|data| data.shape().to_vec());
        if let (true, Some(&[_, _, h, w])) = (patches.interpolates, shape.as_deref())
            && h.is_multiple_of(patches.patch[0])
            && w.is_multiple_of(patches.patch[1])
            && (1..=LARGEST_GRID).contains(&(h / patches.patch[0]))
            && (1..=LARGEST_GRID).contains(&(w / patches.patch[1]))
        {
            [height, width] = [h, w];
        }
        self.floats("pixel_values", [patches.channels, height, width])
    }

    pub(super) fn features(&self) -> Result<Option<Tensor<3>>> {
        let Some(InputConfig::Frames(frames)) = self.config.encoder.as_ref().map(|e| &e.input)
        else {
            return Ok(None);
        };
        self.floats("input_features", [frames.mel_bins, frames.frames()])
    }

    /// Floats `[batch, ..]`, each row of the shape `row`.
    fn floats<const D: usize, const R: usize>(
        &self,
        name: &str,
        row: [usize; R],
    ) -> Result<Option<Tensor<D>>> {
        let Some(data) = self.inputs.get(name) else {
            return Ok(None);
        };
        let shape = data.shape().to_vec();
        if shape.len() != D || shape[1..] != row || shape[0] == 0 {
            return refuse(format!(
                "`{name}` is {shape:?}, and must be {}",
                self.form(name)
            ));
        }
        let data = finite(name, data)?;
        Ok(Some(Tensor::from_data(
            data.convert_dtype(self.dtype),
            (self.device, self.dtype),
        )))
    }
}

/// The values in float32, every one of them finite.
pub(super) fn finite(name: &str, data: &TensorData) -> Result<TensorData> {
    if !data.dtype().is_float() {
        return refuse(format!(
            "`{name}` holds {:?}, and must hold float32",
            data.dtype()
        ));
    }
    let data = data.clone().convert::<f32>();
    let values = data
        .as_slice::<f32>()
        .map_err(|e| Error::Input(format!("`{name}`: {e}")))?;
    if values.iter().any(|value| !value.is_finite()) {
        return refuse(format!("`{name}` holds a value that is not finite"));
    }
    Ok(data)
}
