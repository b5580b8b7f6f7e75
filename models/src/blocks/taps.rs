//! Named points of the residual stream.

use burn::tensor::Tensor;

/// The names of a block's taps: the chapter's, then the position-free ones.
pub const NAMES: [&str; 12] = [
    "x",
    "t1",
    "t2",
    "t3",
    "t4",
    "t5",
    "h",
    "resid_pre",
    "attn_out",
    "resid_mid",
    "ffn_out",
    "resid_post",
];

/// What a pass collects of the residual stream. Off, it costs nothing.
#[derive(Debug, Default)]
pub struct Taps {
    found: Option<Vec<(String, Tensor<3>)>>,
}

impl Taps {
    /// Collects nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Collects every tap.
    pub fn on() -> Self {
        Self {
            found: Some(Vec::new()),
        }
    }

    /// What was collected: `layers.{i}.{tap}` and its value `[batch, seq, d_model]`, in the
    /// order of the computation.
    pub fn into_found(self) -> Vec<(String, Tensor<3>)> {
        self.found.unwrap_or_default()
    }

    /// Notes `value` under each of `names` in `layer`.
    pub(crate) fn record(&mut self, layer: usize, names: [&str; 2], value: &Tensor<3>) {
        let Some(found) = &mut self.found else { return };
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            found.push((format!("layers.{layer}.{name}"), value.clone()));
        }
    }
}
