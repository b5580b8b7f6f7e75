//! The spectrum by mel band and time, in decibels of whisper's own scale.

use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Mel bands that a model may ask for; whisper has 80 or 128.
pub(super) const MOST_BANDS: usize = 1024;
/// The highest frequency that a band hears, in hertz, whatever the sampling rate.
const HIGHEST: f64 = 8000.0;

/// What turns samples into features.
#[derive(Clone)]
pub(super) struct Spectrogram {
    fft: Arc<dyn RealToComplex<f64>>,
    n_fft: usize,
    hop: usize,
    /// A value for each sample of a spectrum.
    hann: Vec<f64>,
    bands: Vec<Band>,
}

impl fmt::Debug for Spectrogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spectrogram")
            .field("bands", &self.bands.len())
            .field("n_fft", &self.n_fft)
            .field("hop", &self.hop)
            .finish_non_exhaustive()
    }
}

impl Spectrogram {
    /// Spectra of `n_fft` samples, `hop` apart, of sound with `rate` samples a second, in
    /// `bands` mel bands.
    pub fn new(rate: u32, bands: usize, n_fft: usize, hop: usize) -> Self {
        let angle = |index: usize| 2.0 * PI * index as f64 / n_fft as f64;
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(n_fft),
            n_fft,
            hop,
            // Periodic: the first value would come again.
            hann: (0..n_fft).map(|i| 0.5 - 0.5 * angle(i).cos()).collect(),
            bands: filters(rate, bands, n_fft / 2 + 1),
        }
    }

    /// How many mel bands there are.
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The features `[bands, samples / hop]` of `samples`, of which there are more than
    /// `n_fft`.
    pub fn features(&self, samples: &[f64]) -> Vec<f32> {
        let frames = samples.len() / self.hop;
        let mut features = vec![0.0; self.bands.len() * frames];
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        for frame in 0..frames {
            // The middle of the spectrum stands at the frame's time.
            let start = (frame * self.hop) as i64 - (self.n_fft / 2) as i64;
            for ((index, value), weight) in (start..).zip(&mut input).zip(&self.hann) {
                *value = reflected(samples, index) * weight;
            }
            // Fails only where the lengths differ, and they are the transform's own.
            let _ = self
                .fft
                .process_with_scratch(&mut input, &mut spectrum, &mut scratch);
            for (band, filter) in self.bands.iter().enumerate() {
                let bins = spectrum[filter.start..].iter().zip(&filter.weights);
                let power: f64 = bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum();
                features[band * frames + frame] = power.max(1e-10).log10();
            }
        }
        let peak = features.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scaled = |value: f64| ((value.max(peak - 8.0) + 4.0) / 4.0) as f32;
        features.into_iter().map(scaled).collect()
    }
}

/// The sample at `index`, with the sound mirrored at both ends.
fn reflected(samples: &[f64], index: i64) -> f64 {
    let last = samples.len() as i64 - 1;
    let index = index.abs();
    let index = if index > last {
        2 * last - index
    } else {
        index
    };
    usize::try_from(index)
        .ok()
        .and_then(|index| samples.get(index))
        .copied()
        .unwrap_or(0.0)
}

/// How a mel band weighs the bins of a spectrum from `start` on.
#[derive(Debug, Clone)]
struct Band {
    start: usize,
    weights: Vec<f64>,
}

/// Triangles that are evenly spaced on Slaney's mel scale, each of area 1 in hertz.
fn filters(rate: u32, bands: usize, bins: usize) -> Vec<Band> {
    let highest = mel(HIGHEST);
    let edge = |index: usize| hertz(highest * index as f64 / (bands + 1) as f64);
    let bin = |index: usize| f64::from(rate / 2) * index as f64 / (bins - 1) as f64;
    let band = |band: usize| {
        let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
        let weight = |index: usize| {
            let (up, down) = (
                (bin(index) - low) / (middle - low),
                (high - bin(index)) / (high - middle),
            );
            up.min(down).max(0.0) * 2.0 / (high - low)
        };
        let start = (0..bins).find(|&index| bin(index) > low).unwrap_or(bins);
        let weights = (start..bins)
            .take_while(|&index| bin(index) < high)
            .map(weight)
            .collect();
        Band { start, weights }
    };
    (0..bands).map(band).collect()
}

/// Hertz from which the scale is logarithmic, and the mel there.
const LOGARITHMIC: (f64, f64) = (1000.0, 15.0);

/// Mel of a step of the scale's logarithmic part: 27 to 6.4 times the frequency.
fn step() -> f64 {
    6.4f64.ln() / 27.0
}

fn mel(hertz: f64) -> f64 {
    let (from, mel) = LOGARITHMIC;
    if hertz >= from {
        mel + (hertz / from).ln() / step()
    } else {
        3.0 * hertz / 200.0
    }
}

fn hertz(mel: f64) -> f64 {
    let (from, start) = LOGARITHMIC;
    if mel >= start {
        from * (step() * (mel - start)).exp()
    } else {
        200.0 * mel / 3.0
    }
}
