//! An ONNX file in rten, which has 32-bit integers only.

use std::path::Path;

use burn::tensor::TensorData;
use rten::{Model, NodeId, Value};
use rten_tensor::prelude::*;

use fluxo_onnx::file::Signature;

use super::{Label, Runner, guard};
use crate::Tensors;
use crate::error::{Error, Result};
use crate::inputs;

/// The runtime's name.
pub const NAME: &str = "rten";

/// An ONNX file, loaded.
pub struct Rten {
    label: Label,
    signature: Signature,
    model: Model,
    outputs: Vec<NodeId>,
}

impl Rten {
    /// Loads the ONNX file at `path`; reports show it as `name`.
    ///
    /// # Errors
    /// When the file is not an ONNX model, or one with an operation that rten does not have.
    pub fn load(name: &str, path: &Path) -> Result<Self> {
        let signature = Signature::read(path)?;
        let model = guard(name, || Model::load_file(path))?;
        let outputs = guard(name, || {
            signature
                .outputs
                .iter()
                .map(|port| model.node_id(&port.name))
                .collect()
        })?;
        Ok(Self {
            label: Label::of_file(name, &signature),
            signature,
            model,
            outputs,
        })
    }

    fn value(&self, name: &str, data: &TensorData) -> Result<Value> {
        let shape = data.shape().as_slice();
        if data.dtype().is_float() {
            let values = data
                .try_to_vec_as::<f32>()
                .map_err(|e| Error::Input(format!("`{name}`: {e}")))?;
            return guard(&self.label.name, || Value::from_shape(shape, values));
        }
        let mut narrow = Vec::with_capacity(data.num_elements());
        for value in inputs::integers(name, data)? {
            narrow.push(i32::try_from(value).map_err(|_| {
                Error::runner(
                    &self.label.name,
                    format!("`{name}` holds {value}; its integers have 32 bits"),
                )
            })?);
        }
        guard(&self.label.name, || Value::from_shape(shape, narrow))
    }
}

impl Runner for Rten {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        let mut values = Vec::new();
        for (name, data) in inputs::fitting(&self.signature, &self.label.name, inputs)? {
            let id = guard(&self.label.name, || self.model.node_id(name))?;
            values.push((id, self.value(name, &data)?.into()));
        }
        let given = guard(&self.label.name, || {
            self.model.run(values, &self.outputs, None)
        })?;
        let mut outputs = Tensors::new();
        for (port, value) in self.signature.outputs.iter().zip(given) {
            let data = from_value(value).ok_or_else(|| {
                Error::runner(
                    &self.label.name,
                    format!("output `{}` is not a tensor", port.name),
                )
            })?;
            outputs.insert(port.name.clone(), data);
        }
        Ok(outputs)
    }
}

fn from_value(value: Value) -> Option<TensorData> {
    Some(match value {
        Value::FloatTensor(t) => TensorData::new(t.to_vec(), t.shape().to_vec()),
        Value::Int32Tensor(t) => TensorData::new(t.to_vec(), t.shape().to_vec()),
        Value::Int8Tensor(t) => TensorData::new(t.to_vec(), t.shape().to_vec()),
        Value::UInt8Tensor(t) => TensorData::new(t.to_vec(), t.shape().to_vec()),
        _ => return None,
    })
}
