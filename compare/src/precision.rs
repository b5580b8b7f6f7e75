//! Whether a backend computes in an element type, and not only says so.

use burn::tensor::{DType, Device, Tensor, TensorData};
use fluxo_models::Model;

use crate::error::{Error, Result};
use crate::runner::guard;

/// The device of `backend`, which computes in `dtype`.
///
/// # Errors
/// When the backend is unknown, not compiled in, finds no device or does not compute in `dtype`.
pub(crate) fn device(backend: &str, dtype: DType) -> Result<Device> {
    let device = fluxo_backends::device(backend)?;
    if device.supports_dtype(dtype) && (dtype != DType::F64 || computes_double(&device)) {
        return Ok(device);
    }
    let name = format!("{dtype:?}").to_lowercase();
    Err(Error::Unavailable {
        runner: format!("{backend}:{name}"),
        reason: format!("{backend} does not compute in {name} on this machine; leave it out"),
    })
}

/// `model` as a file of weights of the element type `dtype` computes it: bfloat16 is for weights
/// alone, and computed with in 32 bits.
pub(crate) fn rounded(model: &Model, dtype: DType) -> Model {
    let rounded = model.clone().in_precision(dtype);
    match dtype {
        DType::BF16 => rounded.in_precision(DType::F32),
        _ => rounded,
    }
}

/// Whether what takes float64 gives it: software Vulkan says that it does, and computes noise.
fn computes_double(device: &Device) -> bool {
    const N: usize = 8;
    let at = |i: usize, j: usize| ((i * N + j) as f64 * 0.37).sin();
    let values: Vec<f64> = (0..N * N).map(|k| at(k / N, k % N)).collect();
    let data = TensorData::new(values, [N, N]);
    let given = guard("float64", || {
        let x = Tensor::<2>::from_data(data, (device, DType::F64));
        (x.clone().matmul(x).exp() + 1.0).sqrt().try_into_data()
    });
    let exact = (0..N * N).map(|k| {
        let product: f64 = (0..N).map(|m| at(k / N, m) * at(m, k % N)).sum();
        (product.exp() + 1.0).sqrt()
    });
    // Eight terms, an exponential and a root round a few times in the sixteenth digit.
    given.is_ok_and(|given| {
        given.dtype() == DType::F64
            && given
                .iter::<f64>()
                .zip(exact)
                .all(|(a, b)| (a - b).abs() < 1e-12)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_gives_float64_computes_in_it() {
        // flex does, ndarray does not take it, and wgpu takes it where it may not.
        assert!(device("flex", DType::F64).is_ok());
        for status in fluxo_backends::statuses().iter().filter(|s| s.usable) {
            match device(status.name, DType::F64) {
                Ok(device) => assert!(computes_double(&device), "{}", status.name),
                Err(error) => assert_eq!(
                    error.to_string(),
                    format!(
                        "`{0}:f64` is not here: {0} does not compute in f64 on this machine; leave it out",
                        status.name
                    )
                ),
            }
        }
    }
}
