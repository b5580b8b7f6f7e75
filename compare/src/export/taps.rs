//! Taps of the residual stream as outputs of a file.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use fluxo_models::NetworkConfig;

use crate::error::{Error, Result};

/// Which taps a file gives beside its outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TapChoice {
    /// None.
    #[default]
    None,
    /// Every one.
    All,
    /// These: `layers.0.t1`, of a model of several stacks `decoder.layers.0.t1`.
    Named(Vec<String>),
}

impl TapChoice {
    /// The names among those that a network of `config` has, in its order.
    ///
    /// # Errors
    /// When it has none of a name.
    pub(crate) fn among(&self, config: &NetworkConfig) -> Result<Vec<String>> {
        let mut known = config.taps();
        match self {
            Self::None => Ok(Vec::new()),
            Self::All => Ok(known),
            Self::Named(wanted) => {
                if let Some(name) = wanted.iter().find(|name| !known.contains(name)) {
                    let (first, last) = (known.first(), known.last());
                    let reason = format!(
                        "tap `{name}`, which the model has not; it has {} to {}",
                        first.map_or("none", String::as_str),
                        last.map_or("none", String::as_str),
                    );
                    return Err(Error::from(fluxo_onnx::Error::Option(reason)));
                }
                known.retain(|name| wanted.contains(name));
                Ok(known)
            }
        }
    }
}

impl fmt::Display for TapChoice {
    /// What [`TapChoice::from_str`] reads; nothing for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::All => f.write_str("all"),
            Self::Named(names) => f.write_str(&names.join(",")),
        }
    }
}

impl FromStr for TapChoice {
    type Err = Infallible;

    /// `all`, or names with commas between them.
    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match text {
            "" => Self::None,
            "all" => Self::All,
            _ => Self::Named(
                text.split(',')
                    .map(|name| name.trim().to_string())
                    .collect(),
            ),
        })
    }
}
