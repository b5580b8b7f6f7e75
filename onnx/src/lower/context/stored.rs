//! What the graph stores: weights, numbers.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use burn_ir::ScalarIr;

use super::{Context, Lowered, unsupported};
use crate::error::Error;
use crate::expr::Expr;
use crate::graph::build::{Data, DataType, ValueId};
use crate::symbolic::Scalar;

/// A number that equal data share: of their type, shape and some of their bytes.
fn fingerprint(data: &Data) -> u64 {
    let mut hasher = DefaultHasher::new();
    (data.dtype, &data.dims).hash(&mut hasher);
    let bytes = data.bytes();
    match bytes.len() {
        0..4096 => bytes.hash(&mut hasher),
        many => {
            let chunks = bytes.chunks(64).step_by(many / 4096);
            chunks.for_each(|chunk| chunk.hash(&mut hasher));
        }
    }
    hasher.finish()
}

impl Context<'_> {
    /// Stores data under a name, or gives what already holds the same data.
    pub fn initializer(&mut self, name: &str, data: Data) -> ValueId {
        let hash = fingerprint(&data);
        for stored in self.stored.get(&hash).into_iter().flatten() {
            let same = |before: &Data| before.same(&data);
            if self.graph.initializers.get(stored).is_some_and(same) {
                return *stored;
            }
        }
        let shape = data
            .dims
            .iter()
            .map(|dim| Expr::constant(*dim as i64))
            .collect();
        let name = self.unique(name);
        let value = self.value(name, data.dtype, shape);
        self.graph.initializers.insert(value, data);
        self.stored.entry(hash).or_default().push(value);
        value
    }

    /// Stores a parameter. A matrix that stands under two paths with the same values is one
    /// weight; vectors are not compared, many start alike and keep their names.
    pub fn parameter(&mut self, path: &str, data: Data) -> ValueId {
        if data.dims.len() >= 2 {
            return self.initializer(path, data);
        }
        let shape = data
            .dims
            .iter()
            .map(|dim| Expr::constant(*dim as i64))
            .collect();
        let name = self.unique(path);
        let value = self.value(name, data.dtype, shape);
        self.graph.initializers.insert(value, data);
        value
    }

    /// A vector of whole numbers.
    pub fn ints(&mut self, values: &[i64]) -> ValueId {
        self.initializer("ints", Data::ints(values))
    }

    /// One number, without dimensions.
    pub fn scalar(&mut self, dtype: DataType, value: f64) -> ValueId {
        self.initializer("scalar", Data::scalar(dtype, value))
    }

    /// A scalar of the operation being lowered, by its place in the record.
    pub fn op_scalar(&mut self, slot: usize, dtype: DataType) -> Lowered<ValueId> {
        let op = self.op()?;
        let Some(scalar) = op.scalars.get(slot) else {
            return Err(Error::Unsound(format!("{} has no scalar {slot}", op.module)).into());
        };
        self.scalar_value(&scalar.clone(), dtype)
    }

    pub fn scalar_value(&mut self, scalar: &Scalar, dtype: DataType) -> Lowered<ValueId> {
        Ok(match scalar {
            Scalar::Constant(ScalarIr::Int(value)) if dtype == DataType::Int64 => self.initializer(
                "scalar",
                Data::new(dtype, Vec::new(), value.to_le_bytes().to_vec()),
            ),
            Scalar::Constant(value) => self.scalar(dtype, value.elem::<f64>()),
            Scalar::Whole(expr) => {
                let size = self.extent_scalar(expr);
                self.cast(size, dtype)
            }
            Scalar::Reciprocal(expr) => {
                let size = self.extent_scalar(expr);
                let size = self.cast(size, dtype);
                self.unary("Reciprocal", size)
            }
        })
    }

    /// A scalar that must not vary, as a number.
    pub fn fixed_scalar(&self, slot: usize) -> Lowered<f64> {
        match self.op()?.scalars.get(slot) {
            Some(Scalar::Constant(value)) => Ok(value.elem::<f64>()),
            _ => unsupported("a scalar that varies with the sizes"),
        }
    }
}
