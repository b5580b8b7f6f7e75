//! Runs an exported graph in the embedded runtimes, and the closure that it came from in Burn.
#![allow(dead_code)]

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
use fluxo_onnx::{Args, DataType, OnnxModel, Options, Outputs, Spec, evaluate, export};
use tract_onnx::prelude::*;

pub type Named = Vec<(String, TensorData)>;

/// A runtime of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    Tract,
    Rten,
}

pub const ALL: [Runtime; 2] = [Runtime::Tract, Runtime::Rten];

impl Runtime {
    pub fn run(
        self,
        bytes: &[u8],
        model: &OnnxModel,
        inputs: &BTreeMap<String, TensorData>,
    ) -> Result<Named, String> {
        match self {
            Self::Tract => tract(bytes, model, inputs).map_err(|error| format!("{error:#}")),
            Self::Rten => rten(bytes, model, inputs),
        }
    }
}

fn bools(data: &TensorData) -> Vec<bool> {
    data.iter::<bool>().collect()
}

fn tract(
    bytes: &[u8],
    model: &OnnxModel,
    inputs: &BTreeMap<String, TensorData>,
) -> TractResult<Named> {
    let mut values: TVec<TValue> = tvec!();
    for input in model.inputs() {
        let data = &inputs[&input.name];
        let shape: Vec<usize> = data.shape().to_vec();
        let tensor = match input.dtype {
            DataType::Int64 => Tensor::from_shape(&shape, &data.iter::<i64>().collect::<Vec<_>>())?,
            DataType::Bool => Tensor::from_shape(&shape, &bools(data))?,
            _ => Tensor::from_shape(&shape, &data.iter::<f32>().collect::<Vec<_>>())?,
        };
        values.push(tensor.into());
    }
    // The declared output shapes are left to the analysis, which has them from the inputs.
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
    let symbolic = || {
        onnx.model_for_read(&mut &*bytes)?
            .into_optimized()?
            .into_runnable()
    };
    // Where tract cannot analyse the graph with symbols, a plan for these shapes is made, as
    // fluxo-compare does: declared shapes are in symbols, which numbers do not unify with.
    let concrete = || {
        let onnx = onnx.clone().with_ignore_value_info(true);
        let mut model = onnx.model_for_read(&mut &*bytes)?;
        for (index, value) in values.iter().enumerate() {
            let fact = InferenceFact::dt_shape(value.datum_type(), value.shape());
            model = model.with_input_fact(index, fact)?;
        }
        model.into_optimized()?.into_runnable()
    };
    let plan = symbolic().or_else(|_| concrete())?;
    let outputs = plan.run(values)?;
    let mut named = Vec::new();
    for (output, value) in model.outputs().iter().zip(outputs.iter()) {
        let shape = value.shape().to_vec();
        let data = match output.dtype {
            DataType::Int64 => {
                let cast = value.cast_to::<i64>()?.into_owned();
                TensorData::new(
                    cast.to_plain_array_view::<i64>()?
                        .iter()
                        .copied()
                        .collect::<Vec<_>>(),
                    shape,
                )
            }
            DataType::Bool => TensorData::new(
                value
                    .to_plain_array_view::<bool>()?
                    .iter()
                    .copied()
                    .collect::<Vec<_>>(),
                shape,
            ),
            _ => TensorData::new(
                value
                    .to_plain_array_view::<f32>()?
                    .iter()
                    .copied()
                    .collect::<Vec<_>>(),
                shape,
            ),
        };
        named.push((output.name.clone(), data));
    }
    Ok(named)
}

