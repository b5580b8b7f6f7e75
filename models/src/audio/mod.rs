//! Sound as whisper hears it: the logarithm of its power, by mel band and time.
//!
//! The numbers are those of transformers' `WhisperFeatureExtractor`. It computes in float32
//! where it has torch and in float64 where it has not; this computes in float64.

mod mel;
mod wav;

use std::path::Path;

use burn::tensor::TensorData;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::preprocessor;
use mel::Spectrogram;

/// The class of the settings that are read.
const CLASS: &str = "WhisperFeatureExtractor";

/// How a checkpoint reads sound.
#[derive(Debug, Clone)]
pub struct AudioProcessor {
    spectrogram: Spectrogram,
    /// Samples in a second.
    rate: u32,
    /// Samples in a window.
    window: usize,
}

impl AudioProcessor {
    /// The processor of the checkpoint in `dir`, as the `feature_extractor` of its
    /// `processor_config.json` or its `preprocessor_config.json` sets it.
    ///
    /// # Errors
    /// When the file is broken, or asks for what whisper's features do not have.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let Some((path, map)) = preprocessor::settings(dir, &preprocessor::SOUNDS)? else {
            return Ok(None);
        };
        if map
            .get("feature_extractor_type")
            .is_none_or(|class| class != CLASS)
        {
            return Ok(None);
        }
        Self::of(&map)
            .map(Some)
            .map_err(|reason| Error::malformed(&path, reason))
    }

    /// Whisper's processor, with `mel_bins` bands and windows of `frames` frames, a hundred of
    /// which are a second.
    ///
    /// # Errors
    /// When either is 0 or absurd.
    pub fn new(mel_bins: usize, frames: usize) -> Result<Self> {
        const HOP: usize = 160;
        Self::with(16_000, mel_bins, 400, HOP, frames.saturating_mul(HOP)).map_err(Error::Config)
    }

    fn of(map: &Map<String, Value>) -> std::result::Result<Self, String> {
        let get = |key: &str| map.get(key).filter(|value| !value.is_null());
        let number = |key: &str, default: usize, most: usize| match get(key) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| format!("`{key}` is {value}, and must be from 1 to {most}")),
        };
        for key in ["dither", "padding_value"] {
            if get(key).is_some_and(|value| value.as_f64() != Some(0.0)) {
                return Err(format!("`{key}` is not 0, which is not supported"));
            }
        }
        let rate = number("sampling_rate", 16_000, 192_000)?;
        let seconds = number("chunk_length", 30, 600)?;
        Self::with(
            rate as u32,
            number("feature_size", 80, mel::MOST_BANDS)?,
            number("n_fft", 400, 8192)?,
            number("hop_length", 160, 8192)?,
            seconds * rate,
        )
    }

    fn with(
        rate: u32,
        bands: usize,
        n_fft: usize,
        hop: usize,
        window: usize,
    ) -> std::result::Result<Self, String> {
        /// Ten minutes at 192 kHz.
        const MOST_SAMPLES: usize = 600 * 192_000;
        if !(1..=mel::MOST_BANDS).contains(&bands) {
            return Err(format!(
                "{bands} mel bands are asked for, and must be from 1 to {}",
                mel::MOST_BANDS
            ));
        }
        if window <= n_fft || window > MOST_SAMPLES || window / hop == 0 {
            return Err(format!(
                "a window of {window} samples is too short or too long for spectra of {n_fft}, \
                 {hop} apart"
            ));
        }
        Ok(Self {
            spectrogram: Spectrogram::new(rate, bands, n_fft, hop),
            rate,
            window,
        })
    }

    /// The `input_features` `[1, mel_bins, frames]` of the WAV file at `path`, with silence up
    /// to a whole window. Several channels are averaged.
    ///
    /// # Errors
    /// When the file is no WAV file of the processor's sampling rate, is cut short, or is
    /// longer than one window: [`AudioProcessor::windows`] reads it.
    pub fn read(&self, path: &Path) -> Result<TensorData> {
        let mut sound = wav::Sound::open(path, self.rate)?;
        let samples = sound.next(self.window)?;
        if !sound.next(1)?.is_empty() {
            let seconds = self.window as f64 / f64::from(self.rate);
            return Err(Error::malformed(
                path,
                format!(
                    "the sound is longer than the {seconds} s that the model hears at once; read \
                     it in windows, or cut it: ffmpeg -i {} -t {seconds} out.wav",
                    path.display()
                ),
            ));
        }
        Ok(self.features(&samples))
    }

    /// The `input_features` `[1, mel_bins, frames]` of each window of the WAV file at `path`,
    /// one after the other, the last with silence to its end. Each is scaled to its own peak.
    ///
    /// # Errors
    /// As [`AudioProcessor::read`], but for the length.
    pub fn windows(&self, path: &Path) -> Result<Vec<TensorData>> {
        let mut sound = wav::Sound::open(path, self.rate)?;
        let mut windows = Vec::new();
        loop {
            let samples = sound.next(self.window)?;
            // A file without samples is a window of silence, as in `read`.
            if samples.is_empty() && !windows.is_empty() {
                return Ok(windows);
            }
            let last = samples.len() < self.window;
            windows.push(self.features(&samples));
            if last {
                return Ok(windows);
            }
        }
    }

    fn features(&self, samples: &[f32]) -> TensorData {
        let mut padded = vec![0.0; self.window];
        for (to, from) in padded.iter_mut().zip(samples) {
            *to = f64::from(*from);
        }
        let features = self.spectrogram.features(&padded);
        let bands = self.spectrogram.bands();
        let frames = features.len() / bands;
        TensorData::new(features, [1, bands, frames])
    }
}

#[cfg(test)]
mod tests;
