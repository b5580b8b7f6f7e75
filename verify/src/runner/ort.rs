//! An ONNX file in ONNX Runtime, on its CPU provider.

use std::path::Path;

use burn::tensor::{DType, TensorData};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorElementType};

use fluxo_onnx::file::Signature;

pub use super::ort_library::NAME;
use super::{Label, Runner, guard, ort_library};
use crate::Tensors;
use crate::error::{Error, Result};
use crate::inputs;

/// An ONNX file, loaded.
pub struct Ort {
    label: Label,
    signature: Signature,
    session: Session,
}

impl Ort {
    /// Loads the ONNX file at `path`; reports show it as `name`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when ONNX Runtime is not here; otherwise when the file is not an
    /// ONNX model, or one that ONNX Runtime refuses.
    pub fn load(name: &str, path: &Path) -> Result<Self> {
        let environment = ort_library::environment()?;
        let signature = Signature::read(path)?;
        let session = guard(name, || {
            Session::builder(environment)?.commit_from_file(path)
        })?;
        Ok(Self {
            label: Label::of_file(name, &signature),
            signature,
            session,
        })
    }
}

impl Runner for Ort {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        let mut values: Vec<(String, SessionInputValue<'static>)> = Vec::new();
        for (name, data) in inputs::fitting(&self.signature, &self.label.name, inputs)? {
            let value = to_value(&self.label.name, name, &data)?;
            values.push((name.to_string(), value.into()));
        }
        let (runner, session) = (&self.label.name, &mut self.session);
        let given = guard(runner, || session.run(values))?;
        let mut outputs = Tensors::new();
        for port in &self.signature.outputs {
            let value = given
                .get(&port.name)
                .ok_or_else(|| Error::runner(runner, format!("it gave no `{}`", port.name)))?;
            outputs.insert(port.name.clone(), from_value(runner, &port.name, value)?);
        }
        Ok(outputs)
    }
}

fn to_value(runner: &str, name: &str, data: &TensorData) -> Result<DynValue> {
    let shape = data.shape().as_slice().to_vec();
    let unreadable = |e| Error::Input(format!("`{name}`: {e}"));
    match data.dtype() {
        DType::F32 => {
            let values = data.try_to_vec::<f32>().map_err(unreadable)?;
            guard(runner, || {
                Ok::<_, ort::Error>(Tensor::from_array((shape, values))?.into_dyn())
            })
        }
        DType::F64 => {
            let values = data.try_to_vec::<f64>().map_err(unreadable)?;
            guard(runner, || {
                Ok::<_, ort::Error>(Tensor::from_array((shape, values))?.into_dyn())
            })
        }
        DType::I64 => {
            let values = data.try_to_vec::<i64>().map_err(unreadable)?;
            guard(runner, || {
                Ok::<_, ort::Error>(Tensor::from_array((shape, values))?.into_dyn())
            })
        }
        DType::I32 => {
            let values = data.try_to_vec::<i32>().map_err(unreadable)?;
            guard(runner, || {
                Ok::<_, ort::Error>(Tensor::from_array((shape, values))?.into_dyn())
            })
        }
        dtype if inputs::is_bool(dtype) => {
            let values: Vec<_> = inputs::integers(name, data)?
                .iter()
                .map(|v| *v != 0)
                .collect();
            guard(runner, || {
                Ok::<_, ort::Error>(Tensor::from_array((shape, values))?.into_dyn())
            })
        }
        other => Err(Error::runner(
            runner,
            format!("input `{name}` of {other:?} is not supported"),
        )),
    }
}

fn from_value(runner: &str, name: &str, value: &DynValue) -> Result<TensorData> {
    let ty = value.dtype().tensor_type();
    guard(runner, || {
        Ok::<_, ort::Error>(match ty {
            Some(TensorElementType::Float32) => data(value.try_extract_tensor::<f32>()?),
            Some(TensorElementType::Float64) => data(value.try_extract_tensor::<f64>()?),
            Some(TensorElementType::Int64) => data(value.try_extract_tensor::<i64>()?),
            Some(TensorElementType::Int32) => data(value.try_extract_tensor::<i32>()?),
            Some(TensorElementType::Bool) => data(value.try_extract_tensor::<bool>()?),
            _ => {
                return Err(ort::Error::new(format!(
                    "output `{name}` of {} is not supported",
                    value.dtype()
                )));
            }
        })
    })
}

fn data<T: burn::tensor::Element>((shape, values): (&ort::value::Shape, &[T])) -> TensorData {
    let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
    TensorData::new(values.to_vec(), shape)
}
