//! Operators that lowerings use again and again, with the shapes of their results.

use super::{Context, Lowered, unsupported};
use crate::error::Error;
use crate::expr::Expr;
use crate::graph::build::{Attr, DataType, ValueId, broadcast};

impl Context<'_> {
    /// A node whose result is like its input.
    pub fn unary(&mut self, op: &'static str, input: ValueId) -> ValueId {
        let (dtype, shape) = (self.dtype(input), self.shape(input));
        self.emit(op, &[input], vec![], dtype, shape)
    }

    /// An element-wise node whose result has the type of `a`.
    pub fn binary(&mut self, op: &'static str, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        let dtype = self.dtype(a);
        self.binary_as(op, a, b, dtype)
    }

    /// An element-wise node with booleans as its result.
    pub fn compare(&mut self, op: &'static str, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        self.binary_as(op, a, b, DataType::Bool)
    }

    fn binary_as(
        &mut self,
        op: &'static str,
        a: ValueId,
        b: ValueId,
        dtype: DataType,
    ) -> Lowered<ValueId> {
        let shape = self.broadcast(&[a, b])?;
        Ok(self.emit(op, &[a, b], vec![], dtype, shape))
    }

    /// The common shape of element-wise operands.
    pub fn broadcast(&self, values: &[ValueId]) -> Lowered<Vec<Expr>> {
        let mut shape = Vec::new();
        for value in values {
            let next = &self.graph.values[*value];
            shape = broadcast(&shape, &next.shape).ok_or_else(|| {
                Error::Unsound(format!(
                    "`{}` does not broadcast with its partner",
                    next.name
                ))
            })?;
        }
        Ok(shape)
    }

    /// `mask ? yes : no`, element by element.
    pub fn select(&mut self, mask: ValueId, yes: ValueId, no: ValueId) -> Lowered<ValueId> {
        let shape = self.broadcast(&[mask, yes, no])?;
        let dtype = self.dtype(yes);
        if dtype == DataType::Bool {
            // ONNX Runtime's Where takes no booleans.
            let not = self.unary("Not", mask);
            let a = self.binary("And", mask, yes)?;
            let b = self.binary("And", not, no)?;
            return self.binary("Or", a, b);
        }
        Ok(self.emit("Where", &[mask, yes, no], vec![], dtype, shape))
    }

    /// Another element type, if it is another.
    pub fn cast(&mut self, value: ValueId, dtype: DataType) -> ValueId {
        if self.dtype(value) == dtype {
            return value;
        }
        let shape = self.shape(value);
        self.emit(
            "Cast",
            &[value],
            vec![("to", Attr::Int(dtype as i64))],
            dtype,
            shape,
        )
    }

    /// The axes in another order.
    pub fn transpose(&mut self, value: ValueId, perm: &[usize]) -> ValueId {
        if perm.iter().enumerate().all(|(axis, from)| axis == *from) {
            return value;
        }
        let (dtype, old) = (self.dtype(value), self.shape(value));
        let shape = perm.iter().map(|axis| old[*axis].clone()).collect();
        let perm = perm.iter().map(|axis| *axis as i64).collect();
        self.emit(
            "Transpose",
            &[value],
            vec![("perm", Attr::Ints(perm))],
            dtype,
            shape,
        )
    }

    /// The last two axes exchanged.
    pub fn transpose_last(&mut self, value: ValueId) -> ValueId {
        let rank = self.rank(value);
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 2, rank - 1);
        self.transpose(value, &perm)
    }

    /// `[.., m, k] · [.., k, n] -> [.., m, n]`
    pub fn matmul(&mut self, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        let (left, right) = (self.shape(a), self.shape(b));
        let (la, lb) = (left.len(), right.len());
        if la < 2 || lb < 2 {
            return unsupported("a product of vectors");
        }
        let Some(mut shape) = broadcast(&left[..la - 2], &right[..lb - 2]) else {
            return Err(Error::Unsound("a product's batch axes do not fit".into()).into());
        };
        shape.extend([left[la - 2].clone(), right[lb - 1].clone()]);
        let dtype = self.dtype(a);
        Ok(self.emit("MatMul", &[a, b], vec![], dtype, shape))
    }

    /// A reduction over `axes`, which stay with length one.
    pub fn reduce(&mut self, op: &'static str, value: ValueId, axes: &[usize]) -> ValueId {
        let (dtype, mut shape) = (self.dtype(value), self.shape(value));
        axes.iter()
            .for_each(|axis| shape[*axis] = Expr::constant(1));
        let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        let axes = self.ints(&axes);
        self.emit(
            op,
            &[value, axes],
            vec![("keepdims", Attr::Int(1))],
            dtype,
            shape,
        )
    }

    /// The same elements in another shape.
    pub fn reshape(&mut self, value: ValueId, target: &[Expr]) -> ValueId {
        if self.graph.values[value].shape == target {
            return value;
        }
        // There and back again.
        if let Some(before) = self.reshaped.get(&value)
            && self.graph.values[*before].shape == target
        {
            return *before;
        }
        let reshaped = self.reshape_anew(value, target);
        self.reshaped.insert(reshaped, value);
        reshaped
    }

    fn reshape_anew(&mut self, value: ValueId, target: &[Expr]) -> ValueId {
        let (dtype, from) = (self.dtype(value), self.shape(value));
        let positive = |dim: &Expr| dim.is_positive(&self.graph.minima);
        // A number stays; a size that keeps its axis is 0 ("as in the input"); one other is -1.
        let mut numbers = Vec::new();
        let mut open = 0;
        for (axis, dim) in target.iter().enumerate() {
            numbers.push(match dim.as_constant() {
                Some(number) => number,
                None if from.get(axis) == Some(dim) => 0,
                None => {
                    open += 1;
                    -1
                }
            });
        }
        let certain = target
            .iter()
            .zip(&numbers)
            .all(|(dim, n)| *n == -1 || positive(dim));
        if target.iter().all(|dim| !dim.is(0)) && (open == 0 || (open == 1 && certain)) {
            let shape = self.ints(&numbers);
            return self.emit("Reshape", &[value, shape], vec![], dtype, target.to_vec());
        }
        // A computed 0 means an empty axis, not "as in the input".
        let attrs = if target.iter().all(positive) {
            vec![]
        } else {
            vec![("allowzero", Attr::Int(1))]
        };
        let shape = self.shape_vector(target);
        self.emit("Reshape", &[value, shape], attrs, dtype, target.to_vec())
    }

    /// Axes of length one repeated until the shape is `target`.
    pub fn expand(&mut self, value: ValueId, target: &[Expr]) -> ValueId {
        let (dtype, from) = (self.dtype(value), self.shape(value));
        if from == target {
            return value;
        }
        let skip = target.len() - from.len();
        // Expand leaves an axis as it is where the wanted length is 1.
        let wanted: Vec<Expr> = target
            .iter()
            .enumerate()
            .map(|(axis, dim)| match axis.checked_sub(skip) {
                Some(own) if from[own] == *dim => Expr::constant(1),
                _ => dim.clone(),
            })
            .collect();
        let shape = self.shape_vector(&wanted);
        self.emit("Expand", &[value, shape], vec![], dtype, target.to_vec())
    }

    /// Tensors joined along an axis.
    pub fn concat(&mut self, values: &[ValueId], axis: usize) -> ValueId {
        if let [one] = values {
            return *one;
        }
        let (dtype, mut shape) = (self.dtype(values[0]), self.shape(values[0]));
        shape[axis] = values.iter().fold(Expr::constant(0), |sum, value| {
            sum.add(&self.graph.values[*value].shape[axis])
        });
        self.emit(
            "Concat",
            values,
            vec![("axis", Attr::Int(axis as i64))],
            dtype,
            shape,
        )
    }
}
