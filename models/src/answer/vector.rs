//! The place of a text or an image among others.
//!
//! What is one vector of many, the checkpoint says: sentence-transformers' `modules.json`, else
//! its pooler, else the mean over the tokens.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::numbers::Output;
use super::{Asked, Row};
use crate::error::{Error, Result};
use crate::tensors::Tensors;

/// sentence-transformers' list of what follows each other.
const MODULES: &str = "modules.json";
/// Outputs that are one vector a row already, the best first.
const POOLED: [&str; 4] = [
    "sentence_embedding",
    "text_embeds",
    "image_embeds",
    "pooler_output",
];

/// One vector beside the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vector {
    /// How many numbers it has.
    pub dimension: usize,
    /// Its length.
    pub norm: f64,
    /// What made it of the hidden states: an output's name, or `mean`, `cls`, ….
    pub pooling: String,
    /// The cosine of the angle to each vector of the run, its own among them.
    pub cosines: Vec<f64>,
}

/// The vectors of every row.
pub(super) fn vectors(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Vector>> {
    let modules = Modules::read(asked.folder)?;
    let Some((pooling, vectors)) = pooled(asked, outputs, &modules)? else {
        return Ok(Vec::new());
    };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let norms: Vec<f64> = vectors.iter().map(|v| dot(v, v).sqrt()).collect();
    let vector = |(at, own): (usize, &Vec<f64>)| {
        let others = vectors.iter().zip(&norms);
        let cosine = |(other, norm): (&Vec<f64>, &f64)| dot(own, other) / (norms[at] * norm);
        Vector {
            dimension: own.len(),
            norm: if modules.normalize { 1.0 } else { norms[at] },
            pooling: pooling.clone(),
            cosines: others.map(cosine).collect(),
        }
    };
    Ok(vectors.iter().enumerate().map(vector).collect())
}

/// A vector a row, and what made it.
fn pooled(
    asked: &Asked<'_>,
    outputs: &Tensors,
    modules: &Modules,
) -> Result<Option<(String, Vec<Vec<f64>>)>> {
    let states = Output::find(outputs, "last_hidden_state", 3)?;
    if modules.pooling.is_empty() || states.is_none() {
        for name in POOLED {
            if let Some(output) = Output::find(outputs, name, 2)? {
                let rows = (0..output.rows()).map(|row| output.row(row).to_vec());
                return Ok(Some((name.to_string(), rows.collect())));
            }
        }
    }
    let Some(states) = states else {
        return Ok(None);
    };
    let poolings = match modules.pooling.as_slice() {
        [] => &[Pooling::Mean],
        own => own,
    };
    let row = |at: usize| {
        let length = match asked.rows.get(at).filter(|_| !asked.writes) {
            Some(Row { reading, .. }) => reading.ids.len(),
            None => states.shape[1],
        };
        let tokens = (0..length).map(|place| states.at(at, place));
        let tokens: Vec<&[f64]> = tokens.collect::<Result<_>>()?;
        let parts = poolings.iter().map(|pooling| pooling.of(&tokens));
        Ok(parts.collect::<Vec<_>>().concat())
    };
    let names: Vec<_> = poolings.iter().map(|pooling| pooling.name()).collect();
    let rows = (0..states.rows()).map(row).collect::<Result<_>>()?;
    Ok(Some((names.join(" + "), rows)))
}

/// What sentence-transformers makes of the hidden states.
#[derive(Debug, Default)]
struct Modules {
    /// Its vectors, one behind the other.
    pooling: Vec<Pooling>,
    /// Whether the result has length 1.
    normalize: bool,
}

impl Modules {
    /// What `modules.json` in `folder` lists, and the files that it names.
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MODULES);
        let mut modules = Self::default();
        if !path.is_file() {
            return Ok(modules);
        }
        let list: Vec<Value> = read_json(&path)?;
        for module in &list {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("type").rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Pooling" => {
                    let settings = folder.join(text("path")).join("config.json");
                    modules.pooling = Pooling::read(&settings)?;
                }
                "Normalize" => modules.normalize = true,
                other => {
                    return Err(Error::malformed(
                        &path,
                        format!("`{other}`, which makes the vectors, is not known here"),
                    ));
                }
            }
        }
        Ok(modules)
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::malformed(path, e))
}

/// How tokens become one vector (sentence-transformers' `Pooling`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pooling {
    First,
    Max,
    Mean,
    MeanOfRoot,
    WeightedMean,
    Last,
}

