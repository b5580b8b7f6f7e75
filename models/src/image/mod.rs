//! Pictures as the vision models' training read them: decoded, resized, cropped, normalised.
//!
//! The numbers are those of transformers' processors on Pillow (`ViTImageProcessorPil` and its
//! kin, the "slow" ones of transformers 4): a PNG gives the same `pixel_values` to the last
//! bit. Of a JPEG, what is decoded differs by up to 5 of 255 and 0.4 in the mean, since
//! decoders round differently. The processors on torchvision resize differently themselves.

mod decode;
mod resize;
mod settings;

use std::path::Path;

use burn::tensor::TensorData;

use crate::error::{Error, Result};
use decode::Pixels;
use settings::{NewModelOptions, Size};

/// Pixels that an image may have, before and after resizing: what Pillow warns at.
const MOST_PIXELS: u64 = 89_478_485;

/// How a checkpoint reads images.
#[derive(Debug, Clone)]
pub struct ImageProcessor(NewModelOptions);

impl ImageProcessor {
    /// The processor of the checkpoint in `dir`, as the `image_processor` of its
    /// `processor_config.json` or its `preprocessor_config.json` sets it.
    ///
    /// # Errors
    /// When the file is broken, or asks for what is not one of the steps here.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        Ok(NewModelOptions::read(dir)?.map(Self))
    }

    /// ViT's processor: `size` by `size` pixels, bilinear, values from -1 to 1.
    pub fn from_defaults(size: usize) -> Self {
        Self(NewModelOptions::vit(size))
    }

    /// The height and width that every image ends in, where they do not depend on the image.
    pub fn size(&self) -> Option<[usize; 2]> {
        match (self.0.crop, self.0.size) {
            (Some((height, width)), _) | (None, Some(Size::Exact(height, width))) => {
                Some([height, width])
            }
            _ => None,
        }
    }

    /// The `pixel_values` `[1, 3, height, width]` of the PNG or JPEG file at `path`.
    ///
    /// Whatever the file holds becomes RGB in 8 bits, as the processor makes it of Pillow's
    /// `Image.open(path)`. What is transparent is laid over white where the processor converts
    /// to RGB itself (`do_convert_rgb`: CLIP, Bit), and shows its colour elsewhere. The
    /// orientation that a camera notes is not applied; transformers' `load_image`, and so its
    /// pipelines, would apply it.
    ///
    /// # Errors
    /// When the file is neither, is cut short or broken, or has too many pixels.
    pub fn read(&self, path: &Path) -> Result<TensorData> {
        self.read_all(&[path])
    }

    /// The `pixel_values` `[batch, 3, height, width]` of several files.
    ///
    /// # Errors
    /// As [`ImageProcessor::read`]; also when there are none, or they end in different sizes.
    pub fn read_all(&self, paths: &[impl AsRef<Path>]) -> Result<TensorData> {
        let mut values = Vec::new();
        let mut shape = None;
        for path in paths {
            let path = path.as_ref();
            let image = decode::read(path, self.0.white)?;
            let image = self
                .shape(image)
                .map_err(|reason| Error::malformed(path, reason))?;
            let size = (image.height, image.width);
            if *shape.get_or_insert(size) != size {
                return Err(Error::malformed(
                    path,
                    "this image and the ones before it become different sizes; give them one by one",
                ));
            }
            self.values(&image, &mut values);
        }
        let Some((height, width)) = shape else {
            return Err(Error::Input("there are no images".into()));
        };
        Ok(TensorData::new(values, [paths.len(), 3, height, width]))
    }

    /// `image` in the size that the model takes.
    fn shape(&self, image: Pixels) -> std::result::Result<Pixels, String> {
        let image = match self.0.size {
            Some(size) => {
                let (height, width) = target(size, &image)?;
                resize::resize(&image, height, width, self.0.filter)
            }
            None => image,
        };
        Ok(match self.0.crop {
            Some((height, width)) => crop(&image, height, width),
            None => image,
        })
    }

    /// Appends `image`, channel by channel.
    fn values(&self, image: &Pixels, values: &mut Vec<f32>) {
        let NewModelOptions {
            scale, normalize, ..
        } = self.0;
        for channel in 0..3 {
            values.extend(image.rgb.iter().skip(channel).step_by(3).map(|&byte| {
                // In float64 and float32 where numpy computes in them.
                let value = match scale {
                    Some(scale) => (f64::from(byte) * scale) as f32,
                    None => f32::from(byte),
                };
                match normalize {
                    Some((mean, std)) => (value - mean[channel]) / std[channel],
                    None => value,
                }
            }));
        }
    }
}

/// The height and width that `size` asks for.
fn target(size: Size, image: &Pixels) -> std::result::Result<(usize, usize), String> {
    let (height, width) = match size {
        Size::Exact(height, width) => (height, width),
        Size::ShortestEdge(edge) => {
            let (short, long) = (
                image.width.min(image.height) as f64,
                image.width.max(image.height) as f64,
            );
            // Python's int(edge * long / short).
            let longest = ((edge as f64 * long) / short) as usize;
            if image.width <= image.height {
                (longest, edge)
            } else {
                (edge, longest)
            }
        }
    };
    if height == 0 || width == 0 {
        return Err("it would be resized to nothing".into());
    }
    // Between the two passes the image has one old edge and one new one.
    let (high, wide) = (height.max(image.height), width.max(image.width));
    match (high as u64).checked_mul(wide as u64) {
        Some(pixels) if pixels <= MOST_PIXELS => Ok((height, width)),
        _ => Err(format!(
            "an image of {} x {} pixels cannot be resized to {width} x {height}: that takes more \
             than {MOST_PIXELS} pixels",
            image.width, image.height
        )),
    }
}

/// The middle of `image`, with black around it where it is too small.
fn crop(image: &Pixels, height: usize, width: usize) -> Pixels {
    /// Where the crop begins in the image, and where the image begins in the crop: cutting
    /// rounds down, padding up.
    fn offsets(from: usize, to: usize) -> (usize, usize) {
        match from.checked_sub(to) {
            Some(over) => (over / 2, 0),
            None => (0, (to - from).div_ceil(2)),
        }
    }
    let (top, above) = offsets(image.height, height);
    let (left, before) = offsets(image.width, width);
    let mut rgb = vec![0; height * width * 3];
    let copied = (width - before).min(image.width - left) * 3;
    for row in 0..(height - above).min(image.height - top) {
        let from = ((row + top) * image.width + left) * 3;
        let to = ((row + above) * width + before) * 3;
        rgb[to..to + copied].copy_from_slice(&image.rgb[from..from + copied]);
    }
    Pixels { width, height, rgb }
}

#[cfg(test)]
mod tests;
