//! Which positions of an output count: those that the attention masks keep.

use burn::tensor::TensorData;
use fluxo_models::Tensors;

use super::past::past;
use crate::error::{Error, Result};

/// The positions that count, of a batch of texts.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    /// Of the text that is read: `attention_mask`. `None` where everything counts.
    read: Option<Kept>,
    /// Of the text that an encoder-decoder writes: `decoder_attention_mask`. What is read of a source
    /// that is hidden whole has no meaning (transformers' eager attention takes the mean of what it
    /// must not see, its fused one 0), so such rows do not count.
    written: Option<Kept>,
    /// Whether what has no other name belongs to the text that is written.
    writes: bool,
}

/// A mask. It covers a past and the queries after it: `total = past + seq`.
#[derive(Debug, Clone)]
struct Kept {
    values: Vec<bool>, // [batch, total]
    batch: usize,
    total: usize,
    /// How many of the last positions are queries; `None` where the inputs do not say.
    seq: Option<usize>,
}

/// Where an output's axes stand in relation to the mask's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axes {
    /// Nothing to do with the mask: every element counts.
    All,
    /// `[batch, seq, …]`: element `(b, s)` is query `s`.
    Queries,
    /// `[batch, heads, total, head_dim]`: keys and values, past included.
    Cache,
    /// `[batch, …]`, made of the first query: counts where that is kept.
    First,
    /// `[batch, …]`, made of the whole row: counts where anything of it is kept.
    Rows,
}

impl Mask {
    /// The masks of `inputs`: `attention_mask` of `[batch, total]` for `input_ids` of
    /// `[batch, seq]`, and with `decoder_` before both names; what has no mask counts.
    ///
    /// # Errors
    /// When a mask is not of `[batch, total]` with `total` at least `seq`.
    pub fn of(inputs: &Tensors) -> Result<Self> {
        let read = Kept::of(inputs, "")?;
        let mut written = Kept::of(inputs, "decoder_")?;
        let sourceless = read.iter().flat_map(Kept::hidden_rows).collect::<Vec<_>>();
        if !sourceless.is_empty() && written.is_none() {
            written = Kept::all(inputs, "decoder_")?;
        }
        if let Some(written) = &mut written {
            written.hide(&sourceless);
        }
        Ok(Self {
            read,
            written,
            writes: inputs.keys().any(|name| name.starts_with("decoder_")),
        })
    }
}

impl fluxo_verify::Mask for Mask {
    fn of_output(&self, name: &str, shape: &[usize]) -> Option<Vec<bool>> {
        let whose = match name {
            _ if name.starts_with("image_") || name.starts_with("logits_per_") => return None,
            _ if name.starts_with("vision.") => return None,
            _ if name.starts_with("encoder") || name.contains(".encoder.") => &self.read,
            _ if name.starts_with("decoder") || name.contains(".decoder.") => &self.written,
            // An answer for a row is made of all that was read.
            _ if self.writes && shape.len() > 2 => &self.written,
            _ => &self.read,
        };
        let kept = whose.as_ref()?;
        let axes = kept.axes(name, shape);
        let seq = shape.get(1).copied().unwrap_or(1);
        // How many elements share one entry of the mask, and how many entries a row has.
        let inner = |from: usize| shape[from..].iter().product::<usize>();
        let elements = shape.iter().product();
        let counts: Box<dyn Fn(usize) -> bool> = match axes {
            Axes::All => return None,
            Axes::Queries => {
                let inner = inner(2);
                Box::new(move |i| {
                    let position = i / inner; // b * seq + s
                    kept.keeps(position / seq, kept.total - seq + position % seq)
                })
            }
            Axes::Cache => {
                let (row, inner) = (inner(1), inner(3));
                Box::new(move |i| kept.keeps(i / row, i / inner % kept.total))
            }
            Axes::First => {
                let row = inner(1);
                let first = kept.total - kept.seq.unwrap_or(kept.total);
                Box::new(move |i| kept.keeps(i / row, first))
            }
            Axes::Rows => {
                let row = inner(1);
                Box::new(move |i| (0..kept.total).any(|position| kept.keeps(i / row, position)))
            }
        };
        Some((0..elements).map(counts).collect())
    }
}