fn rten(
    bytes: &[u8],
    model: &OnnxModel,
    inputs: &BTreeMap<String, TensorData>,
) -> Result<Named, String> {
    use ::rten::{Model, Value};
    use rten_tensor::Tensor;
    use rten_tensor::prelude::*;
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let loaded = Model::load(bytes.to_vec()).map_err(|e| say(&e))?;
    let mut values = Vec::new();
    for input in model.inputs() {
        let data = &inputs[&input.name];
        let shape: Vec<usize> = data.shape().to_vec();
        let value: Value = match input.dtype {
            DataType::Int64 => Tensor::from_data(
                &shape,
                data.iter::<i64>().map(|v| v as i32).collect::<Vec<_>>(),
            )
            .into(),
            DataType::Bool => Tensor::from_data(
                &shape,
                bools(data).into_iter().map(i32::from).collect::<Vec<_>>(),
            )
            .into(),
            _ => Tensor::from_data(&shape, data.iter::<f32>().collect::<Vec<_>>()).into(),
        };
        values.push((
            loaded.node_id(&input.name).map_err(|e| say(&e))?,
            value.into(),
        ));
    }
    let ids: Vec<_> = model
        .outputs()
        .iter()
        .map(|output| loaded.node_id(&output.name).map_err(|e| say(&e)))
        .collect::<Result<_, _>>()?;
    let outputs = loaded.run(values, &ids, None).map_err(|e| say(&e))?;
    let mut named = Vec::new();
    for (output, value) in model.outputs().iter().zip(outputs) {
        let data = match value {
            Value::FloatTensor(tensor) => TensorData::new(tensor.to_vec(), tensor.shape().to_vec()),
            Value::Int32Tensor(tensor) if output.dtype == DataType::Bool => TensorData::new(
                tensor.iter().map(|v| *v != 0).collect::<Vec<_>>(),
                tensor.shape().to_vec(),
            ),
            Value::Int32Tensor(tensor) => TensorData::new(
                tensor.iter().map(|v| i64::from(*v)).collect::<Vec<_>>(),
                tensor.shape().to_vec(),
            ),
            other => return Err(format!("an output of another type: {other:?}")),
        };
        named.push((output.name.clone(), data));
    }
    Ok(named)
}

/// The largest distance between two results, relative where numbers are large; text says why
/// they cannot be compared.
pub fn distance(a: &TensorData, b: &TensorData) -> Result<f64, String> {
    if a.shape() != b.shape() {
        return Err(format!("shapes {:?} and {:?}", a.shape(), b.shape()));
    }
    let mut worst = 0.0f64;
    for (x, y) in a.iter::<f64>().zip(b.iter::<f64>()) {
        let gap = if x == y || (x.is_nan() && y.is_nan()) {
            0.0
        } else {
            (x - y).abs() / x.abs().max(1.0)
        };
        if gap.is_nan() || gap > worst {
            worst = if gap.is_nan() { f64::INFINITY } else { gap };
        }
    }
    Ok(worst)
}

/// Deterministic floats in about -2..2.
pub fn floats(shape: &[usize], seed: u64) -> TensorData {
    let count: usize = shape.iter().product();
    TensorData::new(
        numbers(seed, count)
            .map(|v| v * 4.0 - 2.0)
            .collect::<Vec<f32>>(),
        shape.to_vec(),
    )
}

/// Deterministic integers in a range.
pub fn ints(shape: &[usize], low: i64, high: i64, seed: u64) -> TensorData {
    let count: usize = shape.iter().product();
    let span = (high - low) as f32;
    let values = numbers(seed, count).map(|v| low + ((v * span) as i64).min(high - low - 1));
    TensorData::new(values.collect::<Vec<i64>>(), shape.to_vec())
}

/// Deterministic booleans.
pub fn flags(shape: &[usize], seed: u64) -> TensorData {
    let count: usize = shape.iter().product();
    TensorData::new(
        numbers(seed, count).map(|v| v > 0.5).collect::<Vec<bool>>(),
        shape.to_vec(),
    )
}

fn numbers(seed: u64, count: usize) -> impl Iterator<Item = f32> {
    let mut state = seed
        .wrapping_mul(2_862_933_555_777_941_757)
        .wrapping_add(88_172_645_463_325_252);
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32) / ((1u64 << 24) as f32)
    })
}

