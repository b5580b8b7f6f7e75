//! An ONNX file in tract.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, TensorData};
use tract_onnx::prelude::*;

use fluxo_onnx::file::Signature;

use super::{Label, Runner, guard};
use crate::Tensors;
use crate::error::{Error, Result};
use crate::inputs;

/// The runtime's name.
pub const NAME: &str = "tract";

type Plan = Arc<TypedRunnableModel>;

/// An ONNX file, loaded.
///
/// The plan keeps the file's named sizes as symbols and serves every shape. Where tract cannot
/// analyse the graph with symbols, a plan is made for each shape when it first comes; the last
/// one is kept.
pub struct Tract {
    label: Label,
    signature: Signature,
    plans: Plans,
}

enum Plans {
    Symbolic(Plan),
    Concrete {
        model: InferenceModel,
        last: Option<(Vec<Vec<usize>>, Plan)>,
    },
}

impl Tract {
    /// Loads the ONNX file at `path`; reports show it as `name`.
    ///
    /// # Errors
    /// When the file is not an ONNX model, or one that tract cannot read.
    pub fn load(name: &str, path: &Path) -> Result<Self> {
        let signature = Signature::read(path)?;
        // The declared output shapes are left to the analysis, which has them from the inputs.
        let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
        let model = guard(name, || onnx.model_for_path(path))?;
        let plans = match guard(name, || model.into_optimized()?.into_runnable()) {
            Ok(plan) => Plans::Symbolic(plan),
            Err(_) => {
                // Declared shapes inside the graph are in symbols, which numbers do not unify with.
                let onnx = onnx.with_ignore_value_info(true);
                let model = guard(name, || onnx.model_for_path(path))?;
                Plans::Concrete { model, last: None }
            }
        };
        Ok(Self {
            label: Label::of_file(name, &signature),
            signature,
            plans,
        })
    }

    /// The plan for inputs of these types and shapes, in the signature's order.
    fn plan(&mut self, types: &[DatumType], shapes: Vec<Vec<usize>>) -> Result<Plan> {
        let (model, last) = match &mut self.plans {
            Plans::Symbolic(plan) => return Ok(plan.clone()),
            Plans::Concrete { model, last } => (model, last),
        };
        if let Some((_, plan)) = last.as_ref().filter(|(made, _)| *made == shapes) {
            return Ok(plan.clone());
        }
        let plan = guard(&self.label.name, || {
            let mut model = model.clone();
            for (i, (dtype, shape)) in types.iter().zip(&shapes).enumerate() {
                model = model.with_input_fact(i, InferenceFact::dt_shape(*dtype, shape))?;
            }
            model.into_optimized()?.into_runnable()
        })?;
        *last = Some((shapes, plan.clone()));
        Ok(plan)
    }
}

impl Runner for Tract {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        let (mut values, mut types, mut shapes) = (TVec::new(), Vec::new(), Vec::new());
        for (name, data) in inputs::fitting(&self.signature, &self.label.name, inputs)? {
            shapes.push(data.shape().as_slice().to_vec());
            let tensor = to_tensor(&self.label.name, name, &data)?;
            types.push(tensor.datum_type());
            values.push(tensor.into_tvalue());
        }
        let plan = self.plan(&types, shapes)?;
        let given = guard(&self.label.name, || plan.run(values))?;
        let mut outputs = Tensors::new();
        for (port, value) in self.signature.outputs.iter().zip(given) {
            let data = guard(&self.label.name, || from_tensor(&value))?;
            outputs.insert(port.name.clone(), data);
        }
        Ok(outputs)
    }
}

fn to_tensor(runner: &str, name: &str, data: &TensorData) -> Result<Tensor> {
    let shape = data.shape().as_slice();
    let unreadable = |e| Error::Input(format!("`{name}`: {e}"));
    match data.dtype() {
        DType::F32 => {
            let values = data.as_slice::<f32>().map_err(unreadable)?;
            guard(runner, || Tensor::from_shape(shape, values))
        }
        DType::F64 => {
            let values = data.as_slice::<f64>().map_err(unreadable)?;
            guard(runner, || Tensor::from_shape(shape, values))
        }
        DType::I64 => {
            let values = data.as_slice::<i64>().map_err(unreadable)?;
            guard(runner, || Tensor::from_shape(shape, values))
        }
        DType::I32 => {
            let values = data.as_slice::<i32>().map_err(unreadable)?;
            guard(runner, || Tensor::from_shape(shape, values))
        }
        dtype if inputs::is_bool(dtype) => {
            let values: Vec<_> = inputs::integers(name, data)?
                .iter()
                .map(|v| *v != 0)
                .collect();
            guard(runner, || Tensor::from_shape(shape, &values))
        }
        other => Err(Error::runner(
            runner,
            format!("input `{name}` of {other:?} is not supported"),
        )),
    }
}

fn from_tensor(tensor: &Tensor) -> TractResult<TensorData> {
    let shape = tensor.shape().to_vec();
    let dtype = tensor.datum_type();
    if dtype == f32::datum_type() || dtype == f16::datum_type() {
        let floats = tensor.cast_to::<f32>()?;
        return Ok(TensorData::new(
            floats.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
            shape,
        ));
    }
    if dtype == f64::datum_type() {
        return Ok(TensorData::new(
            tensor.try_as_plain_ram()?.as_slice::<f64>()?.to_vec(),
            shape,
        ));
    }
    // Integers, truth values, and sizes that tract computed (`TDim`).
    let integers = tensor.cast_to::<i64>()?;
    Ok(TensorData::new(
        integers.try_as_plain_ram()?.as_slice::<i64>()?.to_vec(),
        shape,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Judging, compare_inputs};

    #[test]
    fn plans_for_each_shape_compute_what_the_symbolic_one_does() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cached.onnx");
        let symbolic = Tract::load("symbolic", &path).unwrap();
        assert!(matches!(symbolic.plans, Plans::Symbolic(_)));
        let onnx = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .with_ignore_value_info(true);
        let plans = Plans::Concrete {
            model: onnx.model_for_path(&path).unwrap(),
            last: None,
        };
        let mut concrete = Tract::load("concrete", &path).unwrap();
        concrete.plans = plans;
        let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(symbolic), Box::new(concrete)];
        for shape in [[1, 1], [2, 5], [2, 5], [1, 17]] {
            let ids = TensorData::zeros::<i64, _>(shape);
            let mask = TensorData::ones::<i64, _>(shape);
            let past = || TensorData::zeros::<f32, _>([shape[0], 2, 0, 4]);
            let inputs = [
                ("input_ids", ids),
                ("attention_mask", mask),
                ("past_key_values.0.key", past()),
                ("past_key_values.0.value", past()),
            ];
            let inputs: Tensors = inputs.map(|(name, data)| (name.to_string(), data)).into();
            // The two may fuse differently: a few roundings of float32.
            let judging = Judging {
                tolerance: Some(1e-6),
                ..Judging::default()
            };
            let report = compare_inputs(&mut runners, &inputs, &judging).unwrap();
            assert!(report.agrees() && report.skipped.is_empty(), "{report}");
        }
    }
}
