//! Which float types a device computes in.

use burn::tensor::{Device, FloatDType};

/// The float types that `device` stores, converts and computes in, widest first. Opens the
/// device, so take it from [`device`](crate::device), which has probed it.
pub fn float_dtypes(device: &Device) -> Vec<FloatDType> {
    [
        FloatDType::F64,
        FloatDType::F32,
        FloatDType::Flex32,
        FloatDType::F16,
        FloatDType::BF16,
    ]
    .into_iter()
    .filter(|dtype| device.supports_dtype(*dtype))
    .collect()
}
