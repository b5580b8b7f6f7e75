//! Clean-ups of the finished graph, one a file.

mod bias;
mod dead;
mod linear;

use crate::graph::Graph;

/// Runs all of them.
pub(crate) fn rewrite(graph: &mut Graph) {
    linear::rewrite(graph);
    bias::rewrite(graph);
    dead::rewrite(graph);
}
