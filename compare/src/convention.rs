//! Differences that are another convention, and no other computation.
//!
//! Where padding stands before tokens or between them, there are two ways to number them: by
//! column, and by the tokens that the mask keeps. transformers' encoders, and its decoders in a
//! plain call, do the one, its `generate` the other; a file without `position_ids` has chosen. What
//! is called a convention is proven: the checkpoint runs again with the other numbers, and who
//! agrees with that follows it.

use fluxo_models::blocks::embedding::Counting;
use fluxo_models::{Model, OutputOptions, Tensors};
use fluxo_verify::Other;

use crate::Case;
use crate::error::Result;
use crate::inputs::mask::Mask;
use crate::inputs::positions::{self, counted};
use crate::inputs::{integers, past, split};
use crate::referee;
use fluxo_verify::Mask as _;

/// What reports call the ways to number tokens.
const fn name(counting: Counting) -> &'static str {
    match counting {
        Counting::Columns => "by column",
        Counting::Kept | Counting::KeptAlways => "by the tokens that the mask keeps",
        Counting::But(_) => "by the tokens that are no padding",
    }
}

/// Each of `cases` under the other convention, where `model` has one and the case tells them apart;
/// with the referee's word on it where `ruled`.
///
/// # Errors
/// When the inputs do not fit the model.
pub fn others(
    model: &Model,
    request: OutputOptions,
    cases: &[Case],
    ruled: bool,
) -> Result<Vec<Option<Other>>> {
    let own = model.config().counting();
    let other = match (own, model.config().given_positions()) {
        (Some(Counting::Kept), Some(_)) => Counting::Columns,
        (Some(Counting::Columns), Some(_)) => Counting::Kept,
        _ => return Ok(vec![None; cases.len()]),
    };
    let mut found = Vec::with_capacity(cases.len());
    let mut told = Vec::new();
    for (label, inputs) in cases {
        let (mut inputs, _) = split(inputs);
        let changed = tells_apart(other, &inputs)?;
        if let Some(positions) = changed {
            inputs.insert(positions::NAME.into(), positions);
            told.push((label.clone(), inputs.clone()));
            found.push(Some(Other {
                follows: name(other),
                inputs,
                reference: None,
            }));
        } else {
            found.push(None);
        }
    }
    if ruled && !told.is_empty() {
        let references = referee::reference_outputs(model, request, &told)?.unwrap_or_default();
        let references = references.into_iter();
        for (other, reference) in found.iter_mut().flatten().zip(references) {
            other.reference = Some(reference);
        }
    }
    Ok(found)
}

/// The positions of `inputs` by `other`, where tokens that count have others than by the
/// convention that is not `other`.
fn tells_apart(other: Counting, inputs: &Tensors) -> Result<Option<burn::tensor::TensorData>> {
    let given = inputs.contains_key(positions::NAME);
    if given || !inputs.contains_key("input_ids") || !inputs.contains_key("attention_mask") {
        return Ok(None);
    }
    let past = past(inputs);
    let [columns, kept] =
        [Counting::Columns, Counting::Kept].map(|counting| counted(counting, inputs, past));
    let (columns, kept) = (columns?, kept?);
    let shape = columns.shape().to_vec();
    let counts = Mask::of(inputs)?.of_output(positions::NAME, &shape);
    let [a, b] = [&columns, &kept].map(|data| integers(positions::NAME, data));
    let (a, b) = (a?, b?);
    let differ = (0..a.len()).any(|i| a[i] != b[i] && counts.as_ref().is_none_or(|c| c[i]));
    let positions = if other == Counting::Kept {
        kept
    } else {
        columns
    };
    Ok(differ.then_some(positions))
}