impl Kept {
    /// The mask of the inputs whose names have `prefix` before them, where there is one.
    fn of(inputs: &Tensors, prefix: &str) -> Result<Option<Self>> {
        let (mask, ids) = (
            format!("{prefix}attention_mask"),
            format!("{prefix}input_ids"),
        );
        let Some(given) = inputs.get(&mask) else {
            return Ok(None);
        };
        let [batch, total] = two_axes(&mask, given)?;
        let seq = match inputs.get(&ids) {
            Some(data) => Some(two_axes(&ids, data)?[1]),
            None => None,
        };
        if let Some(seq) = seq.filter(|seq| *seq > total) {
            return Err(Error::Input(format!(
                "`{mask}` covers {total} positions, `{ids}` has {seq}; it must cover the past and all of them"
            )));
        }
        let values = fluxo_verify::numbers(given)
            .map_err(|reason| Error::Input(format!("`{mask}`: {reason}")))?
            .into_iter()
            .map(|value| value != 0.0)
            .collect();
        Ok(Some(Self {
            values,
            batch,
            total,
            seq,
        }))
    }

    /// Everything of the tokens whose name has `prefix` before it, and of their past.
    fn all(inputs: &Tensors, prefix: &str) -> Result<Option<Self>> {
        let ids = format!("{prefix}input_ids");
        let Some(given) = inputs.get(&ids) else {
            return Ok(None);
        };
        let [batch, seq] = two_axes(&ids, given)?;
        let total = past(inputs) + seq;
        Ok(Some(Self {
            values: vec![true; batch * total],
            batch,
            total,
            seq: Some(seq),
        }))
    }

    /// The rows of which nothing is kept.
    fn hidden_rows(&self) -> impl Iterator<Item = usize> + '_ {
        let rows = self.values.chunks(self.total.max(1)).enumerate();
        rows.filter_map(|(row, values)| (!values.contains(&true)).then_some(row))
    }

    /// Keeps nothing of `rows`.
    fn hide(&mut self, rows: &[usize]) {
        for row in rows {
            let values = self.values.chunks_mut(self.total.max(1)).nth(*row);
            values.into_iter().for_each(|values| values.fill(false));
        }
    }

    fn keeps(&self, row: usize, position: usize) -> bool {
        self.values[row * self.total + position]
    }

    fn axes(&self, name: &str, shape: &[usize]) -> Axes {
        let queries = |seq: usize| seq <= self.total && self.seq.is_none_or(|s| s == seq);
        match shape {
            [batch, ..] if *batch != self.batch || shape.contains(&0) => Axes::All,
            [_, _, total, _] if name.starts_with("present.") && *total == self.total => Axes::Cache,
            _ if name.starts_with("present.") => Axes::All,
            [_, _] if name == "pooler_output" => Axes::First,
            [_, _] if name == "logits" || name.ends_with("_embeds") => Axes::Rows,
            [_, seq, ..] if queries(*seq) => Axes::Queries,
            [_, _] => Axes::Rows,
            _ => Axes::All,
        }
    }
}

