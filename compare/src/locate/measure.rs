//! How far a part's output lies from the exact one.

use burn::tensor::TensorData;

/// The largest distance of `given` from `exact`, divided by the largest magnitude of `exact`,
/// where `kept` is true (everywhere where it is `None`). Infinite where the shapes differ or one
/// side alone is no number.
pub(super) fn error(exact: &TensorData, given: &TensorData, kept: Option<&[bool]>) -> f64 {
    if exact.shape() != given.shape() {
        return f64::INFINITY;
    }
    let (Ok(exact), Ok(given)) = (crate::numbers(exact), crate::numbers(given)) else {
        return f64::INFINITY;
    };
    let (mut off, mut magnitude) = (0.0_f64, 0.0_f64);
    for (i, (x, y)) in exact.iter().zip(&given).enumerate() {
        if !kept.is_none_or(|kept| kept[i]) || x == y || x.is_nan() && y.is_nan() {
            magnitude = magnitude.max(if x.is_finite() { x.abs() } else { 0.0 });
            continue;
        }
        if !x.is_finite() || !y.is_finite() {
            return f64::INFINITY;
        }
        off = off.max((x - y).abs());
        magnitude = magnitude.max(x.abs());
    }
    match off == 0.0 {
        true => 0.0,
        false => off / magnitude,
    }
}

/// Whether `error` is more than `allowed`; one that is no number is.
pub(super) fn beyond(error: f64, allowed: f64) -> bool {
    error.is_nan() || error > allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(values: &[f64]) -> TensorData {
        TensorData::new(values.to_vec(), [values.len()])
    }

    #[test]
    fn it_is_relative_to_the_largest_value() {
        let exact = data(&[0.5, -4.0, 0.0]);
        assert_eq!(error(&exact, &data(&[0.5, -4.0, 1.0]), None), 0.25);
        let kept = [true, true, false];
        assert_eq!(error(&exact, &data(&[0.5, -4.0, 1.0]), Some(&kept)), 0.0);
        assert_eq!(error(&exact, &data(&[0.5, -4.0]), None), f64::INFINITY);
        let nan = data(&[0.5, f64::NAN, 0.0]);
        assert_eq!(error(&exact, &nan, None), f64::INFINITY);
        assert_eq!(error(&nan, &nan, None), 0.0);
    }
}
