//! The one owner of the output graph: only here are values named and nodes appended.

mod emit;
mod nodes;
mod sizes;
mod stored;

use std::collections::HashMap;

use burn_capture::TensorId;
use burn_ir::TensorIr;

use crate::error::Error;
use crate::expr::Expr;
use crate::graph::build::{DataType, Graph, Value, ValueId};
use crate::symbolic::{Op, Symbolic};
use crate::target::Forms;

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
    /// The number of a loop's step, as a vector of one, by the size that stands for it.
    steps: HashMap<usize, ValueId>,
    /// What was given another shape, by what came of it.
    reshaped: HashMap<ValueId, ValueId>,
    /// Nodes by what they compute: the same computation is not done twice.
    made: HashMap<Key, Vec<ValueId>>,
    /// Initializers by the hash of their content.
    stored: HashMap<u64, Vec<ValueId>>,
    names: HashMap<String, usize>,
    /// The operator set of the file.
    opset: i64,
    forms: Forms,
    /// An operator that the file's set does not have, and the set from which there is one.
    too_new: Option<(&'static str, i64)>,
}

impl<'a> Context<'a> {
    pub fn new(name: &str, sym: &'a Symbolic, opset: i64, forms: Forms) -> Self {
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
            steps: HashMap::new(),
            reshaped: HashMap::new(),
            made: HashMap::new(),
            stored: HashMap::new(),
            names: HashMap::new(),
            opset,
            forms,
            too_new: None,
        }
    }

    /// Which operators are written as one node where they could be several.
    pub fn forms(&self) -> Forms {
        self.forms
    }

    /// The operator since the last call that the file's set does not have, and the first set
    /// that has it.
    pub fn too_new(&mut self) -> Option<(&'static str, i64)> {
        self.too_new.take()
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
        let own = self.shape(value);
        let fits = |(a, b): (&Expr, &Expr)| a.same(b);
        if shape.len() != own.len() || !shape.iter().zip(&own).all(fits) {
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
        self.graph.values[value].shape = shape;
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

    /// Says which value is the number of a loop's step.
    pub fn set_step(&mut self, size: usize, value: ValueId) {
        self.steps.insert(size, value);
    }

    pub fn bound(&self, tensor: TensorId) -> Option<ValueId> {
        self.tensors.get(&tensor).copied()
    }
}
