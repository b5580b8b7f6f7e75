//! Named points of the residual stream.

use std::borrow::Cow;
use std::fmt::Arguments;

use burn::module::Module;
use burn::tensor::Tensor;
use fluxo_backends::kernels;

use super::probe::{ModuleIo, Probe};

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
    probe: Option<Box<Probe>>,
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
            ..Self::default()
        }
    }

    /// The same, and `probe` looks at the parts.
    #[must_use]
    pub fn probed(mut self, probe: Probe) -> Self {
        self.probe = Some(Box::new(probe));
        self
    }

    /// What the probe noted, which then is done.
    pub fn take_parts(&mut self) -> Vec<ModuleIo> {
        let probe = self.probe.take();
        probe.map_or_else(Vec::new, |probe| probe.into_found())
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

    /// Whether the part `path` need not run.
    pub(crate) fn skips(&self, path: Arguments<'_>) -> bool {
        let probe = self.probe.as_ref();
        probe.is_some_and(|probe| probe.skips(path))
    }

    /// The part `name` of the part that runs begins, which reads no stream.
    pub(crate) fn start(&mut self, name: Arguments<'_>) {
        if let Some(probe) = &mut self.probe {
            probe.begin(name);
        }
    }

    /// The part `name` of the part that runs begins; gives what it reads, `x` where nothing
    /// else is given.
    pub(crate) fn begin<const D: usize>(&mut self, name: Arguments<'_>, x: Tensor<D>) -> Tensor<D> {
        let Some(probe) = &mut self.probe else {
            return x;
        };
        probe.begin(name);
        probe.read(x)
    }

    /// The part that began last ends with `y`.
    pub(crate) fn end<const D: usize>(&mut self, y: Tensor<D>) -> Tensor<D> {
        if let Some(probe) = &mut self.probe {
            probe.end(&y);
        }
        y
    }

    /// `module` with the weights that this pass has.
    pub(crate) fn weights<'a, M: Module>(&mut self, module: &'a M) -> Cow<'a, M> {
        match &mut self.probe {
            Some(probe) => probe.weights(module),
            None => Cow::Borrowed(module),
        }
    }

    /// A weight as this pass has it.
    pub(crate) fn weight<const D: usize>(&mut self, value: Tensor<D>) -> Tensor<D> {
        match &mut self.probe {
            Some(probe) => probe.weight(value),
            None => value,
        }
    }

    /// `x · tableᵀ`: `[…, d_model]` by `[vocab, d_model]`.
    pub(crate) fn tied<const D: usize>(&mut self, x: Tensor<D>, table: Tensor<2>) -> Tensor<D> {
        match &mut self.probe {
            Some(probe) => probe.tied(x, table),
            None => kernels::tied(x, table),
        }
    }
}
