//! Outputs that are not finite: they are never passed on in silence.
//!
//! The result is there, and does not hold: a line on stderr, `not_finite` in the document, exit
//! code 1.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::DType;
use fluxo_compare::ExportManifest;
use fluxo_models::Tensors;
use serde::Serialize;
use serde_json::{Value, json};

/// How the outputs were computed, which says what helps.
#[derive(Debug, Clone, Copy)]
pub enum Computed {
    /// On a backend, in this element type.
    In(DType),
    /// By a file that was exported in this element type.
    ExportManifest(DType),
    /// By a file that does not say how it was made.
    Elsewhere,
}

impl Computed {
    /// By the exported files in `folder`.
    pub fn by_files(folder: &Path) -> Self {
        ExportManifest::read(folder).map_or(Self::Elsewhere, |own| Self::ExportManifest(own.dtype))
    }
}

/// An output with values that are not finite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stray {
    /// Its name.
    output: String,
    /// Values that are no number.
    nan: usize,
    /// Infinite values.
    infinite: usize,
    /// All values.
    of: usize,
}

/// Those of `outputs` that are not finite.
pub fn stray(outputs: &Tensors) -> Vec<Stray> {
    let stray = |(output, data): (&String, &burn::tensor::TensorData)| {
        let values = data.try_to_vec_as::<f32>().ok()?;
        let count = |is: fn(f32) -> bool| values.iter().filter(|value| is(**value)).count();
        let (nan, infinite) = (count(f32::is_nan), count(f32::is_infinite));
        (nan + infinite > 0).then(|| Stray {
            output: output.clone(),
            nan,
            infinite,
            of: values.len(),
        })
    };
    outputs.iter().filter_map(stray).collect()
}

/// Says so on stderr, in one line, where there are any.
pub fn say(stray: &[Stray], computed: Computed) -> Result<()> {
    let [first, rest @ ..] = stray else {
        return Ok(());
    };
    let more = match rest.len() {
        0 => String::new(),
        more => format!(", and {more} more outputs are not"),
    };
    let mend = match computed {
        Computed::In(DType::F16) => "float16 ends at 65504, so use --dtype f32 or bf16",
        Computed::ExportManifest(DType::F16) => {
            "float16 ends at 65504, so export it with --dtype f32 or bf16"
        }
        Computed::Elsewhere => {
            "in float16, which ends at 65504, use another type; else look for the cause in its weights or inputs"
        }
        _ => "look for the cause in its weights or inputs",
    };
    let Stray {
        output,
        nan,
        infinite,
        of,
    } = first;
    Ok(writeln!(
        std::io::stderr(),
        "warning: `{output}` is not finite ({nan} NaN and {infinite} infinite of {of} values){more}: {mend}"
    )?)
}

/// `document` with what is not finite.
pub fn noted(document: &impl Serialize, stray: &[Stray]) -> Result<Value> {
    let mut document = serde_json::to_value(document)?;
    let map = document.as_object_mut();
    map.context("a document is an object")?
        .insert("not_finite".to_string(), json!(stray));
    Ok(document)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn outputs_that_are_not_finite_are_named() {
        let tensor = |values: Vec<f32>| {
            let shape = [values.len()];
            TensorData::new(values, shape)
        };
        let outputs = Tensors::from([
            ("good".to_string(), tensor(vec![1.0, -65504.0])),
            (
                "logits".to_string(),
                tensor(vec![f32::NAN, 0.0, f32::INFINITY, f32::NEG_INFINITY]),
            ),
        ]);
        let found = stray(&outputs);
        let wanted = Stray {
            output: "logits".into(),
            nan: 1,
            infinite: 2,
            of: 4,
        };
        assert_eq!(found, [wanted]);
        let document = noted(&json!({"a": 1}), &found).unwrap();
        assert_eq!(document["not_finite"][0]["output"], "logits");
        assert_eq!(document["a"], 1);
    }
}