/// The sizes of a tensor of rank two.
fn two_axes(name: &str, data: &TensorData) -> Result<[usize; 2]> {
    match data.shape().as_slice() {
        [rows, columns] => Ok([*rows, *columns]),
        other => Err(Error::Input(format!(
            "`{name}` must have two axes, [batch, sequence], not {other:?}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_verify::Mask as _;

    use super::*;

    fn inputs(mask: &[i64], shape: [usize; 2], seq: usize) -> Tensors {
        Tensors::from([
            (
                "attention_mask".to_string(),
                TensorData::new(mask.to_vec(), shape),
            ),
            (
                "input_ids".to_string(),
                TensorData::zeros::<i64, _>([shape[0], seq]),
            ),
        ])
    }

    #[test]
    fn without_a_mask_everything_counts() {
        let mask = Mask::of(&Tensors::new()).unwrap();
        assert_eq!(mask.of_output("logits", &[2, 3, 4]), None);
    }

    #[test]
    fn sequence_outputs_follow_the_mask() {
        let mask = Mask::of(&inputs(&[1, 1, 1, 1, 0, 0], [2, 3], 3)).unwrap();
        let kept = mask.of_output("logits", &[2, 3, 2]).unwrap();
        assert_eq!(
            kept,
            [
                true, true, true, true, true, true, true, true, false, false, false, false
            ]
        );
    }

    #[test]
    fn with_a_past_the_queries_are_the_last_positions() {
        // Row 0 keeps all of past 2 + seq 1; row 1 masks the first of the past.
        let mask = Mask::of(&inputs(&[1, 1, 1, 0, 1, 1], [2, 3], 1)).unwrap();
        assert_eq!(mask.of_output("logits", &[2, 1, 2]).unwrap(), [true; 4]);
        // [batch 2, heads 1, total 3, head_dim 1]
        assert_eq!(
            mask.of_output("present.0.key", &[2, 1, 3, 1]).unwrap(),
            [true, true, true, false, true, true]
        );
    }

    #[test]
    fn pooled_outputs_follow_the_first_position_and_answers_the_row() {
        let mask = Mask::of(&inputs(&[1, 0, 0, 1], [2, 2], 2)).unwrap();
        // d_model, or the number of labels, happens to equal seq: the name decides.
        assert_eq!(
            mask.of_output("pooler_output", &[2, 2]).unwrap(),
            [true, true, false, false]
        );
        assert_eq!(mask.of_output("logits", &[2, 2]).unwrap(), [true; 4]);
        assert_eq!(
            mask.of_output("start_logits", &[2, 2]).unwrap(),
            [true, false, false, true]
        );
        let mask = Mask::of(&inputs(&[1, 0, 0, 0], [2, 2], 2)).unwrap();
        assert_eq!(mask.of_output("other", &[2, 1]).unwrap(), [true, false]);
        // Images have no padding.
        assert_eq!(mask.of_output("image_embeds", &[2, 1]), None);
    }

    #[test]
    fn what_an_encoder_decoder_writes_has_a_mask_of_its_own() {
        let mut given = inputs(&[1, 0], [1, 2], 2);
        let written = TensorData::zeros::<i64, _>([1, 2]);
        given.insert("decoder_input_ids".into(), written);
        let mask = Mask::of(&given).unwrap();
        let read = Some(vec![true, false]);
        assert_eq!(
            mask.of_output("encoder_last_hidden_state", &[1, 2, 1]),
            read
        );
        assert_eq!(mask.of_output("present.0.encoder.key", &[1, 1, 2, 1]), read);
        assert_eq!(mask.of_output("logits", &[1, 2, 1]), None);
        let written = TensorData::new(vec![0_i64, 1], [1, 2]);
        given.insert("decoder_attention_mask".into(), written);
        let mask = Mask::of(&given).unwrap();
        let written = Some(vec![false, true]);
        for name in ["logits", "decoder_hidden_states.0", "decoder.layers.0.h"] {
            assert_eq!(mask.of_output(name, &[1, 2, 1]), written, "{name}");
        }
        assert_eq!(
            mask.of_output("present.0.decoder.key", &[1, 1, 2, 1]),
            written
        );
        assert_eq!(mask.of_output("encoder.layers.0.h", &[1, 2, 1]), read);
    }

    #[test]
    fn what_is_written_of_nothing_does_not_count() {
        let mut given = inputs(&[1, 1, 0, 0], [2, 2], 2);
        let written = TensorData::zeros::<i64, _>([2, 3]);
        given.insert("decoder_input_ids".into(), written);
        let mask = Mask::of(&given).unwrap();
        let rows = vec![true, true, true, false, false, false];
        assert_eq!(mask.of_output("logits", &[2, 3, 1]), Some(rows));
    }

    #[test]
    fn unrelated_shapes_count_whole() {
        let mask = Mask::of(&inputs(&[1, 0], [1, 2], 2)).unwrap();
        assert_eq!(mask.of_output("scores", &[7, 3]), None);
        assert_eq!(mask.of_output("empty", &[1, 0]), None);
    }

    #[test]
    fn a_mask_that_is_too_short_is_an_error() {
        let error = Mask::of(&inputs(&[1, 1], [1, 2], 3))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("covers 2 positions, `input_ids` has 3"),
            "{error}"
        );
    }
}
