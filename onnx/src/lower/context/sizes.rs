//! Numbers that follow the sizes, computed in the graph.

use super::Context;
use crate::expr::{Expr, Factor};
use crate::graph::build::{Attr, Data, DataType, ValueId};

impl Context<'_> {
    /// A number of the graph as a vector of one whole number.
    pub fn extent(&mut self, expr: &Expr) -> ValueId {
        if let Some(number) = expr.as_constant() {
            return self.ints(&[number]);
        }
        if let Some(size) = expr.as_size() {
            return self.size(size);
        }
        let one = vec![Expr::constant(1)];
        // ONNX rounds quotients towards zero: right where nothing in them is negative.
        if let Some((inner, by)) = expr.as_quotient()
            && inner.at(&self.graph.minima) >= 0
        {
            let (inner, by) = (self.extent(&inner), self.ints(&[by]));
            return self.emit("Div", &[inner, by], vec![], DataType::Int64, one);
        }
        let mut sum: Option<ValueId> = None;
        // Positive terms first, so that a difference is one Sub.
        let mut ordered: Vec<_> = expr.terms().iter().map(|(m, c)| (m.clone(), *c)).collect();
        ordered.sort_by_key(|(_, c)| *c < 0);
        for (monomial, coefficient) in ordered {
            let factor = coefficient.abs();
            let mut product = if factor != 1 || monomial.is_empty() {
                Some(self.ints(&[factor]))
            } else {
                None
            };
            for factor in monomial {
                let value = match factor {
                    Factor::Size(size) => self.size(size),
                    // Nothing in it is negative either.
                    Factor::Quotient(inner, by) => {
                        let (inner, by) = (self.extent(&inner), self.ints(&[by]));
                        self.emit("Div", &[inner, by], vec![], DataType::Int64, one.clone())
                    }
                };
                product = Some(match product {
                    None => value,
                    Some(before) => self.emit(
                        "Mul",
                        &[value, before],
                        vec![],
                        DataType::Int64,
                        one.clone(),
                    ),
                });
            }
            let term = product.unwrap_or_else(|| self.ints(&[1]));
            sum = Some(match sum {
                None if coefficient > 0 => term,
                before => {
                    let before = before.unwrap_or_else(|| self.ints(&[0]));
                    let op = if coefficient > 0 { "Add" } else { "Sub" };
                    self.emit(op, &[before, term], vec![], DataType::Int64, one.clone())
                }
            });
        }
        sum.unwrap_or_else(|| self.ints(&[0]))
    }

    /// The same without dimensions.
    pub fn extent_scalar(&mut self, expr: &Expr) -> ValueId {
        if let Some(number) = expr.as_constant() {
            let data = Data::new(DataType::Int64, vec![], number.to_le_bytes().to_vec());
            return self.initializer("scalar", data);
        }
        let vector = self.extent(expr);
        let axes = self.ints(&[0]);
        self.emit("Squeeze", &[vector, axes], vec![], DataType::Int64, vec![])
    }

    /// A shape as a vector.
    pub fn shape_vector(&mut self, dims: &[Expr]) -> ValueId {
        let numbers: Option<Vec<i64>> = dims.iter().map(Expr::as_constant).collect();
        if let Some(numbers) = numbers {
            return self.ints(&numbers);
        }
        let mut parts = Vec::new();
        let mut run = Vec::new();
        for dim in dims {
            match dim.as_constant() {
                Some(number) => run.push(number),
                None => {
                    if !run.is_empty() {
                        parts.push(self.ints(&run));
                        run.clear();
                    }
                    parts.push(self.extent(dim));
                }
            }
        }
        if !run.is_empty() {
            parts.push(self.ints(&run));
        }
        self.concat(&parts, 0)
    }

    /// A named size, read from the first input that has it as an axis, as a vector of one.
    fn size(&mut self, size: usize) -> ValueId {
        if let Some(step) = self.steps.get(&size) {
            return *step;
        }
        let wanted = Expr::size(size);
        let inputs = self.graph.inputs.clone();
        let axes = |context: &Self, fits: &dyn Fn(&Expr) -> bool| {
            inputs.iter().find_map(|input| {
                let shape = &context.graph.values[*input].shape;
                shape.iter().position(fits).map(|axis| (*input, axis))
            })
        };
        if let Some((input, axis)) = axes(self, &|dim| *dim == wanted) {
            return self.axis(input, axis);
        }
        // A multiple of it, or only inside a sum: take the rest off. `check_sizes` has made sure
        // that there is one.
        let own = vec![Factor::Size(size)];
        let times = |dim: &Expr| dim.terms().get(&own).copied().filter(|times| *times > 0);
        let alone = |dim: &Expr| dim.terms().len() == 1 && times(dim).is_some();
        let found = axes(self, &alone).or_else(|| axes(self, &|dim| times(dim).is_some()));
        let Some((input, axis)) = found else {
            return self.ints(&[0]);
        };
        let dim = self.graph.values[input].shape[axis].clone();
        let times = times(&dim).unwrap_or(1);
        let rest = dim.sub(&wanted.scale(times));
        let mut value = self.axis(input, axis);
        let one = vec![Expr::constant(1)];
        if !rest.is(0) {
            let rest = self.extent(&rest);
            value = self.emit("Sub", &[value, rest], vec![], DataType::Int64, one.clone());
        }
        if times > 1 {
            let times = self.ints(&[times]);
            value = self.emit("Div", &[value, times], vec![], DataType::Int64, one);
        }
        value
    }

    fn axis(&mut self, input: ValueId, axis: usize) -> ValueId {
        let attrs = vec![
            ("start", Attr::Int(axis as i64)),
            ("end", Attr::Int(axis as i64 + 1)),
        ];
        self.emit(
            "Shape",
            &[input],
            attrs,
            DataType::Int64,
            vec![Expr::constant(1)],
        )
    }
}
