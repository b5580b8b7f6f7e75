//! The step of a loop as the cells are looked for in it: sums of products with stored weights.

use super::super::pattern::{Search, pair};
use crate::expr::Expr;
use crate::graph::build::{Attr, DataType, Graph, Node, ValueId};

/// A step that takes one slice `[batch, width]` and passes on states `[batch, hidden]`.
pub(super) struct Step<'a> {
    search: Search<'a>,
    /// The slice.
    pub x: ValueId,
    /// Every state at the step's beginning and at its end.
    pub states: Vec<[ValueId; 2]>,
    batch: &'a Expr,
    pub width: usize,
    pub hidden: usize,
    /// The type of slice and states.
    pub dtype: DataType,
}

/// A stored matrix or vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Weight {
    /// The initializer.
    pub stored: ValueId,
    /// Whether the product is with its transposition.
    pub turned: bool,
}

/// A sum, by its terms.
#[derive(Default)]
pub(super) struct Sum {
    /// What is multiplied from the right, by which matrix.
    pub products: Vec<(ValueId, Weight)>,
    /// Vectors `[hidden]`.
    pub biases: Vec<Weight>,
    pub rest: Vec<ValueId>,
}

/// What goes into one gate: products of the slice and of a state, and up to two biases.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// `[width, hidden]`
    pub input: Weight,
    /// `[hidden, hidden]`
    pub state: Weight,
    /// Added to the one product and to the other.
    pub biases: [Option<Weight>; 2],
}

impl<'a> Step<'a> {
    /// The step between the ends of a loop, if it has these shapes.
    pub fn new(graph: &'a Graph, begin: &Node, end: &Node, states: usize) -> Option<Self> {
        let [x] = begin.outputs.get(states..)? else {
            return None;
        };
        let before = begin.outputs[..states].iter();
        let after = end.inputs[..states].iter();
        let pairs = before.zip(after).map(|(a, b)| Some([*a, (*b)?]));
        let states: Vec<[ValueId; 2]> = pairs.collect::<Option<_>>()?;
        let slice = &graph.values[*x];
        let [batch, width] = slice.shape.as_slice() else {
            return None;
        };
        let first = &graph.values[states.first()?[0]];
        let [_, hidden] = first.shape.as_slice() else {
            return None;
        };
        let positive = |dim: &Expr| Some(dim.as_constant()? as usize).filter(|dim| *dim > 0);
        let (width, hidden) = (positive(width)?, positive(hidden)?);
        let fits = |value: &ValueId| {
            let value = &graph.values[*value];
            let shape = value.shape.as_slice();
            value.dtype == slice.dtype
                && matches!(shape, [rows, own] if rows.same(batch) && own.is(hidden as i64))
        };
        states.iter().flatten().all(fits).then(|| Self {
            search: Search::new(graph),
            x: *x,
            states,
            batch,
            width,
            hidden,
            dtype: slice.dtype,
        })
    }

    /// The input of the `op` that makes `value`.
    pub fn of(&self, value: ValueId, op: &str) -> Option<ValueId> {
        self.search.one(value, op)
    }

    /// The two inputs, in both orders, of the `op` that makes `value`.
    pub fn either(&self, value: ValueId, op: &str) -> impl Iterator<Item = [ValueId; 2]> + use<> {
        self.search.either(value, op)
    }

    /// Whether `value` is `1 - other`.
    pub fn is_rest(&self, value: ValueId, other: ValueId) -> bool {
        let is_one = |value| self.search.number(value) == Some(1.0);
        let negated = |value| self.of(value, "Neg") == Some(other);
        let difference = self.search.pair(value, "Sub");
        difference.is_some_and(|[one, own]| own == other && is_one(one))
            || self
                .either(value, "Add")
                .any(|[a, b]| negated(a) && is_one(b))
    }

    /// The terms of a sum `[batch, hidden]`; none if it has another shape or one of its products
    /// is with no stored weight.
    pub fn sum(&self, value: ValueId) -> Option<Sum> {
        let mut sum = Sum::default();
        let shape = self.search.graph().values[value].shape.as_slice();
        let fits =
            matches!(shape, [rows, own] if rows.same(self.batch) && own.is(self.hidden as i64));
        (fits && self.add(value, &mut sum).is_some()).then_some(sum)
    }

    fn add(&self, value: ValueId, sum: &mut Sum) -> Option<()> {
        if let Some([a, b]) = self.search.pair(value, "Add") {
            self.add(a, sum)?;
            return self.add(b, sum);
        }
        if let Some(product) = self.search.made_by(value, "MatMul") {
            let [a, b] = pair(product)?;
            let weight = self.weight(b)?;
            let columns = match self.dims(weight) {
                [columns, _] if weight.turned => *columns,
                [_, columns] => *columns,
                _ => return None,
            };
            (columns == self.hidden).then(|| sum.products.push((a, weight)))?;
        } else if let Some(bias) = self.weight(value) {
            // More axes than one have length one.
            let (last, others) = self.dims(bias).split_last()?;
            let vector = *last == self.hidden && others.iter().all(|dim| *dim == 1);
            (vector && !bias.turned).then(|| sum.biases.push(bias))?;
        } else {
            sum.rest.push(value);
        }
        Some(())
    }

    fn dims(&self, weight: Weight) -> &[usize] {
        &self.search.graph().initializers[&weight.stored].dims
    }

    /// The initializer that a value is, as it is or transposed; it may be stored in fewer bits.
    fn weight(&self, mut value: ValueId) -> Option<Weight> {
        let graph = self.search.graph();
        let mut turned = false;
        loop {
            if graph.initializers.contains_key(&value) {
                return Some(Weight {
                    stored: value,
                    turned,
                });
            }
            if let Some(node) = self.search.made_by(value, "Transpose") {
                let perm = vec![("perm", Attr::Ints(vec![1, 0]))];
                (node.attrs == perm).then_some(())?;
                turned = !turned;
                value = node.inputs.first().copied().flatten()?;
            } else {
                value = self.of(value, "Cast")?;
                let stored = graph.values[value].dtype;
                (stored == DataType::BFloat16).then_some(())?;
            }
        }
    }

    /// The gate of a sum of products of the slice and of `state`, and of nothing else.
    pub fn gate(&self, value: ValueId, state: ValueId) -> Option<Gate> {
        let sum = self.sum(value)?;
        let (input, state) = match sum.products.as_slice() {
            [(a, input), (b, own)] | [(b, own), (a, input)] if *a == self.x && *b == state => {
                (*input, *own)
            }
            _ => return None,
        };
        let biases = match sum.biases.as_slice() {
            [] => [None, None],
            [one] => [Some(*one), None],
            [one, other] => [Some(*one), Some(*other)],
            _ => return None,
        };
        sum.rest.is_empty().then_some(Gate {
            input,
            state,
            biases,
        })
    }

    /// The gate whose logistic function `value` is.
    pub fn sigmoid(&self, value: ValueId, state: ValueId) -> Option<Gate> {
        self.gate(self.of(value, "Sigmoid")?, state)
    }
}
