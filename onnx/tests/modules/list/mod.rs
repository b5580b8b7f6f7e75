//! Every module of burn-nn, with inputs and a forward pass.
//!
//! The list knows nothing of an exporter, so that `tests/upstream` walks the same one: whoever
//! includes it has a [`Given`] and a [`Taken`] beside it.

mod activations;
mod layers;
mod sequences;
mod spatial;

use burn::module::Module;

use super::{Given, Taken};

/// What walks the list.
pub trait Sink {
    /// One row: the module's type and, after a comma, its variant; its inputs' dimensions, as
    /// numbers and names; what is computed.
    fn row<M: Module, I: Given, O: Taken>(
        &mut self,
        name: &'static str,
        module: M,
        shapes: &[&'static str],
        forward: impl Fn(&M, I) -> O,
    );
}

/// Walks the whole list, losses aside.
pub fn all(sink: &mut impl Sink) {
    activations::rows(sink);
    layers::rows(sink);
    spatial::rows(sink);
    sequences::rows(sink);
}
