//! From the tensors that were given to the tensors that a file takes.

use std::borrow::Cow;

use burn::tensor::{DType, TensorData};
use fluxo_onnx::file::{Dim, Port, Signature};

use crate::Tensors;
use crate::error::{Error, Result};

/// Splits a file's tensors into a model's inputs and the outputs that are expected of it:
/// `in.` is dropped from the ones, `out.` from the others.
pub fn split(tensors: &Tensors) -> (Tensors, Tensors) {
    let (mut inputs, mut expected) = (Tensors::new(), Tensors::new());
    for (name, data) in tensors {
        if let Some(output) = name.strip_prefix("out.") {
            expected.insert(output.to_string(), data.clone());
        } else {
            let input = name.strip_prefix("in.").unwrap_or(name);
            inputs.insert(input.to_string(), data.clone());
        }
    }
    (inputs, expected)
}

/// The inputs that `signature` declares, in its order and element types, none of which it has no
/// rows for; `runner` is to run it.
///
/// # Errors
/// When an input is missing, unknown, or of another type or shape than declared, and
/// [`Error::OutOfRange`], which names the number and where it stands.
pub fn fitting<'a>(
    signature: &'a Signature,
    runner: &str,
    inputs: &'a Tensors,
) -> Result<Vec<(&'a str, Cow<'a, TensorData>)>> {
    if let Some(name) = inputs.keys().find(|name| signature.input(name).is_none()) {
        return Err(unknown(signature, name));
    }
    let mut all = Vec::with_capacity(signature.inputs.len());
    for port in &signature.inputs {
        let data = inputs.get(&port.name).ok_or_else(|| missing(port))?;
        let data = fit(port, data)?;
        if let Some(&count) = signature.rows.get(&port.name) {
            in_range(runner, port, &data, count)?;
        }
        all.push((port.name.as_str(), data));
    }
    Ok(all)
}

/// An input that the file does not take.
pub fn unknown(signature: &Signature, name: &str) -> Error {
    Error::Input(format!(
        "the model takes no `{name}`; it takes {}",
        list(signature.inputs.iter().map(|port| port.name.as_str()))
    ))
}

/// An input that is needed and was not given.
pub fn missing(port: &Port) -> Error {
    Error::Input(format!(
        "the model needs `{}`, which was not given",
        port.name
    ))
}

/// Refuses numbers of rows that a table of `count` does not have.
fn in_range(runner: &str, port: &Port, data: &TensorData, count: usize) -> Result<()> {
    let numbers = integers(&port.name, data)?;
    let wrong = |number: &i64| !(0..count as i64).contains(number);
    let Some(at) = numbers.iter().position(wrong) else {
        return Ok(());
    };
    Err(Error::OutOfRange {
        runner: runner.to_string(),
        reason: format!(
            "`{}` holds {} at {}, and the file has {count} of them, numbered from 0 to {}",
            port.name,
            numbers[at],
            place(data, at),
            count.saturating_sub(1)
        ),
    })
}

/// `data` in the element type and shape that `port` declares.
pub fn fit<'a>(port: &Port, data: &'a TensorData) -> Result<Cow<'a, TensorData>> {
    let shape = data.shape().as_slice();
    let name = &port.name;
    if let Some(dims) = &port.dims {
        let fits = dims.len() == shape.len()
            && dims.iter().zip(shape).all(|(dim, size)| match dim {
                Dim::Fixed(fixed) => fixed == size,
                Dim::Named(_) => true,
            });
        if !fits {
            let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
            return Err(Error::Input(format!(
                "`{name}` has shape {shape:?}, the model declares [{}]",
                dims.join(", ")
            )));
        }
    }
    if data.dtype() == port.dtype {
        return Ok(Cow::Borrowed(data));
    }
    if port.dtype.is_float() && !data.dtype().is_float()
        || !port.dtype.is_float() && data.dtype().is_float()
    {
        return Err(Error::Input(format!(
            "`{name}` is {:?}, the model declares {:?}",
            data.dtype(),
            port.dtype
        )));
    }
    data.clone()
        .try_cast(port.dtype)
        .map(Cow::Owned)
        .map_err(|e| Error::Input(format!("`{name}`: {e}")))
}

/// Element `at` of `data` by its indices.
fn place(data: &TensorData, at: usize) -> String {
    let mut rest = at;
    let shape = data.shape().as_slice();
    let mut indices: Vec<String> = shape
        .iter()
        .rev()
        .map(|size| {
            let index = rest % size;
            rest /= size;
            index.to_string()
        })
        .collect();
    indices.reverse();
    match indices.as_slice() {
        [row, position] => format!("position {position} of row {row}"),
        _ => format!("[{}]", indices.join(", ")),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The shape and values of an integer input, 64 bits wide.
pub fn integers(name: &str, data: &TensorData) -> Result<Vec<i64>> {
    data.try_to_vec_as::<i64>()
        .map_err(|e| Error::Input(format!("`{name}`: {e}")))
}

/// Whether an element type holds truth values.
pub fn is_bool(dtype: DType) -> bool {
    matches!(dtype, DType::Bool(_))
}
