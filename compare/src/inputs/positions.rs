//! Position numbers as values: what a file that takes them is given, and by which convention.

use burn::tensor::TensorData;
use fluxo_models::Tensors;
use fluxo_models::blocks::embedding::Counting;

use crate::error::{Error, Result};
use fluxo_verify::inputs::integers;

/// The input with the positions.
pub const NAME: &str = "position_ids";

/// The positions of the `input_ids` `[batch, seq]` of `inputs`, counted by `counting`:
/// `[batch, seq]`. A token that is hidden is at 0, as in transformers' `generate`.
///
/// # Errors
/// When there are no such tokens, or their mask is not of `[batch, past + seq]`.
pub fn counted(counting: Counting, inputs: &Tensors, past: usize) -> Result<TensorData> {
    let refuse = |reason: String| Error::Input(reason);
    let ids = inputs.get("input_ids");
    let ids = ids.ok_or_else(|| refuse("there are no `input_ids` to count".into()))?;
    let [batch, seq] = *ids.shape().as_slice() else {
        return Err(refuse("`input_ids` must be [batch, sequence]".into()));
    };
    let total = past + seq;
    let rows: Vec<i64> = match (counting, inputs.get("attention_mask")) {
        (Counting::But(padding), _) => {
            let (padding, ids) = (padding as i64, integers("input_ids", ids)?);
            let rows = ids.chunks(seq.max(1));
            let row = |row: &[i64]| {
                let counts = running(row.iter().map(|id| *id != padding));
                let shown = counts.into_iter().zip(row.to_vec());
                shown.map(move |(count, id)| padding + if id == padding { 0 } else { count })
            };
            rows.flat_map(|ids| row(ids).collect::<Vec<_>>()).collect()
        }
        (Counting::Kept | Counting::KeptAlways, Some(mask)) => {
            if mask.shape().as_slice() != [batch, total] {
                return Err(refuse(format!(
                    "`attention_mask` is {:?}, and must be {:?}, the past and all tokens",
                    mask.shape().to_vec(),
                    [batch, total]
                )));
            }
            let mask = integers("attention_mask", mask)?;
            let row = |row: &[i64]| {
                let counts = running(row.iter().map(|keep| *keep != 0));
                let shown = counts.into_iter().zip(row.to_vec()).skip(past);
                let at = shown.map(|(count, keep)| if keep == 0 { 0 } else { count - 1 });
                at.collect::<Vec<_>>()
            };
            mask.chunks(total.max(1)).flat_map(row).collect()
        }
        _ => (0..batch).flat_map(|_| past as i64..total as i64).collect(),
    };
    Ok(TensorData::new(rows, [batch, seq]))
}

/// How many of the first were true, up to each.
fn running(counts: impl Iterator<Item = bool>) -> Vec<i64> {
    counts
        .scan(0, |count, one| {
            *count += i64::from(one);
            Some(*count)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Expected values from transformers' `_prepare_position_ids_for_generation` and
    /// `create_position_ids_from_input_ids`.
    #[test]
    fn each_convention_counts_as_transformers_does() {
        let ids = TensorData::new(vec![1_i64, 1, 7, 8, 7, 1, 9, 9], [2, 4]);
        let mask = TensorData::new(vec![0_i64, 0, 1, 1, 1, 0, 1, 1], [2, 4]);
        let mut inputs = Tensors::from([
            ("input_ids".to_string(), ids),
            ("attention_mask".to_string(), mask),
        ]);
        let numbers = |counting, inputs: &Tensors, past| {
            let data = counted(counting, inputs, past).unwrap();
            integers(NAME, &data).unwrap()
        };
        assert_eq!(
            numbers(Counting::Kept, &inputs, 0),
            [0, 0, 0, 1, 0, 0, 1, 2]
        );
        assert_eq!(
            numbers(Counting::Columns, &inputs, 0),
            [0, 1, 2, 3, 0, 1, 2, 3]
        );
        assert_eq!(
            numbers(Counting::But(1), &inputs, 0),
            [1, 1, 2, 3, 2, 1, 3, 4]
        );
        // One more token, behind a past of four.
        inputs.insert("input_ids".into(), TensorData::new(vec![5_i64, 6], [2, 1]));
        assert!(counted(Counting::Kept, &inputs, 4).is_err());
        let mask = TensorData::new(vec![0_i64, 0, 1, 1, 1, 1, 0, 1, 1, 1], [2, 5]);
        inputs.insert("attention_mask".into(), mask);
        assert_eq!(numbers(Counting::Kept, &inputs, 4), [2, 3]);
        assert_eq!(numbers(Counting::Columns, &inputs, 4), [4, 4]);
    }
}