/// Exports for any target, then compares Burn with every runtime at every set of inputs.
pub fn agree<M: Module>(
    name: &str,
    module: &M,
    spec: &Spec,
    runtimes: &[Runtime],
    tolerance: f64,
    forward: impl Fn(&M, &mut Args) -> Outputs,
    cases: &[BTreeMap<String, TensorData>],
) -> Result<OnnxModel, String> {
    let options = Options::default();
    agree_with(
        &options, name, module, spec, runtimes, tolerance, forward, cases,
    )
}

/// Exports, then compares Burn with every runtime at every set of inputs.
#[allow(clippy::too_many_arguments)]
pub fn agree_with<M: Module>(
    options: &Options,
    name: &str,
    module: &M,
    spec: &Spec,
    runtimes: &[Runtime],
    tolerance: f64,
    forward: impl Fn(&M, &mut Args) -> Outputs,
    cases: &[BTreeMap<String, TensorData>],
) -> Result<OnnxModel, String> {
    let model = export(module, spec, options, &forward).map_err(|e| format!("{name}: {e}"))?;
    let bytes = model.to_bytes().map_err(|e| e.to_string())?;
    if let Ok(folder) = std::env::var("FLUXO_KEEP_ONNX") {
        keep(&folder, name, module, &model, &forward, cases);
    }
    let mut wrong = Vec::new();
    for case in cases {
        let shapes: Vec<String> = case
            .iter()
            .map(|(n, d)| format!("{n}{:?}", d.shape()))
            .collect();
        let expected = evaluate(module, &Device::flex(), case, &forward)
            .map_err(|e| format!("{name}: burn: {e}"))?;
        for runtime in runtimes {
            match runtime.run(&bytes, &model, case) {
                Err(error) => wrong.push(format!("{name}: {runtime:?} at {shapes:?}: {error}")),
                Ok(actual) => {
                    for ((output, a), (_, b)) in expected.iter().zip(&actual) {
                        match distance(a, b) {
                            Ok(gap) if gap <= tolerance => {}
                            gap => wrong.push(format!(
                                "{name}: {runtime:?} at {shapes:?}: `{output}` differs: {gap:?}"
                            )),
                        }
                    }
                }
            }
        }
    }
    if wrong.is_empty() {
        Ok(model)
    } else {
        Err(wrong.join("\n"))
    }
}

/// For a look at the same cases from outside: the file, and raw inputs and outputs.
fn keep<M: Module>(
    folder: &str,
    name: &str,
    module: &M,
    model: &OnnxModel,
    forward: &impl Fn(&M, &mut Args) -> Outputs,
    cases: &[BTreeMap<String, TensorData>],
) {
    let folder = std::path::Path::new(folder).join(name.replace([' ', '/'], "_"));
    std::fs::create_dir_all(&folder).unwrap();
    model.write(folder.join("model.onnx")).unwrap();
    for (index, case) in cases.iter().enumerate() {
        let outputs = evaluate(module, &Device::flex(), case, forward).unwrap();
        let inputs = case.iter().map(|(n, d)| (format!("in.{n}"), d.clone()));
        let mut text = String::new();
        for (name, data) in inputs.chain(outputs.into_iter().map(|(n, d)| (format!("out.{n}"), d)))
        {
            let kind = match data.dtype() {
                DType::Bool(_) => "bool",
                dtype if dtype.is_float() => "float32",
                _ => "int64",
            };
            let values: Vec<String> = data.iter::<f64>().map(|v| v.to_string()).collect();
            text += &format!(
                "{name}\t{kind}\t{:?}\t{}\n",
                data.shape().to_vec(),
                values.join(",")
            );
        }
        std::fs::write(folder.join(format!("{index}.tsv")), text).unwrap();
    }
}

pub fn inputs<const N: usize>(pairs: [(&str, TensorData); N]) -> BTreeMap<String, TensorData> {
    pairs
        .into_iter()
        .map(|(name, data)| (name.to_string(), data))
        .collect()
}