impl Pooling {
    /// By the keys that turn them on, in the order in which the vectors stand.
    const KEYS: [(Self, &'static str); 6] = [
        (Self::First, "pooling_mode_cls_token"),
        (Self::Max, "pooling_mode_max_tokens"),
        (Self::Mean, "pooling_mode_mean_tokens"),
        (Self::MeanOfRoot, "pooling_mode_mean_sqrt_len_tokens"),
        (Self::WeightedMean, "pooling_mode_weightedmean_tokens"),
        (Self::Last, "pooling_mode_lasttoken"),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::First => "cls",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::MeanOfRoot => "mean_sqrt_len_tokens",
            Self::WeightedMean => "weightedmean",
            Self::Last => "lasttoken",
        }
    }

    fn read(path: &Path) -> Result<Vec<Self>> {
        let settings: Value = read_json(path)?;
        // The older layout has a key for each, the newer one names them.
        if let Some(mode) = settings.get("pooling_mode").and_then(Value::as_str) {
            let named = Self::KEYS
                .iter()
                .find(|(pooling, _)| pooling.name() == mode);
            let unknown = || Error::malformed(path, format!("pooling `{mode}` is not known here"));
            return Ok(vec![named.ok_or_else(unknown)?.0]);
        }
        let on = |key: &str| settings.get(key).and_then(Value::as_bool).unwrap_or(false);
        let chosen = Self::KEYS.iter().filter(|(_, key)| on(key));
        Ok(chosen.map(|(pooling, _)| *pooling).collect())
    }

    /// Of the vectors of a row's tokens, padding left out.
    fn of(self, tokens: &[&[f64]]) -> Vec<f64> {
        let width = tokens.first().map_or(0, |token| token.len());
        let column = |at: usize| tokens.iter().map(move |token| token[at]);
        let count = tokens.len() as f64;
        let each = |value: &dyn Fn(usize) -> f64| (0..width).map(value).collect();
        match self {
            Self::First => tokens.first().map_or(Vec::new(), |token| token.to_vec()),
            Self::Last => tokens.last().map_or(Vec::new(), |token| token.to_vec()),
            Self::Max => each(&|at| column(at).fold(f64::NEG_INFINITY, f64::max)),
            Self::Mean => each(&|at| column(at).sum::<f64>() / count),
            Self::MeanOfRoot => each(&|at| column(at).sum::<f64>() / count.sqrt()),
            Self::WeightedMean => each(&|at| {
                let weighted = column(at).zip(1..).map(|(x, place)| x * f64::from(place));
                weighted.sum::<f64>() / (count * (count + 1.0) / 2.0)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn poolings_by_hand() {
        let tokens: [&[f64]; 3] = [&[1.0, -6.0], &[2.0, 0.0], &[6.0, 3.0]];
        for (pooling, expected) in [
            (Pooling::First, [1.0, -6.0]),
            (Pooling::Max, [6.0, 3.0]),
            (Pooling::Mean, [3.0, -1.0]),
            (Pooling::MeanOfRoot, [9.0 / 3f64.sqrt(), -3.0 / 3f64.sqrt()]),
            // (1·1 + 2·2 + 3·6) / 6 and (-6 + 0 + 9) / 6
            (Pooling::WeightedMean, [23.0 / 6.0, 0.5]),
            (Pooling::Last, [6.0, 3.0]),
        ] {
            assert_eq!(pooling.of(&tokens), expected, "{pooling:?}");
        }
    }

    #[test]
    fn modules_say_how_tokens_become_a_vector() {
        let dir = tempfile::tempdir().unwrap();
        let read = || Modules::read(dir.path());
        assert!(read().unwrap().pooling.is_empty());
        let module = |kind: &str, path: &str| serde_json::json!({"type": format!("sentence_transformers.models.{kind}"), "path": path});
        let write = |modules: &[Value]| {
            let json = serde_json::to_vec(modules).unwrap();
            std::fs::write(dir.path().join(MODULES), json).unwrap();
        };
        let all = [
            module("Transformer", ""),
            module("Pooling", "1_Pooling"),
            module("Normalize", "2_Normalize"),
        ];
        write(&all);
        std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
        let settings = dir.path().join("1_Pooling/config.json");
        let keys = r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#;
        std::fs::write(&settings, keys).unwrap();
        let modules = read().unwrap();
        assert_eq!(modules.pooling, [Pooling::First, Pooling::Mean]);
        assert!(modules.normalize);
        std::fs::write(&settings, r#"{"pooling_mode": "lasttoken"}"#).unwrap();
        assert_eq!(read().unwrap().pooling, [Pooling::Last]);
        write(&[module("Dense", "2_Dense")]);
        let error = read().unwrap_err().to_string();
        assert!(error.contains("`Dense`"), "{error}");
    }
}
