//! Nodes appended, in the form that the file's operator set has.

use super::Context;
use crate::expr::Expr;
use crate::graph::build::{Attr, Attrs, DataType, Node, ValueId};
use crate::graph::opset;

impl Context<'_> {
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
        if let Some(narrow) = self.not_taken(op, &inputs) {
            return self.emit_wide(op, inputs, attrs, results, narrow);
        }
        let since = opset::since(op, inputs.len(), &attrs);
        if since > self.opset {
            self.too_new.get_or_insert((op, since));
        }
        let (inputs, attrs) = self.spelled(op, inputs, attrs);
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

    /// The half type among the inputs that the operator does not take in the file's set.
    fn not_taken(&self, op: &str, inputs: &[Option<ValueId>]) -> Option<DataType> {
        let types = inputs.iter().flatten().map(|input| self.dtype(*input));
        let mut half = types.filter(|dtype| dtype.is_half());
        half.find(|dtype| !opset::takes(op, *dtype, self.opset))
    }

    /// The node in 32-bit floats, between casts.
    fn emit_wide(
        &mut self,
        op: &'static str,
        inputs: Vec<Option<ValueId>>,
        attrs: Attrs,
        results: Vec<(DataType, Vec<Expr>)>,
        narrow: DataType,
    ) -> Vec<ValueId> {
        let wide = |dtype| {
            if dtype == narrow {
                DataType::Float
            } else {
                dtype
            }
        };
        let widened = inputs.into_iter().map(|input| {
            let input = input?;
            Some(self.cast(input, wide(self.dtype(input))))
        });
        let widened = widened.collect();
        let wanted: Vec<DataType> = results.iter().map(|(dtype, _)| *dtype).collect();
        let results = results.into_iter();
        let results = results.map(|(dtype, shape)| (wide(dtype), shape)).collect();
        let made = self.emit_many(op, widened, attrs, results);
        let made = made.into_iter().zip(wanted);
        made.map(|(value, dtype)| self.cast(value, dtype)).collect()
    }

    /// Inputs and attributes in the form of the file's set.
    fn spelled(
        &self,
        op: &str,
        mut inputs: Vec<Option<ValueId>>,
        attrs: Attrs,
    ) -> (Vec<Option<ValueId>>, Attrs) {
        let mut attrs = opset::spelled(op, self.opset, attrs);
        if opset::axes_are_attribute(op, self.opset)
            && let [_, Some(axes)] = inputs.as_slice()
            && let Some(data) = self.graph.initializers.get(axes)
            && let Some(axes) = data.as_ints()
        {
            inputs.truncate(1);
            attrs.push(("axes", Attr::Ints(axes)));
        }
        (inputs, attrs)
    }
}
