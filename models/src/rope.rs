//! Rotary positions as `config.json` has them, in both layouts: version 5's
//! `rope_parameters`, version 4's `rope_theta`, `rope_scaling` and keys beside them. Which one
//! counts where both are there is transformers' own choice (`RotaryEmbeddingConfigMixin` of
//! `modeling_rope_utils.py`, and what families put in its place).

use serde_json::{Map, Value};

use crate::blocks::rotary::{RotaryConfig, RotaryLayout};
use crate::blocks::rotary_scaling::RotaryScaling;
use crate::config::RawConfig;
use crate::error::{Error, Result};

/// Kinds of scaling that know the length of the original sequences.
const KNOW_THE_ORIGINAL: [&str; 3] = ["llama3", "yarn", "longrope"];
/// Types of layers that may have positions of their own.
const LAYERS: [&str; 2] = ["full_attention", "sliding_attention"];
const ORIGINAL: &str = "original_max_position_embeddings";
const PARTIAL: &str = "partial_rotary_factor";

/// What a family has where its `config.json` says nothing, and where it looks.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// The base of the frequencies.
    pub theta: f64,
    /// Which part of a head's values is rotated.
    pub partial: f64,
    /// Version 4's key of the base.
    pub theta_key: &'static str,
    /// Version 4's key of the part that is rotated.
    pub partial_key: &'static str,
    /// Whether the family rotates a part of a head where it is told to. One that does not turns
    /// whole heads, whatever it is told.
    pub rotates_parts: bool,
    /// Whether the family has no scaling but `longrope`, which `yarn` and `su` are former names
    /// of.
    pub only_longrope: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            theta: 10_000.0,
            partial: 1.0,
            theta_key: "rope_theta",
            partial_key: PARTIAL,
            rotates_parts: false,
            only_longrope: false,
        }
    }
}

/// How a family reads its rotary positions, for heads of so many values.
pub type Rotating = fn(&RawConfig, usize) -> Result<RotaryConfig>;

/// The rotary positions of heads of `head_dim` values with the usual defaults.
///
/// # Errors
/// As [`rotary`].
pub fn usual(raw: &RawConfig, head_dim: usize) -> Result<RotaryConfig> {
    rotary(raw, head_dim, Defaults::default())
}

/// The rotary positions of heads of `head_dim` values, the same in all layers.
///
/// `rope_scaling`, where it says anything, stands for all of `rope_parameters`; the base and the
/// rotated part are taken from beside them where they are not in there.
///
/// # Errors
/// When a value is none, or the kind of scaling is unknown.
pub fn rotary(raw: &RawConfig, head_dim: usize, defaults: Defaults) -> Result<RotaryConfig> {
    let scaling = raw.section("rope_scaling")?.filter(|s| !s.0.is_empty());
    let mut own = match scaling {
        Some(scaling) => scaling,
        None => raw.section("rope_parameters")?.unwrap_or_else(empty),
    };
    let layered = LAYERS.iter().find(|kind| own.0.contains_key(**kind));
    if let Some(kind) = layered
        && raw.0.contains_key("layer_types")
    {
        return Err(Error::Config(format!(
            "`rope_parameters` has positions for `{kind}`, and this family has the same in all \
             layers"
        )));
    }
    let beside = |key: &str, default: f64| match raw.0.get(key) {
        Some(value) => value.clone(),
        None => Value::from(default),
    };
    let theta = beside(defaults.theta_key, defaults.theta);
    own.0.entry("rope_theta").or_insert(theta);
    let partial = beside(defaults.partial_key, defaults.partial);
    if !partial.is_null() {
        own.0.entry(PARTIAL).or_insert(partial);
    }
    let name = name(&own)?;
    let original = match raw.0.get(ORIGINAL) {
        Some(original) if KNOW_THE_ORIGINAL.contains(&name) => Some(original.clone()),
        _ => None,
    };
    let name = match name {
        "default" | "longrope" => name,
        "yarn" | "su" if defaults.only_longrope => "longrope",
        _ if defaults.only_longrope => {
            return Err(Error::Config(format!(
                "rotary scaling `{name}` is not supported here; known: default, longrope"
            )));
        }
        name => name,
    };
    let name = Value::from(name);
    own.0.insert("rope_type".into(), name);
    own.0.extend(original.map(|value| (ORIGINAL.into(), value)));
    turning(raw, head_dim, &own, &own, defaults.rotates_parts)
}

