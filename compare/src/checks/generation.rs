//! How far two runners write the same text: decisions that build on each other.

use burn::tensor::TensorData;
use fluxo_models::Tensors;
pub use fluxo_verify::report::GenerationMatch;

use crate::error::{Error, Result};
use crate::inputs::{integers, split};
use crate::runner::Runner;

/// Lets each of `runners` write `count` tokens behind each row of `inputs`, the likeliest each
/// time and the whole text read again, and compares them with what the first wrote.
///
/// A row is continued on its own, without its padding. Of an encoder-decoder the text that it
/// writes (`decoder_input_ids`) is continued.
///
/// # Errors
/// When the inputs have no tokens, or the first runner fails on them.
pub fn continuations(
    runners: &mut [&mut dyn Runner],
    inputs: &Tensors,
    count: usize,
) -> Result<Vec<GenerationMatch>> {
    let rows = rows(&split(inputs).0)?;
    let mut found: Vec<GenerationMatch> = Vec::new();
    let mut first: Option<(String, Vec<Vec<i64>>)> = None;
    for runner in runners {
        let name = runner.name().to_string();
        // No runner goes on where the first had to stop.
        let most = |row: usize| match &first {
            Some((_, texts)) => texts.get(row).map_or(0, Vec::len),
            None => count,
        };
        let numbered = rows.iter().enumerate();
        let written: Result<Vec<_>> = numbered
            .map(|(i, row)| row.written(&mut **runner, most(i)))
            .collect();
        let (tokens, note) = match (written, &first) {
            (Ok(tokens), _) => (tokens, None),
            (Err(error), Some(_)) => (Vec::new(), Some(error.to_string())),
            (Err(error), None) => return Err(error),
        };
        let (against, reference) = first.get_or_insert_with(|| (name.clone(), tokens.clone()));
        let common =
            |(a, b): (&Vec<i64>, &Vec<i64>)| a.iter().zip(b).take_while(|(a, b)| a == b).count();
        found.push(GenerationMatch {
            common: tokens
                .iter()
                .zip(&*reference)
                .map(common)
                .min()
                .unwrap_or(0),
            of: reference.iter().map(Vec::len).min().unwrap_or(0),
            against: against.clone(),
            runner: name,
            tokens,
            note,
        });
    }
    Ok(found)
}

/// One row of the inputs.
struct Row {
    /// What stays the same.
    given: Tensors,
    /// The input that grows.
    grows: &'static str,
    /// Its tokens so far.
    text: Vec<i64>,
}

impl Row {
    fn written(&self, runner: &mut dyn Runner, count: usize) -> Result<Vec<i64>> {
        let (mut inputs, mut text) = (self.given.clone(), self.text.clone());
        for _ in 0..count {
            let shape = [1, text.len()];
            inputs.insert(self.grows.into(), TensorData::new(text.clone(), shape));
            let outputs = match runner.run(&inputs) {
                // It has read all the positions that it has.
                Err(error) if error.is_input() && text.len() > self.text.len() => break,
                outputs => outputs?,
            };
            text.push(likeliest(runner.name(), &outputs)?);
        }
        Ok(text.split_off(self.text.len()))
    }
}

/// The token with the largest logit at the last position.
fn likeliest(runner: &str, outputs: &Tensors) -> Result<i64> {
    let refuse = |reason: &str| Error::runner(runner, reason);
    let logits = outputs.get("logits");
    let logits = logits.filter(|logits| logits.shape().as_slice().len() == 3);
    let logits = logits
        .ok_or_else(|| refuse("it gives no `logits` of [1, seq, vocab], so it writes no text"))?;
    let vocab = logits.shape().as_slice()[2];
    let values = fluxo_verify::numbers(logits).map_err(|e| refuse(&e))?;
    let last = values.len().checked_sub(vocab).map(|from| &values[from..]);
    let last = last.filter(|last| !last.is_empty() && !last.iter().any(|v| v.is_nan()));
    let last = last.ok_or_else(|| refuse("the last position has no largest logit"))?;
    // The first of the largest.
    let best = (0..vocab)
        .rev()
        .max_by(|a, b| last[*a].total_cmp(&last[*b]));
    Ok(best.unwrap_or_default() as i64)
}

