//! Inputs of whole numbers: tokens, their types, and masks.

use burn::tensor::{DType, Int, Tensor, TensorData};

use super::{Reader, refuse};
use crate::error::{Error, Result};
use crate::stack::StackConfig;

impl Reader<'_> {
    /// `input_ids` and `attention_mask` of a stack, `prefix` before their names.
    #[allow(clippy::type_complexity)]
    pub(super) fn tokens(
        &self,
        prefix: &str,
        stack: &StackConfig,
        past: usize,
    ) -> Result<(Option<Tensor<2, Int>>, Option<Tensor<2, Int>>)> {
        let name = format!("{prefix}input_ids");
        let Some(ids) = self.inputs.get(&name) else {
            return Ok((None, None));
        };
        let [rows, seq] = matrix(&name, ids)?;
        if rows == 0 || seq == 0 {
            return refuse(format!(
                "`{name}` is [{rows}, {seq}]: there is no token in it"
            ));
        }
        if past + seq > stack.max_positions {
            return refuse(format!(
                "the sequence has {} positions, and the model has {}; shorten it",
                past + seq,
                stack.max_positions
            ));
        }
        let vocab = stack.tokens().map_or(0, |tokens| tokens.vocab_size);
        let mask = format!("{prefix}attention_mask");
        Ok((
            self.integers(&name, [rows, seq], vocab)?,
            self.integers(&mask, [rows, past + seq], 2)?,
        ))
    }

    /// Positions of `[rows, seq]` tokens, each below `limit`, where the input is there; one row of
    /// them stands for all.
    pub(super) fn positions(
        &self,
        name: &str,
        [rows, seq]: [usize; 2],
        limit: usize,
    ) -> Result<Option<Tensor<2, Int>>> {
        let Some(data) = self.inputs.get(name) else {
            return Ok(None);
        };
        let shared = matrix(name, data)? == [1, seq];
        let shape = if shared { [1, seq] } else { [rows, seq] };
        let positions = self.integers(name, shape, limit)?;
        Ok(positions.map(|positions| positions.expand([rows, seq])))
    }

    /// Refuses positions that do not go up by one from token to token, where no mask is there:
    /// transformers reads such a row as several texts that do not see each other
    /// (`find_packed_sequence_indices`).
    pub(super) fn one_text(&self, name: &str) -> Result<()> {
        let Some(data) = self.inputs.get(name) else {
            return Ok(());
        };
        let [_, seq] = matrix(name, data)?;
        let numbers = integers(name, data)?;
        let goes_on = |row: &[i64]| row.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if numbers.chunks(seq.max(1)).all(goes_on) {
            Ok(())
        } else {
            refuse(format!(
                "`{name}` do not go up by one in every row: without `attention_mask` that means \
                 several texts in a row, which are not supported; give `attention_mask` too, of \
                 ones where each row is one text"
            ))
        }
    }

    /// Whole numbers from 0 to below `limit`, where the input is there.
    pub(super) fn integers(
        &self,
        name: &str,
        shape: [usize; 2],
        limit: usize,
    ) -> Result<Option<Tensor<2, Int>>> {
        let Some(data) = self.inputs.get(name) else {
            return Ok(None);
        };
        if matrix(name, data)? != shape {
            return refuse(format!(
                "`{name}` is {:?}, and must be {shape:?}",
                data.shape().to_vec()
            ));
        }
        let numbers = integers(name, data)?;
        if let Some(at) = numbers.iter().position(|&n| n < 0 || n >= limit as i64) {
            let [_, seq] = shape;
            return refuse(format!(
                "`{name}` holds {} at position {} of row {}, and must be from 0 to {}",
                numbers[at],
                at % seq,
                at / seq,
                limit - 1
            ));
        }
        let data = TensorData::new(numbers, shape);
        Ok(Some(Tensor::from_data(data, self.device)))
    }
}

fn matrix(name: &str, data: &TensorData) -> Result<[usize; 2]> {
    <[usize; 2]>::try_from(data.shape().to_vec()).map_err(|shape| {
        Error::Input(format!(
            "`{name}` must be [batch, sequence], and is {shape:?}"
        ))
    })
}

fn integers(name: &str, data: &TensorData) -> Result<Vec<i64>> {
    match data.dtype() {
        DType::I64 | DType::I32 | DType::Bool(_) => data
            .clone()
            .convert::<i64>()
            .try_into_vec::<i64>()
            .map_err(|e| Error::Input(format!("`{name}`: {e}"))),
        other => refuse(format!("`{name}` holds {other:?}, and must hold int64")),
    }
}
