//! Made-up inputs, the same every time.

use std::path::PathBuf;

use burn::tensor::TensorData;
use fluxo_models::stack::{InputConfig, StackConfig};
use fluxo_models::{NetworkConfig, Tensors, inputs};

use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use fluxo_onnx::file::{Dim, Port, Signature};

/// How many rows and tokens inputs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Rows.
    pub batch: usize,
    /// Images, where texts are compared with them.
    pub images: usize,
    /// Tokens a text has that is read.
    pub sequence: usize,
    /// Tokens a text has that an encoder-decoder writes.
    pub written: usize,
}

/// What the network needs, and masks and token types where it takes them: `batch` rows, texts
/// of `seq` tokens (those that an encoder-decoder writes of about half as many). Tokens spread
/// over the vocabulary; the last of several rows ends in padding, a third of it. Images and
/// sounds are waves between -1 and 1; images that texts are compared with are one more.
pub fn inputs(config: &NetworkConfig, batch: usize, seq: usize) -> Tensors {
    let sizes = Sizes {
        batch,
        images: batch + 1,
        sequence: seq,
        written: seq.div_ceil(2),
    };
    sized(config, sizes)
}

/// [`inputs()`] of 2 rows and up to 16 tokens, or what the ONNX files `files` have fixed.
///
/// # Errors
/// When a file cannot be read.
pub fn fitting(config: &NetworkConfig, files: &[PathBuf]) -> Result<Tensors> {
    let signatures = read(files)?;
    let config = resized(config, &signatures);
    let longest = longest(&config).min(16);
    let mut sizes = Sizes {
        batch: 2,
        images: 3,
        sequence: longest,
        written: longest.div_ceil(2),
    };
    for signature in &signatures {
        let written = signature.input("encoder_hidden_states").is_some();
        for port in &signature.inputs {
            let fixed = |axis| fixed(port, axis);
            match port.name.as_str() {
                "input_ids" if !written => sizes.sequence = fixed(1).unwrap_or(sizes.sequence),
                "input_ids" | "decoder_input_ids" => {
                    sizes.written = fixed(1).unwrap_or(sizes.written);
                }
                "pixel_values" => {
                    sizes.images = fixed(0).unwrap_or(sizes.images);
                }
                _ => {}
            }
            let compared = config.logit_scale.is_some() && port.name == "pixel_values";
            sizes.batch = fixed(0).filter(|_| !compared).unwrap_or(sizes.batch);
        }
    }
    Ok(sized(&config, sizes))
}

/// `config` with images of the size that the ONNX files `files` have fixed, where they have: a file may
/// have been exported for another one than the checkpoint's.
///
/// # Errors
/// When a file cannot be read.
pub fn imaged(config: &NetworkConfig, files: &[PathBuf]) -> Result<NetworkConfig> {
    Ok(resized(config, &read(files)?))
}

/// What the files declare.
fn read(files: &[PathBuf]) -> Result<Vec<Signature>> {
    let signatures = files.iter().map(|file| Ok(Signature::read(file)?));
    signatures.collect()
}

/// `config` with images of the size that files with these `signatures` have fixed.
fn resized(config: &NetworkConfig, signatures: &[Signature]) -> NetworkConfig {
    let mut config = config.clone();
    let vision = config.vision.as_mut().map(|stack| &mut stack.input);
    if let Some(InputConfig::Patches(patches)) = vision {
        for signature in signatures {
            let images = signature.input("pixel_values");
            let size = images.and_then(|images| Some([fixed(images, 2)?, fixed(images, 3)?]));
            patches.image = size.unwrap_or(patches.image);
        }
    }
    config
}

/// The size of an axis that the file has fixed.
fn fixed(port: &Port, axis: usize) -> Option<usize> {
    match port.dims.as_ref()?.get(axis)? {
        Dim::Fixed(size) => Some(*size),
        Dim::Named(_) => None,
    }
}

/// Takes away the masks and token types that `graph` has no place for: made-up ones need not be
/// there.
///
/// # Errors
/// When a file cannot be read.
pub fn drop_foreign(inputs: &mut Tensors, graph: &OnnxModelFiles) -> Result<()> {
    let mut taken = Vec::new();
    for file in graph.files() {
        let ports = Signature::read(file)?.inputs;
        taken.extend(ports.into_iter().map(|port| port.name));
    }
    let optional = ["attention_mask", "token_type_ids"];
    inputs.retain(|name, _| !optional.contains(&name.as_str()) || taken.contains(name));
    Ok(())
}

