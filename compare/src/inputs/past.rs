//! The cache among inputs.

use fluxo_models::Tensors;

/// The length of the past among `inputs`: that of a decoder's own text.
pub(crate) fn past(inputs: &Tensors) -> usize {
    let own = |name: &str| name.starts_with("past_key_values.") && !name.contains(".encoder.");
    inputs
        .iter()
        .find(|(name, _)| own(name))
        .and_then(|(_, data)| data.shape().as_slice().get(2).copied())
        .unwrap_or(0)
}

/// The input with a layer's past keys or values; `place` is empty, `decoder.` or `encoder.`.
pub(crate) fn past_name(layer: usize, place: &str, part: &str) -> String {
    format!("past_key_values.{layer}.{place}{part}")
}
