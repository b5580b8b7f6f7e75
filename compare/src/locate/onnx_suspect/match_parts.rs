//! The parts of a model in a file that names nothing as we do: found by what the values are.
//!
//! The referee says what each part reads and writes. Where the file is given what the referee's
//! part reads, the value that its part writes is the one that comes nearest, even of a part that
//! computes something else by a little.

use burn::tensor::TensorData;
use fluxo_models::{ModuleIo, Tensors};

use super::match_names::Endpoints;
use crate::error::Result;
use fluxo_onnx::file::GraphFile;

/// How many values are looked at in one run.
const PROBES: usize = 48;
/// How many values a part may be away from the one before it.
const AHEAD: usize = 4 * PROBES;
/// A value that is this near is the one that is sought.
const EQUAL: f64 = 1e-4;
/// What is no nearer is something else.
const NEAR: f64 = 0.5;

/// Operators that give numbers with a fraction where they read some.
const CARRYING: [&str; 14] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Gather",
    "Concat",
    "Split",
    "Slice",
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Identity",
    "Where",
];

/// Runs the file with the values given first in place of its own, and gives those named.
pub(super) type Run<'a> = dyn FnMut(&Tensors, &[&str]) -> Result<Tensors> + 'a;

/// The nearest value so far: how far off it is, its name, and itself.
type Best<'a> = Option<(f64, &'a str, TensorData)>;

/// A part, and where it is in a file.
pub(super) type Found = (String, Endpoints);

/// The values that hold numbers with a fraction, in the order of the computation.
pub(super) fn floats<'a>(file: &'a GraphFile, floating: &[&str]) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for node in &file.nodes {
        let op = node.op.as_str();
        let reads = |input: &String| found.contains(&input.as_str()) || file.float_weight(input);
        if floating.contains(&op) || CARRYING.contains(&op) && node.inputs.iter().any(reads) {
            // Only the first output of a norm is a part of the stream.
            let outputs = if op == "Split" { node.outputs.len() } else { 1 };
            found.extend(node.outputs.iter().take(outputs).map(String::as_str));
        }
    }
    found
}

/// What becomes of the product `value` when the bias is there that the file adds to it; itself
/// where there is none.
pub(super) fn with_bias<'a>(file: &'a GraphFile, value: &'a str) -> &'a str {
    let product = file.writer(value);
    let product = product.filter(|writer| file.nodes[*writer].op == "MatMul");
    let sum = match (product, file.readers(value).as_slice()) {
        (Some(_), [reader]) => &file.nodes[*reader],
        _ => return value,
    };
    let bias = sum.inputs.iter().any(|input| file.float_weight(input));
    match sum.outputs.first() {
        Some(output) if bias && sum.op == "Add" => output,
        _ => value,
    }
}
/// Where the outermost parts `exact` are among the `values` of a file: each is looked for behind
/// those before it, of which the file is given what the referee's wrote. What they read is what one
/// before them wrote.
///
/// # Errors
/// When the file does not run.
pub(super) fn outermost(
    exact: &[&ModuleIo],
    values: &[&str],
    run: &mut Run<'_>,
) -> Result<Vec<Found>> {
    let mut known = Tensors::new();
    let (mut found, mut from) = (Vec::<Found>::new(), 0);
    for part in exact {
        let ahead = &values[from..values.len().min(from + AHEAD)];
        let mut best: Best<'_> = None;
        for some in ahead.chunks(PROBES) {
            let given = run(&known, some)?;
            nearest(&part.output, some, &given, &mut best);
            if best.as_ref().is_some_and(|(off, ..)| *off < EQUAL) {
                break;
            }
        }
        let Some((_, output, data)) = best else {
            continue;
        };
        let wrote = |path: &str, input: &TensorData| {
            let mut wrote = exact.iter().filter(|part| part.path == path);
            wrote.any(|part| part.output == *input)
        };
        let input = part.input.as_ref().map(|input| {
            let before = found.iter().rev().find(|(path, _)| wrote(path, input));
            before.map(|(_, ends)| ends.output.clone())
        });
        let at = values.iter().position(|value| *value == output);
        from = at.map_or(from, |at| at + 1);
        known.insert(output.to_string(), shaped(&part.output, &data));
        let ends = Endpoints {
            input: input.clone().flatten(),
            output: output.to_string(),
        };
        // What reads a stream and cannot be fed says nothing of itself.
        if input.is_none_or(|input| input.is_some()) {
            found.push((part.path.clone(), ends));
        }
    }
    Ok(found)
}

/// Where the parts `exact` of one block are among the `values` of the block, where it is given
/// `known`.
///
/// # Errors
/// When the file does not run.
pub(super) fn inner(
    exact: &[&ModuleIo],
    values: &[&str],
    known: &Tensors,
    run: &mut Run<'_>,
) -> Result<Vec<Found>> {
    let mut outputs: Vec<Best<'_>> = vec![None; exact.len()];
    let mut inputs: Vec<Best<'_>> = vec![None; exact.len()];
    for (name, data) in known {
        // What the block reads, a part of it may read too.
        let own = Tensors::from([(name.clone(), data.clone())]);
        for (part, best) in exact.iter().zip(&mut inputs) {
            if let Some(input) = &part.input {
                nearest(input, &[name.as_str()], &own, best);
            }
        }
    }
    for some in values.chunks(PROBES) {
        let given = run(known, some)?;
        for (part, best) in exact.iter().zip(&mut outputs) {
            nearest(&part.output, some, &given, best);
        }
        for (part, best) in exact.iter().zip(&mut inputs) {
            if let Some(input) = &part.input {
                nearest(input, some, &given, best);
            }
        }
    }
    let found = exact.iter().zip(inputs).zip(outputs);
    Ok(found
        .filter_map(|((part, input), output)| {
            let (_, output, _) = output?;
            let (_, input, _) = input?;
            let ends = Endpoints {
                input: Some(input.to_string()),
                output: output.to_string(),
            };
            Some((part.path.clone(), ends))
        })
        .collect())
}

/// The nearest of `names` among `given` to `exact` becomes `best` where it is nearer than that; of
/// those that are as good as equal the first stays.
fn nearest<'a>(exact: &TensorData, names: &[&'a str], given: &Tensors, best: &mut Best<'a>) {
    for name in names {
        let Some(data) = given.get(*name) else {
            continue;
        };
        let off = distance(exact, data);
        let least = best.as_ref().map_or(NEAR, |(off, ..)| *off);
        if off < least && least > EQUAL {
            *best = Some((off, name, data.clone()));
        }
    }
}

/// The mean distance of two tensors of as many values, in any shape, by the mean magnitude of the
/// first; infinite where there is none.
fn distance(exact: &TensorData, data: &TensorData) -> f64 {
    if exact.num_elements() != data.num_elements() || !data.dtype().is_float() {
        return f64::INFINITY;
    }
    let (mut off, mut all) = (0.0, 0.0);
    for (x, y) in exact.iter::<f64>().zip(data.iter::<f64>()) {
        // Padding may hold anything.
        if x.is_finite() && y.is_finite() {
            off += (x - y).abs();
            all += x.abs();
        }
    }
    if all > 0.0 { off / all } else { f64::INFINITY }
}

/// The values of `data` in the shape of `like`.
fn shaped(data: &TensorData, like: &TensorData) -> TensorData {
    let values: Vec<f64> = data.iter::<f64>().collect();
    TensorData::new(values, like.shape().clone())
}
