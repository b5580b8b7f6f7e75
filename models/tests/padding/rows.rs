//! Rows of tokens, what a model gives for them, and how far two answers differ.

use std::path::PathBuf;

use burn::tensor::TensorData;
use fluxo_models::blocks::embedding::{Counting, EmbeddingConfig};
use fluxo_models::blocks::rotary_scaling::RotaryScaling;
use fluxo_models::head::Pooling;
use fluxo_models::stack::{InputConfig, StackConfig};
use fluxo_models::{Model, OutputOptions, Task, Tensors, inputs};

use super::Answers;

/// The fixtures of the families that read or write text, by name.
pub fn checkpoints() -> Vec<(String, Model)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    let device = fluxo_backends::device("flex").unwrap();
    let models = folders.into_iter().map(|folder| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        (name, Model::load(&folder, None, &device).unwrap().0)
    });
    let models: Vec<_> = models.filter(|(_, model)| text(model).is_some()).collect();
    assert!(
        models.len() > 45,
        "only {} fixtures were found",
        models.len()
    );
    models
}

/// The stack that reads tokens, the decoder where there are two.
pub fn text(model: &Model) -> Option<&StackConfig> {
    let config = model.config();
    let stacks = [&config.decoder, &config.encoder];
    stacks
        .into_iter()
        .flatten()
        .find(|stack| stack.tokens().is_some())
}

/// Lengths to try with `more` positions beside them: one token, a few, and those about the
/// edge of each sliding window.
pub fn lengths(model: &Model, more: usize) -> Vec<usize> {
    let stack = text(model).unwrap();
    let mut lengths = vec![1, 2, 5, 9];
    for window in stack
        .blocks
        .iter()
        .filter_map(|block| block.attention.window)
    {
        lengths.extend([window, window + 1, 2 * window + 1]);
    }
    let longest = stack.max_positions.min(same_frequencies(stack));
    lengths.retain(|seq| seq + more <= longest);
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// Up to which length rotary frequencies are the same for every sequence. Beyond it some
/// scalings take those of the batch's longest row, as transformers does, so that rows are not
/// independent there; and keys that are cached keep the frequencies of their time.
pub fn same_frequencies(stack: &StackConfig) -> usize {
    let rotary = stack
        .blocks
        .iter()
        .filter_map(|block| block.attention.rotary.as_ref());
    let longest = rotary.map(|rotary| match &rotary.scaling {
        RotaryScaling::Dynamic { original, .. } => *original,
        RotaryScaling::LongRope { original, .. } => *original,
        _ => usize::MAX,
    });
    longest.min().unwrap_or(usize::MAX)
}

/// `seq` tokens of the model's vocabulary.
pub fn words(model: &Model, seq: usize, seed: i64) -> Vec<i64> {
    let vocab = text(model).unwrap().tokens().unwrap().vocab_size as i64;
    // Above the special tokens, which stand first.
    let word = |i| 5 + (i * i * 7 + i * 13 + seed * 29) % (vocab - 6);
    (0..seq as i64).map(word).collect()
}

/// Where padding stands.
#[derive(Debug, Clone, Copy)]
pub enum Padding {
    Left,
    Right,
}

/// Where padding changes nothing. On the left it does where columns are numbered by a table, and
/// where an answer is read in the first column.
pub fn paddings(model: &Model) -> &'static [Padding] {
    let config = model.config();
    let stacks = [&config.encoder, &config.decoder].into_iter().flatten();
    let mut tokens = stacks.filter_map(StackConfig::tokens);
    let numbered = |tokens: &EmbeddingConfig| {
        tokens.position.is_some() && tokens.counting == Counting::Columns
    };
    let heads = [&config.head, &config.pooler].into_iter().flatten();
    let mut first = heads.filter(|head| head.read == Pooling::First);
    // A classifier's decoder reads the padding that its encoder does not see.
    let classifies = config.encodes_and_decodes() && model.task() == Task::TextClassification;
    if tokens.any(numbered) || first.next().is_some() || classifies {
        &[Padding::Right]
    } else {
        &[Padding::Left, Padding::Right]
    }
}

/// Rows of tokens, padded to one width.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Token numbers, and 1 for those that are kept.
    rows: Vec<Vec<(i64, i64)>>,
}

impl Rows {
    /// Rows of one length.
    pub fn bare(rows: &[Vec<i64>]) -> Self {
        let rows = rows
            .iter()
            .map(|row| row.iter().map(|id| (*id, 1)).collect());
        Self {
            rows: rows.collect(),
        }
    }