/// Layers of two kinds, each with positions of its own: bases by kind, and whether version 4's
/// `rope_scaling` is meant for both.
#[derive(Debug, Clone, Copy)]
pub struct Layered {
    /// Version 4's key of the base in the layers without a window, and the default.
    pub whole: (&'static str, f64),
    /// The same in the layers with a window.
    pub local: (&'static str, f64),
    /// Whether `rope_scaling` changes the layers with a window too.
    pub scales_both: bool,
    /// Whether `rope_parameters` may have the types of layers only. What else is there is passed
    /// over where it may.
    pub strict: bool,
}

/// The rotary positions of layers without a window, and of those with one.
///
/// `rope_parameters` has them by the type of the layers; `rope_scaling` is merged into it.
///
/// # Errors
/// As [`rotary`].
pub fn layered(raw: &RawConfig, head_dim: usize, families: Layered) -> Result<[RotaryConfig; 2]> {
    let said = raw.section("rope_parameters")?;
    let scaling = raw.section("rope_scaling")?;
    let all = said.clone().unwrap_or_else(empty);
    let known =
        |(key, value): (&String, &Value)| LAYERS.contains(&key.as_str()) && !value.is_null();
    if families.strict && !all.0.iter().all(known) {
        return Err(Error::Config(
            "`rope_parameters` may have full_attention and sliding_attention only".into(),
        ));
    }
    let kinds = [
        (LAYERS[0], families.whole, true),
        (LAYERS[1], families.local, families.scales_both),
    ];
    let read = |(kind, (key, theta), scaled): (&str, (&str, f64), bool)| {
        let mut own = match (all.section(kind)?, &scaling, &said) {
            (Some(own), _, _) => own,
            (None, Some(_), Some(_)) if scaled => {
                return Err(Error::Config(format!(
                    "`rope_scaling` changes `{kind}`, which `rope_parameters` does not have"
                )));
            }
            _ => empty(),
        };
        if said.is_none() {
            own.0.insert("rope_type".into(), "default".into());
        }
        if scaled && let Some(scaling) = &scaling {
            own.0.extend(scaling.0.clone());
        }
        let beside = raw.0.get(key).cloned();
        own.0
            .entry("rope_theta")
            .or_insert(beside.unwrap_or_else(|| theta.into()));
        if let Some(partial) = raw.0.get(PARTIAL) {
            own.0.entry(PARTIAL).or_insert(partial.clone());
        }
        turning(raw, head_dim, &own, &all, false)
    };
    let [whole, local] = kinds;
    Ok([read(whole)?, read(local)?])
}

fn empty() -> RawConfig {
    RawConfig(Map::new())
}

/// The kind of scaling; version 4 called the key `type`.
fn name(own: &RawConfig) -> Result<&str> {
    match own.text("rope_type")? {
        Some(name) => Ok(name),
        None => Ok(own.text("type")?.unwrap_or("default")),
    }
}

/// The positions that `own` asks for; `all` is the object that it is in.
fn turning(
    raw: &RawConfig,
    head_dim: usize,
    own: &RawConfig,
    all: &RawConfig,
    rotates_parts: bool,
) -> Result<RotaryConfig> {
    let name = name(own)?;
    let partial = own.positive_opt(PARTIAL)?.unwrap_or(1.0);
    let partial = match rotates_parts {
        true => partial,
        // Without scaling the key is not looked at.
        false if partial == 1.0 || name == "default" => 1.0,
        false => {
            return Err(Error::Config(format!(
                "a `{PARTIAL}` of {partial} is not supported with rotary scaling `{name}`"
            )));
        }
    };
    let dim = (head_dim as f64 * partial) as usize;
    Ok(RotaryConfig {
        theta: own.positive("rope_theta")?,
        dim,
        layout: RotaryLayout::Halves,
        scaling: scaling(raw, name, dim, own, all)?,
    })
}

fn scaling(
    raw: &RawConfig,
    name: &str,
    dim: usize,
    own: &RawConfig,
    all: &RawConfig,
) -> Result<RotaryScaling> {
    let longest = raw.size("max_position_embeddings")?;
    let original = own.size_opt(ORIGINAL)?.unwrap_or(longest);
    let ratio = longest as f64 / original as f64;
    let lacks = |key: &str| Error::Config(format!("rotary scaling `{name}` has no `{key}`"));
    let needed = |key: &str| own.positive_opt(key)?.ok_or_else(|| lacks(key));
    // A null is worked out from the lengths, a key that is not there is refused, as there.
    let factor_or_ratio = || -> Result<f64> {
        if own.0.contains_key("factor") {
            Ok(own.positive_opt("factor")?.unwrap_or(ratio))
        } else {
            Err(lacks("factor"))
        }
    };
    // For transformers 0 is none.
    let over_zero = |key: &str| -> Result<Option<f64>> {
        Ok(own.number_opt(key)?.filter(|number| *number != 0.0))
    };
    let list = |key: &str| -> Result<Vec<f64>> {
        let factors = own.positives(key)?.ok_or_else(|| lacks(key))?;
        if factors.len() == dim.div_ceil(2) {
            Ok(factors)
        } else {
            Err(Error::Config(format!(
                "`{key}` has {} factors, and must have one for each of {} pairs",
                factors.len(),
                dim.div_ceil(2)
            )))
        }
    };
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
            let factor = factor_or_ratio()?;
            let grown = |scale: f64| {
                if factor <= 1.0 {
                    1.0
                } else {
                    0.1 * scale * factor.ln() + 1.0
                }
            };
            let usual = match (over_zero("mscale")?, over_zero("mscale_all_dim")?) {
                (Some(one), Some(all)) => grown(one) / grown(all),
                _ => grown(1.0),
            };
            RotaryScaling::Yarn {
                factor,
                original,
                beta_fast: over_zero("beta_fast")?.unwrap_or(32.0),
                beta_slow: over_zero("beta_slow")?.unwrap_or(1.0),
                truncate: !all.0.contains_key("truncate") || all.flag("truncate")?,
                attention_factor: own.number_opt("attention_factor")?.unwrap_or(usual),
            }
        }
        "longrope" => {
            let factor = own.positive_opt("factor")?.unwrap_or(ratio);
            let usual = if factor <= 1.0 {
                1.0
            } else {
                (1.0 + factor.ln() / (original as f64).ln()).sqrt()
            };
            RotaryScaling::LongRope {
                short: list("short_factor")?,
                long: list("long_factor")?,
                original,
                attention_factor: own.number_opt("attention_factor")?.unwrap_or(usual),
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
pub fn max_positions(raw: &RawConfig, rotary: &RotaryConfig) -> Result<usize> {
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
