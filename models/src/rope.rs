//! Rotary positions as `config.json` has them, in both layouts: version 5's
//! `rope_parameters`, version 4's `rope_theta`, `rope_scaling` and keys beside them.

use crate::blocks::rotary::{RotaryConfig, RotaryLayout};
use crate::blocks::rotary_scaling::RotaryScaling;
use crate::config::Raw;
use crate::error::{Error, Result};

/// What a family has where its `config.json` says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// The base of the frequencies.
    pub theta: f64,
    /// Which part of a head's values is rotated.
    pub partial: f64,
    /// Version 4's key of the base, where it is a family's own.
    pub theta_key: &'static str,
    /// Version 4's key of the part that is rotated, where it is a family's own.
    pub partial_key: &'static str,
    /// Whether version 4's `rope_scaling` is meant for these layers.
    pub scaled: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            theta: 10_000.0,
            partial: 1.0,
            theta_key: "rope_theta",
            partial_key: "partial_rotary_factor",
            scaled: true,
        }
    }
}

/// The rotary positions of heads of `head_dim` values, in layers of the type `layers`
/// (`full_attention`, `sliding_attention`) where they differ.
///
/// # Errors
/// When a value is none, or the kind of scaling is unknown.
pub fn rotary(
    raw: &Raw,
    head_dim: usize,
    layers: &str,
    defaults: Defaults,
) -> Result<RotaryConfig> {
    let parameters = match raw.section("rope_parameters")? {
        Some(all) => Some(all.section(layers)?.unwrap_or(all)),
        None => None,
    };
    let scaling = match &parameters {
        Some(parameters) => Some(parameters.clone()),
        None if defaults.scaled => raw.section("rope_scaling")?,
        None => None,
    };
    let number = |key: &str, own: &str, default| -> Result<f64> {
        if let Some(parameters) = &parameters
            && let Some(number) = parameters.positive_opt(key)?
        {
            return Ok(number);
        }
        raw.positive_or(own, default)
    };
    let theta = number("rope_theta", defaults.theta_key, defaults.theta)?;
    let partial = number(
        "partial_rotary_factor",
        defaults.partial_key,
        defaults.partial,
    )?;
    Ok(RotaryConfig {
        theta,
        dim: (head_dim as f64 * partial) as usize,
        layout: RotaryLayout::Halves,
        scaling: match scaling {
            Some(scaling) => kind(raw, &scaling)?,
            None => RotaryScaling::None,
        },
    })
}

fn kind(raw: &Raw, scaling: &Raw) -> Result<RotaryScaling> {
    let name = match scaling.text("rope_type")? {
        Some(name) => name,
        None => scaling.text("type")?.unwrap_or("default"),
    };
    let longest = raw.size("max_position_embeddings")?;
    let key = "original_max_position_embeddings";
    let original = match (raw.size_opt(key)?, scaling.size_opt(key)?) {
        (Some(original), _) | (None, Some(original)) => original,
        (None, None) => longest,
    };
    let needed = |key: &str| -> Result<f64> {
        scaling
            .positive_opt(key)?
            .ok_or_else(|| Error::Config(format!("rotary scaling `{name}` has no `{key}`")))
    };
    let ratio = longest as f64 / original as f64;
    Ok(match name {
        "default" => RotaryScaling::None,
        "linear" => RotaryScaling::Linear {
            factor: needed("factor")?,
        },
        "dynamic" => RotaryScaling::Dynamic {
            factor: needed("factor")?,
            original: longest,
        },
        "llama3" => RotaryScaling::Llama3 {
            factor: needed("factor")?,
            low: needed("low_freq_factor")?,
            high: needed("high_freq_factor")?,
            original,
        },
        "yarn" => {
            let factor = scaling.positive_or("factor", ratio)?;
            let grown = |scale: f64| {
                if factor <= 1.0 {
                    1.0
                } else {
                    0.1 * scale * factor.ln() + 1.0
                }
            };
            let (one, all) = (
                scaling.positive_opt("mscale")?,
                scaling.positive_opt("mscale_all_dim")?,
            );
            let usual = match (one, all) {
                (Some(one), Some(all)) => grown(one) / grown(all),
                _ => grown(1.0),
            };
            RotaryScaling::Yarn {
                factor,
                original,
                beta_fast: scaling.positive_or("beta_fast", 32.0)?,
                beta_slow: scaling.positive_or("beta_slow", 1.0)?,
                truncate: scaling.bool_or("truncate", true)?,
                attention_factor: scaling.positive_or("attention_factor", usual)?,
            }
        }
        "longrope" | "su" => {
            let list = |key: &str| -> Result<Vec<f64>> {
                scaling
                    .positives(key)?
                    .ok_or_else(|| Error::Config(format!("rotary scaling `{name}` has no `{key}`")))
            };
            let factor = scaling.positive_or("factor", ratio)?;
            let usual = match factor <= 1.0 {
                true => 1.0,
                false => (1.0 + factor.ln() / (original as f64).ln()).sqrt(),
            };
            RotaryScaling::LongRope {
                short: list("short_factor")?,
                long: list("long_factor")?,
                original,
                attention_factor: scaling.positive_or("attention_factor", usual)?,
            }
        }
        other => {
            return Err(Error::Config(format!(
                "rotary scaling `{other}` is not supported; known: default, linear, dynamic, \
                 yarn, longrope, llama3"
            )));
        }
    })
}

/// The longest sequence: the configuration's own, or what scaling is meant to reach.
///
/// # Errors
/// When the configuration has none.
pub fn max_positions(raw: &Raw, rotary: &RotaryConfig) -> Result<usize> {
    let said = raw.size("max_position_embeddings")?;
    let reached = match &rotary.scaling {
        RotaryScaling::Dynamic { factor, original }
        | RotaryScaling::Yarn {
            factor, original, ..
        } => *original as f64 * factor,
        _ => 0.0,
    };
    Ok(said.max(reached as usize))
}
