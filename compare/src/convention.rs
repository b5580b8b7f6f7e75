//! Differences that are another convention, and no other computation.
//!
//! Where padding stands before tokens or between them, there are two ways to number them: by
//! column, and by the tokens that the mask keeps. transformers' encoders, and its decoders in a
//! plain call, do the one, its `generate` the other; a file without `position_ids` has chosen. What
//! is called a convention is proven: the checkpoint runs again with the other numbers, and who
//! agrees with that follows it.

use fluxo_models::blocks::embedding::Counting;
use fluxo_models::{Model, Request, Tensors};
use serde::Serialize;

use crate::compare::Case;
use crate::error::Result;
use crate::inputs::{integers, past, split};
use crate::mask::Mask;
use crate::positions::{self, counted};
use crate::referee::{self, Ruling};

/// A case under the other convention.
#[derive(Debug, Clone)]
pub struct Other {
    /// How tokens are numbered then.
    pub counting: Counting,
    /// The inputs, with these positions.
    pub inputs: Tensors,
    /// What the referee says of them, where there is one.
    pub ruling: Option<Ruling>,
}

/// A runner that follows another convention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Convention {
    /// The runner.
    pub runner: String,
    /// What is conventional.
    pub convention: &'static str,
    /// Which one it follows.
    pub follows: &'static str,
    /// The inputs that showed it.
    pub cases: Vec<String>,
}

/// What the convention is about.
const POSITIONS: &str = "positions under padding";

impl Convention {
    pub(crate) fn new(runner: &str, counting: Counting) -> Self {
        Self {
            runner: runner.to_string(),
            convention: POSITIONS,
            follows: match counting {
                Counting::Columns => "by column",
                Counting::Kept | Counting::KeptAlways => "by the tokens that the mask keeps",
                Counting::But(_) => "by the tokens that are no padding",
            },
            cases: Vec::new(),
        }
    }

    /// What reports say of it.
    pub(crate) fn told(&self) -> String {
        let Self {
            runner,
            convention,
            follows,
            cases,
        } = self;
        let cases = match cases.is_empty() {
            true => String::new(),
            false => format!(" ({})", cases.join(", ")),
        };
        format!(
            "{convention}: {runner} numbers tokens {follows}; given the same \
             `position_ids` the checkpoint agrees with it{cases}"
        )
    }
}

/// Each of `cases` under the other convention, where `model` has one and the case tells them apart;
/// with the referee's word on it where `ruled`.
///
/// # Errors
/// When the inputs do not fit the model.
pub fn others(
    model: &Model,
    request: Request,
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
                counting: other,
                inputs,
                ruling: None,
            }));
        } else {
            found.push(None);
        }
    }
    if ruled && !told.is_empty() {
        let rulings = referee::rule(model, request, &told)?.unwrap_or_default();
        let rulings = rulings.into_iter();
        for (other, ruling) in found.iter_mut().flatten().zip(rulings) {
            other.ruling = Some(ruling);
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