/// The rows of `inputs`, each with its padding left out.
fn rows(inputs: &Tensors) -> Result<Vec<Row>> {
    let writes = inputs.contains_key("decoder_input_ids");
    let (grows, mask) = if writes {
        ("decoder_input_ids", "decoder_attention_mask")
    } else {
        ("input_ids", "attention_mask")
    };
    let none = || Error::Input(format!("there is no `{grows}` of [batch, seq] to write on"));
    let ids = inputs.get(grows).ok_or_else(none)?;
    let [batch, seq] = *ids.shape().as_slice() else {
        return Err(none());
    };
    let tokens = integers(grows, ids)?;
    let kept = match inputs.get(mask) {
        Some(mask) if mask.shape() == ids.shape() => integers("attention_mask", mask)?,
        _ => vec![1; batch * seq],
    };
    let row = |index: usize| -> Result<Row> {
        let own = index * seq..(index + 1) * seq;
        let text = tokens[own.clone()].iter().zip(&kept[own]);
        let text: Vec<i64> = text
            .filter(|(_, kept)| **kept != 0)
            .map(|(id, _)| *id)
            .collect();
        // Token types and positions say nothing of tokens that are not written yet.
        let read = ["input_ids", "attention_mask", "input_features"];
        let mut given = Tensors::new();
        for name in read.into_iter().filter(|_| writes) {
            if let Some(data) = inputs.get(name) {
                given.insert(name.into(), crate::inputs::samples::row(name, data, index)?);
            }
        }
        if text.is_empty() {
            Err(Error::Input(format!(
                "row {index} has nothing but padding to write on"
            )))
        } else {
            Ok(Row { given, grows, text })
        }
    };
    (0..batch).map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::runner::{Kind, Label};

    /// Writes the last token and `step`, until `stop` tokens are there; from there 0.
    struct Counter(Label, i64, usize);

    fn counter(name: &str, step: i64, stop: usize) -> Counter {
        Counter(Label::new(name, Kind::Graph), step, stop)
    }

    impl Runner for Counter {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
            let ids = integers("input_ids", &inputs["input_ids"])?;
            let next = if ids.len() < self.2 {
                (ids.last().unwrap() + self.1) as usize % 10
            } else {
                0
            };
            let mut logits = vec![0.0_f32; ids.len() * 10];
            let last = logits.len() - 10;
            logits[last + next] = 1.0;
            let logits = TensorData::new(logits, [1, ids.len(), 10]);
            Ok(Tensors::from([("logits".to_string(), logits)]))
        }
    }

    #[test]
    fn the_common_beginning_is_counted_without_padding() {
        let ids = TensorData::new(vec![1_i64, 2, 3, 5, 9, 9], [2, 3]);
        let mask = TensorData::new(vec![1_i64, 1, 1, 1, 0, 0], [2, 3]);
        let inputs = Tensors::from([("input_ids".into(), ids), ("attention_mask".into(), mask)]);
        let (mut one, mut other) = (counter("one", 1, 99), counter("other", 1, 6));
        let found = continuations(&mut [&mut one, &mut other], &inputs, 5).unwrap();
        assert_eq!(found[0].tokens, [vec![4, 5, 6, 7, 8], vec![6, 7, 8, 9, 0]]);
        assert_eq!((found[0].common, found[0].of), (5, 5));
        // The longer row comes to six tokens after three more.
        assert_eq!((found[1].common, found[1].against.as_str()), (3, "one"));
    }

    #[test]
    fn a_text_ends_where_the_model_does() {
        struct Short(Counter);
        impl Runner for Short {
            fn label(&self) -> &Label {
                self.0.label()
            }
            fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
                match inputs["input_ids"].shape().num_elements() {
                    4.. => Err(Error::Input("4 positions, the model has 3".into())),
                    _ => self.0.run(inputs),
                }
            }
        }
        let ids = TensorData::new(vec![1_i64, 2], [1, 2]);
        let inputs = Tensors::from([("input_ids".to_string(), ids)]);
        let (mut one, mut other) = (Short(counter("one", 1, 99)), counter("other", 1, 99));
        let found = continuations(&mut [&mut one, &mut other], &inputs, 5).unwrap();
        assert_eq!(found[1].tokens, [vec![3, 4]]);
        assert_eq!((found[1].common, found[1].of), (2, 2));
    }

    #[test]
    fn without_tokens_nothing_is_written() {
        let mut one = counter("one", 1, 9);
        let error = continuations(&mut [&mut one], &Tensors::new(), 5).unwrap_err();
        assert!(error.to_string().contains("no `input_ids`"), "{error}");
    }
}
