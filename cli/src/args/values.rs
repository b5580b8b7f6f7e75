//! Values of arguments.

use std::str::FromStr;

use burn::tensor::DType;
use fluxo_compare::TapChoice;

/// Token numbers.
#[derive(Debug, Clone)]
pub struct Ids(pub Vec<u32>);

impl FromStr for Ids {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            let number = part.trim().parse();
            number.map_err(|_| format!("`{part}` is no token number"))
        };
        text.split(',')
            .map(number)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// An element type by its short name.
pub(super) fn dtype(name: &str) -> Result<DType, String> {
    match name {
        "f32" => Ok(DType::F32),
        "f16" => Ok(DType::F16),
        "bf16" => Ok(DType::BF16),
        _ => Err("the types are f32, f16 and bf16".to_string()),
    }
}

/// Taps by their names.
pub(super) fn taps(names: &str) -> Result<TapChoice, String> {
    if names.split(',').any(|name| name.trim().is_empty()) {
        Err("a name is empty; leave the value out for every tap".to_string())
    } else {
        names.parse().map_err(|never| match never {})
    }
}

/// `NAME=N`.
pub(super) fn size(text: &str) -> Result<(String, usize), String> {
    let (name, size) = setting(text).map_err(|_| "write it as NAME=N".to_string())?;
    match size.trim().parse() {
        Ok(size) => Ok((name, size)),
        Err(_) => Err(format!("`{size}` is no size")),
    }
}

/// `KEY=VALUE`.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_string(), value.to_string())),
        _ => Err("write it as KEY=VALUE".to_string()),
    }
}
