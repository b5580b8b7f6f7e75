//! The one owner of the output graph: only here are values named and nodes appended.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use burn_capture::TensorId;
use burn_ir::{ScalarIr, TensorIr};

use crate::error::Error;
use crate::expr::Expr;
use crate::graph::{Attr, Attrs, Data, DataType, Graph, Node, Value, ValueId, broadcast};
use crate::symbolic::{Op, Scalar, Symbolic};

/// Why an operation was not lowered.
pub(crate) enum Refusal {
    /// It has no ONNX form here; the reason may say more than the name.
    Unsupported(Option<String>),
    /// The export cannot go on.
    Fatal(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// The result of lowering one operation.
pub(crate) type Lowered<T = ()> = std::result::Result<T, Refusal>;

/// Refuses with a reason.
pub(crate) fn unsupported<T>(reason: impl Into<String>) -> Lowered<T> {
    Err(Refusal::Unsupported(Some(reason.into())))
}

type Key = (&'static str, Vec<Option<ValueId>>, String);

pub(crate) struct Context<'a> {
    pub graph: Graph,
    sym: &'a Symbolic,
    op: Option<&'a Op>,
    tensors: HashMap<TensorId, ValueId>,
    /// Nodes by what they compute: the same computation is not done twice.
    made: HashMap<Key, Vec<ValueId>>,
    /// Initializers by the hash of their content.
    stored: HashMap<u64, Vec<ValueId>>,
    names: HashMap<String, usize>,
}

impl<'a> Context<'a> {
    pub fn new(name: &str, sym: &'a Symbolic) -> Self {
        let graph = Graph {
            name: name.to_string(),
            sizes: sym.sizes.clone(),
            minima: sym.minima.clone(),
            ..Graph::default()
        };
        Self {
            graph,
            sym,
            op: None,
            tensors: HashMap::new(),
            made: HashMap::new(),
            stored: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// Which operation is being lowered.
    pub fn enter(&mut self, op: &'a Op) {
        self.op = Some(op);
    }

    /// The operation that is being lowered: its solved ranges, scalars and numbers.
    pub fn op(&self) -> Lowered<&'a Op> {
        self.op
            .ok_or_else(|| Error::Unsound("no operation is being lowered".into()).into())
    }

    // ---- values ----

    /// A name that no value or node has yet.
    pub fn unique(&mut self, wanted: &str) -> String {
        let count = self.names.entry(wanted.to_string()).or_insert(0);
        *count += 1;
        if *count == 1 {
            return wanted.to_string();
        }
        let name = format!("{wanted}_{}", *count - 1);
        self.unique(&name)
    }

    /// Keeps a name for later.
    pub fn reserve(&mut self, name: &str) {
        self.names.entry(name.to_string()).or_insert(1);
    }

    pub fn value(&mut self, name: String, dtype: DataType, shape: Vec<Expr>) -> ValueId {
        self.graph.values.push(Value { name, dtype, shape });
        self.graph.values.len() - 1
    }

    pub fn shape(&self, value: ValueId) -> Vec<Expr> {
        self.graph.values[value].shape.clone()
    }

    pub fn rank(&self, value: ValueId) -> usize {
        self.graph.values[value].shape.len()
    }

    pub fn dtype(&self, value: ValueId) -> DataType {
        self.graph.values[value].dtype
    }

    /// The value of a recorded tensor.
    pub fn get(&self, tensor: &TensorIr) -> Lowered<ValueId> {
        self.tensors.get(&tensor.id).copied().ok_or_else(|| {
            Error::Unsound(format!("tensor {} is used before it is made", tensor.id)).into()
        })
    }

    /// The solved shape of a recorded tensor.
    pub fn shape_of(&self, tensor: &TensorIr) -> Lowered<Vec<Expr>> {
        self.sym
            .shapes
            .get(&tensor.id)
            .cloned()
            .ok_or_else(|| Error::Unsound(format!("tensor {} has no shape", tensor.id)).into())
    }

    /// The element type of a recorded tensor.
    pub fn dtype_of(&self, tensor: &TensorIr) -> Lowered<DataType> {
        DataType::of(tensor.dtype)
            .ok_or_else(|| Refusal::Unsupported(Some("quantized tensors".into())))
    }

    /// Says which value a recorded tensor is. Its shape must be the recorded one.
    pub fn bind(&mut self, tensor: &TensorIr, value: ValueId) -> Lowered {
        let (shape, dtype) = (self.shape_of(tensor)?, self.dtype_of(tensor)?);
        if shape != self.shape(value) {
            let show = |shape: &[Expr]| {
                shape
                    .iter()
                    .map(|dim| dim.show(&self.graph.sizes))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            return Err(Error::Unsound(format!(
                "`{}` should have shape [{}] and has [{}]",
                self.graph.values[value].name,
                show(&shape),
                show(&self.shape(value))
            ))
            .into());
        }
        let value = self.cast(value, dtype);
        self.tensors.insert(tensor.id, value);
        Ok(())
    }

    /// Stands in for the result of an operation that could not be lowered, so that the search for
    /// further ones can go on.
    pub fn bind_placeholder(&mut self, tensor: &TensorIr) {
        let shape = self.sym.shapes.get(&tensor.id).cloned().unwrap_or_default();
        let dtype = DataType::of(tensor.dtype).unwrap_or(DataType::Float);
        let value = self.value("missing".into(), dtype, shape);
        self.tensors.insert(tensor.id, value);
    }

    /// Binds without a check: inputs and parameters.
    pub fn bind_source(&mut self, tensor: TensorId, value: ValueId) {
        self.tensors.insert(tensor, value);
    }

    pub fn bound(&self, tensor: TensorId) -> Option<ValueId> {
        self.tensors.get(&tensor).copied()
    }

    // ---- initializers ----

    /// Stores data under a name, or gives what already holds the same data.
    pub fn initializer(&mut self, name: &str, data: Data) -> ValueId {
        let mut hasher = DefaultHasher::new();
        (data.dtype, &data.dims, &data.bytes).hash(&mut hasher);
        let hash = hasher.finish();
        for stored in self.stored.get(&hash).into_iter().flatten() {
            if self.graph.initializers.get(stored) == Some(&data) {
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
                Data {
                    dtype,
                    dims: Vec::new(),
                    bytes: value.to_le_bytes().to_vec(),
                },
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

    // ---- nodes ----

    /// Appends a node with one result.
    pub fn emit(
        &mut self,
        op: &'static str,
        inputs: &[ValueId],
        attrs: Attrs,
        dtype: DataType,
        shape: Vec<Expr>,
    ) -> ValueId {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        self.emit_many(op, inputs, attrs, vec![(dtype, shape)])[0]
    }

    /// Appends a node; the same computation on the same values is not repeated.
    pub fn emit_many(
        &mut self,
        op: &'static str,
        inputs: Vec<Option<ValueId>>,
        attrs: Attrs,
        results: Vec<(DataType, Vec<Expr>)>,
    ) -> Vec<ValueId> {
        let key = (op, inputs.clone(), format!("{attrs:?}"));
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let module = self.op.map_or("", |op| op.module.as_str());
        let base = if module.is_empty() {
            op.to_string()
        } else {
            format!("{module}/{op}")
        };
        let name = self.unique(&base);
        let mut outputs = Vec::new();
        for (index, (dtype, shape)) in results.into_iter().enumerate() {
            let wanted = if index == 0 {
                format!("{name}_output")
            } else {
                format!("{name}_output{index}")
            };
            let unique = self.unique(&wanted);
            outputs.push(self.value(unique, dtype, shape));
        }
        self.graph.nodes.push(Node {
            op,
            name,
            inputs,
            outputs: outputs.clone(),
            attrs,
        });
        self.made.insert(key, outputs.clone());
        outputs
    }

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
        let (dtype, from) = (self.dtype(value), self.shape(value));
        if from == target {
            return value;
        }
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

    // ---- sizes ----

    /// A number of the graph as a vector of one whole number.
    pub fn extent(&mut self, expr: &Expr) -> ValueId {
        if let Some(number) = expr.as_constant() {
            return self.ints(&[number]);
        }
        if let Some(size) = expr.as_size() {
            return self.size(size);
        }
        let (terms, divisor) = expr.parts();
        let one = vec![Expr::constant(1)];
        let mut sum: Option<ValueId> = None;
        // Positive terms first, so that a difference is one Sub.
        let mut ordered: Vec<_> = terms.iter().map(|(m, c)| (m.clone(), *c)).collect();
        ordered.sort_by_key(|(_, c)| *c < 0);
        for (monomial, coefficient) in ordered {
            let factor = coefficient.abs();
            let mut product = if factor != 1 || monomial.is_empty() {
                Some(self.ints(&[factor]))
            } else {
                None
            };
            for size in monomial {
                let size = self.size(size);
                product = Some(match product {
                    None => size,
                    Some(before) => {
                        self.emit("Mul", &[size, before], vec![], DataType::Int64, one.clone())
                    }
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
        let sum = sum.unwrap_or_else(|| self.ints(&[0]));
        if divisor == 1 {
            return sum;
        }
        let divisor = self.ints(&[divisor]);
        self.emit("Div", &[sum, divisor], vec![], DataType::Int64, one)
    }

    /// The same without dimensions.
    pub fn extent_scalar(&mut self, expr: &Expr) -> ValueId {
        if let Some(number) = expr.as_constant() {
            let data = Data {
                dtype: DataType::Int64,
                dims: vec![],
                bytes: number.to_le_bytes().to_vec(),
            };
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
        // Only inside a sum: take the rest off. `check_sizes` has made sure that there is one.
        let has = |dim: &Expr| {
            let (terms, divisor) = dim.parts();
            divisor == 1 && terms.get(&vec![size]) == Some(&1)
        };
        match axes(self, &has) {
            Some((input, axis)) => {
                let whole = self.axis(input, axis);
                let rest = self.graph.values[input].shape[axis].sub(&wanted);
                let rest = self.extent(&rest);
                let one = vec![Expr::constant(1)];
                self.emit("Sub", &[whole, rest], vec![], DataType::Int64, one)
            }
            None => self.ints(&[0]),
        }
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
