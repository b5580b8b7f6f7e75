//! What differs between the operator sets 17 to 24: from which on there is an operator or a form
//! of it, which types it takes, and the file format's version that came with the set.

use crate::error::{Error, Result};
use crate::graph::build::{Attr, Attrs, DataType};

/// The operator sets that are served.
pub(crate) const SERVED: std::ops::RangeInclusive<i64> = 17..=24;

/// Refuses a set that is not served.
pub(crate) fn check(opset: i64) -> Result<()> {
    if SERVED.contains(&opset) {
        Ok(())
    } else {
        Err(Error::Option(format!(
            "opset {opset}: {} to {} are served",
            SERVED.start(),
            SERVED.end()
        )))
    }
}

/// The version of the file format that was released with a set.
pub(crate) fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        _ => 12,
    }
}

/// The first set with this form of an operator; 17 stands for all that are served.
pub(crate) fn since(op: &str, inputs: usize, attrs: &Attrs) -> i64 {
    let has = |name| attrs.iter().any(|(attr, _)| *attr == name);
    let is = |name, text| attrs.contains(&(name, Attr::Text(text)));
    match op {
        "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "BitwiseNot" | "Mish" | "CenterCropPad"
        | "Col2Im" => 18,
        "DeformConv" => 19,
        "Gelu" | "AffineGrid" => 20,
        // Until then it had scale and bias by group, not by channel.
        "GroupNormalization" => 21,
        "RMSNormalization" | "RotaryEmbedding" | "Attention" => 23,
        "Swish" | "TensorScatter" => 24,
        "CumProd" => 26,
        "Split" if has("num_outputs") => 18,
        "Pad" if is("mode", "wrap") => 19,
        "Pad" if inputs > 3 => 18,
        "ScatterElements" | "ScatterND" if is("reduction", "min") || is("reduction", "max") => 18,
        "Resize" if is("coordinate_transformation_mode", "half_pixel_symmetric") => 19,
        "Resize" if has("antialias") || has("axes") => 18,
        "AveragePool" if has("dilations") => 19,
        _ => 17,
    }
}

/// Whether an operator takes its axes as an attribute, and no input, in a set.
pub(crate) fn axes_are_attribute(op: &str, opset: i64) -> bool {
    opset < 18 && op.starts_with("Reduce") && op != "ReduceSum"
}

/// Attributes as they are called in a set; they are written as in set 18.
pub(crate) fn spelled(op: &str, opset: i64, mut attrs: Attrs) -> Attrs {
    if op == "GridSample" && opset >= 20 {
        for (_, value) in &mut attrs {
            match value {
                Attr::Text(text) if *text == "bilinear" => *text = "linear",
                Attr::Text(text) if *text == "bicubic" => *text = "cubic",
                _ => {}
            }
        }
    }
    attrs
}

/// Whether an operator takes a float type in a set.
pub(crate) fn takes(op: &str, dtype: DataType, opset: i64) -> bool {
    let first = match (op, dtype) {
        ("Range", DataType::Float16 | DataType::BFloat16) => return false,
        ("IsInf", DataType::Float16 | DataType::BFloat16) => 20,
        (
            "Acos"
            | "Acosh"
            | "Asin"
            | "Asinh"
            | "Atan"
            | "Atanh"
            | "Cos"
            | "Cosh"
            | "Sin"
            | "Sinh"
            | "Tan"
            | "Round"
            | "HardSigmoid"
            | "AveragePool"
            | "MaxPool"
            | "Conv"
            | "ConvTranspose"
            | "InstanceNormalization"
            | "GridSample"
            | "DeformConv",
            DataType::BFloat16,
        ) => 22,
        ("TopK", DataType::BFloat16) => 24,
        _ => return true,
    };
    opset >= first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_know_their_set() {
        assert_eq!(since("Add", 2, &vec![]), 17);
        assert_eq!(since("Gelu", 1, &vec![]), 20);
        let wrap = vec![("mode", Attr::Text("wrap"))];
        assert_eq!(since("Pad", 3, &wrap), 19);
        assert!(check(17).is_ok() && check(24).is_ok());
        assert!(check(16).is_err() && check(25).is_err());
        assert!(axes_are_attribute("ReduceMax", 17) && !axes_are_attribute("ReduceSum", 17));
    }
}
