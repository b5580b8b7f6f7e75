//! Named points of the residual stream.

use burn::tensor::Tensor;

/// The names of a block's taps: the chapter's, then the position-free ones, then those of a
/// block that reads an encoder.
pub const NAMES: [&str; 14] = [
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
    "cross_out",
    "resid_cross",
];

/// What the taps of block `layer` of the stack `stack` begin with.
pub(crate) fn place(stack: &str, layer: usize) -> String {
    match stack {
        "" => format!("layers.{layer}"),
        stack => format!("{stack}.layers.{layer}"),
    }
}

/// What a pass collects of the residual stream. Off, it costs nothing.
#[derive(Debug, Default)]
pub struct Taps {
    found: Option<Vec<(String, Tensor<3>)>>,
    place: String,
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
            place: String::new(),
        }
    }

    /// What was collected: `layers.{i}.{tap}`, in models of several stacks with the stack's
    /// name before it, and its value `[batch, seq, d_model]`, in the order of the computation.
    pub fn into_found(self) -> Vec<(String, Tensor<3>)> {
        self.found.unwrap_or_default()
    }

    /// Says that what is recorded next belongs to block `layer` of the stack `stack`.
    pub(crate) fn enter(&mut self, stack: &str, layer: usize) {
        if self.found.is_some() {
            self.place = place(stack, layer);
        }
    }

    /// Notes `value` under each of `names`.
    pub(crate) fn record(&mut self, names: [&str; 2], value: &Tensor<3>) {
        let Some(found) = &mut self.found else { return };
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            found.push((format!("{}.{name}", self.place), value.clone()));
        }
    }
}
