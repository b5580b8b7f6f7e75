//! Basis of a judgement: the referee's references, tolerances, conventions and masks.

use crate::Tensors;
use crate::diff::AllClose;
use crate::error::{Error, Result};
use crate::reference::Reference;

/// Which elements of outputs count, on some inputs: what padding gives says nothing.
pub trait Mask: Sync {
    /// Of an output of `shape`, in row-major order; `None` where all of it counts.
    fn of_output(&self, name: &str, shape: &[usize]) -> Option<Vec<bool>>;
}

/// A mask from inputs.
pub type MaskOf = fn(&Tensors) -> Result<Box<dyn Mask>>;

/// Everything counts.
pub(super) struct Everything;

impl Mask for Everything {
    fn of_output(&self, _: &str, _: &[usize]) -> Option<Vec<bool>> {
        None
    }
}

/// A case under another convention.
#[derive(Debug, Clone)]
pub struct Other {
    /// How tokens are numbered then: `by column`.
    pub follows: &'static str,
    /// The inputs, with these positions.
    pub inputs: Tensors,
    /// What the referee says of them, where there is one.
    pub reference: Option<Reference>,
}

/// What decides whether runners agree on several inputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Judging<'a> {
    /// The referee's references, one for each case, or none.
    pub references: &'a [Reference],
    /// What any two values may differ by, whatever the referee says.
    pub close: Option<AllClose>,
    /// In place of the built-in tolerances, where there are no references.
    pub tolerance: Option<f64>,
    /// Each case under another convention, where there is one.
    pub others: &'a [Option<Other>],
    /// Which elements count; all where it is `None`.
    pub mask: Option<MaskOf>,
}

impl<'a> Judging<'a> {
    /// By the noise that the referee measured, one of `references` for each case.
    pub fn measured(references: &'a [Reference]) -> Self {
        Self {
            references,
            ..Self::default()
        }
    }
}

/// Where the tolerances come from.
#[derive(Clone, Copy)]
pub(super) enum Allowance<'a> {
    /// Built in, or as given.
    Fixed(Option<f64>),
    /// What the referee found.
    Measured(&'a Reference),
    /// As given for each value; the referee's word stands beside.
    Close(AllClose, Option<&'a Reference>),
}

impl Allowance<'_> {
    pub(super) fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Fixed(_) => None,
            Self::Measured(reference) => Some(reference),
            Self::Close(_, reference) => *reference,
        }
    }
}

impl<'a> Judging<'a> {
    /// Where the tolerances of case `number` come from.
    pub(super) fn allowance(&self, number: usize) -> Result<Allowance<'a>> {
        Ok(match (self.close, self.references.get(number)) {
            (Some(close), reference) => Allowance::Close(close, reference),
            (None, Some(reference)) => Allowance::Measured(reference),
            (None, None) => {
                checked(self.tolerance)?;
                Allowance::Fixed(self.tolerance)
            }
        })
    }
}

/// Refuses a tolerance that is none.
fn checked(tolerance: Option<f64>) -> Result<()> {
    match tolerance.filter(|value| !(value.is_finite() && *value >= 0.0)) {
        Some(value) => Err(Error::Input(format!(
            "a tolerance of {value}; it must be a number of 0 or more"
        ))),
        None => Ok(()),
    }
}
