//! Grows a program: every step is tried at all test sizes at once, so that it is known to be
//! valid, finite and well-conditioned there.

use burn::tensor::Device;

use super::program::{Program, Step, Weights};
use super::quiet::attempt;
use super::rng::Rng;
use super::value::{Kind, Value};

/// What is known of a value.
pub struct Info {
    pub kind: Kind,
    /// The lengths of each axis, at every set of sizes.
    pub dims: Vec<Vec<usize>>,
    /// Whether every runtime has the same bits: inputs and what only moves them, integers, booleans.
    pub exact: bool,
}

impl Info {
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The length of an axis, if no size changes it.
    pub fn fixed(&self, axis: usize) -> Option<usize> {
        let first = self.dims[axis][0];
        self.dims[axis]
            .iter()
            .all(|dim| *dim == first)
            .then_some(first)
    }

    /// Whether there are elements at all sizes. burn-flex 0.22.1 crashes on products of nothing.
    pub fn never_empty(&self) -> bool {
        (0..self.rank()).all(|axis| self.least(axis) > 0)
    }

    /// The smallest length of an axis.
    pub fn least(&self, axis: usize) -> usize {
        self.dims[axis].iter().copied().min().unwrap_or(0)
    }
}

pub struct Builder {
    pub rng: Rng,
    pub device: Device,
    pub program: Program,
    /// The values at every set of sizes.
    pub at: Vec<Vec<Value>>,
    pub info: Vec<Info>,
}

/// More elements take too long.
const ELEMENTS: usize = 4000;
/// Larger floats lose their small neighbours.
const LARGEST: f64 = 50.0;

impl Builder {
    pub fn new(rng: Rng, program: Program, at: Vec<Vec<Value>>) -> Self {
        let count = program.inputs.len();
        let mut builder = Self {
            rng,
            device: Device::flex(),
            program,
            at,
            info: Vec::new(),
        };
        for index in 0..count {
            let values: Vec<&Value> = builder.at.iter().map(|values| &values[index]).collect();
            let info = describe(&values, true);
            builder.info.push(info);
        }
        builder
    }

    /// Tries a step at all sizes, and keeps it if it holds there.
    pub fn push(&mut self, step: Step) -> Option<usize> {
        let mut results = Vec::new();
        for values in &self.at {
            let operands = step
                .operands
                .iter()
                .map(|index| values[*index].clone())
                .collect();
            let (weights, device) = (&self.program.weights, &self.device);
            let value = attempt(|| (step.run)(weights, device, operands))?;
            let few = value.dims().iter().product::<usize>() <= ELEMENTS;
            let limit = if value.kind() == Kind::I {
                1e5
            } else {
                LARGEST
            };
            if !few || !value.numbers().iter().all(|x| x.abs() <= limit) {
                return None;
            }
            results.push(value);
        }
        let refs: Vec<&Value> = results.iter().collect();
        let exact = step.operands.iter().all(|index| self.info[*index].exact);
        let exact = results[0].kind() != Kind::F || (step.moves && exact);
        let info = describe(&refs, exact);
        self.info.push(info);
        for (values, value) in self.at.iter_mut().zip(results) {
            values.push(value);
        }
        self.program.steps.push(step);
        Some(self.info.len() - 1)
    }

    /// A value that fits, a late one rather than an early one.
    pub fn pick(&mut self, fits: impl Fn(&Info) -> bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.info.len())
            .filter(|i| fits(&self.info[*i]))
            .collect();
        let late = found.len().saturating_sub(4);
        if self.rng.chance(60) {
            self.rng.pick(&found[late..]).copied()
        } else {
            self.rng.pick(&found).copied()
        }
    }

    pub fn of(&mut self, kind: Kind) -> Option<usize> {
        self.pick(|info| info.kind == kind)
    }

    pub fn axis(&mut self, value: usize) -> usize {
        self.rng.range(0, self.info[value].rank() - 1)
    }

    /// An axis that fits.
    pub fn axis_of(&mut self, value: usize, fits: impl Fn(&Info, usize) -> bool) -> Option<usize> {
        let info = &self.info[value];
        let found: Vec<usize> = (0..info.rank()).filter(|axis| fits(info, *axis)).collect();
        self.rng.pick(&found).copied()
    }

    /// A value of this kind that broadcasts with `value`, other than `value` if there is one.
    pub fn partner(&mut self, value: usize, kind: Kind) -> Option<usize> {
        let own = self.info[value].dims.clone();
        let fits =
            |info: &Info| {
                info.kind == kind
                    && info.rank() == own.len()
                    && info.dims.iter().zip(&own).all(|(a, b)| {
                        a == b || a.iter().all(|d| *d == 1) || b.iter().all(|d| *d == 1)
                    })
            };
        let found: Vec<usize> = (0..self.info.len())
            .filter(|i| *i != value && fits(&self.info[*i]))
            .collect();
        match self.rng.pick(&found) {
            Some(found) => Some(*found),
            None if fits(&self.info[value]) => Some(value),
            None => None,
        }
    }

    /// Whether no element, at any size, comes nearer to a jump than rounding can carry it.
    pub fn clear(&self, value: usize, distance: impl Fn(f64) -> f64) -> bool {
        let far = |x: &f64| distance(*x) > 1e-3;
        let all = |values: &Vec<Value>| values[value].numbers().iter().all(far);
        self.info[value].exact || self.at.iter().all(all)
    }

    /// Whether neighbours in the order along an axis are apart, so that places are certain.
    pub fn distinct(&self, value: usize, axis: usize) -> bool {
        self.at.iter().all(|values| {
            let dims = values[value].dims();
            let numbers = values[value].numbers();
            let inner: usize = dims[axis + 1..].iter().product();
            let length = dims[axis];
            let outer: usize = dims[..axis].iter().product();
            (0..outer * inner).all(|line| {
                let start = line / inner * length * inner + line % inner;
                let mut row: Vec<f64> = (0..length).map(|i| numbers[start + i * inner]).collect();
                row.sort_by(f64::total_cmp);
                row.windows(2).all(|pair| pair[1] - pair[0] > 1e-3)
            })
        })
    }

    pub fn weights(&mut self) -> &mut Weights {
        &mut self.program.weights
    }
}

fn describe(values: &[&Value], exact: bool) -> Info {
    let shapes: Vec<Vec<usize>> = values.iter().map(|value| value.dims()).collect();
    let dims = (0..shapes[0].len())
        .map(|axis| shapes.iter().map(|shape| shape[axis]).collect())
        .collect();
    let kind = values[0].kind();
    Info { kind, dims, exact }
}

/// A step, its closure given the weights, the device and the operands.
macro_rules! step {
    ($name:expr, $code:expr, [$($operand:expr),*], |$w:pat_param, $d:pat_param, $v:pat_param| $body:expr) => {
        $crate::program::Step {
            name: $name,
            code: $code.to_string(),
            operands: vec![$($operand),*],
            moves: false,
            run: std::rc::Rc::new(
                move |$w: &$crate::program::Weights,
                      $d: &burn::tensor::Device,
                      $v: Vec<$crate::value::Value>| $body,
            ),
        }
    };
}
/// The same for a step that only moves elements.
macro_rules! moving {
    ($($rest:tt)*) => {{
        let mut step = $crate::builder::step!($($rest)*);
        step.moves = true;
        step
    }};
}
pub(crate) use {moving, step};