/// [`inputs()`] of any sizes.
pub fn sized(config: &NetworkConfig, sizes: Sizes) -> Tensors {
    let (batch, seq) = (sizes.batch, sizes.sequence);
    let (needed, optional) = inputs::names(config);
    // What a decoder reads is made where it need not be given, and positions are counted.
    let optional = optional
        .into_iter()
        .filter(|name| !name.starts_with("decoder_") && *name != "position_ids");
    let mut made = Tensors::new();
    for name in needed.into_iter().chain(optional) {
        let data = match name {
            "pixel_values" | "input_features" => {
                let compared = config.logit_scale.is_some();
                let rows = if compared { sizes.images } else { batch };
                waves(shape(config, name, rows))
            }
            "attention_mask" => {
                let padded = if batch > 1 { seq / 3 } else { 0 };
                matrix(batch, seq, |row, s| {
                    usize::from(row + 1 < batch || s < seq - padded)
                })
            }
            "token_type_ids" => matrix(batch, seq, |_, s| s * config.token_types() / seq),
            "decoder_input_ids" => tokens([&config.decoder], batch, sizes.written),
            _ => tokens([&config.encoder, &config.decoder], batch, seq),
        };
        made.insert(name.to_string(), data);
    }
    made
}

/// Row `index` of the input `name`, as a batch of one.
///
/// # Errors
/// When it has no rows, or not so many, or no numbers.
pub fn row(name: &str, data: &TensorData, index: usize) -> Result<TensorData> {
    rows(name, data, &[index])
}

/// The rows `wanted` of the input `name`, in that order.
///
/// # Errors
/// When it has not so many, or no numbers.
pub fn rows(name: &str, data: &TensorData, wanted: &[usize]) -> Result<TensorData> {
    let mut shape = data.shape().to_vec();
    let refuse = |reason: String| Error::Input(format!("`{name}` {reason}"));
    let (batch, width) = match shape.as_slice() {
        [batch, rest @ ..] => (*batch, rest.iter().product::<usize>()),
        [] => return Err(refuse("has no rows".to_string())),
    };
    if let Some(row) = wanted.iter().find(|row| **row >= batch) {
        return Err(refuse(format!(
            "has {batch} rows, and none of number {row}"
        )));
    }
    let values = fluxo_verify::numbers(data).map_err(refuse)?;
    let kept = wanted
        .iter()
        .flat_map(|row| &values[row * width..(row + 1) * width]);
    shape[0] = wanted.len();
    let kept = TensorData::new(kept.copied().collect::<Vec<f64>>(), shape);
    kept.try_cast(data.dtype())
        .map_err(|e| refuse(e.to_string()))
}

/// The longest text that every stack reads; 1 where none reads text.
pub fn longest(config: &NetworkConfig) -> usize {
    let stacks = config
        .stacks()
        .filter(|(_, stack)| stack.tokens().is_some());
    let longest = stacks.map(|(_, stack)| stack.max_positions).min();
    longest.unwrap_or(1)
}

fn matrix(batch: usize, seq: usize, value: impl Fn(usize, usize) -> usize) -> TensorData {
    let values = (0..batch * seq).map(|i| value(i / seq, i % seq) as i64);
    TensorData::new(values.collect::<Vec<_>>(), [batch, seq])
}

/// Tokens of the first of `stacks` that reads any.
fn tokens<const N: usize>(
    stacks: [&Option<StackConfig>; N],
    batch: usize,
    seq: usize,
) -> TensorData {
    let tokens = stacks.into_iter().flatten().find_map(StackConfig::tokens);
    let vocab = tokens.map_or(1, |tokens| tokens.vocab_size);
    // A prime step reaches every token before one comes twice.
    matrix(batch, seq, |row, s| (row * seq + s + 1) * 7919 % vocab)
}

fn shape(config: &NetworkConfig, name: &str, batch: usize) -> Vec<usize> {
    let stack = match name {
        "pixel_values" => &config.vision,
        _ => &config.encoder,
    };
    match stack.as_ref().map(|stack| &stack.input) {
        Some(InputConfig::Patches(patches)) => {
            vec![batch, patches.channels, patches.image[0], patches.image[1]]
        }
        Some(InputConfig::Frames(frames)) => vec![batch, frames.mel_bins, frames.frames()],
        _ => vec![batch],
    }
}

fn waves(shape: Vec<usize>) -> TensorData {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
    TensorData::new(values, shape)
}
