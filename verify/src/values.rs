//! The values of a tensor where they lie.

use std::borrow::Cow;

use burn::tensor::{DType, TensorData};

/// The values of a tensor of any number type. The two types that outputs and exact outputs have
/// are not copied: caches of sounds hold millions.
pub(crate) enum Values<'a> {
    /// In float32.
    Single(&'a [f32]),
    /// In float64, or brought there.
    Double(Cow<'a, [f64]>),
}

impl<'a> Values<'a> {
    /// Those of `data`.
    ///
    /// # Errors
    /// When they are no numbers.
    pub fn of(data: &'a TensorData) -> Result<Self, String> {
        let refuse = |error: &dyn std::fmt::Display| error.to_string();
        match data.dtype() {
            DType::F32 => data.as_slice().map(Self::Single).map_err(|e| refuse(&e)),
            DType::F64 => {
                let values = data.as_slice().map_err(|e| refuse(&e))?;
                Ok(Self::Double(Cow::Borrowed(values)))
            }
            _ => Ok(Self::Double(Cow::Owned(numbers(data)?))),
        }
    }

    /// In float64.
    pub fn wide(&self) -> Cow<'_, [f64]> {
        match self {
            Self::Single(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Double(values) => Cow::Borrowed(values),
        }
    }
}

/// `$body` with `$x` and `$y` as the slices of two [`Values`], whatever their types are.
macro_rules! both {
    (($a:expr, $b:expr), |$x:ident, $y:ident| $body:expr) => {{
        use $crate::values::Values::{Double, Single};
        match ($a, $b) {
            (Single($x), Single($y)) => $body,
            (Single($x), Double($y)) => $body,
            (Double($x), Single($y)) => $body,
            (Double($x), Double($y)) => $body,
        }
    }};
}
pub(crate) use both;

/// The values of a tensor of any number type, as `f64`.
///
/// # Errors
/// When it is of none.
pub fn numbers(data: &TensorData) -> std::result::Result<Vec<f64>, String> {
    data.try_to_vec_as::<f64>().map_err(|e| e.to_string())
}
