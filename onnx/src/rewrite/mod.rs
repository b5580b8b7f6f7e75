//! Clean-ups of the finished graph, one a file.
//!
//! Common computations are shared, and casts and reshapes to what a value already is are left out,
//! where nodes are appended (`lower/context.rs`); linear layers become one operation before the
//! traces are compared (`canonical.rs`).

mod broadcast;
mod dead;

use crate::graph::Graph;

/// Runs all of them.
pub(crate) fn rewrite(graph: &mut Graph) {
    broadcast::rewrite(graph);
    dead::rewrite(graph);
}
