//! From traces at several sizes to one graph whose numbers are expressions of the sizes.
//!
//! All traces must record the same operations; only shapes, slice bounds, scalars and constants
//! may differ, and each of those gets a closed form or the export ends with an error. Nothing is
//! frozen at the size of a trace.

mod decompose;
mod derived_lengths;
mod join;
mod module_path;
pub mod recorded;
mod solver;
mod verify;
#[cfg(feature = "flex")]
mod ways;
mod windows;

use std::collections::{BTreeMap, HashMap};

use burn::tensor::TensorData;
use burn_capture::TensorId;
use burn_ir::{OperationIr, ScalarIr};

use crate::expr::Expr;

pub(crate) use decompose::{name_of, parts_of};
pub(crate) use join::{part, solve};
pub(crate) use verify::verify;
#[cfg(feature = "flex")]
pub(crate) use ways::same;

/// A scalar of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Constant(ScalarIr),
    /// A whole number that follows the sizes.
    Whole(Expr),
    /// One over such a number.
    Reciprocal(Expr),
}

#[cfg(feature = "flex")]
impl Scalar {
    /// Its value at these sizes, of the kind that `like` is.
    pub fn at(&self, sizes: &[i64], like: ScalarIr) -> ScalarIr {
        let value = match self {
            Self::Constant(scalar) => return *scalar,
            Self::Whole(expr) => expr.at(sizes) as f64,
            Self::Reciprocal(expr) => 1.0 / expr.at(sizes) as f64,
        };
        match like {
            ScalarIr::Float(_) => ScalarIr::Float(value),
            ScalarIr::Int(_) => ScalarIr::Int(value as i64),
            ScalarIr::UInt(_) => ScalarIr::UInt(value as u64),
            ScalarIr::Bool(_) => ScalarIr::Bool(value != 0.0),
        }
    }
}

/// One axis of a slice: bounds within `0..=dim`, `start <= end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub start: Expr,
    pub end: Expr,
    pub step: i64,
}

/// A tensor that the forward pass made out of nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    /// The same in every trace.
    Data(TensorData),
    /// One whole number everywhere.
    Fill(Scalar),
    /// `base + Σ step · index`, in whole numbers.
    Affine { base: Expr, steps: Vec<Expr> },
    /// `base + step · index` along one axis, in 32-bit floats.
    Ramp { axis: usize, base: f32, step: f32 },
}

/// One recorded operation.
pub(crate) struct Op {
    /// As the first trace has it. Its own shapes, ranges and scalars are those of that trace:
    /// lowerers take them from here.
    pub ir: OperationIr,
    pub ranges: Vec<Range>,
    pub scalars: Vec<Scalar>,
    /// Other numbers of the operation; see `decompose::numbers`.
    pub numbers: Vec<Expr>,
    /// The module path nearest to it.
    pub module: String,
}

/// The graph that all traces agree on.
pub(crate) struct Symbolic {
    pub sizes: Vec<String>,
    /// Smallest run-time value of each size.
    pub minima: Vec<i64>,
    pub ops: Vec<Op>,
    pub shapes: HashMap<TensorId, Vec<Expr>>,
    pub constants: HashMap<TensorId, Constant>,
    pub parameters: BTreeMap<TensorId, String>,
    pub inputs: BTreeMap<TensorId, usize>,
    pub outputs: Vec<(String, TensorId)>,
    /// Steps that were recorded again and again, once each, in the order of the operations.
    pub loops: Vec<Loop>,
}

/// Operations that are done as often as a size says.
pub(crate) struct Loop {
    /// Where its operations stand, those of one step.
    pub ops: std::ops::Range<usize>,
    /// How many steps there are.
    pub trips: Expr,
    /// The size that stands for the number of the step, from 0, in the ranges of its operations.
    pub step: usize,
    pub carried: Vec<Carried>,
    /// What is read after the loop: a tensor of the last step, by its number in the step.
    pub last: Vec<(TensorId, TensorId)>,
    pub joined: Vec<Joined>,
}

/// A tensor that a step takes from the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// As the step reads it.
    pub inside: TensorId,
    /// What the first step reads instead.
    pub initial: TensorId,
    /// What the step gives to the next.
    pub next: TensorId,
}

/// What every step makes, joined behind the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    /// The tensor of a step.
    pub each: TensorId,
    /// Those of all steps.
    pub whole: TensorId,
    pub axis: usize,
}
