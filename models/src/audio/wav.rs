//! WAV files as samples of one channel.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec};

use crate::error::{Error, Result};

/// Channels that are averaged at most.
const MOST_CHANNELS: u16 = 64;
/// The longest sound, in hours.
const LONGEST: u64 = 24;

/// A sound that is read as it is needed.
pub(super) struct Sound {
    reader: WavReader<BufReader<File>>,
    spec: WavSpec,
    path: PathBuf,
}

impl Sound {
    /// Opens the WAV file at `path`, of `rate` samples a second.
    ///
    /// # Errors
    /// When it is not one, or of another rate.
    pub fn open(path: &Path, rate: u32) -> Result<Self> {
        let (file, _) = crate::files::open(path)?;
        let reader = WavReader::new(BufReader::new(file)).map_err(|e| unreadable(path, &e))?;
        let spec = reader.spec();
        let refuse = |reason: String| Err(Error::malformed(path, reason));
        if !(1..=MOST_CHANNELS).contains(&spec.channels) {
            return refuse(format!(
                "the sound has {} channels, and from 1 to {MOST_CHANNELS} are read",
                spec.channels
            ));
        }
        if spec.sample_rate != rate {
            return refuse(format!(
                "the sound has {} samples a second and the model takes {rate}: \
                 ffmpeg -i {} -ar {rate} out.wav",
                spec.sample_rate,
                path.display()
            ));
        }
        if u64::from(reader.duration()) > LONGEST * 3600 * u64::from(rate) {
            return refuse(format!("the sound is longer than {LONGEST} hours; cut it"));
        }
        Ok(Self {
            reader,
            spec,
            path: path.to_path_buf(),
        })
    }

    /// The next `count` samples, from -1 to 1, or as many as there are.
    ///
    /// # Errors
    /// When the file ends early, or a sample is not a number.
    pub fn next(&mut self, count: usize) -> Result<Vec<f32>> {
        let channels = usize::from(self.spec.channels);
        let values = match self.spec.sample_format {
            SampleFormat::Float => self.values::<f32>(count * channels, |value| value)?,
            SampleFormat::Int => {
                let bits = i32::from(self.spec.bits_per_sample);
                let scale = 2f64.powi(1 - bits);
                self.values::<i32>(count * channels, |value| (f64::from(value) * scale) as f32)?
            }
        };
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::malformed(
                &self.path,
                format!("a sample is {value}, which is no sound"),
            ));
        }
        // float32, as numpy averages.
        let average = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
        Ok(values.chunks_exact(channels).map(average).collect())
    }

    fn values<S: hound::Sample>(
        &mut self,
        count: usize,
        value: impl Fn(S) -> f32,
    ) -> Result<Vec<f32>> {
        let samples = self.reader.samples::<S>().take(count);
        samples
            .map(|sample| sample.map(&value).map_err(|e| unreadable(&self.path, &e)))
            .collect()
    }
}

/// What `hound` says, and the mend.
fn unreadable(path: &Path, error: &hound::Error) -> Error {
    let reason = match error {
        hound::Error::IoError(_) => "the file is cut short".to_string(),
        error => error.to_string(),
    };
    Error::malformed(
        path,
        format!(
            "not a WAV file that can be read ({reason}); write one with \
             ffmpeg -i {} -ar 16000 -ac 1 out.wav",
            path.display()
        ),
    )
}