    /// Rows padded to the width of the longest and `more`.
    pub fn padded(model: &Model, rows: &[Vec<i64>], padding: Padding, more: usize) -> Self {
        let token = model.raw().count_opt("pad_token_id").unwrap().unwrap_or(0) as i64;
        let width = rows.iter().map(Vec::len).max().unwrap() + more;
        let rows = rows.iter().map(|row| {
            let pads = vec![(token, 0); width - row.len()];
            let kept: Vec<_> = row.iter().map(|id| (*id, 1)).collect();
            match padding {
                Padding::Left => [pads, kept].concat(),
                Padding::Right => [kept, pads].concat(),
            }
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// How many rows there are, and positions in each.
    pub fn dims(&self) -> [usize; 2] {
        [self.rows.len(), self.rows[0].len()]
    }

    /// Token numbers, `[rows, width]`.
    pub fn ids(&self) -> TensorData {
        let ids: Vec<i64> = self.rows.iter().flatten().map(|(id, _)| *id).collect();
        TensorData::new(ids, self.dims())
    }

    /// 1 where a token is kept, `[rows, width]`.
    pub fn mask(&self) -> TensorData {
        let keep: Vec<i64> = self.rows.iter().flatten().map(|(_, keep)| *keep).collect();
        TensorData::new(keep, self.dims())
    }

    /// Which positions of row `row` are kept.
    fn kept(&self, row: usize) -> Vec<bool> {
        self.rows[row].iter().map(|(_, keep)| *keep == 1).collect()
    }
}

/// Runs `model` on what it reads of `source` and `target`, and on the same image or sound for
/// all rows.
pub fn run(model: &Model, [source, target]: &[Rows; 2], masked: bool) -> Tensors {
    let (needed, _) = inputs::names(model.config());
    let mut inputs = Tensors::new();
    for (prefix, rows) in [("", source), ("decoder_", target)] {
        let name = format!("{prefix}input_ids");
        if needed.contains(&name.as_str()) {
            inputs.insert(name, rows.ids());
            if masked {
                inputs.insert(format!("{prefix}attention_mask"), rows.mask());
            }
        }
    }
    for (_, stack) in model.config().stacks() {
        let rows = target.dims()[0];
        match &stack.input {
            InputConfig::Tokens(_) => {}
            InputConfig::Patches(patches) => {
                let [height, width] = patches.image;
                let image = floats(&[1, patches.channels, height, width]);
                inputs.insert("pixel_values".into(), image);
            }
            InputConfig::Frames(frames) => {
                let sound = floats(&[rows, frames.mel_bins, frames.frames()]);
                inputs.insert("input_features".into(), sound);
            }
        }
    }
    let request = OutputOptions {
        hidden_states: true,
        taps: false,
    };
    model.run(&inputs, &request).unwrap()
}

/// Values that are alike in every row.
pub fn floats(shape: &[usize]) -> TensorData {
    let row = shape[1..].iter().product::<usize>();
    let values = (0..shape[0] * row).map(|i| ((i % row * 37) % 101) as f32 / 50.0 - 1.0);
    TensorData::new(values.collect(), shape.to_vec())
}

/// What the outputs say of row `row`: of positions those that are kept. Keys and values are
/// left out, which padding moves.
pub fn answers(model: &Model, outputs: &Tensors, rows: &[Rows; 2], row: usize) -> Answers {
    let (needed, _) = inputs::names(model.config());
    let written = &rows[usize::from(needed.contains(&"decoder_input_ids"))];
    let outputs = outputs.iter().filter(|(name, _)| {
        !name.starts_with("present.")
            && !["logits_per_image", "image_embeds"].contains(&name.as_str())
    });
    let answer = |(name, data): (&String, &TensorData)| {
        let shape = data.shape().to_vec();
        let values = data.as_slice::<f32>().unwrap();
        let size = values.len() / shape[0];
        let values = &values[row * size..(row + 1) * size];
        let reads_tokens = needed.contains(&"input_ids");
        let kept = match name.starts_with("encoder_") {
            true if !reads_tokens => vec![true; shape[1]],
            true => rows[0].kept(row),
            false => written.kept(row),
        };
        let by_position = shape.len() == 3 || name.ends_with("_logits");
        let values = if by_position {
            assert_eq!(kept.len(), shape[1], "{name}");
            let positions = values.chunks(size / shape[1]).zip(kept);
            let kept = positions.filter(|(_, keep)| *keep);
            kept.flat_map(|(position, _)| position.to_vec()).collect()
        } else {
            values.to_vec()
        };
        (name.clone(), values)
    };
    outputs.map(answer).collect()
}

/// The largest difference, divided by the largest magnitude where that is over 1; infinite
/// where a value is not a number.
pub fn difference(found: &[f32], wanted: &[f32]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let magnitude = wanted.iter().fold(1f64, |m, v| m.max(f64::from(v.abs())));
    let difference = found.iter().zip(wanted).map(|(a, b)| {
        if (a - b).is_nan() {
            f64::INFINITY
        } else {
            f64::from((a - b).abs())
        }
    });
    difference.fold(0f64, f64::max) / magnitude
}
