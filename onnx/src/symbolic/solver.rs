//! Closed forms of what was seen at the sizes of the traces.

use std::cell::RefCell;

use burn::tensor::{DType, TensorData};
use burn_ir::ScalarIr;

use super::{Constant, Scalar};
use crate::error::{Error, place};
use crate::expr::{Expr, gcd};
use crate::record::plan::{Plan, show_sizes};
use crate::symbolic::derived_lengths::Known;

/// Finds closed forms by the traces of the plan.
pub(super) struct Solver<'a> {
    pub plan: &'a Plan,
    pub sizes: &'a [String],
    pub known: RefCell<Known>,
}

impl Solver<'_> {
    /// The expression that has these values at the plan's traces.
    pub fn solve(&self, values: &[i64]) -> Option<Expr> {
        self.of_sizes(values)
            .or_else(|| self.known.borrow().find(values))
    }

    /// Remembers the lengths of a tensor.
    pub fn note(&self, shape: &[Expr]) {
        let mut known = self.known.borrow_mut();
        shape
            .iter()
            .for_each(|dim| known.note(dim, &self.plan.traces));
    }

    /// The sum of products of sizes, or its quotient, that has these values.
    fn of_sizes(&self, values: &[i64]) -> Option<Expr> {
        let first = *values.first()?;
        if values.iter().all(|value| *value == first) {
            return Some(Expr::constant(first));
        }
        let gaps: Vec<i64> = self
            .plan
            .low
            .iter()
            .zip(&self.plan.high)
            .map(|(low, high)| high - low)
            .collect();
        let all_gaps: i64 = gaps.iter().product();
        // Σ over subsets of (finite difference / gaps) · Π (size - low), all over `all_gaps`.
        let mut terms = Vec::new();
        for subset in &self.plan.subsets {
            let mut difference = 0;
            for (index, other) in self.plan.subsets.iter().enumerate() {
                if other.iter().all(|i| subset.contains(i)) {
                    let sign = if (subset.len() - other.len()) % 2 == 0 {
                        1
                    } else {
                        -1
                    };
                    difference += sign * values[index];
                }
            }
            let scale: i64 = all_gaps / subset.iter().map(|i| gaps[*i]).product::<i64>();
            let mut product = Expr::constant(difference * scale);
            for i in subset {
                let shifted = Expr::size(*i).sub(&Expr::constant(self.plan.low[*i]));
                product = product.mul(&shifted);
            }
            terms.extend(product.terms().iter().map(|(m, c)| (m.clone(), *c)));
        }
        // The divisor without what all terms share with it.
        let sum = Expr::from_terms(terms);
        let shared = sum.terms().values().fold(all_gaps, |a, b| gcd(a, *b));
        let (sum, divisor) = (sum.exactly(&Expr::constant(shared))?, all_gaps / shared);
        if divisor == 1 {
            return self.holds(&sum, values).then_some(sum);
        }
        // A rounded-down quotient: the offset inside the floor is what the traces leave open.
        let candidates: Vec<Expr> = (0..divisor)
            .map(|offset| sum.add(&Expr::constant(offset)).divided(divisor))
            .filter(|candidate| self.holds(candidate, values))
            .collect();
        match candidates.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    pub fn holds(&self, expr: &Expr, values: &[i64]) -> bool {
        self.plan
            .traces
            .iter()
            .zip(values)
            .all(|(sizes, value)| expr.at(sizes) == *value)
    }

    /// How far the values are from a length that varies, if always as far.
    pub fn distance(&self, values: &[i64], length: &Expr) -> Option<i64> {
        let pairs = self.plan.traces.iter().zip(values);
        let mut distances = pairs.map(|(sizes, value)| value - length.at(sizes));
        let first = distances.next()?;
        let same = distances.all(|distance| distance == first);
        let fixed = values.iter().all(|value| *value == values[0]);
        (same && !fixed).then_some(first)
    }

    pub fn scalar(&self, values: &[ScalarIr]) -> Option<Scalar> {
        let first = *values.first()?;
        let same = |a: &ScalarIr, b: &ScalarIr| match (a, b) {
            (ScalarIr::Float(a), ScalarIr::Float(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        };
        if values.iter().all(|value| same(value, &first)) {
            return Some(Scalar::Constant(first));
        }
        let floats: Vec<f64> = values.iter().map(|value| value.elem::<f64>()).collect();
        if let Some(whole) = whole(&floats) {
            return self.solve(&whole).map(Scalar::Whole);
        }
        let inverse: Vec<f64> = floats.iter().map(|value| (1.0 / value).round()).collect();
        let exact = floats
            .iter()
            .zip(&inverse)
            .all(|(value, n)| *value == 1.0 / n || *value == f64::from(1.0 / *n as f32));
        if exact {
            return self.solve(&whole(&inverse)?).map(Scalar::Reciprocal);
        }
        None
    }

    pub fn refuse(&self, what: String, module: &str, seen: Vec<String>) -> Error {
        let seen: Vec<String> = self
            .plan
            .traces
            .iter()
            .zip(seen)
            .take(4)
            .map(|(sizes, value)| format!("{value} at {}", show_sizes(self.sizes, sizes)))
            .collect();
        Error::NoClosedForm {
            what,
            module: place(module).to_string(),
            sizes: self
                .sizes
                .iter()
                .map(|s| format!("`{s}`"))
                .collect::<Vec<_>>()
                .join(", "),
            seen: seen.join("; "),
        }
    }

    /// The closed form of a constant, given its value in every trace.
    pub fn constant(&self, data: &[&TensorData], shape: &[Expr]) -> Option<Constant> {
        let first = *data.first()?;
        if data
            .iter()
            .all(|d| d.shape() == first.shape() && d.as_bytes() == first.as_bytes())
        {
            return Some(Constant::Data(first.clone()));
        }
        let values: Vec<Vec<f64>> = data.iter().map(|d| d.iter::<f64>().collect()).collect();
        if values
            .iter()
            .all(|v| !v.is_empty() && v.iter().all(|x| x.to_bits() == v[0].to_bits()))
        {
            let fill: Vec<ScalarIr> = values.iter().map(|v| ScalarIr::Float(v[0])).collect();
            return self.scalar(&fill).map(Constant::Fill);
        }
        if first.dtype().is_bool() {
            return None;
        }
        self.affine(data, &values, shape)
            .or_else(|| self.ramp(data, &values))
    }

    fn affine(
        &self,
        data: &[&TensorData],
        values: &[Vec<f64>],
        shape: &[Expr],
    ) -> Option<Constant> {
        let rank = shape.len();
        let mut bases = Vec::new();
        let mut steps = vec![Vec::new(); rank];
        for (data, values) in data.iter().zip(values) {
            let values = whole(values)?;
            let dims: Vec<usize> = data.shape().to_vec();
            let base = *values.first()?;
            let mut stride = values.len();
            let mut own = Vec::new();
            for dim in &dims {
                stride /= dim;
                own.push((stride, (*dim > 1).then(|| values[stride] - base)));
            }
            let fits = values.iter().enumerate().all(|(index, value)| {
                let along: i64 = own
                    .iter()
                    .zip(&dims)
                    .map(|((stride, step), dim)| {
                        ((index / stride) % dim) as i64 * step.unwrap_or(0)
                    })
                    .sum();
                *value == base + along
            });
            if !fits {
                return None;
            }
            bases.push(base);
            own.iter()
                .zip(&mut steps)
                .for_each(|((_, step), all)| all.push(*step));
        }
        let steps = steps
            .iter()
            .map(|step: &Vec<Option<i64>>| {
                // An axis of one element has any step: that of the traces where it has more.
                let known = step.iter().flatten().next().copied().unwrap_or(0);
                let same = step.iter().flatten().all(|step| *step == known);
                let all: Option<Vec<i64>> = step.iter().copied().collect();
                match (same, all) {
                    (true, _) => Some(Expr::constant(known)),
                    (false, all) => self.solve(&all?),
                }
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Constant::Affine {
            base: self.solve(&bases)?,
            steps,
        })
    }

    fn ramp(&self, data: &[&TensorData], values: &[Vec<f64>]) -> Option<Constant> {
        let first: Vec<usize> = data.first()?.shape().to_vec();
        let axis = first.iter().position(|dim| *dim > 1)?;
        let (base, next) = (values[0][0] as f32, values[0][1] as f32);
        let step = next - base;
        let fits = data.iter().zip(values).all(|(data, values)| {
            let along: usize = data.shape()[axis];
            data.dtype() == DType::F32
                && along == values.len()
                && values
                    .iter()
                    .enumerate()
                    .all(|(i, v)| *v as f32 == base + i as f32 * step)
        });
        fits.then_some(Constant::Ramp { axis, base, step })
    }
}

/// The numbers as integers, if all of them are.
fn whole(values: &[f64]) -> Option<Vec<i64>> {
    let small = |v: &f64| v.fract() == 0.0 && v.abs() < 9e15;
    values
        .iter()
        .all(small)
        .then(|| values.iter().map(|v| *v as i64).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::spec::{Input, Spec};

    fn plan() -> (Plan, Vec<String>) {
        let spec = Spec::new("g").input(Input::int("ids", ["batch", "sequence", "past"]));
        (Plan::new(&spec, &spec.sizes(), 1).unwrap(), spec.sizes())
    }

    #[test]
    fn multilinear_expressions_are_found() {
        let (plan, sizes) = plan();
        let solver = Solver {
            plan: &plan,
            sizes: &sizes,
            known: RefCell::default(),
        };
        let values: Vec<i64> = plan
            .traces
            .iter()
            .map(|s| 3 * s[0] * s[1] + s[2] - 4)
            .collect();
        let expr = solver.solve(&values).unwrap();
        assert_eq!(expr.show(&sizes), "3*batch*sequence + past - 4");
    }

    #[test]
    fn a_halved_size_is_found_and_a_square_is_not() {
        let (plan, sizes) = plan();
        let solver = Solver {
            plan: &plan,
            sizes: &sizes,
            known: RefCell::default(),
        };
        let halves: Vec<i64> = plan.traces.iter().map(|s| (s[1] + 1) / 2).collect();
        assert_eq!(
            solver.solve(&halves).unwrap().show(&sizes),
            "floor((sequence + 1)/2)"
        );
        let squares: Vec<i64> = plan.traces.iter().map(|s| s[1] * s[1]).collect();
        assert_eq!(solver.solve(&squares), None);
        let capped: Vec<i64> = plan.traces.iter().map(|s| s[1].min(12)).collect();
        assert_eq!(solver.solve(&capped), None);
    }

    #[test]
    fn reciprocals_of_sizes_are_found() {
        let (plan, sizes) = plan();
        let solver = Solver {
            plan: &plan,
            sizes: &sizes,
            known: RefCell::default(),
        };
        let values: Vec<ScalarIr> = plan
            .traces
            .iter()
            .map(|s| ScalarIr::Float(1.0 / s[1] as f64))
            .collect();
        assert_eq!(
            solver.scalar(&values),
            Some(Scalar::Reciprocal(Expr::size(1)))
        );
    }
}
