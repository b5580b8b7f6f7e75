//! Clean-ups of the finished graph, one a file.
//!
//! Common computations are shared, and casts and reshapes to what a value already is are left out,
//! where nodes are appended (`lower/context.rs`); linear layers become one operation before the
//! traces are compared (`canonical.rs`).

mod broadcast;
mod dead;
mod gelu_cube;
mod gelu_tanh;
mod pattern;
mod recurrent;
mod rms_norm;
mod rotary;
mod sum;
mod swish;
mod transpose;

use crate::graph::build::Graph;
use crate::target::Forms;

/// Runs all of them; those that join nodes only where the file may have such `forms`.
pub(crate) fn rewrite(graph: &mut Graph, forms: Forms) {
    broadcast::rewrite(graph);
    recurrent::rewrite(graph, forms);
    if forms.gelu {
        gelu_tanh::rewrite(graph);
    } else {
        gelu_cube::rewrite(graph);
    }
    if forms.swish {
        swish::rewrite(graph);
    }
    if forms.rms_norm {
        rms_norm::rewrite(graph);
    }
    if forms.rotary {
        rotary::rewrite(graph);
    }
    sum::rewrite(graph, forms.sums);
    transpose::rewrite(graph);
    dead::rewrite(graph);
}
